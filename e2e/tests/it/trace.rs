//! One trace: from the client's request to the end of its job, as a collector sees it.

use std::{net::TcpListener, path::Path, process::Command, time::Duration};

use docmill_e2e::{
    client::{Upload, result, settled, submit},
    cluster::Cluster,
    docmill::{Docmill, command},
    servers::{BrokerKind, Servers},
};
use docmill_otlp_receiver::{Protocol, Receiver, Span};
use reqwest::{
    Client,
    header::{HeaderMap, HeaderValue},
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);
const CLIENTS_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENTS_SPAN: &str = "00f067aa0ba902b7";

/// A client that has a trace of its own.
fn traced_client() -> Client {
    let traceparent = format!("00-{CLIENTS_TRACE}-{CLIENTS_SPAN}-01");
    let headers = HeaderMap::from_iter([("traceparent".parse().unwrap(), HeaderValue::from_str(&traceparent).unwrap())]);
    Client::builder().default_headers(headers).build().unwrap()
}

/// What has a program export its traces, soon.
fn export<'a>(endpoint: &'a str, protocol: &'a str) -> [(&'static str, &'a str); 3] {
    [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol), ("OTEL_BSP_SCHEDULE_DELAY", "50")]
}

fn exporting(data: &Path, endpoint: &str, protocol: &str) -> Command {
    let mut command = command(data);
    command.envs(export(endpoint, protocol));
    command
}

/// The one span that this holds of.
fn only<'a>(spans: &'a [Span], what: &str, is_it: impl Fn(&Span) -> bool) -> &'a Span {
    let found: Vec<&Span> = spans.iter().filter(|span| is_it(span)).collect();
    assert_eq!(found.len(), 1, "{what} in {spans:#?}");
    found[0]
}

fn named<'a>(spans: &'a [Span], name: &str, parent: &Span) -> &'a Span {
    only(spans, name, |span| span.name == name && span.parent_id == parent.span_id)
}

/// One trace of an upload of [`traced_client`]'s, whole and connected, from the request to the job's end. The span of the latter.
fn check<'a>(spans: &'a [Span], job: &str, system: &str) -> &'a Span {
    let request = only(spans, "the upload", |span| span.name == "POST /v1/documents");
    assert_eq!((request.trace_id.as_str(), request.parent_id.as_str()), (CLIENTS_TRACE, CLIENTS_SPAN));
    assert_eq!(request.kind, "server");
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/v1/documents"),
        ("http.response.status_code", "202"),
        ("url.path", "/v1/documents"),
        ("url.scheme", "http"),
        ("server.address", "127.0.0.1"),
    ] {
        assert_eq!(request.attributes.get(name).map(String::as_str), Some(value), "{name}");
    }
    let accept = named(spans, "accept", request);
    named(spans, "store", accept);
    named(spans, "commit", accept);
    assert_eq!(accept.attributes["docmill.job.id"], job);

    let send = named(spans, "send bulk", accept);
    let process = named(spans, "process bulk", send);
    assert_eq!((send.kind.as_str(), process.kind.as_str()), ("producer", "consumer"));
    assert_eq!(process.links, [(send.trace_id.clone(), send.span_id.clone())]);
    for (span, operation) in [(send, "send"), (process, "process")] {
        assert_eq!(span.attributes["messaging.system"], system);
        assert_eq!(span.attributes["messaging.destination.name"], "bulk");
        assert_eq!(span.attributes["messaging.operation.type"], operation);
        assert_eq!(span.attributes["messaging.message.id"], send.attributes["messaging.message.id"]);
    }
    for step in ["claim", "ack", "fetch", "extract", "store", "complete"] {
        assert_eq!(named(spans, step, process).trace_id, CLIENTS_TRACE, "{step}");
    }
    assert_eq!(process.attributes["docmill.job.id"], job);
    assert_eq!(process.attributes["docmill.outcome"], "done");
    assert!(process.events.contains(&"succeeded".to_owned()), "{:?}", process.events);
    process
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_from_the_request_to_the_jobs_end() {
    let receiver = Receiver::start(Protocol::Grpc).await;
    let data = tempfile::tempdir().unwrap();
    let docmill = Docmill::spawn(exporting(data.path(), &receiver.endpoint(), "grpc")).unwrap();
    let promise = submit(&traced_client(), &docmill.api, &Upload::text("one", "hello\n")).await.unwrap();
    settled(&Client::new(), &docmill.api, &promise.job, PATIENCE).await.unwrap();
    let spans = receiver.until(PATIENCE, |spans| spans.iter().any(|span| span.name == "process bulk")).await;
    assert_eq!(check(&spans, &promise.job, "memory").resource["service.name"], "docmill");

    let log = docmill.log_text();
    let line: Value = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .find(|line: &Value| line["message"] == "succeeded")
        .unwrap();
    assert_eq!(line["trace_id"], CLIENTS_TRACE);
    assert_eq!(line["spans"].as_array().unwrap().iter().filter(|span| span["job"] == promise.job.as_str()).count(), 1, "{line}");
    assert!(docmill.stop().unwrap().success());
}

