//! The built program: starts, answers for its health, survives a full disk, drains by a signal.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::support::{PATIENCE, expect};

const PROGRAM: &str = env!("CARGO_BIN_EXE_docmill-api");

struct Program {
    child: Child,
    address: String,
    ops: String,
    log: std::thread::JoinHandle<Vec<Value>>,
}

/// Starts the program with files of at most so many blocks of 512 bytes, and waits until it listens.
fn start(folder: &std::path::Path, blocks: u32) -> Program {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --listen 127.0.0.1:0 --set ops.listen=127.0.0.1:0");
    let mut child = Command::new("sh")
        .args(["-c", &script, PROGRAM])
        .env("DOCMILL_TELEMETRY__FORMAT", "json")
        .current_dir(folder)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (mut log, mut ops) = (Vec::new(), String::new());
    let address = loop {
        let line: Value = serde_json::from_str(&lines.next().expect("the program listens").unwrap()).unwrap();
        log.push(line.clone());
        if line["message"] == "operations port listens" {
            ops = line["address"].as_str().unwrap().to_owned();
        }
        if line["message"] == "the API listens" {
            break line["address"].as_str().unwrap().to_owned();
        }
    };
    let log = std::thread::spawn(move || {
        log.extend(lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()));
        log
    });
    Program { child, address, ops, log }
}

fn health(address: &str) -> Option<i32> {
    Command::new(PROGRAM).args(["health", "--listen", address]).status().unwrap().code()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = start(folder.path(), 2048);
    assert_eq!(health(&program.address), Some(0));
    let url = format!("http://{}/v1/documents", program.address);
    let client = reqwest::Client::new();
    let full = client.post(&url).body("x".repeat(3 << 20)).send().await.unwrap();
    assert_eq!(full.headers()["retry-after"], "60");
    let full = expect(full, 507).await;
    assert_eq!((full["code"].as_str(), full["retryable"].as_bool()), (Some("storage_full"), Some(true)));
    expect(client.post(&url).body("small").send().await.unwrap(), 202).await;

    assert!(Command::new("kill").arg(program.child.id().to_string()).status().unwrap().success());
    let status = tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(move || program.child.wait()))
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(status.success(), "{status}");
    assert_eq!(health(&program.address), Some(1));
    let log = program.log.join().unwrap();
    let loud: Vec<_> =
        log.iter().filter(|line| line["level"] != "INFO").map(|line| line["message"].as_str().unwrap().to_owned()).collect();
    assert_eq!(
        loud,
        [
            "queue.kind is memory, so nothing outside this process hears of a job, and no worker is in it; `docmill up` has both",
            "a request could not be met"
        ]
    );
}

/// What workers are scaled by is told where there is none.
#[tokio::test(flavor = "multi_thread")]
async fn the_operations_port_tells_the_backlog() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = start(folder.path(), 1 << 20);
    let client = reqwest::Client::new();
    let upload = |priority: &str| {
        let options = format!("{{\"priority\": \"{priority}\"}}");
        client.post(format!("http://{}/v1/documents", program.address)).header("docmill-options", options).body("text").send()
    };
    for priority in ["bulk", "interactive", "bulk"] {
        expect(upload(priority).await.unwrap(), 202).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let url = format!("http://{}/v1/backlog", program.ops);
    let told = expect(client.get(url).send().await.unwrap(), 200).await;
    assert_eq!((told["backlog"].as_i64(), told["lanes"]["bulk"]["due"].as_i64()), (Some(3), Some(2)), "{told}");
    assert!((0.05..60.0).contains(&told["oldest_due_seconds"].as_f64().unwrap()), "{told}");
    let other = client.get(format!("http://{}/v1/nothing", program.ops)).send().await.unwrap();
    assert_eq!(other.status(), 404);
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    program.log.join().unwrap();
}

#[test]
fn another_address_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(PROGRAM)
        .args(["--listen", "0.0.0.0:8080", "--set", "ops.enabled=false", "--set", "telemetry.log=error"])
        .current_dir(folder.path())
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"error: api.listen is 0.0.0.0:8080, which other machines may reach; without API keys docmill listens on loopback only: make a key with `docmill keys create`, or give the first one by api.first_key, or use 127.0.0.1 or [::1]");
}
