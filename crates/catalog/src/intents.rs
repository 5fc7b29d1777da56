//! Uploads: who may write under a key, and the one transaction behind a 202.

use std::time::Duration;

use docmill_domain::{
    BlobKey, DocumentId, EventKind, Format, IntentId, JobId, Limits, Options, OutboxId, TenantId, failpoint, time::micros,
};
use sqlx::{Row, any::AnyRow};

use crate::{
    Catalog, CatalogError, Settled, Tx,
    claims::{kill_blob, name_blob},
    error::Result,
    events::event,
    limits::{count_use, read_limits},
    outbox::{Ring, first_ring},
    steps::Step,
};

/// For so long a saved answer is kept for a client that replays its request.
pub const KEY_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// What an upload says of itself before its body.
#[derive(Debug, Clone)]
pub struct NewIntent {
    /// Whose upload it is.
    pub tenant: TenantId,
    /// The client's `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// For how long the answer is saved under the key.
    pub key_lifetime: Duration,
    /// A hash of everything that must be equal in a replay, apart from the body.
    pub fingerprint: String,
}

/// Leave to upload: the key that may be written, valid while its lease is extended.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The row, and the token that acceptance is checked against.
    pub id: IntentId,
    /// Whose upload it is.
    pub tenant: TenantId,
    /// The document it will become.
    pub document: DocumentId,
    /// The one key it may write.
    pub blob_key: BlobKey,
    /// What was set for its tenant.
    pub limits: Limits,
}

/// The answer to [`Catalog::open_intent`].
#[derive(Debug)]
pub enum Opened {
    /// Go ahead.
    New(Intent),
    /// Another request with this key is at work, and alive.
    InFlight,
    /// A request with this key was answered: give the same answer if the payload is the same.
    Done(SavedAnswer),
}

/// What a replay is compared with, and answered.
#[derive(Debug, Clone)]
pub struct SavedAnswer {
    /// The first request's fingerprint.
    pub fingerprint: String,
    /// SHA-256 of the first request's body, in hex.
    pub body_sha256: String,
    /// The first request's answer, as [`Acceptance::response`] gave it.
    pub response: String,
}

/// Everything that becomes true with a 202.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// The job to be queued.
    pub job: JobId,
    /// The client's file name, as data.
    pub name: Option<String>,
    /// The media type the client declared.
    pub declared_type: Option<String>,
    /// What the bytes were detected to be.
    pub format: Format,
    /// Bytes stored.
    pub size: u64,
    /// Their SHA-256, in hex.
    pub sha256: String,
    /// The client's options.
    pub options: Options,
    /// Warnings that the detection gave, as JSON; carried to the result.
    pub warnings: String,
    /// The trace the upload belongs to.
    pub traceparent: Option<String>,
    /// The answer's body, saved for replays.
    pub response: String,
    /// How much the tenant may use, this document and job included.
    pub limits: Limits,
    /// Rings that the tenant may have outstanding in the lane where the caller is about to publish this job's itself; 0 where it is not.
    pub ring_cap: i64,
}

/// The answer to [`Catalog::accept`].
#[derive(Debug)]
pub struct Accepted {
    /// Whether the document was accepted.
    pub settled: Settled,
    /// The job's ring, where it is the caller's to publish.
    pub ring: Option<Ring>,
}

impl Catalog {
    /// Opens an intent, so that a committed row names the blob key before its first byte. A key whose owner died is taken over: the dead
    /// intent's key and blob are given up, and a new row gets a new one, so that a writer thought dead can never meet its successor.
    pub async fn open_intent(&self, new: &NewIntent, lease: Duration) -> Result<Opened> {
        match self.try_open_intent(new, lease).await {
            // Another request with this key came first, between the look and the new row.
            Err(error) if error.is_duplicate() => Ok(Opened::InFlight),
            opened => opened,
        }
    }

