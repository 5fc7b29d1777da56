//! Errors on their way to the client: problem+json, written and logged in one place, the middleware.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use docmill_catalog::CatalogError;
use docmill_domain::{Problem, ProblemCode};

use crate::usage;

/// A handler's result.
pub(crate) type Result<T, E = ApiError> = std::result::Result<T, E>;

/// A request that failed.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    problem: Problem,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What the client is not told.
    cause: Option<docmill_pipeline::Error>,
}

impl ApiError {
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// A field of the upload's options, or of what counts as one, that cannot be used.
    pub(crate) fn option(field: &str, reason: impl Into<String>) -> Self {
        // A client wrote it, and may have written a lot.
        let field = field.chars().take(64).collect();
        Problem { field: Some(field), ..Problem::new(ProblemCode::BadOptions, reason) }.into()
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        self.0.headers.extend(value.try_into().ok().map(|value| (name, value)));
        self
    }

    /// The framework's own error, such as a path or a query that does not parse.
    pub(crate) fn foreign(error: &actix_web::Error) -> Self {
        let code = match error.as_response_error().status_code() {
            StatusCode::NOT_FOUND => ProblemCode::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => ProblemCode::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => ProblemCode::UploadTimeout,
            status if status.is_client_error() => ProblemCode::BadRequest,
            _ => ProblemCode::Internal,
        };
        let detail = error.to_string();
        let detail = ["Query deserialize error: ", "Json deserialize error: "]
            .iter()
            .find_map(|it| detail.strip_prefix(it))
            .unwrap_or(&detail);
        Self::new(code, if code == ProblemCode::Internal { code.title() } else { detail })
    }

    /// Logs what is docmill's fault, or its surroundings'.
    pub(crate) fn log(&self) {
        let Inner { problem, cause, .. } = &*self.0;
        let reason = cause.as_ref().map_or_else(|| problem.detail.clone(), ToString::to_string);
        match problem.code {
            ProblemCode::Draining => {}
            ProblemCode::Internal => tracing::error!(reason, "a request failed"),
            code if code.status() >= 500 => tracing::warn!(code = code.as_str(), reason, "a request could not be met"),
            _ => {}
        }
    }

    /// The response, to the request of this id.
    pub(crate) fn response(&self, request_id: Option<&str>) -> HttpResponse {
        let Inner { problem, headers, .. } = &*self.0;
        let mut response = HttpResponse::build(self.status_code());
        response.content_type("application/problem+json").insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(seconds) = problem.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        for (name, value) in headers {
            response.insert_header((name.clone(), value.clone()));
        }
        let body = Problem { request_id: request_id.map(Into::into), ..problem.clone() };
        response.body(serde_json::to_string(&body).expect("a problem is made of strings and numbers"))
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self(Box::new(Inner { problem, headers: Vec::new(), cause: None }))
    }
}

impl From<docmill_pipeline::Error> for ApiError {
    fn from(error: docmill_pipeline::Error) -> Self {
        let headers = match &error {
            docmill_pipeline::Error::Catalog(CatalogError::LimitReached(exceeded)) => usage::headers(&exceeded.usage),
            _ => Vec::new(),
        };
        Self(Box::new(Inner { problem: error.problem(), headers, cause: Some(error) }))
    }
}

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> Self {
        docmill_pipeline::Error::from(error).into()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.problem.detail)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.problem.status).expect("the table of problems holds valid statuses")
    }

    fn error_response(&self) -> HttpResponse {
        self.response(None)
    }
}