/// The same through an API and a worker that know of each other by a broker alone.
async fn over(broker: BrokerKind, system: &str) {
    let receiver = Receiver::start(Protocol::Grpc).await;
    let mut cluster = Cluster::over(Servers::start(broker).await.unwrap());
    cluster.settings.extend(export(&receiver.endpoint(), "grpc").map(|(name, value)| (name.into(), value.into())));
    cluster.add_api(&[]).await.unwrap();
    cluster.add_worker(&[]).await.unwrap();
    let api = cluster.urls().remove(0);
    let promise = submit(&traced_client(), &api, &Upload::text("one", "hello\n")).await.unwrap();
    settled(&Client::new(), &api, &promise.job, PATIENCE).await.unwrap();
    let ended = |spans: &[Span]| {
        let sent = spans.iter().any(|span| span.name == "send bulk");
        sent && spans.iter().any(|span| span.name == "process bulk") && spans.iter().any(|span| span.name == "POST /v1/documents")
    };
    let spans = receiver.until(PATIENCE, ended).await;
    let process = check(&spans, &promise.job, system);
    assert_eq!(process.resource["service.name"], "docmill-worker");
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_over_nats() {
    over(BrokerKind::Nats, "nats").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_over_rabbitmq() {
    over(BrokerKind::RabbitMq, "rabbitmq").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_over_sqs() {
    over(BrokerKind::Sqs, "aws_sqs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_a_trace_of_its_own_that_is_linked_to_the_jobs() {
    let receiver = Receiver::start(Protocol::Http).await;
    let data = tempfile::tempdir().unwrap();
    let mut command = exporting(data.path(), &receiver.endpoint(), "http/protobuf");
    let docmill = Docmill::spawn({
        command.env("DOCMILL_PIPELINE__MAX_ATTEMPTS", "2");
        command
    })
    .unwrap();
    let aborting = Upload::mock("dead-letter", &json!({"pages": 0, "then": "abort"}));
    let promise = submit(&traced_client(), &docmill.api, &aborting).await.unwrap();
    settled(&Client::new(), &docmill.api, &promise.job, PATIENCE).await.unwrap();
    let attempts = |spans: &[Span]| spans.iter().filter(|span| span.name == "process bulk").count();
    let spans = receiver.until(PATIENCE, |spans| attempts(spans) == 2).await;

    let attempt = |number: &str| {
        only(&spans, "an attempt", |span| span.attributes.get("docmill.attempt").is_some_and(|attempt| attempt == number))
    };
    let (first, second) = (attempt("1"), attempt("2"));
    assert_eq!((first.trace_id.as_str(), first.attributes["docmill.outcome"].as_str()), (CLIENTS_TRACE, "retry"));
    assert_eq!(second.attributes["docmill.outcome"], "dead_letter");
    assert!(second.failed, "what becomes a dead letter has failed");
    assert_ne!(second.trace_id, CLIENTS_TRACE);
    let send = only(&spans, "its ring", |span| span.span_id == second.parent_id);
    assert_eq!((send.name.as_str(), send.parent_id.as_str()), ("send bulk", ""), "no upload caused the second ring");
    let accept = only(&spans, "the acceptance", |span| span.name == "accept");
    assert!(second.links.contains(&(CLIENTS_TRACE.into(), accept.span_id.clone())), "{:?}", second.links);
    assert!(docmill.stop().unwrap().success());
}

/// Neither a request nor the end waits for a collector that accepts and never answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_collector_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let data = tempfile::tempdir().unwrap();
    let mut command = exporting(data.path(), &endpoint, "grpc");
    command.env("OTEL_BSP_MAX_QUEUE_SIZE", "8").env("OTEL_EXPORTER_OTLP_TIMEOUT", "600000");
    let docmill = Docmill::spawn(command).unwrap();
    let http = Client::new();
    for number in 0..3 {
        let promise = submit(&http, &docmill.api, &Upload::text(&format!("upload-{number}"), "hello\n")).await.unwrap();
        settled(&http, &docmill.api, &promise.job, PATIENCE).await.unwrap();
        result(&http, &docmill.api, &promise.document).await.unwrap();
    }
    let scrape = http.get(format!("{}/metrics", docmill.ops)).send().await.unwrap().text().await.unwrap();
    let dropped =
        scrape.lines().find_map(|line| line.strip_prefix("docmill_spans_dropped_total{reason=\"queue_full\"} ")).unwrap();
    assert!(dropped.parse::<u64>().unwrap() > 0, "{scrape}");
    let began = std::time::Instant::now();
    assert!(docmill.stop().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
