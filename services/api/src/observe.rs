//! What happens to every request: it gets an id and a trace, is counted and timed, and its error becomes problem+json.

use std::time::Instant;

use actix_web::{
    Error, HttpMessage,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use tracing::{Instrument as _, info_span};

use crate::{ApiState, auth, error::ApiError, spans};

/// For API answers: nothing in them may run, be framed, or be read by another site.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox"),
    (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "private, no-cache"),
];
/// What labels call a request that no route takes, and a method that nobody knows.
pub(crate) const UNMATCHED: &str = "unmatched";
pub(crate) const OTHER_METHOD: &str = "_OTHER";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What names a request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The client's `X-Request-Id`, or one made here.
    pub(crate) request_id: String,
    /// The client's W3C `traceparent`.
    pub(crate) traceparent: Option<String>,
}

impl Call {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let sane = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        Self {
            request_id: text("x-request-id").filter(sane).map_or_else(|| format!("{:032x}", rand::random::<u128>()), Into::into),
            traceparent: text("traceparent").filter(|value| is_traceparent(value)).map(Into::into),
        }
    }
}

/// Version 00 of the W3C's format, with ids that are not all zeros.
fn is_traceparent(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let hex =
        |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let id = |part: &str, length: usize| hex(part, length) && part.bytes().any(|byte| byte != b'0');
    matches!(parts[..], ["00", trace, span, flags] if id(trace, 32) && id(span, 16) && hex(flags, 2))
}

/// Says what the metrics mean.
pub(crate) fn describe() {
    metrics::describe_histogram!(
        "http_server_request_duration_seconds",
        metrics::Unit::Seconds,
        "From a request's head to its answer's, by method, route and status; its count is that of requests."
    );
    metrics::describe_gauge!("http_server_active_requests", "Requests whose answer has not begun.");
    metrics::describe_gauge!("docmill_event_streams", "Open streams of server-sent events.");
}

/// A gauge that is one higher for as long as this lives.
pub(crate) struct Counted(metrics::Gauge);

impl Counted {
    pub(crate) fn in_gauge(gauge: metrics::Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// The middleware.
pub(crate) async fn observe(
    state: Data<ApiState>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Instant::now();
    let active = Counted::in_gauge(metrics::gauge!("http_server_active_requests"));
    let call = Call::of(request.headers());
    request.extensions_mut().insert(call.clone());
    let method = method_label(request.method());
    let route = request.match_pattern().unwrap_or_else(|| UNMATCHED.into());
    let span = info_span!("request", request_id = call.request_id, traceparent = call.traceparent, method, route);
    // Within the span that log lines show, so that what the handler spawns takes both along.
    let trace = span.in_scope(|| spans::server(&request, &call, method, &route));
    let answer = async {
        match auth::admit(&state, &request, &route).await {
            Ok(()) => next.call(request).await,
            Err(error) => Ok(request.error_response(error)),
        }
    };
    let mut response = answer.instrument(trace.clone()).instrument(span.clone()).await?.map_into_boxed_body();
    if let Some(error) = response.response().error() {
        let _entered = (span.enter(), trace.enter());
        let rewrite = |error: &ApiError| {
            error.log();
            error.response(Some(&call.request_id))
        };
        let problem = error.as_error::<ApiError>().map_or_else(|| rewrite(&ApiError::foreign(error)), rewrite);
        response = response.into_response(problem);
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, HeaderValue::from_str(&call.request_id).expect("visible ASCII"));
    for (name, value) in HEADERS {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    drop(active);
    spans::answered(&trace, response.status());
    metrics::histogram!(
        "http_server_request_duration_seconds",
        "http_request_method" => method,
        "http_route" => route,
        "http_response_status_code" => response.status().as_str().to_owned()
    )
    .record(began.elapsed().as_secs_f64());
    Ok(response)
}

/// Anyone can invent a method; a label must not grow with it.
fn method_label(method: &Method) -> &'static str {
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
        .iter()
        .position(|known| known == method)
        .map_or(OTHER_METHOD, |at| ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"][at])
}

/// A host as clients name it, and its port if they do.
pub(crate) fn split_port(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port.parse().ok()),
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proper_traceparent_is_taken_over() {
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }
}
