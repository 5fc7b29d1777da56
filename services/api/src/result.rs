//! `GET /v1/documents/{id}/result`: one extraction, in the form that the client would have it in.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, Accept, EntityTag, Header, Quality},
    web::{Data, Path, Query},
};
use bytes::Bytes;
use docmill_domain::{DocumentId, Extraction, Problem, ProblemCode};
use docmill_pipeline::results::{Rendition, render};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    ApiState,
    auth::Caller,
    content,
    error::{ApiError, Result},
    prefer,
};

/// How to show a result.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Show {
    /// `json`, `md`, `text` or `html`; wins over `Accept`.
    #[serde(rename = "as")]
    rendition: Option<String>,
}

/// Get a document's result.
#[utoipa::path(
    get, path = "/v1/documents/{id}/result", tag = "documents",
    params(
        ("id" = String, Path, description = "`doc_…`"), Show,
        ("Prefer" = Option<String>, Header, description = "`wait=N`: answer once the job has ended, or after N seconds (at most 60)"),
    ),
    responses(
        (status = 200, description = "the result", headers(("ETag" = String)), content(
            (Extraction = "application/json"), (String = "text/markdown"), (String = "text/plain"), (String = "text/html"),
        )),
        (status = 206, description = "the range asked for"),
        (status = 304, description = "as the client knows it"),
        (status = 404, description = "no such document", body = Problem, content_type = "application/problem+json"),
        (status = 406, description = "in no form that the client accepts", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "none yet, or none ever: the job failed or was cancelled", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "deleted or expired", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "the range lies outside", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(
    state: Data<ApiState>,
    caller: Caller,
    id: Path<DocumentId>,
    show: Query<Show>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let rendition = choose(show.rendition.as_deref(), &request)?;
    let patience = prefer::wait(request.headers(), state.config.wait_max_seconds);
    if let Some(patience) = patience {
        let document = state.pipeline.document(&caller.tenant, *id).await?;
        if document.result_job_id.is_none() {
            state.wait(&caller.tenant, document.job.id, patience).await?;
        }
    }
    let manifest = state.pipeline.result_manifest(&caller.tenant, *id).await?;
    let tag = EntityTag::new_strong(format!("{}-{}", manifest.sha256, rendition.as_str()));
    if content::is_known(&request, &tag) {
        return Ok(content::not_modified(tag));
    }
    let json = state.pipeline.result_json(&manifest).await?;
    let content = tokio::task::spawn_blocking(move || render(json, rendition)).await;
    let content = content.map_err(|error| error.to_string()).and_then(|rendered| rendered.map_err(|error| error.to_string()));
    let content =
        content.map_err(|error| ApiError::new(ProblemCode::Internal, format!("the result could not be rendered: {error}")))?;
    let mut content = Bytes::from(content);
    let size = content.len() as u64;
    let range = content::range(&request, size, &tag)?;
    let mut response = content::begin(range.as_ref(), size, tag);
    if let Some(range) = range {
        content = content.slice(range.start as usize..range.end as usize);
    }
    if let Some(patience) = patience {
        response.insert_header(prefer::applied(patience));
    }
    Ok(response.content_type(rendition.media_type()).insert_header((header::VARY, "Accept")).body(content))
}

fn choose(named: Option<&str>, request: &HttpRequest) -> Result<Rendition> {
    if let Some(named) = named {
        let known = Rendition::ALL.into_iter().find(|rendition| rendition.as_str() == named);
        return known.ok_or_else(|| ApiError::new(ProblemCode::BadRequest, "as takes json, md, text or html"));
    }
    let unreadable = |_| ApiError::new(ProblemCode::BadRequest, "the header Accept cannot be understood");
    let accept =
        if request.headers().contains_key(header::ACCEPT) { Accept::parse(request).map_err(unreadable)? } else { Accept::star() };
    negotiate(&accept).ok_or_else(|| {
        let accepted = Rendition::ALL.iter().map(|rendition| essence(*rendition).to_string()).collect();
        let problem =
            Problem::new(ProblemCode::NotAcceptable, "accept one of the media types in `accepted`, or name one with ?as=");
        Problem { accepted, ..problem }.into()
    })
}

fn essence(rendition: Rendition) -> &'static str {
    rendition.media_type().split(';').next().unwrap_or_default()
}

/// The rendition of the highest quality; of equals the first.
fn negotiate(accept: &Accept) -> Option<Rendition> {
    let quality = |rendition: Rendition| {
        let (kind, subkind) = essence(rendition).split_once('/').unwrap_or_default();
        // The range that fits most closely decides, whatever its quality.
        let fit = |range: (&str, &str)| match range {
            ("*", "*") => Some(0),
            (range_kind, "*") if range_kind == kind => Some(1),
            range if range == (kind, subkind) => Some(2),
            _ => None,
        };
        let fits = accept
            .iter()
            .filter_map(|item| Some((fit((item.item.type_().as_str(), item.item.subtype().as_str()))?, item.quality)));
        fits.max().map_or(Quality::ZERO, |(_, quality)| quality)
    };
    let mut best = None;
    for rendition in Rendition::ALL {
        let quality = quality(rendition);
        if quality > best.map_or(Quality::ZERO, |(_, best)| best) {
            best = Some((rendition, quality));
        }
    }
    best.map(|(rendition, _)| rendition)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_client_gets_what_it_likes_best() {
        for (accept, expected) in [
            ("*/*", Some(Rendition::Json)),
            ("text/markdown", Some(Rendition::Markdown)),
            ("text/*", Some(Rendition::Markdown)),
            ("text/*;q=0.5, text/plain", Some(Rendition::Text)),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some(Rendition::Html)),
            ("application/json;q=0.1, text/plain;q=0.2", Some(Rendition::Text)),
            ("text/*, text/markdown;q=0", Some(Rendition::Text)),
            ("image/png", None),
            ("application/json;q=0", None),
        ] {
            let request = TestRequest::default().insert_header(("accept", accept)).to_http_request();
            assert_eq!(choose(None, &request).ok(), expected, "{accept}");
        }
    }
}
