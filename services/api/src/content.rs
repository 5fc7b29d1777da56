//! Entity tags, conditions and ranges (RFC 9110).

use std::ops::Range;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, EntityTag, Header, IfNoneMatch, IfRange},
};
use docmill_domain::{Job, ProblemCode};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::{ApiError, Result};

/// JSON with an entity tag of its own bytes; 304 where the client has it.
pub(crate) fn tagged_json(request: &HttpRequest, value: &impl Serialize) -> Result<HttpResponse> {
    let json = serde_json::to_vec(value)
        .map_err(|error| ApiError::new(ProblemCode::Internal, format!("an answer could not be written: {error}")))?;
    let digest = Sha256::digest(&json).first_chunk().map_or(0, |start| u128::from_be_bytes(*start));
    let tag = EntityTag::new_strong(format!("{digest:032x}"));
    if is_known(request, &tag) {
        return Ok(not_modified(tag));
    }
    Ok(HttpResponse::Ok().content_type("application/json").insert_header((header::ETAG, tag)).body(json))
}

/// A job, tagged by its revision, which grows with every change that a client can see: what is polled most is not hashed each time. The
/// tag is weak, since another version of docmill may spell the same job in other bytes.
pub(crate) fn tagged_job(request: &HttpRequest, job: &Job) -> HttpResponse {
    let tag = EntityTag::new_weak(job.revision.to_string());
    if is_known(request, &tag) {
        return not_modified(tag);
    }
    HttpResponse::Ok().insert_header((header::ETAG, tag)).json(job)
}

/// Whether the client has this already.
pub(crate) fn is_known(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => request.headers().contains_key(header::IF_NONE_MATCH),
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(tag)),
        Err(_) => false,
    }
}

pub(crate) fn not_modified(tag: EntityTag) -> HttpResponse {
    HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish()
}

/// The part of `size` bytes that the request asks for; `None` for all of it. Several ranges, other units and what cannot be understood
/// ask for all, and so does a condition that no longer holds.
pub(crate) fn range(request: &HttpRequest, size: u64, tag: &EntityTag) -> Result<Option<Range<u64>>> {
    let condition_holds = || match IfRange::parse(request) {
        Ok(IfRange::EntityTag(known)) => known.strong_eq(tag),
        _ => false,
    };
    if request.headers().contains_key(header::IF_RANGE) && !condition_holds() {
        return Ok(None);
    }
    let Ok(header::Range::Bytes(specs)) = header::Range::parse(request) else { return Ok(None) };
    let [spec] = &specs[..] else { return Ok(None) };
    match spec.to_satisfiable_range(size) {
        Some((first, last)) => Ok(Some(first..last + 1)),
        None => Err(ApiError::new(ProblemCode::RangeNotSatisfiable, format!("the content has {size} bytes"))
            .with_header(header::CONTENT_RANGE, format!("bytes */{size}"))),
    }
}

/// Begins the answer: 206 with the range, or 200.
pub(crate) fn begin(range: Option<&Range<u64>>, size: u64, tag: EntityTag) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    if let Some(range) = range {
        response = HttpResponse::PartialContent();
        response.insert_header((header::CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1)));
    }
    response.insert_header((header::ETAG, tag)).insert_header((header::ACCEPT_RANGES, "bytes"));
    response
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn one_range_is_served_and_everything_else_is_all() {
        let tag = EntityTag::new_strong("t".into());
        for (value, expected) in [
            ("bytes=0-1", Some(0..2)),
            ("bytes=5-", Some(5..10)),
            ("bytes=-3", Some(7..10)),
            ("bytes=8-99", Some(8..10)),
            ("bytes=0-1,4-5", None),
            ("lines=1-2", None),
            ("bytes=x", None),
        ] {
            let request = TestRequest::default().insert_header(("range", value)).to_http_request();
            assert_eq!(range(&request, 10, &tag).unwrap(), expected, "{value}");
            let stale =
                TestRequest::default().insert_header(("range", value)).insert_header(("if-range", "\"old\"")).to_http_request();
            assert_eq!(range(&stale, 10, &tag).unwrap(), None, "{value}");
        }
        for value in ["bytes=10-", "bytes=-0"] {
            let request = TestRequest::default().insert_header(("range", value)).to_http_request();
            assert!(range(&request, 10, &tag).is_err(), "{value}");
        }
    }
}
