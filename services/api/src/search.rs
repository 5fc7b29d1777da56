//! `GET /v1/search`: words in one's own documents.

use actix_web::{
    HttpResponse,
    http::header,
    web::{Data, Query},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use docmill_domain::{Problem, ProblemCode};
use docmill_pipeline::index::{DEEPEST, Hit};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    ApiState,
    auth::Caller,
    error::{ApiError, Result},
};

const LIMIT: i64 = 20;
const MAX_LIMIT: i64 = 100;
/// The longest query, in characters.
const LONGEST: usize = 1000;

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// Words that must all occur on a page; `"…"` one after the other, and behind `-` not at all.
    q: String,
    /// At most so many, 1 to 100; 20 unless told otherwise.
    limit: Option<i64>,
    /// Where a page before this one ended: its `next_cursor`.
    cursor: Option<String>,
}

/// Places where it stands, the best first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Hits {
    hits: Vec<Hit>,
    /// Leads to the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Search one's own documents.
///
/// Each hit is a place on a page. A document can be found shortly after its job has ended, and no more once it is deleted.
#[utoipa::path(
    get, path = "/v1/search", tag = "documents", params(Search),
    responses(
        (status = 200, description = "a page of hits", body = Hits, headers(("Link" = String, description = "the next page, `rel=\"next\"`"))),
        (status = 400, description = "no word to look for, or a cursor that docmill did not give", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn search(state: Data<ApiState>, caller: Caller, query: Query<Search>) -> Result<HttpResponse> {
    let Search { q, limit, cursor } = query.into_inner();
    let limit = limit.unwrap_or(LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(ApiError::new(ProblemCode::BadRequest, format!("limit takes 1 to {MAX_LIMIT}")));
    }
    if q.chars().count() > LONGEST {
        return Err(ApiError::new(ProblemCode::BadRequest, format!("q takes at most {LONGEST} characters")));
    }
    let offset = cursor.as_deref().map_or(Ok(0), read_cursor)?;
    let mut hits = state.pipeline.search(&caller.tenant, &q, offset, limit + 1).await?;
    let more = hits.len() as i64 > limit && offset + limit < DEEPEST;
    hits.truncate(limit as usize);
    let next_cursor = more.then(|| URL_SAFE_NO_PAD.encode((offset + limit).to_string()));
    let mut response = HttpResponse::Ok();
    if let Some(cursor) = &next_cursor {
        let link = utf8_percent_encode(&q, NON_ALPHANUMERIC);
        response.insert_header((header::LINK, format!("</v1/search?q={link}&limit={limit}&cursor={cursor}>; rel=\"next\"")));
    }
    Ok(response.json(Hits { hits, next_cursor }))
}

/// How many hits the pages before had.
fn read_cursor(cursor: &str) -> Result<i64> {
    let read = || String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?.parse().ok();
    read().filter(|offset| (0..DEEPEST).contains(offset)).ok_or_else(|| {
        ApiError::new(ProblemCode::BadCursor, "take `next_cursor` from the page before, or leave the cursor out to begin anew")
    })
}
