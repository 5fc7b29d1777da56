//! What an upload says of its document: its name, its type and its options.

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest,
    http::header::{self, ContentDisposition},
    web::Query,
};
use docmill_domain::{Options, Problem, ProblemCode, format::accepted_media_types, job::Lane};
use utoipa::ToSchema;

use super::options::Gathered;
use crate::error::{ApiError, Result};

/// The longest file name, in bytes.
const MAX_NAME: usize = 4096;

pub(crate) struct About {
    pub(crate) name: Option<String>,
    pub(crate) declared_type: Option<String>,
    pub(crate) options: Options,
}

/// The parts of an upload's form, for its documentation.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used: the parts are read one by one")]
pub(crate) struct Form {
    /// All options at once; each may be given once, here or as a part of its own.
    options: Option<Options>,
    /// `interactive` is served before `bulk`.
    priority: Option<Lane>,
    /// Seconds after which the document is erased.
    retention: Option<u64>,
    /// A JSON object of labels.
    tags: Option<BTreeMap<String, String>>,
    /// Opens an encrypted document.
    password: Option<String>,
    /// The document; the last part.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Of a body that is the document itself.
pub(crate) fn of_raw(request: &HttpRequest) -> Result<About> {
    let text = |name| match request.headers().get(name).map(|value| value.to_str()) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => Err(ApiError::new(
            ProblemCode::BadRequest,
            format!("the header {name} takes ASCII; write other characters as \\u escapes"),
        )),
    };
    let mut options = Gathered::default();
    if let Some(json) = text("docmill-options")? {
        options.json(json)?;
    }
    let mut name = disposed_name(request)?;
    let query = Query::<BTreeMap<String, String>>::from_query(request.query_string());
    for (key, value) in query.map_err(|error| ApiError::new(ProblemCode::BadRequest, error.to_string()))?.into_inner() {
        if key != "name" {
            return Err(ApiError::option(
                &key,
                "the query takes `name` alone; send options as JSON in the header Docmill-Options",
            ));
        }
        name = Some(value);
    }
    let declared = text("content-type")?.and_then(declared_type);
    if declared.as_deref().is_some_and(|declared| is(declared, "application/json")) {
        let problem =
            Problem::new(ProblemCode::UnsupportedFormat, "a JSON body is no document; send the document's own bytes, or a form");
        return Err(Problem { accepted: accepted_media_types(), ..problem }.into());
    }
    Ok(About { name: name.map(checked_name).transpose()?, declared_type: declared, options: options.finish()? })
}

fn disposed_name(request: &HttpRequest) -> Result<Option<String>> {
    let Some(value) = request.headers().get(header::CONTENT_DISPOSITION) else { return Ok(None) };
    let disposition = ContentDisposition::from_raw(value).map_err(|_| {
        ApiError::new(ProblemCode::BadRequest, "the header Content-Disposition cannot be understood; see RFC 6266, or use ?name=")
    })?;
    Ok(file_name(&disposition))
}

/// The file name that a disposition gives; the extended one, which has an encoding of its own, first.
pub(crate) fn file_name(disposition: &ContentDisposition) -> Option<String> {
    let extended = disposition.get_filename_ext().map(|extended| String::from_utf8_lossy(&extended.value).into_owned());
    extended.or_else(|| disposition.get_filename().map(Into::into)).filter(|name| !name.is_empty())
}

/// A file name is data and kept as it came, but for NUL, which no text column of a PostgreSQL holds.
pub(crate) fn checked_name(name: String) -> Result<String> {
    if name.len() > MAX_NAME {
        return Err(ApiError::option("name", format!("the file name has {} bytes, of at most {MAX_NAME}", name.len())));
    }
    Ok(name.replace('\0', "\u{fffd}"))
}

/// A declared media type worth keeping. The types that clients send when they know nothing declare nothing.
pub(crate) fn declared_type(text: &str) -> Option<String> {
    let says_something = !is(text, "application/x-www-form-urlencoded") && !is(text, "application/octet-stream");
    (says_something && text.len() <= 255).then(|| text.to_owned())
}

fn is(declared: &str, media_type: &str) -> bool {
    declared.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type)
}
