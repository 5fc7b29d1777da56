//! Which jobs must be rung. A row is written in the transaction that makes a job due, and goes when the broker has confirmed the ring or
//! a worker has claimed the job. A tenant's outstanding rings are capped in each lane, so that one tenant's hundred thousand waiting jobs
//! never stand in the broker's queue before another tenant's one.

use std::time::Duration;

use docmill_domain::{JobId, Lane, OutboxId, TenantId, failpoint, time::micros};
use sqlx::Row;

use crate::{
    Catalog, Tx,
    error::{Result, corrupt},
};

/// A job to be rung.
#[derive(Debug, Clone)]
pub struct Ring {
    /// The outbox row; the broker may deduplicate by it.
    pub id: OutboxId,
    /// Whose job it is.
    pub tenant: TenantId,
    /// The lane to ring in.
    pub lane: Lane,
    /// The job.
    pub job: JobId,
    /// The trace of the upload that it is rung for (W3C `traceparent`); none where it is rung again.
    pub traceparent: Option<String>,
}

impl Catalog {
    /// The rings that are due, each tenant's at most `cap` less those it has outstanding in that lane, `limit` in all.
    pub async fn due_rings(&self, cap: i64, limit: i64) -> Result<Vec<Ring>> {
        let lines = self
            .sql(
                "SELECT o.tenant, o.lane, \
                 (SELECT count(*) FROM jobs j WHERE j.tenant = o.tenant AND j.lane = o.lane AND j.state = 'queued' AND j.rung_at IS NOT NULL) AS rung \
                 FROM (SELECT DISTINCT tenant, lane FROM outbox WHERE kind = 'job.due' AND due_at <= {now}) o",
            )
            .fetch_all(&self.read)
            .await?;
        let mut rings = Vec::new();
        for line in &lines {
            let (tenant, lane): (String, String) = (line.try_get("tenant")?, line.try_get("lane")?);
            let room = (cap - line.try_get::<i64, _>("rung")?).min(limit / lines.len() as i64 + 1);
            if room <= 0 {
                continue;
            }
            let rows = self
                .sql(
                    "SELECT id, job_id, traceparent FROM outbox \
                     WHERE kind = 'job.due' AND tenant = $1 AND lane = $2 AND due_at <= {now} ORDER BY due_at, id LIMIT $3",
                )
                .bind(&tenant)
                .bind(&lane)
                .bind(room)
                .fetch_all(&self.read)
                .await?;
            for row in rows {
                rings.push(Ring {
                    id: row.try_get::<String, _>("id")?.parse().map_err(|error| corrupt("outbox", error))?,
                    tenant: tenant.parse().map_err(|error| corrupt("tenant", error))?,
                    lane: Lane::from_name(&lane).ok_or_else(|| corrupt("lane", &lane))?,
                    job: row.try_get::<String, _>("job_id")?.parse().map_err(|error| corrupt("job", error))?,
                    traceparent: row.try_get("traceparent")?,
                });
            }
        }
        Ok(rings)
    }

    /// Records that the broker has confirmed these rings.
    pub async fn rings_confirmed(&self, rings: &[Ring]) -> Result<()> {
        if rings.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        for ring in rings {
            let gone = self.sql("DELETE FROM outbox WHERE id = $1").bind(ring.id.to_string()).execute(&mut *tx).await?;
            // Where the row is gone a worker was faster, and there is nothing outstanding.
            if gone.rows_affected() == 1 {
                self.sql("UPDATE jobs SET rung_at = {now} WHERE id = $1 AND state = 'queued'")
                    .bind(ring.job.to_string())
                    .execute(&mut *tx)
                    .await?;
            }
        }
        failpoint::passed("catalog.rung.before_commit");
        tx.commit().await?;
        failpoint::passed("catalog.rung.after_commit");
        Ok(())
    }

    /// Asks for a ring of this job after `delay`; one at a time is outstanding. Only a job's first ring continues the upload's trace: a
    /// later one has another cause, and its trace is linked to the job's instead.
    pub(crate) async fn ring_in(&self, tx: &mut Tx, id: OutboxId, job: &str, delay: Duration) -> Result<()> {
        self.sql(
            "INSERT INTO outbox (id, kind, tenant, lane, job_id, due_at, traceparent, created_at) \
             SELECT $1, 'job.due', tenant, lane, id, {now} + $3, CASE WHEN token = 0 AND rung_at IS NULL THEN traceparent END, {now} \
             FROM jobs WHERE id = $2 \
             ON CONFLICT (job_id, kind) DO UPDATE SET due_at = excluded.due_at",
        )
        .bind(id.to_string())
        .bind(job)
        .bind(micros(delay))
        .execute(&mut **tx)
        .await?;
        self.sql("UPDATE jobs SET rung_at = NULL WHERE id = $1").bind(job).execute(&mut **tx).await?;
        Ok(())
    }
}
