//! Every way a request can go wrong: one table of codes, served as RFC 9457 problem details.
//! `docs/reference/problems.md` has a section for each code, which the `type` of a problem links to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Failure;

macro_rules! problem_codes {
    ($($variant:ident, $code:literal, $status:literal, retryable: $retryable:literal, $title:literal;)*) => {
        /// The stable code of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        pub enum ProblemCode {
            $(#[doc = $title] #[serde(rename = $code)] $variant,)*
        }

        impl ProblemCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code as JSON spells it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// The HTTP status it is answered with.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// Whether the same request can succeed later, unchanged.
            pub fn retryable(self) -> bool {
                match self { $(Self::$variant => $retryable),* }
            }

            /// What it means, the same for every occurrence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }
        }
    };
}

problem_codes! {
    EmptyBody, "empty_body", 400, retryable: false, "the upload holds no bytes";
    BadRequest, "bad_request", 400, retryable: false, "the request cannot be understood";
    BadCursor, "bad_cursor", 400, retryable: false, "the cursor is not one that docmill gave";
    UploadInterrupted, "upload_interrupted", 400, retryable: true, "the upload ended before its body was complete";
    Unauthorized, "unauthorized", 401, retryable: false, "the request carries no valid API key";
    Forbidden, "forbidden", 403, retryable: false, "the API key may not do this";
    NotFound, "not_found", 404, retryable: false, "there is nothing here";
    MethodNotAllowed, "method_not_allowed", 405, retryable: false, "this resource does not take that method";
    NotAcceptable, "not_acceptable", 406, retryable: false, "the result is not available as any of the accepted media types";
    UploadTimeout, "upload_timeout", 408, retryable: true, "the upload stood still for too long";
    NotFinished, "not_finished", 409, retryable: true, "the job has not finished yet";
    JobFailed, "job_failed", 409, retryable: false, "the job failed, so there is no result";
    JobCancelled, "job_cancelled", 409, retryable: false, "the job was cancelled, so there is no result";
    JobFinal, "job_final", 409, retryable: false, "the job has already ended, so it cannot be cancelled";
    NotRetryable, "not_retryable", 409, retryable: false, "the job is not among the dead letters, so it cannot be retried";
    KeyInFlight, "idempotency_key_in_flight", 409, retryable: true, "another request with this Idempotency-Key is being worked on";
    Gone, "gone", 410, retryable: false, "the document was deleted or has expired";
    TooLarge, "too_large", 413, retryable: false, "the upload is larger than the limit";
    UnsupportedFormat, "unsupported_format", 415, retryable: false, "docmill does not read documents of this kind";
    RangeNotSatisfiable, "range_not_satisfiable", 416, retryable: false, "the range lies outside the content";
    BadOptions, "bad_options", 422, retryable: false, "an option cannot be used";
    KeyReused, "idempotency_key_reused", 422, retryable: false, "this Idempotency-Key was used with another payload or other options";
    Busy, "busy", 429, retryable: true, "docmill is taking as many requests as it may";
    LimitReached, "limit_reached", 429, retryable: true, "the tenant has used up what it may use";
    Internal, "internal", 500, retryable: true, "docmill made a mistake";
    Unavailable, "unavailable", 503, retryable: true, "something this request needs cannot be reached";
    Draining, "draining", 503, retryable: true, "this process is shutting down";
    StorageFull, "storage_full", 507, retryable: true, "there is no space left to store the upload";
}

/// RFC 9457 problem details.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A link to the code's section of the documentation.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the code means.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened to this request, and what to do next.
    pub detail: String,
    /// The stable code.
    pub code: ProblemCode,
    /// Whether the same request can succeed later, unchanged.
    pub retryable: bool,
    /// The request, as the logs name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The option at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The media types that would have been accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<String>,
    /// Why the job failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Seconds to wait before trying again; also in `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem of this code; `detail` says what happened and what to do next.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("https://docmill.io/docs/reference/problems#{}", code.as_str()),
            title: code.title().into(),
            status: code.status(),
            detail: detail.into(),
            code,
            retryable: code.retryable(),
            request_id: None,
            field: None,
            accepted: Vec::new(),
            failure: None,
            retry_after: None,
        }
    }

    /// The same problem, to be tried again after `seconds`.
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}
