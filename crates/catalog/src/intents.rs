//! Uploads: who may write under a key, and the one transaction behind a 202.

use std::time::Duration;

use docmill_domain::{
    BlobKey, DocumentId, EventKind, Format, IntentId, JobId, Limits, Options, OutboxId, TenantId, failpoint, time::micros,
};
use sqlx::Row;

use crate::{Catalog, CatalogError, Settled, error::Result};

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
        let mut tx = self.begin().await?;
        if let Some(key) = &new.idempotency_key {
            let found = self
                .sql(
                    "SELECT id, state, fingerprint, body_sha256, response, \
                     CASE WHEN lease_until < {now} THEN 1 ELSE 0 END AS lapsed, \
                     CASE WHEN expires_at < {now} THEN 1 ELSE 0 END AS expired \
                     FROM intents WHERE tenant = $1 AND idempotency_key = $2",
                )
                .bind(new.tenant.as_str())
                .bind(key)
                .fetch_optional(&mut *tx)
                .await?;
            if let Some(row) = found {
                let flag = |name| row.try_get::<i64, _>(name).map(|flag| flag == 1);
                match row.try_get::<String, _>("state")?.as_str() {
                    "done" if !flag("expired")? => {
                        return Ok(Opened::Done(SavedAnswer {
                            fingerprint: row.try_get("fingerprint")?,
                            body_sha256: row.try_get("body_sha256")?,
                            response: row.try_get("response")?,
                        }));
                    }
                    "open" if !flag("lapsed")? => return Ok(Opened::InFlight),
                    _ => {}
                }
                let dead = self
                    .sql(
                        "DELETE FROM intents WHERE id = $1 AND (state = 'open' AND lease_until < {now} OR state = 'done' AND expires_at < {now}) \
                         RETURNING state, blob_key",
                    )
                    .bind(row.try_get::<String, _>("id")?)
                    .fetch_optional(&mut *tx)
                    .await?;
                match dead {
                    // Its owner lives after all, or someone else has taken it over.
                    None => return Ok(Opened::InFlight),
                    Some(row) if row.try_get::<String, _>("state")? == "open" => {
                        self.kill_blob(&mut tx, &row.try_get::<String, _>("blob_key")?).await?;
                    }
                    Some(_) => {}
                }
            }
        }
        let (id, document) = (IntentId::new(), DocumentId::new());
        let blob_key = BlobKey::original(&new.tenant, document, id);
        self.sql(
            "INSERT INTO intents (id, tenant, idempotency_key, fingerprint, document_id, blob_key, state, lease_until, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, 'open', {now} + $7, {now}, {now} + $8)",
        )
        .bind(id.to_string())
        .bind(new.tenant.as_str())
        .bind(new.idempotency_key.as_deref())
        .bind(&new.fingerprint)
        .bind(document.to_string())
        .bind(blob_key.as_str())
        .bind(micros(lease))
        .bind(micros(new.key_lifetime))
        .execute(&mut *tx)
        .await?;
        self.name_blob(&mut tx, &new.tenant, document, &blob_key).await?;
        failpoint::passed("catalog.intent.before_commit");
        tx.commit().await?;
        failpoint::passed("catalog.intent.after_commit");
        Ok(Opened::New(Intent { id, tenant: new.tenant.clone(), document, blob_key }))
    }

    /// Says that the upload is still alive. [`Settled::Stale`] when it was taken over.
    pub async fn extend_intent(&self, intent: IntentId, lease: Duration) -> Result<Settled> {
        let done = self
            .sql("UPDATE intents SET lease_until = {now} + $2 WHERE id = $1 AND state = 'open'")
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
            .sql("DELETE FROM intents WHERE id = $1 AND state = 'open'")
            .bind(intent.id.to_string())
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 1 {
            self.kill_blob(&mut tx, intent.blob_key.as_str()).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The transaction behind a 202: document, job, event, outbox row and saved answer, valid only against the intent. Calling it again
    /// after an answer was lost gives [`Settled::Applied`] and changes nothing. [`CatalogError::LimitReached`] where the tenant may not
    /// use so much.
    pub async fn accept(&self, intent: &Intent, acceptance: &Acceptance) -> Result<Settled> {
        let mut tx = self.begin().await?;
        let (id, tenant, document) = (intent.id.to_string(), intent.tenant.as_str(), intent.document.to_string());
        let job = acceptance.job.to_string();
        let done = self
            .sql("UPDATE intents SET state = 'done', body_sha256 = $2, response = $3 WHERE id = $1 AND state = 'open'")
            .bind(&id)
            .bind(&acceptance.sha256)
            .bind(&acceptance.response)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            let row = self
                .sql("SELECT 1 AS found FROM intents WHERE id = $1 AND state = 'done'")
                .bind(&id)
                .fetch_optional(&mut *tx)
                .await?;
            return Ok(if row.is_some() { Settled::Applied } else { Settled::Stale });
        }
        let json = |what: serde_json::Result<String>| what.map_err(|error| CatalogError::Corrupt(error.to_string()));
        let lane = acceptance.options.lane().as_str();
        let retention = acceptance.options.retention.map(|seconds| micros(Duration::from_secs(seconds)));
        self.sql(
            "INSERT INTO documents (id, tenant, state, name, declared_type, format, size, sha256, original_key, lane, tags, latest_job_id, \
             created_at, expires_at) VALUES ($1, $2, 'active', $3, $4, $5, $6, $7, $8, $9, $10, $11, {now}, {now} + $12)",
        )
        .bind(&document)
        .bind(tenant)
        .bind(acceptance.name.as_deref())
        .bind(acceptance.declared_type.as_deref())
        .bind(acceptance.format.as_str())
        .bind(size_column(acceptance.size)?)
        .bind(&acceptance.sha256)
        .bind(intent.blob_key.as_str())
        .bind(lane)
        .bind(json(serde_json::to_string(&acceptance.options.tags))?)
        .bind(&job)
        .bind(retention)
        .execute(&mut *tx)
        .await?;
        self.sql(
            "INSERT INTO jobs (id, tenant, document_id, kind, lane, state, options, due_at, warnings, traceparent, created_at) \
             VALUES ($1, $2, $3, 'extract', $4, 'queued', $5, {now}, $6, $7, {now})",
        )
        .bind(&job)
        .bind(tenant)
        .bind(&document)
        .bind(lane)
        .bind(json(serde_json::to_string(&acceptance.options))?)
        .bind(&acceptance.warnings)
        .bind(acceptance.traceparent.as_deref())
        .execute(&mut *tx)
        .await?;
        self.sql("UPDATE blobs SET state = 'live' WHERE key = $1").bind(intent.blob_key.as_str()).execute(&mut *tx).await?;
        self.ring_in(&mut tx, OutboxId::new(), &job, Duration::ZERO).await?;
        self.append_event(&mut tx, &document, EventKind::JobQueued, Some(&job), None).await?;
        if let Some(exceeded) = self.count_use(&mut tx, &intent.tenant, acceptance.size, acceptance.limits).await? {
            return Err(CatalogError::LimitReached(Box::new(exceeded)));
        }
        failpoint::passed("catalog.accept.before_commit");
        tx.commit().await?;
        failpoint::passed("catalog.accept.after_commit");
        self.announce(intent.document);
        Ok(Settled::Applied)
    }
}

/// Sizes fit: a file of more than 8 EiB cannot be stored.
pub(crate) fn size_column(size: u64) -> Result<i64> {
    i64::try_from(size).map_err(|_| crate::error::corrupt("size", size))
}
