//! What the pool does with children that misbehave.

use std::{
    env, fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use docmill_domain::{Failure, FailureCode, Format, job::Progress};
use docmill_extract::{End, ExtractConfig, Extractors};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, extract, file, mock, request, wait_for_no_zombies};

fn code(end: &End) -> Option<FailureCode> {
    match end {
        End::Document(Failure { code, .. }) | End::Limit(Failure { code, .. }) | End::Crashed(Failure { code, .. }) => {
            Some(*code)
        }
        End::Unavailable(Failure { code, .. }) => Some(*code),
        End::Complete | End::Cancelled => None,
    }
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn pages_arrive_and_are_counted() {
    let rig = Rig::new();
    let progress = watch::Sender::new(Progress::default());
    let mut attempt = request(Format::Mock);
    attempt.attempt = 7;
    let document = file(br#"{"pages": 3, "text": "hello"}"#);
    let report = rig.pool().extract(document, attempt, &progress, &CancellationToken::new()).await;
    assert_eq!(report.end, End::Complete);
    assert_eq!(report.extraction.text(), "hello (page 1, attempt 7)\n\nhello (page 2, attempt 7)\n\nhello (page 3, attempt 7)\n");
    assert_eq!(*progress.borrow(), Progress { done: 3, total: Some(3) });
}

#[tokio::test]
async fn limits_end_what_does_not_end_itself() {
    let mut rig = Rig::new();
    (rig.config.time_limit_seconds, rig.config.stall_limit_seconds) = (3, 2);
    let hurried = rig.pool();
    // On a busy machine even filling the memory takes its time, so these have as much of it as they like.
    (rig.config.time_limit_seconds, rig.config.stall_limit_seconds, rig.config.memory_limit_mib) = (60, 60, 160);
    rig.config.output_limit_mib = 1;
    let narrow = rig.pool();
    let long = "x".repeat(300_000);
    for (pool, json, expected, pages, seconds) in [
        (&hurried, r#"{"pages": 2, "then": "hang"}"#.to_owned(), FailureCode::Stalled, 2, 2.0..10.0),
        (&hurried, r#"{"pages": 1, "then": "spin"}"#.to_owned(), FailureCode::Stalled, 1, 2.0..10.0),
        (&hurried, r#"{"pages": 1000, "ms_per_page": 50}"#.to_owned(), FailureCode::TimeLimit, 2, 3.0..10.0),
        (&narrow, r#"{"pages": 1, "then": "allocate"}"#.to_owned(), FailureCode::MemoryLimit, 1, 0.0..60.0),
        (&narrow, format!(r#"{{"pages": 9, "text": "{long}"}}"#), FailureCode::OutputLimit, 1, 0.0..60.0),
    ] {
        let begin = Instant::now();
        let report = mock(pool, &json).await;
        assert_eq!(code(&report.end), Some(expected), "{:?}", report.end);
        assert!(report.extraction.pages.len() >= pages, "{} pages before {expected:?}", report.extraction.pages.len());
        let took = begin.elapsed().as_secs_f64();
        assert!(seconds.contains(&took), "{expected:?} after {took} s");
        assert_eq!(rig.children(), [0; 0], "after {expected:?}");
    }
    assert_eq!(mock(&narrow, "{}").await.end, End::Complete);
    wait_for_no_zombies().await;
}

#[tokio::test]
async fn deaths_are_crashes_and_say_how() {
    let rig = Rig::new();
    let pool = rig.pool();
    for (then, says) in [("abort", "signal: 6"), ("exit", "exit status: 3"), ("panic", "panicked at"), ("babble", "protocol")] {
        let report = mock(&pool, &format!(r#"{{"pages": 1, "then": "{then}"}}"#)).await;
        let End::Crashed(failure) = report.end else { panic!("{then}: {:?}", report.end) };
        assert!(failure.message.contains(says), "{then}: {}", failure.message);
        assert_eq!(report.extraction.pages.len(), 1);
        assert_eq!(rig.children(), [0; 0], "after {then}");
    }
    wait_for_no_zombies().await;
}

#[tokio::test]
async fn cancelling_or_dropping_kills_at_once() {
    let rig = Rig::new();
    let pool = rig.pool();
    for then in ["hang", "spin"] {
        let cancel = CancellationToken::new();
        let (progress, mut seen) = watch::channel(Progress::default());
        let body = file(format!(r#"{{"pages": 1, "then": "{then}"}}"#).as_bytes());
        let extraction = pool.extract(body, request(Format::Mock), &progress, &cancel);
        let stop = async {
            seen.wait_for(|progress| progress.done == 1).await.unwrap();
            cancel.cancel();
            Instant::now()
        };
        let (report, cancelled) = tokio::join!(extraction, stop);
        assert!(cancelled.elapsed() < Duration::from_millis(500), "{:?}", cancelled.elapsed());
        assert_eq!((report.end, report.extraction.pages.len()), (End::Cancelled, 1));
        assert_eq!(rig.children(), [0; 0]);
    }
    {
        let hanging = mock(&pool, r#"{"then": "hang"}"#);
        assert!(tokio::time::timeout(Duration::from_millis(300), hanging).await.is_err());
    }
    rig.wait_for_children(0).await;
    wait_for_no_zombies().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_and_then_few() {
    let mut rig = Rig::new();
    rig.config.idle_limit_seconds = 1;
    let pool = rig.pool();
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { mock(&pool, r#"{"pages": 4, "ms_per_page": 100}"#).await.end })
        })
        .collect();
    rig.wait_for_children(6).await;
    for task in tasks {
        assert_eq!(task.await.unwrap(), End::Complete);
    }
    rig.wait_for_children(1).await;
    wait_for_no_zombies().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_killed_from_outside_is_replaced_if_idle_and_a_crash_if_busy() {
    let rig = Rig::new();
    let pool = rig.pool();
    assert_eq!(mock(&pool, "{}").await.end, End::Complete);
    kill(rig.children()[0]);
    assert_eq!(mock(&pool, "{}").await.end, End::Complete);
    let busy = pool.clone();
    let busy = tokio::spawn(async move { mock(&busy, r#"{"pages": 1, "then": "hang"}"#).await.end });
    tokio::time::sleep(Duration::from_millis(300)).await;
    kill(rig.children()[0]);
    let End::Crashed(failure) = busy.await.unwrap() else { panic!("not a crash") };
    assert!(failure.message.contains("signal: 9"), "{}", failure.message);
    wait_for_no_zombies().await;
}

#[tokio::test]
async fn children_are_reused_and_recycled() {
    let mut rig = Rig::new();
    rig.config.documents_per_child = 2;
    let pool = rig.pool();
    let mut seen = Vec::new();
    for _ in 0..4 {
        assert_eq!(mock(&pool, "{}").await.end, End::Complete);
        seen.extend(rig.children());
    }
    seen.dedup();
    // After its second document a child is killed, which may not have happened yet when it is looked for.
    assert!((2..=4).contains(&seen.len()), "{seen:?}");
    rig.wait_for_children(0).await;
}

#[tokio::test]
async fn a_child_has_nothing_but_its_document() {
    let rig = Rig::new();
    let pool = rig.pool();
    // Anything opened without CLOEXEC by a library in the parent would be inherited.
    let (secret, path) = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap().into_parts();
    let leaked = rustix::io::dup(&secret).unwrap();
    pool.warm().await.unwrap();
    let child = rig.children()[0];
    let open: Vec<_> = fs::read_dir(format!("/proc/{child}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .collect();
    assert!(!open.contains(&path.to_path_buf()), "{open:?}");
    let environment = fs::read(format!("/proc/{child}/environ")).unwrap();
    assert_eq!(String::from_utf8_lossy(&environment), "MALLOC_ARENA_MAX=1\0RAYON_NUM_THREADS=1\0");
    let limits = fs::read_to_string(format!("/proc/{child}/limits")).unwrap();
    let limit = |name: &str| {
        limits.lines().find(|line| line.starts_with(name)).unwrap().split_whitespace().rev().nth(1).unwrap().to_owned()
    };
    assert_eq!((limit("Max address space"), limit("Max core file size")), ((1024u64 << 20).to_string(), "0".into()));
    drop(leaked);
}

#[tokio::test]
async fn no_descriptor_stays_behind() {
    let rig = Rig::new();
    let pool = rig.pool();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for (index, json) in ["{}", r#"{"then": "abort"}"#, r#"{"pages": "x"}"#].iter().enumerate() {
        let path = folder.path().join(index.to_string());
        fs::write(&path, json).unwrap();
        let document = fs::File::open(&path).unwrap();
        pool.extract(document, request(Format::Mock), &watch::Sender::new(Progress::default()), &CancellationToken::new()).await;
        let holders: Vec<u32> = rig.children().into_iter().chain([std::process::id()]).collect();
        for holder in holders {
            let open =
                fs::read_dir(format!("/proc/{holder}/fd")).unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
            assert!(!open.into_iter().any(|open| open.starts_with(folder.path())), "{json}: {holder} still has it open");
        }
    }
}

#[tokio::test]
async fn shutting_down_leaves_nothing() {
    let rig = Rig::new();
    let pool = rig.pool();
    pool.warm().await.unwrap();
    let busy = mock(&pool, r#"{"then": "hang"}"#);
    let down = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        pool.shutdown().await;
    };
    let (report, ()) = tokio::join!(busy, down);
    assert_eq!(report.end, End::Cancelled);
    assert_eq!(rig.children(), [0; 0]);
    assert_eq!(code(&mock(&pool, "{}").await.end), Some(FailureCode::ExtractorUnavailable));
    wait_for_no_zombies().await;
}

#[tokio::test]
async fn a_program_that_is_none_is_named() {
    let new = |program: &str| Extractors::new(&ExtractConfig { program: Some(program.into()), ..ExtractConfig::default() });
    assert!(new("/nowhere/docmill-extractor").err().unwrap().to_string().contains("/nowhere/docmill-extractor"));
    assert!(new("/etc/passwd").is_err(), "not executable");
    let pool = new("/bin/false").unwrap();
    let report = extract(&pool, b"{}", request(Format::Mock)).await;
    assert_eq!(code(&report.end), Some(FailureCode::ExtractorUnavailable));
    assert!(pool.engines().await.warning.unwrap().contains("/bin/false cannot be used: it ended at its start"));
}

const PARENT_OF: &str = "DOCMILL_TEST_PARENT_OF";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_parent_is_killed_its_children_die() {
    let rig = Rig::new();
    let mut parent = Command::new(env::current_exe().unwrap())
        .args(["--exact", "pool::a_parent", "--nocapture"])
        .env(PARENT_OF, rig.config.program.as_ref().unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // One is idle, one hangs, one spins.
    rig.wait_for_children(3).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(rig.children().len(), 3);
    parent.kill().unwrap();
    parent.wait().unwrap();
    let killed = Instant::now();
    rig.wait_for_children(0).await;
    assert!(killed.elapsed() < Duration::from_secs(2));
}

/// Is the parent in the test above; does nothing when run by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent() {
    let Some(program) = env::var_os(PARENT_OF) else { return };
    let pool = Extractors::new(&ExtractConfig { program: Some(program.into()), ..ExtractConfig::default() }).unwrap();
    tokio::join!(mock(&pool, r#"{"then": "hang"}"#), mock(&pool, r#"{"then": "spin"}"#), mock(&pool, r#"{"ms_per_page": 100}"#));
}