    async fn try_open_intent(&self, new: &NewIntent, lease: Duration) -> Result<Opened> {
        let (id, document) = (IntentId::new(), DocumentId::new());
        let blob_key = BlobKey::original(&new.tenant, document, id);
        let intent = Step::new(
            "INSERT INTO intents (id, tenant, idempotency_key, fingerprint, document_id, blob_key, state, lease_until, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, 'open', {now} + $7, {now}, {now} + $8) \
             RETURNING (SELECT settings FROM tenants WHERE id = $2) AS settings",
        )
        .bind(id.to_string())
        .bind(new.tenant.as_str())
        .bind(new.idempotency_key.as_deref())
        .bind(new.fingerprint.as_str())
        .bind(document.to_string())
        .bind(blob_key.as_str())
        .bind(micros(lease))
        .bind(micros(new.key_lifetime));
        let steps = [name_blob(&new.tenant, document, &blob_key), intent];
        let committing = || failpoint::passed("catalog.intent.before_commit");
        let rows = match &new.idempotency_key {
            None => self.take_alone(steps, committing).await?,
            Some(key) => {
                let mut tx = self.begin().await?;
                if let Some(opened) = self.opened_before(&mut tx, &new.tenant, key).await? {
                    return Ok(opened);
                }
                let rows = self.take(&mut tx, steps).await?;
                committing();
                tx.commit().await?;
                rows
            }
        };
        failpoint::passed("catalog.intent.after_commit");
        let settings = rows.first().map(|row| row.try_get::<Option<String>, _>("settings")).transpose()?.flatten();
        let limits = settings.as_deref().map(read_limits).transpose()?.unwrap_or_default();
        Ok(Opened::New(Intent { id, tenant: new.tenant.clone(), document, blob_key, limits }))
    }

    /// What became of an earlier upload with this key, if that still counts. A dead one is given up.
    async fn opened_before(&self, tx: &mut Tx, tenant: &TenantId, key: &str) -> Result<Option<Opened>> {
        let found = self
            .sql(
                "SELECT id, state, fingerprint, body_sha256, response, \
                 CASE WHEN lease_until < {now} THEN 1 ELSE 0 END AS lapsed, \
                 CASE WHEN expires_at < {now} THEN 1 ELSE 0 END AS expired \
                 FROM intents WHERE tenant = $1 AND idempotency_key = $2",
            )
            .bind(tenant.as_str())
            .bind(key)
            .fetch_optional(&mut **tx)
            .await?;
        let Some(row) = found else { return Ok(None) };
        let flag = |name| row.try_get::<i64, _>(name).map(|flag| flag == 1);
        match row.try_get::<String, _>("state")?.as_str() {
            "done" if !flag("expired")? => {
                return Ok(Some(Opened::Done(SavedAnswer {
                    fingerprint: row.try_get("fingerprint")?,
                    body_sha256: row.try_get("body_sha256")?,
                    response: row.try_get("response")?,
                })));
            }
            "open" if !flag("lapsed")? => return Ok(Some(Opened::InFlight)),
            _ => {}
        }
        let dead = self
            .sql(
                "DELETE FROM intents WHERE id = $1 AND (state = 'open' AND lease_until < {now} OR state = 'done' AND expires_at < {now}) \
                 RETURNING state, blob_key",
            )
            .bind(row.try_get::<String, _>("id")?)
            .fetch_optional(&mut **tx)
            .await?;
        match dead {
            // Its owner lives after all, or someone else has taken it over.
            None => return Ok(Some(Opened::InFlight)),
            Some(row) if row.try_get::<String, _>("state")? == "open" => {
                self.take(tx, [kill_blob(&row.try_get::<String, _>("blob_key")?)]).await?;
            }
            Some(_) => {}
        }
        Ok(None)
    }

    /// Says that the upload is still alive. [`Settled::Stale`] when it was taken over.
    pub async fn extend_intent(&self, intent: IntentId, lease: Duration) -> Result<Settled> {
        let done = self
            .sql("UPDATE intents SET lease_until = {now} + $2 WHERE id = $1 AND {also state = 'open'}")
            .bind(intent.to_string())
            .bind(micros(lease))
            .execute(&self.write)
            .await?;
        Ok(if done.rows_affected() == 1 { Settled::Applied } else { Settled::Stale })
    }

