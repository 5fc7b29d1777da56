//! One trace from the client's request to the job's end: `request → accept → send → process → claim, fetch, extract, store, complete`.
//!
//! The spans of a trace have a target of their own, [`TARGET`], which a program that exports no traces switches off, so that they cost it
//! nothing; what log lines say of their request and job are other spans. A process hands on where a trace stands as W3C `traceparent`, in
//! the job's row, in its first ring's, and in the message.
//!
//! A message is processed as the child of the span that sent it, and linked to it. One that is delivered again begins a trace that is
//! only linked. So does a ring that no upload caused (of a retry, or after the broker's silence): its trace is linked to the job's own,
//! rather than to be told as a part of something that had ended.
//!
//! Only OpenTelemetry's API is known here; whether and where to spans are exported is the program's matter.

use std::collections::HashMap;

use docmill_catalog::claims::Claim;
use docmill_domain::{Lane, OutboxId};
use docmill_queue::Delivery;
use opentelemetry::{
    Context, Value, global,
    trace::{Status, TraceContextExt as _},
};
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The target of every span of a trace.
pub const TARGET: &str = "docmill::trace";

const TRACEPARENT: &str = "traceparent";

/// Where a span stands in its trace, as W3C `traceparent`; none where no traces are exported.
pub fn traceparent(span: &Span) -> Option<String> {
    let mut carrier = HashMap::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&span.context(), &mut carrier));
    carrier.remove(TRACEPARENT)
}

/// Makes a span, which must not have been entered yet, the child of one of another process.
pub fn follow(span: &Span, traceparent: &str) {
    // Fails only for a span that is not exported.
    let _ = span.set_parent(remote(traceparent));
}

/// Says something of a span, under a name of OpenTelemetry's semantic conventions or one that begins with `docmill.`.
pub fn set(span: &Span, name: &'static str, value: impl Into<Value>) {
    if !span.is_disabled() {
        span.set_attribute(name, value);
    }
}

/// Says that what a span stands for failed.
pub fn fail(span: &Span, reason: impl ToString) {
    if !span.is_disabled() {
        span.set_status(Status::error(reason.to_string()));
    }
}

/// The span of a ring that is sent.
pub(crate) fn send(system: &'static str, lane: Lane, id: OutboxId, cause: Option<&str>) -> Span {
    let span = info_span!(target: TARGET, "send", otel.kind = "producer", otel.name = format!("send {}", lane.as_str()));
    if let Some(cause) = cause {
        follow(&span, cause);
    }
    describe(&span, system, "send", lane, id);
    span
}

/// The span of a message that is processed. `sent` is the span that sent it.
pub(crate) fn process(system: &'static str, lane: Lane, id: OutboxId, delivery: &Delivery, sent: Option<&str>) -> Span {
    let span = info_span!(target: TARGET, "process", otel.kind = "consumer", otel.name = format!("process {}", lane.as_str()));
    if let Some(sent) = sent.filter(|_| !span.is_disabled()) {
        if delivery.deliveries <= 1 {
            follow(&span, sent);
        }
        link(&span, sent);
    }
    describe(&span, system, "process", lane, id);
    set(&span, "messaging.message.body.size", i64::try_from(delivery.body.len()).unwrap_or(i64::MAX));
    span
}

/// Says which job the span's message rang for, and links it to that job's trace, unless it is a part of it.
pub(crate) fn claimed(span: &Span, claim: &Claim) {
    if span.is_disabled() {
        return;
    }
    set(span, "docmill.job.id", claim.job.to_string());
    set(span, "docmill.document.id", claim.document.to_string());
    set(span, "docmill.document.format", claim.format.as_str());
    set(span, "docmill.attempt", claim.token);
    let ours = span.context().span().span_context().trace_id();
    if let Some(origin) = claim.traceparent.as_deref()
        && remote(origin).span().span_context().trace_id() != ours
    {
        link(span, origin);
    }
}

/// The delivery's `traceparent`: its header's, else the envelope's.
pub(crate) fn sent(delivery: &Delivery, envelope: Option<String>) -> Option<String> {
    delivery.headers.get(TRACEPARENT).cloned().or(envelope)
}

/// The headers that carry a trace over a broker.
pub(crate) fn headers(traceparent: Option<String>) -> std::collections::BTreeMap<String, String> {
    traceparent.into_iter().map(|value| (TRACEPARENT.into(), value)).collect()
}

fn describe(span: &Span, system: &'static str, operation: &'static str, lane: Lane, id: OutboxId) {
    if span.is_disabled() {
        return;
    }
    set(span, "messaging.system", system);
    set(span, "messaging.operation.name", operation);
    set(span, "messaging.operation.type", operation);
    set(span, "messaging.destination.name", lane.as_str());
    set(span, "messaging.message.id", id.to_string());
}

fn link(span: &Span, traceparent: &str) {
    span.add_link(remote(traceparent).span().span_context().clone());
}

fn remote(traceparent: &str) -> Context {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    global::get_text_map_propagator(|propagator| propagator.extract(&carrier))
}
