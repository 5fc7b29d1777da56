//! `GET /v1/documents/{id}/original`: the bytes that were uploaded.

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::header::{self, EntityTag},
    web::{Data, Path},
};
use docmill_domain::{DocumentId, Problem};

use crate::{ApiState, auth::Caller, content, disposition, error::Result};

/// Get back what was uploaded.
#[utoipa::path(
    get, path = "/v1/documents/{id}/original", tag = "documents", params(("id" = String, Path, description = "`doc_…`")),
    responses(
        (status = 200, description = "its bytes, of the type they were detected to be", body = Vec<u8>, content_type = "application/octet-stream", headers(("ETag" = String))),
        (status = 206, description = "the range asked for"),
        (status = 304, description = "as the client knows it"),
        (status = 404, description = "no such document", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "deleted or expired", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "the range lies outside", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(
    state: Data<ApiState>,
    caller: Caller,
    id: Path<DocumentId>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let document = state.pipeline.document(&caller.tenant, *id).await?;
    let tag = EntityTag::new_strong(document.sha256.clone());
    if content::is_known(&request, &tag) {
        return Ok(content::not_modified(tag));
    }
    let range = content::range(&request, document.size, &tag)?;
    let original = state.pipeline.original(&caller.tenant, *id, range.clone()).await?;
    let length = original.range.end - original.range.start;
    let mut response = content::begin(range.as_ref(), document.size, tag);
    response
        .content_type(document.format.media_types()[0])
        .insert_header((header::CONTENT_DISPOSITION, disposition::attachment(&document)));
    Ok(response.body(SizedStream::new(length, original.body)))
}
