//! What the process does to itself before the first document.

#![expect(
    unsafe_code,
    reason = "closing descriptors that somebody else opened cannot be done otherwise; the use says why it is sound"
)]

use std::{fs, io};

use rustix::process::{Resource, Rlimit, Signal, setrlimit};

/// Cuts what ties this process to its parent's surroundings: it dies with the parent, leaves no core file, and holds no descriptor but
/// the three standard ones. Must run before anything is opened.
pub(crate) fn first() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    let inherited: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2)
        .collect();
    for descriptor in inherited {
        // SAFETY: nothing in this process has opened a descriptor yet, so nothing owns this one: it was inherited, or was that of the
        // listing above and is closed already, which makes this call fail harmlessly.
        unsafe { rustix::io::close(descriptor) };
    }
    Ok(())
}

/// Bounds the address space, in bytes.
pub(crate) fn limit_memory(bytes: u64) -> io::Result<()> {
    Ok(setrlimit(Resource::As, Rlimit { current: Some(bytes), maximum: Some(bytes) })?)
}
