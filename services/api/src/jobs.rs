//! Jobs: look, wait, cancel, retry.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use docmill_domain::{Job, JobId, Problem};

use crate::{ApiState, auth::Caller, content, error::Result, prefer};

/// Look at a job, or wait for its end.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "jobs",
    params(
        ("id" = String, Path, description = "`job_…`"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: answer once the job has ended, or after N seconds (at most 60)"),
    ),
    responses(
        (status = 200, description = "the job", body = Job, headers(("ETag" = String))),
        (status = 304, description = "as the client knows it"),
        (status = 404, description = "no such job", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(state: Data<ApiState>, caller: Caller, id: Path<JobId>, request: HttpRequest) -> Result<HttpResponse> {
    let Some(patience) = prefer::wait(request.headers(), state.config.wait_max_seconds) else {
        return Ok(content::tagged_job(&request, &state.pipeline.job(&caller.tenant, *id).await?));
    };
    let mut response = content::tagged_job(&request, &state.wait(&caller.tenant, *id, patience).await?);
    let (name, value) = prefer::applied(patience);
    response.headers_mut().insert(name.parse().expect("a header's name"), value.parse().expect("letters and digits"));
    Ok(response)
}

/// Cancel a job.
///
/// Cancelling a cancelled job is no error.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/cancel", tag = "jobs", params(("id" = String, Path, description = "`job_…`")),
    responses(
        (status = 200, description = "cancelled", body = Job),
        (status = 404, description = "no such job", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "it has ended otherwise", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel(state: Data<ApiState>, caller: Caller, id: Path<JobId>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(state.pipeline.cancel(&caller.tenant, *id).await?))
}

/// Queue a dead letter again, with attempts anew.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/retry", tag = "jobs", params(("id" = String, Path, description = "`job_…`")),
    responses(
        (status = 202, description = "queued", body = Job),
        (status = 404, description = "no such job", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "it is no dead letter", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn retry(state: Data<ApiState>, caller: Caller, id: Path<JobId>) -> Result<HttpResponse> {
    Ok(HttpResponse::Accepted().json(state.pipeline.retry(&caller.tenant, *id).await?))
}
