//! Named places where a test can make a process die, fail or wait: one behind every durable step, so that the kill tests can stop a
//! program exactly there. Without the feature `test-hooks` both functions are empty, and no program that people run has the feature.
//!
//! The environment variable `DOCMILL_FAILPOINTS` arms them: `NAME[:NTH]=ACTION`, several separated by `;`. `NTH` counts a name's
//! passages from 1; without it every passage is meant. Actions: `kill` (SIGKILL to the own process), `error:enospc`, `error:eio`
//! (only where the step itself can fail), `sleep:MILLISECONDS` (blocks the thread).

use std::io;

/// Every failpoint there is. Passing or arming one that is missing here panics, so the list cannot fall behind.
pub const NAMES: &[&str] = &[
    "blob.temp_created",
    "blob.written",
    "blob.fsynced",
    "blob.renamed",
    "blob.folder_fsynced",
    "blob.unlinked",
    "blob.erased",
    "queue.published",
    "queue.received",
    "queue.acked",
    "catalog.accept.after_commit",
    "catalog.accept.before_commit",
    "catalog.cancel.after_commit",
    "catalog.cancel.before_commit",
    "catalog.claim.after_commit",
    "catalog.claim.before_commit",
    "catalog.delete.after_commit",
    "catalog.delete.before_commit",
    "catalog.erased.after_commit",
    "catalog.expire.after_commit",
    "catalog.expire.before_commit",
    "catalog.extend.after_commit",
    "catalog.finish.after_commit",
    "catalog.finish.before_commit",
    "catalog.index.after_commit",
    "catalog.index.before_commit",
    "catalog.index_claim.after_commit",
    "catalog.intent.after_commit",
    "catalog.intent.before_commit",
    "catalog.redrive.after_commit",
    "catalog.redrive.before_commit",
    "catalog.rung.after_commit",
    "catalog.rung.before_commit",
    "provision.before",
    "provision.made",
    "s3.upload_created",
    "s3.part_sent",
    "s3.upload_completed",
];

/// A step that has just been taken and can no longer fail.
pub fn passed(name: &str) {
    #[cfg(feature = "test-hooks")]
    armed::pass(name).unwrap_or_else(|error| panic!("failpoint {name} cannot fail, so arm it with kill or sleep: {error}"));
    #[cfg(not(feature = "test-hooks"))]
    let _ = name;
}

/// A step that may fail, and does where an error is armed.
pub fn attempt(name: &str) -> io::Result<()> {
    #[cfg(feature = "test-hooks")]
    return armed::pass(name);
    #[cfg(not(feature = "test-hooks"))]
    {
        let _ = name;
        Ok(())
    }
}

#[cfg(feature = "test-hooks")]
mod armed {
    use std::{
        env, io,
        sync::{
            OnceLock,
            atomic::{AtomicU64, Ordering},
        },
        thread,
        time::Duration,
    };

    use rustix::{
        io::Errno,
        process::{Signal, getpid, kill_process},
    };

    use super::NAMES;

    struct Armed {
        name: String,
        nth: Option<u64>,
        action: Action,
        passages: AtomicU64,
    }

    #[derive(Debug, PartialEq)]
    enum Action {
        Kill,
        Error(Errno),
        Sleep(Duration),
    }

    static ARMED: OnceLock<Vec<Armed>> = OnceLock::new();

    pub(super) fn pass(name: &str) -> io::Result<()> {
        assert!(NAMES.contains(&name), "failpoint `{name}` is missing from failpoint::NAMES");
        let armed = ARMED.get_or_init(|| {
            let text = env::var("DOCMILL_FAILPOINTS").unwrap_or_default();
            parse(&text).unwrap_or_else(|error| panic!("DOCMILL_FAILPOINTS: {error}"))
        });
        for point in armed.iter().filter(|point| point.name == name) {
            let passage = point.passages.fetch_add(1, Ordering::SeqCst) + 1;
            if point.nth.is_some_and(|nth| nth != passage) {
                continue;
            }
            match point.action {
                Action::Kill => {
                    kill_process(getpid(), Signal::KILL)?;
                    // The signal may reach another thread first; nothing after this step may run.
                    loop {
                        thread::park();
                    }
                }
                Action::Error(errno) => return Err(errno.into()),
                Action::Sleep(time) => thread::sleep(time),
            }
        }
        Ok(())
    }

    fn parse(text: &str) -> Result<Vec<Armed>, String> {
        text.split(';').filter(|point| !point.trim().is_empty()).map(|point| parse_one(point.trim())).collect()
    }

    fn parse_one(point: &str) -> Result<Armed, String> {
        let (place, action) = point.split_once('=').ok_or_else(|| format!("`{point}` is not NAME[:NTH]=ACTION"))?;
        let (name, nth) = match place.split_once(':') {
            Some((name, nth)) => (name, Some(nth.parse().map_err(|_| format!("`{nth}` is not a number of passages"))?)),
            None => (place, None),
        };
        if !NAMES.contains(&name) {
            return Err(format!("there is no failpoint `{name}`"));
        }
        let action = match action.split_once(':') {
            None if action == "kill" => Action::Kill,
            Some(("error", "enospc")) => Action::Error(Errno::NOSPC),
            Some(("error", "eio")) => Action::Error(Errno::IO),
            Some(("sleep", ms)) => {
                Action::Sleep(Duration::from_millis(ms.parse().map_err(|_| format!("`{ms}` is not milliseconds"))?))
            }
            _ => return Err(format!("`{action}` is none of kill, error:enospc, error:eio, sleep:MILLISECONDS")),
        };
        Ok(Armed { name: name.into(), nth, action, passages: AtomicU64::new(0) })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn reads_places_counts_and_actions() {
            let armed = parse("blob.renamed:3=kill; blob.written=error:enospc;queue.acked=sleep:20;").unwrap();
            let read: Vec<_> = armed.iter().map(|point| (point.name.as_str(), point.nth, &point.action)).collect();
            assert_eq!(
                read,
                [
                    ("blob.renamed", Some(3), &Action::Kill),
                    ("blob.written", None, &Action::Error(Errno::NOSPC)),
                    ("queue.acked", None, &Action::Sleep(Duration::from_millis(20))),
                ]
            );
            for bad in ["blob.renamed", "blob.renmed=kill", "blob.renamed:x=kill", "blob.renamed=explode", "blob.renamed=sleep:x"]
            {
                assert!(parse(bad).is_err(), "{bad}");
            }
        }
    }
}
