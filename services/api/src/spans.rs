//! A request's span in its trace, told by OpenTelemetry's semantic conventions for HTTP servers. Where no traces are exported there is none.

use actix_web::{
    dev::ServiceRequest,
    http::{StatusCode, header},
};
use docmill_pipeline::trace::{self, TARGET};
use tracing::{Span, info_span};

use crate::observe::{Call, OTHER_METHOD, UNMATCHED, split_port};

/// The span of a request: a child of the client's, where there is one. Probes have none: they would be most of all traces.
pub(crate) fn server(request: &ServiceRequest, call: &Call, method: &'static str, route: &str) -> Span {
    if matches!(route, "/livez" | "/readyz") {
        return Span::none();
    }
    let span = info_span!(target: TARGET, "request", otel.kind = "server", otel.name = name(method, route));
    if span.is_disabled() {
        return span;
    }
    if let Some(traceparent) = &call.traceparent {
        trace::follow(&span, traceparent);
    }
    let set = |name, value: &str| trace::set(&span, name, value.to_owned());
    set("http.request.method", method);
    if method == OTHER_METHOD {
        set("http.request.method_original", request.method().as_str());
    }
    if route != UNMATCHED {
        set("http.route", route);
    }
    set("url.path", request.path());
    set("docmill.request.id", &call.request_id);
    if let Some(agent) = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()) {
        set("user_agent.original", agent);
    }
    let connection = request.connection_info();
    set("url.scheme", connection.scheme());
    let (address, port) = split_port(connection.host());
    set("server.address", address);
    if let Some(port) = port {
        trace::set(&span, "server.port", i64::from(port));
    }
    drop(connection);
    span
}

/// Says how a request was answered. An error is what is the server's fault.
pub(crate) fn answered(span: &Span, status: StatusCode) {
    trace::set(span, "http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        trace::set(span, "error.type", status.as_str().to_owned());
        trace::fail(span, status.canonical_reason().unwrap_or("server error"));
    }
}

/// Of few values, so neither a path nor a method that someone invented.
fn name(method: &str, route: &str) -> String {
    let method = if method == OTHER_METHOD { "HTTP" } else { method };
    if route == UNMATCHED { method.to_owned() } else { format!("{method} {route}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_few() {
        assert_eq!(name("GET", "/v1/jobs/{id}"), "GET /v1/jobs/{id}");
        assert_eq!(name("GET", UNMATCHED), "GET");
        assert_eq!(name(OTHER_METHOD, UNMATCHED), "HTTP");
    }

    #[test]
    fn traces_are_switched_off_by_the_target_they_have() {
        assert_eq!(TARGET, docmill_runtime::telemetry::TRACE_TARGET);
    }
}
