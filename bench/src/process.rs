//! What the kernel knows of processes: memory, time on a core, children.

use std::{
    fs, io,
    process::{self, Command, Output},
    thread,
};

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The unit of the times in `/proc`, in seconds: the kernel reports a hundredth on every architecture.
const TICK: f64 = 0.01;

/// Resident memory, in MiB.
pub(crate) fn rss(pid: u32) -> io::Result<f64> {
    field(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// Proportional set size of a process and all below it, in MiB: pages that they share count once.
pub(crate) fn tree_pss(pid: u32) -> io::Result<f64> {
    tree(pid)?.into_iter().map(|pid| field(&format!("/proc/{pid}/smaps_rollup"), "Pss:")).sum()
}

/// A line `NAME n kB`, in MiB.
fn field(path: &str, name: &str) -> io::Result<f64> {
    let text = fs::read_to_string(path)?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<f64>().ok());
    value.map(|kib| kib / 1024.0).ok_or_else(|| io::Error::other(format!("{path} has no {name}")))
}

/// The process and all below it.
pub(crate) fn tree(pid: u32) -> io::Result<Vec<u32>> {
    let mut pids = vec![pid];
    let mut next = 0;
    while let Some(pid) = pids.get(next) {
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let children = fs::read_to_string(thread?.path().join("children"))?;
            pids.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        next += 1;
    }
    Ok(pids)
}

/// Seconds that a process has spent on cores so far.
pub(crate) fn cpu(pid: u32) -> io::Result<f64> {
    times(pid).map(|[user, system, ..]| user + system)
}

/// What a process's program calls itself: at most fifteen letters of its name.
pub(crate) fn name(pid: u32) -> io::Result<String> {
    Ok(fs::read_to_string(format!("/proc/{pid}/comm"))?.trim_end().to_owned())
}

/// Seconds that all ended children of this process, and theirs, have spent on cores.
fn cpu_of_the_dead() -> io::Result<f64> {
    times(process::id()).map(|[.., user, system]| user + system)
}

/// User and system time, then those of the children that have been waited for.
fn times(pid: u32) -> io::Result<[f64; 4]> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field, the name in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(')').ok_or_else(|| io::Error::other("no name in stat"))?;
    let mut fields = rest.split_whitespace().skip(11).map(|field| field.parse::<f64>().unwrap_or(0.0) * TICK);
    Ok(std::array::from_fn(|_| fields.next().unwrap_or(0.0)))
}

/// What a command took.
pub(crate) struct Ran {
    pub(crate) output: Output,
    /// From its start to its end, in seconds.
    pub(crate) seconds: f64,
    /// On cores, children included, in seconds.
    pub(crate) cpu: f64,
}

/// Runs a command to its end, on one core or on all.
pub(crate) fn run(mut command: Command, one_core: bool) -> anyhow::Result<Ran> {
    // A child has the affinity of the thread that starts it.
    let thread = thread::spawn(move || -> anyhow::Result<Ran> {
        if one_core {
            stay_on_one_core()?;
        }
        let (before, began) = (cpu_of_the_dead()?, std::time::Instant::now());
        let output = command.output().with_context(|| format!("{command:?} could not be started"))?;
        Ok(Ran { output, seconds: began.elapsed().as_secs_f64(), cpu: cpu_of_the_dead()? - before })
    });
    thread.join().expect("the thread returns its errors")
}

fn stay_on_one_core() -> io::Result<()> {
    let allowed = sched_getaffinity(None)?;
    let last = (0..CpuSet::MAX_CPU).rev().find(|core| allowed.is_set(*core));
    let mut one = CpuSet::new();
    one.set(last.ok_or_else(|| io::Error::other("no core is allowed"))?);
    Ok(sched_setaffinity(None, &one)?)
}
