use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span as Proto, span::SpanKind, status::StatusCode},
};

/// A span as a test looks at it: ids in hex, every value as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// `internal`, `server`, `client`, `producer` or `consumer`.
    pub kind: String,
    /// The trace it is in, 32 digits.
    pub trace_id: String,
    /// Its own id, 16 digits.
    pub span_id: String,
    /// Its parent's id; empty of a trace's first span.
    pub parent_id: String,
    /// The spans that it is linked to, as trace and span id.
    pub links: Vec<(String, String)>,
    /// What is said of it.
    pub attributes: BTreeMap<String, String>,
    /// The names of its events, or their messages where they have no name of their own.
    pub events: Vec<String>,
    /// Whether it says that it failed.
    pub failed: bool,
    /// Who tells.
    pub resource: BTreeMap<String, String>,
}

pub(crate) fn read(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for told in request.resource_spans {
        let resource = pairs(told.resource.unwrap_or_default().attributes);
        let protos = told.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.extend(protos.map(|proto| one(proto, &resource)));
    }
    spans
}

fn one(proto: Proto, resource: &BTreeMap<String, String>) -> Span {
    Span {
        kind: match proto.kind() {
            SpanKind::Server => "server",
            SpanKind::Client => "client",
            SpanKind::Producer => "producer",
            SpanKind::Consumer => "consumer",
            SpanKind::Internal | SpanKind::Unspecified => "internal",
        }
        .into(),
        name: proto.name,
        trace_id: hex(&proto.trace_id),
        span_id: hex(&proto.span_id),
        parent_id: hex(&proto.parent_span_id),
        links: proto.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
        attributes: pairs(proto.attributes),
        events: proto.events.into_iter().map(|event| event.name).collect(),
        failed: proto.status.is_some_and(|status| status.code() == StatusCode::Error),
        resource: resource.clone(),
    }
}

fn pairs(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|pair| (pair.key, text(pair.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
