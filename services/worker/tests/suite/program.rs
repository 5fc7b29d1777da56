use std::{
    env,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use docmill_blob::BlobConfig;
use docmill_catalog::CatalogConfig;
use docmill_domain::{JobState, Lane, TenantId};
use docmill_pipeline::{Pipeline, PipelineConfig};
use docmill_queue::QueueConfig;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{extractor, mock, submit};

fn worker(folder: &Path, ops: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docmill-worker"));
    command.current_dir(folder).env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
    command.env("DOCMILL_EXTRACT__PROGRAM", extractor()).args(["--set", &format!("ops.listen={ops}")]);
    command
}

async fn open(folder: &Path) -> std::sync::Arc<Pipeline> {
    let catalog = CatalogConfig::Sqlite { folder: folder.join("data") };
    let blob = BlobConfig::File { folder: folder.join("data/blobs") };
    Pipeline::open(&catalog, &blob, &QueueConfig::default(), PipelineConfig::default()).await.expect("the folder is free")
}

/// What was accepted by a process that is gone is done by one that starts.
#[tokio::test]
async fn the_program_does_what_it_finds_and_ends_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = open(folder.path()).await;
    let job = submit(&pipeline, Lane::Bulk, &mock(2, 10)).await;
    pipeline.catalog.close().await;
    drop(pipeline);

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ops = listener.local_addr().unwrap().to_string();
    drop(listener);
    let health = || worker(folder.path(), &ops).arg("health").output().unwrap();
    let absent = health();
    assert_eq!(absent.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&absent.stderr).starts_with("error: no worker answers at 127.0.0.1:"));

    let child = worker(folder.path(), &ops).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while health().status.code() != Some(0) {
        assert!(began.elapsed() < Duration::from_secs(10), "it does not become ready");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Long enough for a job of 20 ms.
    tokio::time::sleep(Duration::from_secs(2)).await;
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(log.lines().all(|line| line.contains("\"level\":\"INFO\"")), "{log}");

    let pipeline = open(folder.path()).await;
    assert_eq!(pipeline.job(&TenantId::default_tenant(), job).await.unwrap().state, JobState::Succeeded);
}

#[test]
fn what_it_cannot_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (set, says) in [
        ("worker.permit=1", "error: worker.permit (flag) is not a setting; did you mean worker.permits?\n"),
        ("worker.permits=many", "error: worker.permits (flag) takes a whole number, zero or more, in its range, but is `many`\n"),
    ] {
        let output = worker(folder.path(), "127.0.0.1:0").args(["--set", set]).output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(1), says));
    }
}