    /// Gives an upload up: its key is free again and its blob, if there is one, is to be erased.
    pub async fn abandon_intent(&self, intent: &Intent) -> Result<()> {
        let mut tx = self.begin().await?;
        let done = self
            .sql("DELETE FROM intents WHERE id = $1 AND {also state = 'open'}")
            .bind(intent.id.to_string())
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 1 {
            self.take(&mut tx, [kill_blob(intent.blob_key.as_str())]).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The transaction behind a 202: document, job, event, outbox row and saved answer, valid only against the intent. Calling it again
    /// after an answer was lost gives [`Settled::Applied`] and changes nothing. [`CatalogError::LimitReached`] where the tenant may not
    /// use so much.
    pub async fn accept(&self, intent: &Intent, acceptance: &Acceptance) -> Result<Accepted> {
        let (id, job) = (intent.id.to_string(), acceptance.job.to_string());
        let ring = Ring {
            id: OutboxId::new(),
            tenant: intent.tenant.clone(),
            lane: acceptance.options.lane(),
            job: acceptance.job,
            traceparent: acceptance.traceparent.clone(),
        };
        let open = Step::new(
            "UPDATE intents SET state = 'done', body_sha256 = $2, response = $3 WHERE id = $1 AND {also state = 'open'} RETURNING blob_key",
        );
        let steps = [
            open.bind(id.as_str()).bind(acceptance.sha256.as_str()).bind(acceptance.response.as_str()).named("intent"),
            new_document(intent, acceptance)?.named("document"),
            new_job(intent, acceptance)?,
            Step::new("UPDATE blobs SET state = 'live' WHERE key = (SELECT blob_key FROM {intent})"),
            event(EventKind::JobQueued, Some(&job), None),
            count_use(&intent.tenant, size_column(acceptance.size)?),
            first_ring(&ring, acceptance.ring_cap),
        ];
        let rows = self.take_within(steps, &intent.tenant, acceptance.limits).await?;
        // Not announced: nobody can wait for a document before its client knows of it.
        failpoint::passed("catalog.accept.after_commit");
        if let Some(row) = rows.first() {
            let taken: Option<i64> = row.try_get("taken_until")?;
            return Ok(Accepted { settled: Settled::Applied, ring: taken.map(|_| ring) });
        }
        let done = self.sql("SELECT 1 AS found FROM intents WHERE id = $1 AND {also state = 'done'}").bind(&id);
        let settled = if done.fetch_optional(&self.write).await?.is_some() { Settled::Applied } else { Settled::Stale };
        Ok(Accepted { settled, ring: None })
    }

    /// Takes the steps of an acceptance, if that passes none of these limits.
    async fn take_within(&self, steps: [Step; 7], tenant: &TenantId, limits: Limits) -> Result<Vec<AnyRow>> {
        let committing = || failpoint::passed("catalog.accept.before_commit");
        if limits.are_none() {
            return self.take_alone(steps, committing).await;
        }
        let mut tx = self.begin().await?;
        let rows = self.take(&mut tx, steps).await?;
        if !rows.is_empty()
            && let Some(exceeded) = self.exceeded(&mut tx, tenant, limits).await?
        {
            return Err(CatalogError::LimitReached(Box::new(exceeded)));
        }
        committing();
        tx.commit().await?;
        Ok(rows)
    }
}

/// The number of a document's first event, which comes with its row.
const FIRST_EVENT: i64 = 1;

fn new_document(intent: &Intent, acceptance: &Acceptance) -> Result<Step> {
    let retention = acceptance.options.retention.map(|seconds| micros(Duration::from_secs(seconds)));
    let step = Step::new(
        "INSERT INTO documents (id, tenant, state, name, declared_type, format, size, sha256, original_key, lane, tags, latest_job_id, \
         last_seq, created_at, expires_at) SELECT $1, $2, 'active', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, {now}, {now} + $13 FROM {intent} \
         RETURNING id, tenant, last_seq",
    );
    Ok(step
        .bind(intent.document.to_string())
        .bind(intent.tenant.as_str())
        .bind(acceptance.name.as_deref())
        .bind(acceptance.declared_type.as_deref())
        .bind(acceptance.format.as_str())
        .bind(size_column(acceptance.size)?)
        .bind(acceptance.sha256.as_str())
        .bind(intent.blob_key.as_str())
        .bind(acceptance.options.lane().as_str())
        .bind(json(&acceptance.options.tags)?)
        .bind(acceptance.job.to_string())
        .bind(FIRST_EVENT)
        .bind(retention))
}

fn new_job(intent: &Intent, acceptance: &Acceptance) -> Result<Step> {
    let step = Step::new(
        "INSERT INTO jobs (id, tenant, document_id, kind, lane, state, options, due_at, warnings, traceparent, created_at) \
         SELECT $1, $2, $3, 'extract', $4, 'queued', $5, {now}, $6, $7, {now} FROM {intent}",
    );
    Ok(step
        .bind(acceptance.job.to_string())
        .bind(intent.tenant.as_str())
        .bind(intent.document.to_string())
        .bind(acceptance.options.lane().as_str())
        .bind(json(&acceptance.options)?)
        .bind(acceptance.warnings.as_str())
        .bind(acceptance.traceparent.as_deref()))
}

fn json(what: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(what).map_err(|error| CatalogError::Corrupt(error.to_string()))
}

/// Sizes fit: a file of more than 8 EiB cannot be stored.
pub(crate) fn size_column(size: u64) -> Result<i64> {
    i64::try_from(size).map_err(|_| crate::error::corrupt("size", size))
}
