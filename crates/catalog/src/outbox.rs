//! Which jobs must be rung. A row is written in the transaction that makes a job due, and goes when the broker has confirmed the ring or
//! a worker has claimed the job. A new job's row is taken in the same transaction for the relay of the process that accepts it, where the
//! tenant has room, so that the common ring needs no look for what is due. A tenant's outstanding rings are capped in each lane, so that
//! one tenant's hundred thousand waiting jobs never stand in the broker's queue before another tenant's one.

use std::{collections::HashSet, time::Duration};

use docmill_domain::{JobId, Lane, OutboxId, TenantId, failpoint, time::micros};
use sqlx::{Row, any::AnyRow};

use crate::{
    Catalog,
    dialect::Dialect,
    error::{Result, corrupt},
    steps::Step,
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

/// A relay that has taken rings to publish has them for so long; if it dies, another one publishes them after that.
const TAKEN: Duration = Duration::from_secs(10);

impl Catalog {
    /// The rings that are due, each tenant's at most `cap` less those it has outstanding in that lane, `limit` in all. Where other
    /// processes have relays too, the rings are this one's for a while: it says what became of them by [`Catalog::rings_confirmed`] and
    /// [`Catalog::rings_failed`].
    pub async fn due_rings(&self, cap: i64, limit: i64) -> Result<Vec<Ring>> {
        let lanes = Lane::ALL.map(|lane| format!("SELECT '{}' AS lane", lane.as_str())).join(" UNION ALL ");
        // Hops from tenant to tenant along the index, and looks at one row of each: DISTINCT, or EXISTS, which a planner may turn into
        // a join, would read the whole backlog in every round.
        let lines = self
            .sql_string(format!(
                "WITH RECURSIVE tenants(tenant) AS (SELECT min(tenant) FROM outbox WHERE kind = 'job.due' UNION ALL \
                 SELECT (SELECT min(tenant) FROM outbox o WHERE kind = 'job.due' AND o.tenant > t.tenant) FROM tenants t \
                 WHERE t.tenant IS NOT NULL) \
                 SELECT t.tenant, l.lane FROM tenants t CROSS JOIN ({lanes}) l WHERE (SELECT o.id FROM outbox o \
                 WHERE kind = 'job.due' AND o.tenant = t.tenant AND o.lane = l.lane AND due_at <= {{now}} \
                 AND (taken_until IS NULL OR taken_until < {{now}}) ORDER BY due_at LIMIT 1) IS NOT NULL"
            ))
            .fetch_all(&self.read)
            .await?;
        let mut rings = Vec::new();
        for line in &lines {
            let (tenant, lane): (String, String) = (line.try_get("tenant")?, line.try_get("lane")?);
            rings.extend(self.take_rings(&tenant, &lane, cap, limit / lines.len() as i64 + 1).await?);
        }
        // The longest waiting first.
        rings.sort_by_key(|ring| ring.id);
        Ok(rings)
    }

    async fn take_rings(&self, tenant: &str, lane: &str, cap: i64, limit: i64) -> Result<Vec<Ring>> {
        let mut tx = self.begin().await?;
        if self.dialect == Dialect::Postgres {
            // One relay at a time takes this tenant's, or each would see all the room that there is. The statement after this one
            // sees what the others took.
            self.sql("SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) WHERE {soft}")
                .bind(format!("{lane} {tenant}"))
                .execute(&mut *tx)
                .await?;
        }
        let row = self
            .sql(
                "SELECT (SELECT count(*) FROM jobs WHERE tenant = $1 AND lane = $2 AND state = 'queued' AND rung_at IS NOT NULL) \
                 + (SELECT count(*) FROM outbox WHERE tenant = $1 AND lane = $2 AND taken_until >= {now}) AS outstanding",
            )
            .bind(tenant)
            .bind(lane)
            .fetch_one(&mut *tx)
            .await?;
        let room = (cap - row.try_get::<i64, _>("outstanding")?).min(limit);
        if room <= 0 {
            return Ok(Vec::new());
        }
        let due = |columns: &str| {
            format!(
                "SELECT {columns} FROM outbox WHERE kind = 'job.due' AND tenant = $1 AND lane = $2 AND due_at <= {{now}} \
                 AND (taken_until IS NULL OR taken_until < {{now}}) ORDER BY due_at LIMIT $3 {{lock SKIP LOCKED}}"
            )
        };
        let columns = "id, job_id, traceparent";
        let query = match self.dialect {
            // One process has one relay, which need not write down what it is about to do.
            Dialect::Sqlite => self.sql_string(due(columns)).bind(tenant).bind(lane).bind(room),
            Dialect::Postgres => self
                .sql_string(format!(
                    "UPDATE outbox SET taken_until = {{now}} + $4 WHERE id IN ({}) RETURNING {columns}",
                    due("id")
                ))
                .bind(tenant)
                .bind(lane)
                .bind(room)
                .bind(micros(TAKEN)),
        };
        let rows = query.fetch_all(&mut *tx).await?;
        tx.commit().await?;
        let read = |row: &AnyRow| -> Result<Ring> {
            Ok(Ring {
                id: row.try_get::<String, _>("id")?.parse().map_err(|error| corrupt("outbox", error))?,
                tenant: tenant.parse().map_err(|error| corrupt("tenant", error))?,
                lane: Lane::from_name(lane).ok_or_else(|| corrupt("lane", lane))?,
                job: row.try_get::<String, _>("job_id")?.parse().map_err(|error| corrupt("job", error))?,
                traceparent: row.try_get("traceparent")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Records that the broker has confirmed these rings.
    pub async fn rings_confirmed(&self, rings: &[Ring]) -> Result<()> {
        if rings.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let jobs = rings.iter().map(|ring| ring.job.to_string());
        self.sql_in("SELECT id FROM jobs WHERE id IN ({ids}) ORDER BY id {lock}", jobs).fetch_all(&mut *tx).await?;
        let ids = rings.iter().map(|ring| ring.id.to_string());
        let gone =
            self.sql_in("DELETE FROM outbox WHERE id IN ({ids}) AND {soft} RETURNING job_id", ids).fetch_all(&mut *tx).await?;
        // Where the row was gone a worker was faster, and there is nothing outstanding.
        let jobs = gone.iter().map(|row| row.try_get("job_id")).collect::<Result<Vec<String>, _>>()?;
        if !jobs.is_empty() {
            self.sql_in("UPDATE jobs SET rung_at = {now} WHERE id IN ({ids}) AND {also state = 'queued'}", jobs.into_iter())
                .execute(&mut *tx)
                .await?;
        }
        failpoint::passed("catalog.rung.before_commit");
        tx.commit().await?;
        failpoint::passed("catalog.rung.after_commit");
        Ok(())
    }

    /// Those of these rings that no worker has heard yet.
    pub async fn unheard(&self, rings: Vec<Ring>) -> Result<Vec<Ring>> {
        let ids = rings.iter().map(|ring| ring.id.to_string());
        let rows = self.sql_in("SELECT id FROM outbox WHERE id IN ({ids})", ids).fetch_all(&self.read).await?;
        let left = rows.iter().map(|row| row.try_get("id")).collect::<Result<HashSet<String>, _>>()?;
        Ok(rings.into_iter().filter(|ring| left.contains(&ring.id.to_string())).collect())
    }

    /// Gives back what the relay of a process had taken that has died, the only one there was.
    pub async fn give_back_rings(&self) -> Result<()> {
        self.sql("UPDATE outbox SET taken_until = NULL WHERE taken_until IS NOT NULL").execute(&self.write).await?;
        Ok(())
    }

    /// Gives back rings that could not be published, for whichever relay looks next.
    pub async fn rings_failed(&self, rings: &[Ring]) -> Result<()> {
        if rings.is_empty() {
            return Ok(());
        }
        let ids = rings.iter().map(|ring| ring.id.to_string());
        self.sql_in("UPDATE outbox SET taken_until = NULL WHERE id IN ({ids}) AND {soft}", ids).execute(&self.write).await?;
        Ok(())
    }
}

/// Asks for the first ring of the job that the line `intent` has become. `taken_until` is returned: not NULL where the row is the caller's to publish,
/// because the tenant has fewer than `cap` rings outstanding in the lane and none that waits. Two that accept at the same moment do not see each
/// other's, so that a tenant may have as many more outstanding as it has acceptances at once.
pub(crate) fn first_ring(ring: &Ring, cap: i64) -> Step {
    Step::new(
        "INSERT INTO outbox (id, kind, tenant, lane, job_id, due_at, traceparent, created_at, taken_until) \
         SELECT $1, 'job.due', $2, $3, $4, {now}, $5, {now}, CASE WHEN \
         NOT EXISTS (SELECT 1 FROM outbox WHERE kind = 'job.due' AND tenant = $2 AND lane = $3 AND due_at <= {now} \
         AND (taken_until IS NULL OR taken_until < {now})) \
         AND (SELECT count(*) FROM jobs WHERE tenant = $2 AND lane = $3 AND state = 'queued' AND rung_at IS NOT NULL) \
         + (SELECT count(*) FROM outbox WHERE tenant = $2 AND lane = $3 AND taken_until >= {now}) < $6 THEN {now} + $7 END FROM {intent} \
         RETURNING taken_until",
    )
    .bind(ring.id.to_string())
    .bind(ring.tenant.as_str())
    .bind(ring.lane.as_str())
    .bind(ring.job.to_string())
    .bind(ring.traceparent.as_deref())
    .bind(cap)
    .bind(micros(TAKEN))
}

/// Asks for a ring of the line `job` (its id, tenant and lane) after `delay`; one at a time is outstanding. Only a job's first ring continues the
/// upload's trace, which stands in the line as `traceparent`: a later one has another cause, and its trace is linked to the job's instead.
pub(crate) fn ring_in(delay: Duration) -> Step {
    Step::new(
        "INSERT INTO outbox (id, kind, tenant, lane, job_id, due_at, traceparent, created_at) \
         SELECT $1, 'job.due', tenant, lane, id, {now} + $2, traceparent, {now} FROM {job} WHERE true \
         ON CONFLICT (job_id, kind) DO UPDATE SET id = excluded.id, due_at = excluded.due_at, taken_until = NULL",
    )
    .bind(OutboxId::new().to_string())
    .bind(micros(delay))
}
