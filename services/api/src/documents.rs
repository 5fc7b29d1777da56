//! Documents: list, look, delete.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Path, Query},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use docmill_catalog::documents::Filter;
use docmill_domain::{Document, DocumentId, Format, JobState, Problem, ProblemCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    ApiState,
    auth::Caller,
    content,
    error::{ApiError, Result},
};

const LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

/// Which documents.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct List {
    /// At most so many, 1 to 200; 50 unless told otherwise.
    limit: Option<i64>,
    /// Where a page before this one ended: its `next_cursor`.
    cursor: Option<String>,
    /// Only those whose latest job is in this state.
    job_state: Option<JobState>,
    /// Only those of this format.
    format: Option<Format>,
}

/// A page of documents, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Documents {
    documents: Vec<Document>,
    /// Leads to the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List documents, newest first.
#[utoipa::path(
    get, path = "/v1/documents", tag = "documents", params(List),
    responses(
        (status = 200, description = "a page of them", body = Documents, headers(("Link" = String, description = "the next page, `rel=\"next\"`"))),
        (status = 400, description = "an unknown filter, or a cursor that docmill did not give", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(state: Data<ApiState>, caller: Caller, query: Query<List>) -> Result<HttpResponse> {
    let List { limit, cursor, job_state, format } = query.into_inner();
    let limit = limit.unwrap_or(LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(ApiError::new(ProblemCode::BadRequest, format!("limit takes 1 to {MAX_LIMIT}")));
    }
    let before = cursor.as_deref().map(read_cursor).transpose()?;
    let filter = Filter { job_state, format, before, limit: limit + 1 };
    let mut documents = state.pipeline.catalog.list_documents(&caller.tenant, &filter).await?;
    let more = documents.len() as i64 > limit;
    documents.truncate(limit as usize);
    let next_cursor = documents.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(last.id.to_string()));
    let mut response = HttpResponse::Ok();
    if let Some(cursor) = &next_cursor {
        let mut link = format!("</v1/documents?cursor={cursor}&limit={limit}");
        job_state.iter().for_each(|state| link.push_str(&format!("&job_state={}", state.as_str())));
        format.iter().for_each(|format| link.push_str(&format!("&format={}", format.as_str())));
        response.insert_header((header::LINK, format!("{link}>; rel=\"next\"")));
    }
    Ok(response.json(Documents { documents, next_cursor }))
}

fn read_cursor(cursor: &str) -> Result<DocumentId> {
    let read = || String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?.parse().ok();
    read().ok_or_else(|| {
        ApiError::new(ProblemCode::BadCursor, "take `next_cursor` from the page before, or leave the cursor out to begin anew")
    })
}

/// Look at a document.
#[utoipa::path(
    get, path = "/v1/documents/{id}", tag = "documents", params(("id" = String, Path, description = "`doc_…`")),
    responses(
        (status = 200, description = "the document", body = Document, headers(("ETag" = String))),
        (status = 304, description = "as the client knows it"),
        (status = 404, description = "no such document", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "deleted or expired", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(
    state: Data<ApiState>,
    caller: Caller,
    id: Path<DocumentId>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    content::tagged_json(&request, &state.pipeline.document(&caller.tenant, *id).await?)
}

/// Delete a document.
///
/// It is gone from this moment on, and its bytes are erased soon after. Deleting it again is no error.
#[utoipa::path(
    delete, path = "/v1/documents/{id}", tag = "documents", params(("id" = String, Path, description = "`doc_…`")),
    responses(
        (status = 204, description = "gone"),
        (status = 404, description = "no such document", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn delete(state: Data<ApiState>, caller: Caller, id: Path<DocumentId>) -> Result<HttpResponse> {
    state.pipeline.delete(&caller.tenant, *id).await?;
    Ok(HttpResponse::NoContent().finish())
}
