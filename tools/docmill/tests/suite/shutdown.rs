//! How a server ends while it works.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Server, cli, complaints, write};

/// A server at work on a document of so many pages, a tenth of a second each; its folder, and the document.
fn at_work(pages: u32, grace_seconds: u32) -> (tempfile::TempDir, Server, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_with(&folder.path().join("data"), &[&format!("lifecycle.grace_seconds={grace_seconds}")]);
    write(folder.path().join("slow.mock"), format!(r#"{{"pages": {pages}, "ms_per_page": 100}}"#));
    let submitted = cli!(folder.path(), "submit", "slow.mock", "--json", "--server", &server.api).json();
    let id = submitted[0]["document_id"].as_str().expect("an id").to_owned();
    let deadline = Instant::now() + Duration::from_secs(10);
    while job(&folder, &server, &id)["state"] != "running" {
        assert!(Instant::now() < deadline, "the job is not begun");
        thread::sleep(Duration::from_millis(20));
    }
    (folder, server, id)
}

fn job(folder: &tempfile::TempDir, server: &Server, id: &str) -> Value {
    cli!(folder.path(), "status", id, "--json", "--server", &server.api).json()[0]["job"].take()
}

/// What the next server finds: the job, ended.
fn afterwards(folder: &tempfile::TempDir, id: &str) -> Value {
    let server = Server::start(&folder.path().join("data"));
    assert_eq!(cli!(folder.path(), "wait", id, "--timeout", "60", "--server", &server.api).code, 0);
    let job = job(folder, &server, id);
    server.stop_cleanly();
    job
}

#[test]
fn what_runs_is_finished_within_the_grace_time() {
    let (folder, server, id) = at_work(15, 20);
    let log = server.stop_cleanly();
    assert!(log.contains("succeeded"), "{log}");
    assert_eq!(afterwards(&folder, &id)["attempts"], 1);
}

#[test]
fn what_outlasts_the_grace_time_is_handed_back() {
    let (folder, server, id) = at_work(40, 1);
    let began = Instant::now();
    server.signal(Signal::TERM);
    let (code, log) = server.wait();
    assert!(began.elapsed() < Duration::from_millis(3500), "{:?}", began.elapsed());
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("handed back"), "{log}");
    let complaints = complaints(&log);
    assert!(complaints.len() == 1 && complaints[0].contains("the grace time is over"), "{complaints:?}");
    let job = afterwards(&folder, &id);
    assert_eq!((job["state"].as_str(), job["attempts"].as_i64()), (Some("succeeded"), Some(2)));
}

#[test]
fn a_second_signal_hands_back_at_once() {
    let (folder, server, id) = at_work(40, 60);
    server.signal(Signal::TERM);
    thread::sleep(Duration::from_millis(200));
    let began = Instant::now();
    server.signal(Signal::INT);
    let (code, log) = server.wait();
    assert!(began.elapsed() < Duration::from_millis(2500), "{:?}", began.elapsed());
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("handed back"), "{log}");
    assert_eq!(afterwards(&folder, &id)["state"], "succeeded");
}
