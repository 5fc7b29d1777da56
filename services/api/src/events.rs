//! `GET /v1/documents/{id}/events`: what happens to a document, as server-sent events.
//!
//! Events of the feed carry their number as `id`, so that a client that was cut off goes on behind the last it saw. Between them come
//! `progress` events without an id: they say how far the running job is, and a client that missed one has missed nothing.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Path, Query},
};
use bytes::Bytes;
use docmill_domain::{Document, DocumentId, Event, EventKind, JobId, JobState, Problem, ProblemCode, TenantId, job::Progress};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::Instant};
use tracing::Instrument;
use utoipa::{IntoParams, ToSchema};

use crate::{
    ApiState,
    auth::Caller,
    error::{ApiError, Result},
    observe::Counted,
};

/// Proxies close connections that say nothing for a minute or so.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Progress is looked at this often.
const LOOKS: Duration = Duration::from_secs(1);

/// Where to go on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct From {
    /// The last event seen, for clients that cannot send the header.
    last_event_id: Option<String>,
}

/// How far a running job has come; the data of a `progress` event.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct JobProgress {
    /// The job.
    #[schema(value_type = String)]
    job_id: JobId,
    /// Pages done and in all.
    progress: Progress,
}

/// Follow a document.
///
/// The stream begins with the first event, or behind `Last-Event-ID`. It ends with `document.deleted` or `document.expired`, and when
/// the server shuts down: connect again then.
#[utoipa::path(
    get, path = "/v1/documents/{id}/events", tag = "documents",
    params(
        ("id" = String, Path, description = "`doc_…`"), From,
        ("Last-Event-ID" = Option<u64>, Header, description = "the last event seen"),
    ),
    responses(
        (status = 200, description = "`event:` is the kind, `data:` an `Event` in JSON, or for `progress` a `JobProgress`", body = String, content_type = "text/event-stream"),
        (status = 404, description = "no such document", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "deleted or expired", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn follow(
    state: Data<ApiState>,
    caller: Caller,
    id: Path<DocumentId>,
    from: Query<From>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    if state.draining.is_cancelled() {
        return Err(Problem::new(ProblemCode::Draining, "connect again; another process will answer").retry_after(1).into());
    }
    let header = request.headers().get("last-event-id").map(|value| value.to_str().unwrap_or("?"));
    let seen = header.or(from.last_event_id.as_deref()).filter(|seen| !seen.is_empty()).unwrap_or("0");
    let seen: i64 =
        seen.parse().map_err(|_| ApiError::new(ProblemCode::BadRequest, "Last-Event-ID takes the `id` of an event"))?;
    let document = state.pipeline.document(&caller.tenant, *id).await?;
    let (lines, mut receiver) = mpsc::channel(16);
    let feed = Feed { tenant: caller.tenant, document: document.id, seen, running: None, shown: None, lines };
    let shared = state.clone().into_inner();
    state.spawn(async move { feed.run(&shared, &document).await }.in_current_span());
    let body = stream::poll_fn(move |context| receiver.poll_recv(context)).map(Ok::<Bytes, std::convert::Infallible>);
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // nginx holds answers back unless told not to.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(body))
}

struct Feed {
    tenant: TenantId,
    document: DocumentId,
    /// The number of the last event sent.
    seen: i64,
    /// The job whose progress is worth a look.
    running: Option<JobId>,
    shown: Option<JobProgress>,
    lines: mpsc::Sender<Bytes>,
}

/// The client is gone.
struct Gone;

impl Feed {
    async fn run(mut self, state: &ApiState, document: &Document) {
        let _open = Counted::in_gauge(metrics::gauge!("docmill_event_streams"));
        self.running = (document.job.state == JobState::Running).then_some(document.job.id);
        let gone = self.lines.clone();
        tokio::select! {
            _ = self.follow(state) => {}
            () = gone.closed() => {}
            () = state.draining.cancelled() => {}
        }
    }

    async fn follow(&mut self, state: &ApiState) -> Result<(), Gone> {
        let mut spoken = Instant::now();
        // Has the client see that it is connected.
        self.send(":\n\n".into()).await?;
        loop {
            let events = match state.pipeline.events(&self.tenant, self.document, self.seen, LOOKS).await {
                Ok(events) => events,
                Err(error) => {
                    tracing::warn!(%error, "a stream of events ends early; its client connects again");
                    return Ok(());
                }
            };
            let mut said = !events.is_empty();
            for event in events {
                self.tell(&event).await?;
                if event.kind.ends_feed() {
                    return Ok(());
                }
            }
            said |= self.tell_progress(state).await?;
            if said {
                spoken = Instant::now();
            } else if spoken.elapsed() >= HEARTBEAT {
                spoken = Instant::now();
                self.send(":\n\n".into()).await?;
            }
        }
    }

    async fn tell(&mut self, event: &Event) -> Result<(), Gone> {
        self.seen = event.seq;
        self.running = event.job_id.filter(|_| event.kind == EventKind::JobRunning);
        self.send(format!("id: {}\nevent: {}\ndata: {}\n\n", event.seq, event.kind.as_str(), json(event))).await
    }

    /// Whether there was something new to tell. Without an answer from the catalog there is not: the feed itself will notice.
    async fn tell_progress(&mut self, state: &ApiState) -> Result<bool, Gone> {
        let Some(job_id) = self.running else { return Ok(false) };
        let Ok(job) = state.pipeline.job(&self.tenant, job_id).await else { return Ok(false) };
        let now = JobProgress { job_id, progress: job.progress };
        if job.state != JobState::Running || job.progress == Progress::default() || self.shown == Some(now) {
            return Ok(false);
        }
        self.shown = Some(now);
        self.send(format!("event: progress\ndata: {}\n\n", json(&now))).await?;
        Ok(true)
    }

    async fn send(&self, lines: String) -> Result<(), Gone> {
        self.lines.send(lines.into()).await.map_err(|_| Gone)
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("an event is made of strings and numbers")
}
