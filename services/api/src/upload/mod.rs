//! `POST /v1/documents`: a form or a raw body becomes a document.
//!
//! The handler pumps the body, which is bound to its connection's thread, through a small channel into a task of the program's runtime,
//! which stores it. A channel that ends without its last word tells that task that the client is gone.

mod about;
mod options;
mod source;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderMap},
    web::{Data, Payload, ReqData},
};
use bytes::{Bytes, BytesMut};
use docmill_domain::{DocumentId, Job, Problem, ProblemCode, detect::HEAD};
use docmill_pipeline::{
    accept::{Accepted, KEY_LIFETIME, Receipt, Upload},
    body::BodyFault,
};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::sync::mpsc;
use tracing::Instrument;
use utoipa::ToSchema;

use self::source::Source;
use crate::{
    ApiState,
    auth::Caller,
    error::{ApiError, Result},
    observe::Call,
    prefer,
};

/// Pieces, of at most some 32 KiB, on their way from the connection to the store.
const PIECES: usize = 8;
/// What a form may have around its file.
const FORM_SLACK: u64 = 1 << 20;

/// The answer to an upload that was waited for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Waited {
    /// The document.
    #[schema(value_type = String)]
    document_id: DocumentId,
    /// Its job, ended: well or not.
    job: Job,
}

/// Upload a document.
///
/// As a form (`multipart/form-data`), options come as parts of their own or as one part `options` of JSON, before the part `file`.
/// Any other body is the document itself; its options come as JSON in the header `Docmill-Options`, its name in `Content-Disposition` or
/// `?name=`. The 202 is a promise: the job reaches one final state, whatever dies afterwards.
#[utoipa::path(
    post, path = "/v1/documents", tag = "documents",
    params(
        ("name" = Option<String>, Query, description = "the file name of a raw body"),
        ("Docmill-Options" = Option<String>, Header, description = "the options of a raw body: the JSON of `Options`"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; the same upload sent again under the same key within 24 hours gets the same answer"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: answer 200 with the job once it has ended, or 202 after N seconds (at most 60)"),
    ),
    request_body(content(
        (inline(about::Form) = "multipart/form-data"),
        (Vec<u8> = "application/octet-stream"),
    )),
    responses(
        (status = 202, description = "accepted", body = Receipt, headers(
            ("Location" = String, description = "the document"),
            ("Retry-After" = u32, description = "seconds after which to ask"),
            ("Idempotency-Replayed" = bool, description = "`true` where this is the answer to an earlier request"),
        )),
        (status = 200, description = "accepted, and ended within the wait preferred", body = Waited),
        (status = "4XX", description = "refused; nothing was stored", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "not possible now; nothing was stored", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create(
    state: Data<ApiState>,
    caller: Caller,
    call: ReqData<Call>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse> {
    let mut source = Source::of(&request, payload);
    let accepted = match receive(&state, &caller, &call, &request, &mut source).await {
        Ok(accepted) => accepted,
        Err(error) => {
            source.linger();
            return Err(error);
        }
    };
    let Accepted { receipt, replayed, usage } = accepted;
    let location = format!("/v1/documents/{}", receipt.document_id);
    let patience = prefer::wait(request.headers(), state.config.wait_max_seconds);
    let mut response = HttpResponse::Accepted();
    let mut ended = None;
    if let Some(patience) = patience {
        let job = state.wait(&caller.tenant, receipt.job_id, patience).await?;
        response.insert_header(prefer::applied(patience));
        ended = job.state.is_final().then_some(job);
    }
    for header in usage.iter().flat_map(crate::usage::headers) {
        response.insert_header(header);
    }
    if replayed {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    response.insert_header((header::LOCATION, location));
    Ok(match ended {
        Some(job) => response.status(actix_web::http::StatusCode::OK).json(Waited { document_id: receipt.document_id, job }),
        None => response.insert_header((header::RETRY_AFTER, "1")).json(receipt),
    })
}

async fn receive(state: &ApiState, caller: &Caller, call: &Call, request: &HttpRequest, source: &mut Source) -> Result<Accepted> {
    if state.draining.is_cancelled() {
        return Err(Problem::new(ProblemCode::Draining, "send the upload again; another process will take it")
            .retry_after(1)
            .into());
    }
    let Ok(permit) = state.uploads.clone().try_acquire_owned() else {
        let detail = format!(
            "as many uploads as api.max_uploads allows ({}) are being taken; try again shortly",
            state.config.max_uploads
        );
        return Err(Problem::new(ProblemCode::Busy, detail).retry_after(1).into());
    };
    let idempotency_key = idempotency_key(request.headers())?;
    let limit = state.pipeline.config.max_upload();
    let length = content_length(request.headers());
    let slack = if source.is_form() { FORM_SLACK } else { 0 };
    if length.is_some_and(|length| length > limit.saturating_add(slack)) {
        return Err(BodyFault::TooLarge.problem(limit).into());
    }
    source.set_limits(state.config.stall(), limit);
    let about = if source.is_form() { source.read_about_form().await? } else { about::of_raw(request)? };
    let upload = Upload {
        tenant: caller.tenant.clone(),
        idempotency_key,
        key_lifetime: KEY_LIFETIME,
        name: about.name,
        declared_type: about.declared_type,
        options: about.options,
        length: length.filter(|_| !source.is_form()),
        traceparent: call.traceparent.clone(),
    };
    let (head, surplus) = read_head(source).await?;
    let (sender, mut receiver) = mpsc::channel::<Option<Bytes>>(PIECES);
    let body = stream::poll_fn(move |context| {
        receiver.poll_recv(context).map(|piece| match piece {
            Some(Some(piece)) => Some(Ok(piece)),
            Some(None) => None,
            None => Some(Err(BodyFault::Interrupted.into())),
        })
    })
    // Asked once more after its end, it would find the channel closed and take the client for gone.
    .fuse();
    let pipeline = state.pipeline.clone();
    let accepting = async move {
        let _permit = permit;
        pipeline.accept(upload, head, body.boxed()).await
    };
    let accepting = state.spawn(accepting.in_current_span());
    // What went wrong with the body explains more than that it was cut off.
    pump(source, surplus, sender).await?;
    let accepted =
        accepting.await.map_err(|error| ApiError::new(ProblemCode::Internal, format!("the upload's task ended: {error}")))?;
    Ok(accepted?)
}

/// The bytes that detection looks at, and those that were read beyond.
async fn read_head(source: &mut Source) -> Result<(Bytes, Bytes)> {
    let mut head = BytesMut::new();
    while head.len() < HEAD
        && let Some(piece) = source.next().await?
    {
        head.extend_from_slice(&piece);
    }
    let surplus = head.split_off(HEAD.min(head.len()));
    Ok((head.freeze(), surplus.freeze()))
}

/// Sends the body's pieces and, once it is complete, the last word. Whoever stores them may have enough before.
async fn pump(source: &mut Source, surplus: Bytes, pieces: mpsc::Sender<Option<Bytes>>) -> Result<()> {
    let mut next = Some(surplus);
    while let Some(piece) = next {
        if pieces.send(Some(piece)).await.is_err() {
            return Ok(());
        }
        next = tokio::select! {
            () = pieces.closed() => return Ok(()),
            piece = source.next() => piece?,
        };
    }
    // Nobody there to hear it: the upload has been refused already.
    let _ = pieces.send(None).await;
    Ok(())
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let sane = |key: &&str| (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    match value.to_str().ok().filter(sane) {
        Some(key) => Ok(Some(key.into())),
        None => Err(ApiError::new(ProblemCode::BadRequest, "Idempotency-Key takes 1 to 255 visible ASCII characters")),
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
