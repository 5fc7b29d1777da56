//! Taking an upload: from its first bytes to the 202 that promises its result.

use std::time::Duration;

use bytes::Bytes;
use docmill_blob::{BlobError, Body, Written};
pub use docmill_catalog::intents::KEY_LIFETIME;
use docmill_catalog::{
    CatalogError, Settled,
    intents::{Acceptance, Accepted as Committed, Intent, NewIntent, Opened, SavedAnswer},
};
use docmill_domain::{
    DocumentId, Format, JobId, JobState, Options, Problem, ProblemCode, TenantId, Usage, detect::detect, extraction::Warning,
    format::accepted_media_types, hex,
};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::{Instrument as _, Span, info_span};
use utoipa::ToSchema;

use crate::{
    Pipeline,
    body::{BodyFault, limited, too_large},
    error::{Error, Result, refuse},
    trace,
};

/// What an upload says of itself.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Whose it is.
    pub tenant: TenantId,
    /// The client's `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// For how long a replay of it gets the same answer.
    pub key_lifetime: Duration,
    /// The client's file name, as data.
    pub name: Option<String>,
    /// The media type the client declared.
    pub declared_type: Option<String>,
    /// The client's options, validated.
    pub options: Options,
    /// Bytes to come, where the client said.
    pub length: Option<u64>,
    /// The trace it belongs to (W3C `traceparent`), where this process does not export one that it is a part of.
    pub traceparent: Option<String>,
}

/// The answer to an upload: a promise that the job will reach a final state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// The document.
    #[schema(value_type = String)]
    pub document_id: DocumentId,
    /// The job that extracts it.
    #[schema(value_type = String)]
    pub job_id: JobId,
    /// Where the job stood when it was accepted: `queued`.
    pub state: JobState,
    /// What the document's bytes are.
    pub format: Format,
    /// Bytes stored.
    pub size: u64,
    /// Their SHA-256, in hex.
    pub sha256: String,
    /// What was noticed, such as a name that does not fit the content.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// An accepted upload.
#[derive(Debug)]
pub struct Accepted {
    /// The answer's body.
    pub receipt: Receipt,
    /// Whether this is the saved answer to an earlier request with the same `Idempotency-Key`.
    pub replayed: bool,
    /// What the tenant has used with it; absent where nothing limits the tenant, and in a replay.
    pub usage: Option<Usage>,
}

impl Pipeline {
    /// Stores `head` and `rest` as a new document, and queues its extraction. `head` holds the first bytes, up to
    /// [`docmill_domain::detect::HEAD`] of them, or all if there are fewer. When this returns an error, nothing was stored.
    pub async fn accept(&self, upload: Upload, head: Bytes, rest: Body<'_>) -> Result<Accepted> {
        self.take(upload, head, rest).instrument(info_span!(target: trace::TARGET, "accept")).await
    }

    async fn take(&self, upload: Upload, head: Bytes, rest: Body<'_>) -> Result<Accepted> {
        let limit = self.config.max_upload();
        if head.is_empty() {
            return Err(refuse(
                ProblemCode::EmptyBody,
                "send the document's bytes as the body, or as the part `file` of a multipart form",
            ));
        }
        if upload.length.is_some_and(|length| length > limit) {
            return Err(too_large(limit).into());
        }
        let detection = detect(&head, upload.name.as_deref(), upload.declared_type.as_deref());
        let Some(format) = detection.format else {
            let problem = Problem::new(
                ProblemCode::UnsupportedFormat,
                "the content is of no kind that docmill reads; `accepted` lists those it does",
            );
            return Err(Problem { accepted: accepted_media_types(), ..problem }.into());
        };
        let new = NewIntent {
            tenant: upload.tenant.clone(),
            idempotency_key: upload.idempotency_key.clone(),
            key_lifetime: upload.key_lifetime,
            fingerprint: fingerprint(&upload),
        };
        let body = limited(head, rest, limit);
        match self.catalog.open_intent(&new, self.config.upload_lease()).await? {
            Opened::New(intent) => {
                let receipt = self.store(&upload, format, detection.warnings, &intent, body).await;
                if receipt.is_err()
                    && let Err(error) = self.catalog.abandon_intent(&intent).await
                {
                    // The sweeper clears it away once its lease has run out.
                    tracing::warn!(%error, intent = %intent.id, "an upload that failed could not be given up");
                }
                let (receipt, usage) = receipt?;
                metrics::counter!("docmill_uploads_accepted_total", "format" => format.as_str()).increment(1);
                metrics::counter!("docmill_upload_bytes_total").increment(receipt.size);
                Ok(Accepted { receipt, replayed: false, usage })
            }
            Opened::InFlight => {
                let detail = "another upload with this Idempotency-Key has not been answered yet; wait for its answer";
                Err(Problem::new(ProblemCode::KeyInFlight, detail).retry_after(1).into())
            }
            Opened::Done(saved) => self.replay(&new, saved, body).await,
        }
    }

