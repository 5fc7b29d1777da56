//! A whole process: this test program again, as a service that a supervisor starts, asks, signals and waits for.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use docmill_runtime::{
    health::{Health, Status},
    lifecycle::{Lifecycle, LifecycleConfig},
    ops::{self, OpsConfig},
    telemetry::{self, LogFormat, TelemetryConfig},
};
use serde_json::Value;
use tokio::time::sleep;

const ROLE: &str = "DOCMILL_TEST_ROLE";

/// Starts this program's test `process::service` as a process of its own, in a role.
fn start(role: &str) -> (Child, BufReader<std::process::ChildStderr>, String) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "process::a_service_drains_when_asked", "--nocapture"])
        .env(ROLE, role)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let listens = find(&mut log, "operations port listens");
    let address = listens["address"].as_str().unwrap().to_owned();
    (child, log, address)
}

/// The next log line with this message.
fn find(log: &mut impl BufRead, message: &str) -> Value {
    let mut lines = log.lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    lines.find(|line| line["message"] == message).unwrap_or_else(|| panic!("no `{message}` in the log"))
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn signal(child: &Child, name: &str) {
    let done = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(done.success());
}

/// The service itself: with a role it is the child; without one it is the test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_drains_when_asked() {
    match env::var(ROLE) {
        Ok(role) => serve(&role).await.unwrap(),
        Err(_) => tokio::task::spawn_blocking(drains_when_asked).await.unwrap(),
    }
}

async fn serve(role: &str) -> anyhow::Result<()> {
    let lifecycle = Lifecycle::new(&LifecycleConfig::default())?;
    let config = TelemetryConfig { format: LogFormat::Json, ..TelemetryConfig::default() };
    let telemetry = telemetry::init(&config, "service", "1.2.3")?;
    telemetry::init(&config, "service", "1.2.3")?;
    let health = Health::new(lifecycle.soft.clone());
    health.report("queue", Status::Degraded("connection refused".into()));
    metrics::histogram!("docmill_work_seconds").record(0.03);
    metrics::histogram!("docmill_upload_bytes").record(2000.0);
    let listen = ([127, 0, 0, 1], 0).into();
    let Some(server) = ops::bind(&OpsConfig { enabled: true, listen }, &telemetry, &health)? else { anyhow::bail!("no port") };
    lifecycle.companion("operations port", server.run());
    let (soft, hard, role) = (lifecycle.soft.clone(), lifecycle.hard.clone(), role.to_owned());
    lifecycle.essential("worker", async move {
        if role == "broken" {
            anyhow::bail!("no such table");
        }
        sleep(Duration::from_millis(200)).await;
        health.set_migrated();
        let span = tracing::info_span!("request", request_id = "req_1");
        span.in_scope(|| tracing::info!(pages = 3, "migrated"));
        soft.cancelled().await;
        if role == "stubborn" {
            hard.cancelled().await
        } else {
            sleep(Duration::from_secs(1)).await
        }
        Ok(())
    });
    lifecycle.run_until_signalled().await
}

fn drains_when_asked() {
    let (mut child, mut log, address) = start("service");
    assert!(get(&address, "/livez").starts_with("HTTP/1.1 200"));
    let line = find(&mut log, "migrated");
    assert_eq!((&line["pages"], &line["spans"][0]["request_id"]), (&Value::from(3), &Value::from("req_1")));
    assert!(get(&address, "/readyz").starts_with("HTTP/1.1 200"));

    let details = get(&address, "/details");
    let details: Value = serde_json::from_str(details.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(details["ready"], true);
    assert_eq!(details["dependencies"]["queue"]["reason"], "connection refused");

    let metrics = get(&address, "/metrics");
    for expected in [
        "docmill_build_info{program=\"service\",version=\"1.2.3\"} 1",
        "docmill_dependency_up{dependency=\"queue\"} 0",
        "docmill_work_seconds_bucket{le=\"0.025\"} 0",
        "docmill_work_seconds_bucket{le=\"0.05\"} 1",
        "docmill_upload_bytes_bucket{le=\"8192\"} 1",
        "process_start_time_seconds ",
    ] {
        assert!(metrics.contains(expected), "{expected} is missing in {metrics}");
    }

    signal(&child, "TERM");
    find(&mut log, "draining");
    let unready = get(&address, "/readyz");
    assert!(unready.starts_with("HTTP/1.1 503") && unready.ends_with("draining"), "{unready}");
    assert!(child.wait().unwrap().success(), "what was running was finished");
}

#[test]
fn a_second_signal_stops_at_once() {
    let (mut child, mut log, _) = start("stubborn");
    find(&mut log, "migrated");
    signal(&child, "INT");
    find(&mut log, "draining");
    assert!(child.try_wait().unwrap().is_none());
    signal(&child, "TERM");
    find(&mut log, "stopping at once");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_process_with_a_dead_part_dies_by_its_name() {
    let (mut child, mut log, _) = start("broken");
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(rest.contains("worker failed") && rest.contains("no such table"), "{rest}");
}
