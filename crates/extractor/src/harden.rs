//! What the process does to itself before the first document.

#![expect(
    unsafe_code,
    reason = "closing descriptors that somebody else opened cannot be done otherwise; the use says why it is sound"
)]

use std::{io, os::fd::AsRawFd};

use rustix::{
    fs::{Dir, Mode, OFlags},
    process::{Resource, Rlimit, Signal, setrlimit},
};

/// Cuts what ties this process to its parent's surroundings: it dies with the parent, leaves no core file, and holds no descriptor but
/// the three standard ones. Must run before anything is opened.
pub(crate) fn first() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    let mut listing =
        Dir::new(rustix::fs::open("/proc/self/fd", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)?;
    let own = listing.fd()?.as_raw_fd();
    let descriptors: Vec<i32> =
        listing.by_ref().filter_map(|entry| entry.ok()?.file_name().to_str().ok()?.parse().ok()).collect();
    for inherited in descriptors.into_iter().filter(|descriptor| *descriptor > 2 && *descriptor != own) {
        // SAFETY: nothing in this process has opened a descriptor yet but the listing, which is left out, so nothing owns this one.
        unsafe { rustix::io::close(inherited) };
    }
    Ok(())
}

/// Bounds the address space, in bytes.
pub(crate) fn limit_memory(bytes: u64) -> io::Result<()> {
    Ok(setrlimit(Resource::As, Rlimit { current: Some(bytes), maximum: Some(bytes) })?)
}