    async fn store(
        &self,
        upload: &Upload,
        format: Format,
        warnings: Vec<Warning>,
        intent: &Intent,
        body: Body<'_>,
    ) -> Result<(Receipt, Option<Usage>)> {
        let usage = self.room_for(intent, upload.length.unwrap_or(1)).await?;
        let storing = info_span!(target: trace::TARGET, "store");
        let Written { size, sha256 } = self.put_while_alive(intent, body).instrument(storing).await?;
        let receipt = Receipt {
            document_id: intent.document,
            job_id: JobId::new(),
            state: JobState::Queued,
            format,
            size,
            sha256,
            warnings,
        };
        let span = Span::current();
        trace::set(&span, "docmill.document.id", receipt.document_id.to_string());
        trace::set(&span, "docmill.job.id", receipt.job_id.to_string());
        trace::set(&span, "docmill.document.format", format.as_str());
        trace::set(&span, "docmill.document.size", i64::try_from(size).unwrap_or(i64::MAX));
        let json = |what: serde_json::Result<String>| what.map_err(|error| CatalogError::Corrupt(error.to_string()));
        let acceptance = Acceptance {
            job: receipt.job_id,
            name: upload.name.clone(),
            declared_type: upload.declared_type.clone(),
            format,
            size,
            sha256: receipt.sha256.clone(),
            options: upload.options.clone(),
            warnings: json(serde_json::to_string(&receipt.warnings))?,
            traceparent: trace::traceparent(&span).or_else(|| upload.traceparent.clone()),
            response: json(serde_json::to_string(&receipt))?,
            limits: usage.map(|usage| usage.limits).unwrap_or_default(),
            ring_cap: self.cap_of_taken(),
        };
        let committing = info_span!(target: trace::TARGET, "commit");
        match self.settle(|| self.catalog.accept(intent, &acceptance)).instrument(committing).await? {
            Committed { settled: Settled::Applied, ring } => {
                self.ring(ring);
                Ok((receipt, usage.map(|usage| usage.with_one_more(size))))
            }
            Committed { settled: Settled::Stale, .. } => Err(taken_over()),
        }
    }

    /// Stores the body, extending the intent's lease for as long as bytes come.
    async fn put_while_alive(&self, intent: &Intent, body: Body<'_>) -> Result<Written> {
        let lease = self.config.upload_lease();
        let put = self.blobs.put(&intent.blob_key, body);
        tokio::pin!(put);
        loop {
            tokio::select! {
                written = &mut put => {
                    return written.map_err(|error| match error {
                        BlobError::Body(error) => BodyFault::of(&error).problem(self.config.max_upload()).into(),
                        other => other.into(),
                    });
                }
                () = tokio::time::sleep(lease / 3) => {
                    if self.catalog.extend_intent(intent.id, lease).await? == Settled::Stale {
                        return Err(taken_over());
                    }
                }
            }
        }
    }

    /// Hashes a replay's body, stores it nowhere, and gives the saved answer if it is the same request.
    async fn replay(&self, new: &NewIntent, saved: SavedAnswer, mut body: Body<'_>) -> Result<Accepted> {
        let mut hasher = Sha256::new();
        while let Some(piece) = body.try_next().await.map_err(|error| BodyFault::of(&error).problem(self.config.max_upload()))? {
            hasher.update(&piece);
        }
        if saved.fingerprint != new.fingerprint || saved.body_sha256 != hex(&hasher.finalize()) {
            let detail = "the key belongs to an upload with another body, name, type or options; use a new key for a new upload";
            return Err(refuse(ProblemCode::KeyReused, detail));
        }
        let receipt = serde_json::from_str(&saved.response).map_err(|error| CatalogError::Corrupt(error.to_string()))?;
        Ok(Accepted { receipt, replayed: true, usage: None })
    }
}

fn taken_over() -> Error {
    refuse(
        ProblemCode::KeyInFlight,
        "the upload stood still for so long that another one with the same key took over; wait for its answer",
    )
}

/// Everything that must be equal in a replay, apart from the body.
fn fingerprint(upload: &Upload) -> String {
    let parts = serde_json::json!([upload.name, upload.declared_type, upload.options]);
    hex(&Sha256::digest(parts.to_string()))
}
