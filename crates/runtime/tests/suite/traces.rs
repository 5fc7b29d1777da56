//! Traces of a whole process: exported as the standard variables say, dropped and counted where nobody takes them, absent where nobody asks.

use std::{
    env, fs,
    net::TcpListener,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use docmill_otlp_receiver::{Protocol, Receiver};
use docmill_runtime::telemetry::{self, LogFormat, TRACE_TARGET, TelemetryConfig};
use opentelemetry::trace::TraceContextExt as _;
use serde_json::Value;
use tracing::{Instrument as _, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const SPANS: &str = "DOCMILL_TEST_SPANS";

/// A process that makes so many traces, looks at what it counted, and ends: its log, and how long its end took.
struct Ended {
    log: Vec<Value>,
    took: Duration,
}

impl Ended {
    /// The log line with this message.
    fn line(&self, message: &str) -> &Value {
        self.log.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("no `{message}` in {:#?}", self.log))
    }

    /// A sample of its metrics, taken at its end.
    fn sample(&self, series: &str) -> u64 {
        let scrape = self.line("scraped")["metrics"].as_str().unwrap();
        let value =
            scrape.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("no {series} in {scrape}"));
        value.trim().parse().unwrap()
    }
}

fn run(spans: u32, variables: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "traces::the_process_itself", "--nocapture"]).env(SPANS, spans.to_string());
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OTEL_")) {
        command.env_remove(name);
    }
    let child = command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    let log: Vec<Value> =
        String::from_utf8(output.stderr).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(output.status.success(), "{log:#?}");
    let millis = log.iter().find(|line| line["message"] == "ended").unwrap()["millis"].as_u64().unwrap();
    Ended { log, took: Duration::from_millis(millis) }
}

