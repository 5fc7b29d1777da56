//! A disk that runs full: 507, nothing half-stored, and service again when space returns.

use std::{path::Path, process::Command, time::Duration};

use docmill_e2e::docmill::{Docmill, program};
use reqwest::{Client, StatusCode};

/// `docmill up` with its data on a file system of 24 MiB, which only it can see.
fn on_a_small_disk(data: &Path) -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    let script =
        "mount -t tmpfs -o size=24m none \"$1\" && exec \"$2\" up --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 --data \"$1\"";
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(data).arg(program("docmill"));
    command
        .env("DOCMILL_TELEMETRY__FORMAT", "json")
        .env("DOCMILL_PIPELINE__SWEEP_SECONDS", "0.2")
        .env("DOCMILL_PIPELINE__SCRATCH", "/tmp");
    // The first document's result may be on its way to the disk when the document is deleted, and is erased the second time only.
    command.env("DOCMILL_PIPELINE__WRITERS_LIVE_SECONDS", "1");
    // The last document's result may wait for space; it is handed back then.
    command.env("DOCMILL_LIFECYCLE__GRACE_SECONDS", "2");
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_507_until_space_returns() {
    let folder = tempfile::tempdir().unwrap();
    let docmill = match Docmill::spawn(on_a_small_disk(folder.path())) {
        Ok(docmill) => docmill,
        Err(error) if std::env::var("CI").is_err() => {
            return println!("left out: a full disk (no file system can be mounted here: {error})");
        }
        Err(error) => panic!("{error}"),
    };
    let http = Client::new();
    let upload = |bytes: usize| {
        let body = "all work and no play\n".repeat(bytes / 21);
        http.post(format!("{}/v1/documents?name=a.txt", docmill.api)).header("Content-Type", "text/plain").body(body).send()
    };
    let first = upload(7 << 20).await.unwrap();
    assert_eq!(first.status(), StatusCode::ACCEPTED);
    let first: serde_json::Value = first.json().await.unwrap();
    let full = upload(20 << 20).await.unwrap();
    assert_eq!(full.status(), StatusCode::INSUFFICIENT_STORAGE);
    assert!(full.headers().contains_key("Retry-After"));
    let problem: serde_json::Value = full.json().await.unwrap();
    assert_eq!(problem["code"], "storage_full", "{problem}");

    let listed: serde_json::Value = http.get(format!("{}/v1/documents", docmill.api)).send().await.unwrap().json().await.unwrap();
    assert_eq!(listed["documents"].as_array().unwrap().len(), 1, "no document of the refused upload: {listed}");
    assert_eq!(upload(1 << 20).await.unwrap().status(), StatusCode::ACCEPTED, "what fits is still taken");

    // Deleting needs a little space as well, which a result on its way to the disk may hold for a moment: the answer is then 507 too.
    let document = format!("{}/v1/documents/{}", docmill.api, first["document_id"].as_str().unwrap());
    for _ in 0..100 {
        if http.delete(&document).send().await.unwrap().status() == StatusCode::NO_CONTENT {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(http.get(&document).send().await.unwrap().status(), StatusCode::GONE, "{}", docmill.log_text());
    for _ in 0..100 {
        if upload(9 << 20).await.unwrap().status() == StatusCode::ACCEPTED {
            assert!(docmill.stop().unwrap().success());
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("service did not resume: {}", docmill.log_text());
}
