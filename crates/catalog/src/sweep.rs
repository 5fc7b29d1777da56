//! What is overdue. Each method takes one small batch, so that a long backlog never holds the writer, and says how much it did; the
//! caller comes again while there is more.

use std::time::Duration;

use docmill_domain::{
    BlobKey, DocumentId, DocumentState, EventKind, Failure, FailureCode, TenantId, failpoint, job::Act, job::JobState,
    time::micros,
};
use sqlx::Row;

use crate::{
    Catalog,
    claims::{end_attempt, kill_blob},
    error::{Result, corrupt},
    events::{event, next_number},
    outbox::ring_in,
    steps::Step,
};

/// Rows looked at in one transaction.
const BATCH: i64 = 100;

impl Catalog {
    /// Ends the attempts whose lease has expired: their jobs are queued again after `delay`, or failed with `worker_lost` once
    /// `max_lost_leases` are lost. How many.
    pub async fn expire_claims(&self, max_lost_leases: i64, delay: Duration) -> Result<usize> {
        let mut tx = self.begin().await?;
        let rows = self
            .sql(
                "SELECT id, tenant, document_id, token, lost_leases FROM jobs WHERE state = 'running' AND lease_until < {now} \
                 ORDER BY lease_until LIMIT $1 {lock SKIP LOCKED}",
            )
            .bind(BATCH)
            .fetch_all(&mut *tx)
            .await?;
        let mut changed = Vec::new();
        for row in &rows {
            let (job, document): (String, String) = (row.try_get("id")?, row.try_get("document_id")?);
            let (token, lost): (i64, i64) = (row.try_get("token")?, row.try_get("lost_leases")?);
            let last = lost + 1 >= max_lost_leases;
            let act = if last { Act::LeaseLostLast } else { Act::LeaseLost };
            let state = JobState::Running.after(act).map(JobState::as_str);
            let failure = last.then(|| Failure::new(FailureCode::WorkerLost));
            let expired = Step::new(
                "UPDATE jobs SET state = $2, lost_leases = lost_leases + 1, lease_until = NULL, worker = NULL, due_at = {now} + $3, \
                 failure_code = $4, failure_message = $5, dead_letter = $6, finished_at = CASE WHEN $6 = 1 THEN {now} ELSE NULL END, \
                 revision = revision + 1 WHERE id = $1 RETURNING id, tenant, lane, document_id, CAST(NULL AS TEXT) AS traceparent",
            )
            .bind(job.as_str())
            .bind(state)
            .bind(micros(delay))
            .bind(failure.as_ref().map(|failure| failure.code.as_str()))
            .bind(failure.as_ref().map(|failure| failure.message.as_str()))
            .bind(i64::from(last));
            let id = document.parse::<DocumentId>().map_err(|error| corrupt("document", error))?;
            let tenant: TenantId = row.try_get::<String, _>("tenant")?.parse().map_err(|error| corrupt("tenant", error))?;
            let job_id = job.parse().map_err(|error| corrupt("job", error))?;
            let code = failure.as_ref().map(|failure| failure.code.as_str());
            let kind = if last { EventKind::JobFailed } else { EventKind::JobRetrying };
            let mut steps = vec![
                kill_blob(BlobKey::result(&tenant, id, job_id, token).as_str()),
                end_attempt(&job, token, "lease_lost", None),
                expired.named("job"),
                next_number().named("document"),
            ];
            steps.extend((!last).then(|| ring_in(delay)));
            steps.push(event(kind, Some(&job), code));
            self.take(&mut tx, steps).await?;
            changed.push(id);
        }
        failpoint::passed("catalog.expire.before_commit");
        tx.commit().await?;
        failpoint::passed("catalog.expire.after_commit");
        changed.iter().for_each(|id| self.announce(*id));
        Ok(changed.len())
    }

    /// Asks for a ring of the jobs that are due and were not rung for `silence`: a broker may have lost what it was told. How many.
    ///
    /// A due job has been rung, or its ring waits in the outbox: every transaction that makes a job due sees to that. Those that have been rung are
    /// few, however many wait. Of the others, which only a hand in the tables can have robbed of their row, the ones that wait longest are looked at.
    pub async fn ring_again(&self, silence: Duration) -> Result<usize> {
        let silent = [
            "SELECT id, CAST(NULL AS TEXT) AS traceparent FROM jobs j WHERE state = 'queued' AND rung_at < {now} - $1 AND due_at <= {now} \
             AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.job_id = j.id) ORDER BY rung_at LIMIT $2 {lock SKIP LOCKED}",
            "SELECT id, CASE WHEN token = 0 THEN traceparent END AS traceparent FROM jobs j WHERE id IN (SELECT id FROM jobs \
             WHERE state = 'queued' AND rung_at IS NULL AND due_at < {now} - $1 ORDER BY due_at LIMIT $2) AND {also state = 'queued'} \
             AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.job_id = j.id) {lock SKIP LOCKED}",
        ];
        let mut tx = self.begin().await?;
        let mut rung = 0;
        for sql in silent {
            let rows = self.sql(sql).bind(micros(silence)).bind(BATCH).fetch_all(&mut *tx).await?;
            for row in &rows {
                let job = Step::new(
                    "UPDATE jobs SET rung_at = NULL WHERE id = $1 RETURNING id, tenant, lane, CAST($2 AS TEXT) AS traceparent",
                )
                .bind(row.try_get::<String, _>("id")?)
                .bind(row.try_get::<Option<String>, _>("traceparent")?.as_deref());
                self.take(&mut tx, [job.named("job"), ring_in(Duration::ZERO)]).await?;
            }
            rung += rows.len();
        }
        tx.commit().await?;
        Ok(rung)
    }