/// With the variable it is the process under test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_itself() {
    let Ok(count) = env::var(SPANS) else { return };
    let config = TelemetryConfig { format: LogFormat::Json, ..TelemetryConfig::default() };
    let telemetry = telemetry::init(&config, "service", "1.2.3").unwrap();
    for _ in 0..count.parse().unwrap() {
        let outer = info_span!(target: TRACE_TARGET, "outer", otel.kind = "server", otel.name = "GET /things");
        let logged = info_span!("logged", thing = 1);
        tracing::info!(disabled = outer.is_disabled(), valid = outer.context().span().span_context().is_valid(), "made");
        async {
            let inner = info_span!(target: TRACE_TARGET, "inner");
            inner.in_scope(|| tracing::info!(target: "docmill_service", pages = 3, "worked"));
        }
        .instrument(logged)
        .instrument(outer)
        .await;
    }
    let threads =
        fs::read_dir("/proc/self/task").unwrap().map(|task| fs::read_to_string(task.unwrap().path().join("comm")).unwrap());
    let exporting = threads.filter(|name| name.starts_with("OpenTelemetry")).count();
    // Once what fails at once has failed.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    telemetry.shutdown().await;
    let millis = u64::try_from(began.elapsed().as_millis()).unwrap();
    tracing::info!(metrics = telemetry.render(), exporting, "scraped");
    tracing::info!(millis, "ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_arrive_over_grpc_and_over_http() {
    for (protocol, name) in [(Protocol::Grpc, "grpc"), (Protocol::Http, "http/protobuf")] {
        let receiver = Receiver::start(protocol).await;
        let endpoint = receiver.endpoint();
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", name),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=one"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.version=9"),
        ];
        let ended = run_aside(1, &variables).await;
        let spans = receiver.spans();
        let [outer, inner] = ["GET /things", "inner"].map(|name| spans.iter().find(|span| span.name == name).expect(name));
        assert_eq!((inner.trace_id.as_str(), inner.parent_id.as_str()), (outer.trace_id.as_str(), outer.span_id.as_str()));
        assert_eq!((outer.kind.as_str(), inner.kind.as_str()), ("server", "internal"));
        assert_eq!(outer.resource["service.name"], "service");
        assert_eq!(outer.resource["service.version"], "9", "the environment's word counts");
        assert_eq!(outer.resource["deployment.environment.name"], "test");
        assert_eq!(receiver.header("x-tenant").as_deref(), Some("one"));
        assert_eq!(inner.events, ["worked"]);

        let line = ended.line("worked");
        assert_eq!((line["trace_id"].as_str(), line["span_id"].as_str()), (Some(&*inner.trace_id), Some(&*inner.span_id)));
        assert_eq!(line["spans"][0]["thing"], 1, "what lines say of their request stays: {line}");
        assert_eq!(ended.line("made")["trace_id"], Value::Null);
        assert_eq!(ended.sample("docmill_spans_exported_total"), 2);
        assert_eq!(ended.sample("docmill_spans_dropped_total{reason=\"export_failed\"}"), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collectors_certificate_is_checked_against_the_authority_that_is_named() {
    let receiver = Receiver::start_tls().await;
    let endpoint = receiver.endpoint();
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    fs::write(&authority, receiver.authority()).unwrap();
    let mut variables = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
    ];
    let stranger = run_aside(1, &variables).await;
    assert_eq!(stranger.sample("docmill_spans_exported_total"), 0);
    assert_eq!(receiver.spans().len(), 0);
    variables.push(("OTEL_EXPORTER_OTLP_CERTIFICATE", authority.to_str().unwrap()));
    let known = run_aside(1, &variables).await;
    assert_eq!(known.sample("docmill_spans_exported_total"), 2);
    assert_eq!(receiver.spans().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_collector_that_is_down_does_not_take_is_counted() {
    for protocol in ["grpc", "http/protobuf"] {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let endpoint = format!("http://{free}");
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "200"),
            ("OTEL_BSP_SCHEDULE_DELAY", "10"),
        ];
        let ended = run_aside(3, &variables).await;
        assert_eq!(ended.sample("docmill_spans_exported_total"), 0);
        assert_eq!(ended.sample("docmill_spans_dropped_total{reason=\"export_failed\"}"), 6);
        let told = ended.log.iter().filter(|line| line["level"] != "INFO").count();
        assert_eq!(told, 1, "once, not for every batch: {:#?}", ended.log);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_never_answers_does_not_hold_the_end() {
    for protocol in ["grpc", "http/protobuf"] {
        // Connections wait in its backlog.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", silent.local_addr().unwrap());
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "600000"),
            ("OTEL_BSP_SCHEDULE_DELAY", "10"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "4"),
        ];
        let ended = run_aside(10, &variables).await;
        assert!((Duration::from_secs(2)..Duration::from_secs(15)).contains(&ended.took), "{:?}", ended.took);
        assert_eq!(ended.sample("docmill_spans_dropped_total{reason=\"queue_full\"}"), 16, "of twenty, four may wait");
        assert_eq!(ended.line("the last spans could not be exported in time")["spans"], 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_endpoint_a_span_is_nothing() {
    let receiver = Receiver::start(Protocol::Http).await;
    let endpoint = receiver.endpoint();
    let off = run_aside(1, &[("OTEL_SERVICE_NAME", "x")]).await;
    let disabled = run_aside(1, &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_SDK_DISABLED", "true")]).await;
    for ended in [off, disabled] {
        let made = ended.line("made");
        assert_eq!((&made["disabled"], &made["valid"]), (&Value::Bool(true), &Value::Bool(false)), "no layer looks at it");
        assert_eq!(ended.line("scraped")["exporting"], 0, "no thread waits to export it");
        let line = ended.line("worked");
        assert_eq!((&line["trace_id"], &line["spans"][0]["thing"]), (&Value::Null, &Value::from(1)));
        assert_eq!(line["spans"].as_array().unwrap().len(), 1);
    }
    assert!(receiver.spans().is_empty());
    let on = run_aside(1, &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())]).await;
    let (made, scraped) = (on.line("made"), on.line("scraped"));
    assert_eq!(
        (&made["disabled"], &made["valid"], &scraped["exporting"]),
        (&Value::Bool(false), &Value::Bool(true), &Value::from(1))
    );
}

/// Runs the process without holding the receiver's threads.
async fn run_aside(spans: u32, variables: &[(&str, &str)]) -> Ended {
    tokio::task::block_in_place(|| run(spans, variables))
}
