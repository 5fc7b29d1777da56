//! What the sweeper would do at this moment, without doing it.

use std::time::Duration;

use docmill_domain::time::micros;
use sqlx::Row;

use crate::{Catalog, error::Result};

/// How much is overdue.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Overdue {
    /// Claims whose worker was lost.
    pub expired_claims: usize,
    /// Due jobs that were not rung for a while.
    pub unrung_jobs: usize,
    /// Uploads whose owner died, and saved answers whose time has run out.
    pub intents: usize,
    /// Documents whose retention has run out.
    pub expired_documents: usize,
    /// Ended documents whose events are no longer kept.
    pub old_events: usize,
    /// Dead blobs to be erased, for the first or the last time.
    pub dead_blobs: usize,
}

impl Catalog {
    /// Counts what the methods of [`crate::sweep`] would find, with the same `silence` and `kept`.
    pub async fn overdue(&self, silence: Duration, kept: Duration) -> Result<Overdue> {
        let row = self
            .sql(
                "SELECT (SELECT count(*) FROM jobs WHERE state = 'running' AND lease_until < {now}) AS expired_claims, \
                 (SELECT count(*) FROM jobs j WHERE state = 'queued' AND due_at <= {now} AND COALESCE(rung_at, due_at) < {now} - $1 \
                 AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.job_id = j.id)) AS unrung_jobs, \
                 (SELECT count(*) FROM intents WHERE state = 'open' AND lease_until < {now}) \
                 + (SELECT count(*) FROM intents WHERE state = 'done' AND expires_at < {now}) AS intents, \
                 (SELECT count(*) FROM documents WHERE state = 'active' AND expires_at < {now}) AS expired_documents, \
                 (SELECT count(*) FROM documents WHERE ended_at IS NOT NULL AND events_cleared_at IS NULL AND ended_at < {now} - $2) \
                 AS old_events, (SELECT count(*) FROM blobs WHERE state = 'dead' AND erase_at <= {now}) AS dead_blobs",
            )
            .bind(micros(silence))
            .bind(micros(kept))
            .fetch_one(&self.read)
            .await?;
        let count = |what: &str| row.try_get::<i64, _>(what).map(|count| count as usize);
        Ok(Overdue {
            expired_claims: count("expired_claims")?,
            unrung_jobs: count("unrung_jobs")?,
            intents: count("intents")?,
            expired_documents: count("expired_documents")?,
            old_events: count("old_events")?,
            dead_blobs: count("dead_blobs")?,
        })
    }
}