    /// Gives up the uploads whose owner died, and forgets the saved answers whose time has run out. How many.
    pub async fn clear_intents(&self) -> Result<usize> {
        let mut tx = self.begin().await?;
        let dead = self
            .sql(
                "SELECT id, blob_key FROM intents WHERE state = 'open' AND lease_until < {now} ORDER BY lease_until LIMIT $1 \
                 {lock SKIP LOCKED}",
            )
            .bind(BATCH)
            .fetch_all(&mut *tx)
            .await?;
        for row in &dead {
            self.take(&mut tx, [kill_blob(&row.try_get::<String, _>("blob_key")?)]).await?;
            self.sql("DELETE FROM intents WHERE id = $1").bind(row.try_get::<String, _>("id")?).execute(&mut *tx).await?;
        }
        let old = self
            .sql(
                "DELETE FROM intents WHERE id IN (SELECT id FROM intents WHERE state = 'done' AND expires_at < {now} LIMIT $1 \
                 {lock SKIP LOCKED})",
            )
            .bind(BATCH)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(dead.len() + old.rows_affected() as usize)
    }

    /// Ends the documents whose retention has run out. How many.
    pub async fn expire_documents(&self) -> Result<usize> {
        let mut tx = self.begin().await?;
        let rows = self
            // Locked by their jobs, which come before documents: two sweepers take different ones.
            .sql(
                "SELECT d.id, d.tenant FROM documents d JOIN jobs j ON j.id = d.latest_job_id \
                 WHERE d.state = 'active' AND d.expires_at < {now} ORDER BY d.expires_at LIMIT $1 {lock OF j SKIP LOCKED}",
            )
            .bind(BATCH)
            .fetch_all(&mut *tx)
            .await?;
        let mut ended = Vec::new();
        for row in &rows {
            let id: DocumentId = row.try_get::<String, _>("id")?.parse().map_err(|error| corrupt("document", error))?;
            let tenant: TenantId = row.try_get::<String, _>("tenant")?.parse().map_err(|error| corrupt("tenant", error))?;
            if self.bury(&mut tx, &tenant, id, DocumentState::Expired).await? {
                ended.push(id);
            }
        }
        tx.commit().await?;
        ended.iter().for_each(|id| self.announce(*id));
        Ok(ended.len())
    }

    /// Forgets the events of the documents that ended longer than `kept` ago. How many documents.
    pub async fn clear_events(&self, kept: Duration) -> Result<usize> {
        let mut tx = self.begin().await?;
        let rows = self
            .sql(
                "SELECT id FROM documents WHERE ended_at IS NOT NULL AND events_cleared_at IS NULL AND ended_at < {now} - $1 \
                 ORDER BY ended_at LIMIT $2 {lock SKIP LOCKED}",
            )
            .bind(micros(kept))
            .bind(BATCH)
            .fetch_all(&mut *tx)
            .await?;
        let ids = rows.iter().map(|row| row.try_get("id")).collect::<Result<Vec<String>, _>>()?;
        if !ids.is_empty() {
            self.sql_in("DELETE FROM events WHERE document_id IN ({ids})", ids.iter().cloned()).execute(&mut *tx).await?;
            self.sql_in("UPDATE documents SET events_cleared_at = {now} WHERE id IN ({ids})", ids.iter().cloned())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(ids.len())
    }

    /// The dead keys that are to be erased now.
    pub async fn blobs_to_erase(&self) -> Result<Vec<BlobKey>> {
        let rows = self
            .sql("SELECT key FROM blobs WHERE state = 'dead' AND erase_at <= {now} ORDER BY erase_at LIMIT $1")
            .bind(BATCH)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|row| Ok(BlobKey::stored(row.try_get("key")?))).collect()
    }

    /// Has a dead key wait before it is to be erased.
    pub async fn erase_later(&self, key: &BlobKey, delay: Duration) -> Result<()> {
        self.sql("UPDATE blobs SET erase_at = {now} + $2 WHERE key = $1 AND {also state = 'dead'}")
            .bind(key.as_str())
            .bind(micros(delay))
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Records that a key was erased. The first time it is kept, to be erased once more after `writers_live`, when nobody can be writing
    /// to it any longer; the second time it is forgotten.
    pub async fn blob_erased(&self, key: &BlobKey, writers_live: Duration) -> Result<()> {
        let mut tx = self.begin().await?;
        // Only when its time has come: of two that have erased it for the first time, the slower one must not forget it.
        self.sql("DELETE FROM blobs WHERE key = $1 AND {also state = 'dead' AND erasures > 0 AND erase_at <= {now}}")
            .bind(key.as_str())
            .execute(&mut *tx)
            .await?;
        self.sql(
            "UPDATE blobs SET erasures = 1, erase_at = {now} + $2 WHERE key = $1 AND {also state = 'dead' AND erasures = 0}",
        )
        .bind(key.as_str())
        .bind(micros(writers_live))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        failpoint::passed("catalog.erased.after_commit");
        Ok(())
    }
}
