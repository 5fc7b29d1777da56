//! Jobs: reading, and what a client may do to one.

use std::time::Duration;

use docmill_domain::{
    BlobKey, DocumentId, EventKind, Failure, FailureCode, Job, JobId, JobState, Lane, TenantId, Timestamp, failpoint,
    job::Progress,
};
use sqlx::{Row, any::AnyRow};

use crate::{
    Catalog, Settled, Tx,
    claims::{Manifest, kill_blob},
    error::{Result, corrupt},
    events::{event, next_number},
    outbox::ring_in,
    steps::Step,
};

impl Catalog {
    /// The tenant's job of that id.
    pub async fn job(&self, tenant: &TenantId, id: JobId) -> Result<Option<Job>> {
        let row = self
            // Named one by one: a prepared `*` fails once a migration has added a column.
            .sql(
                "SELECT id, tenant, document_id, state, lane, token, progress_done, progress_total, failure_code, failure_message, \
                 dead_letter, warnings, created_at, due_at, started_at, finished_at, revision FROM jobs WHERE id = $1 AND {also tenant = $2}",
            )
            .bind(id.to_string())
            .bind(tenant.as_str())
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(read_job).transpose()
    }

    /// Where the result of the tenant's job is, if it has one.
    pub async fn manifest(&self, tenant: &TenantId, id: JobId) -> Result<Option<Manifest>> {
        let row = self
            .sql(
                "SELECT result_key, result_sha256, result_size, result_engine, result_schema FROM jobs \
                 WHERE id = $1 AND {also tenant = $2} AND result_key IS NOT NULL",
            )
            .bind(id.to_string())
            .bind(tenant.as_str())
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| {
            Ok(Manifest {
                key: BlobKey::stored(row.try_get("result_key")?),
                size: row.try_get::<i64, _>("result_size")?.unsigned_abs(),
                sha256: row.try_get("result_sha256")?,
                engine: row.try_get("result_engine")?,
                schema: u32::try_from(row.try_get::<i64, _>("result_schema")?).map_err(|error| corrupt("schema", error))?,
            })
        })
        .transpose()
    }

    /// Ends a queued or running job, in this transaction: the claim that a worker may hold is worth nothing from here on.
    /// [`Settled::Stale`] where it had ended before.
    pub async fn cancel_job(&self, job: &Job) -> Result<Settled> {
        let mut tx = self.begin().await?;
        let done = self.cancel_live(&mut tx, &job.document_id.to_string(), &job.id.to_string()).await?;
        failpoint::passed("catalog.cancel.before_commit");
        tx.commit().await?;
        failpoint::passed("catalog.cancel.after_commit");
        if done {
            self.announce(job.document_id);
        }
        Ok(if done { Settled::Applied } else { Settled::Stale })
    }

    /// Puts a dead letter back in its lane, with attempts anew. [`Settled::Stale`] where it is none (any more).
    pub async fn redrive_job(&self, job: &Job) -> Result<Settled> {
        let id = job.id.to_string();
        let again = Step::new(
            "UPDATE jobs SET state = 'queued', dead_letter = 0, retries = 0, lost_leases = 0, due_at = {now}, failure_code = NULL, \
             failure_message = NULL, finished_at = NULL, revision = revision + 1 WHERE id = $1 AND {also state = 'failed' AND dead_letter = 1} \
             RETURNING id, tenant, lane, document_id, CAST(NULL AS TEXT) AS traceparent",
        );
        let steps = [
            again.bind(id.as_str()).named("job"),
            ring_in(Duration::ZERO),
            next_number().named("document"),
            event(EventKind::JobQueued, Some(&id), None),
        ];
        let done = self.take_alone(steps, || failpoint::passed("catalog.redrive.before_commit")).await?;
        if done.is_empty() {
            return Ok(Settled::Stale);
        }
        failpoint::passed("catalog.redrive.after_commit");
        self.announce(job.document_id);
        Ok(Settled::Applied)
    }

    /// The compare-and-set by which a job is cancelled; `false` where it had ended.
    pub(crate) async fn cancel_live(&self, tx: &mut Tx, document: &str, job: &str) -> Result<bool> {
        let row = self
            .sql(
                "UPDATE jobs SET state = 'cancelled', lease_until = NULL, rung_at = NULL, finished_at = {now}, revision = revision + 1 \
                 WHERE id = $1 AND {also state IN ('queued', 'running')} RETURNING token, tenant",
            )
            .bind(job)
            .fetch_optional(&mut **tx)
            .await?;
        let Some(row) = row else { return Ok(false) };
        let token: i64 = row.try_get("token")?;
        self.sql("DELETE FROM outbox WHERE job_id = $1").bind(job).execute(&mut **tx).await?;
        // The key that a running attempt may be writing at this moment.
        let tenant: TenantId = row.try_get::<String, _>("tenant")?.parse().map_err(|error| corrupt("tenant", error))?;
        let document_id: DocumentId = document.parse().map_err(|error| corrupt("document", error))?;
        let job_id: JobId = job.parse().map_err(|error| corrupt("job", error))?;
        self.take(tx, [kill_blob(BlobKey::result(&tenant, document_id, job_id, token).as_str())]).await?;
        self.sql(
            "UPDATE attempts SET ended_at = {now}, outcome = 'cancelled' WHERE job_id = $1 AND token = $2 AND ended_at IS NULL",
        )
        .bind(job)
        .bind(token)
        .execute(&mut **tx)
        .await?;
        self.append_event(tx, document, EventKind::JobCancelled, Some(job), None).await?;
        Ok(true)
    }
}

fn read_job(row: &AnyRow) -> Result<Job> {
    let text = |name: &str| row.try_get::<String, _>(name);
    let time = |name: &str| row.try_get::<Option<i64>, _>(name).map(|at| at.map(Timestamp));
    let count = |name: &str, value: i64| u32::try_from(value).map_err(|_| corrupt(name, value));
    let (state, lane) = (text("state")?, text("lane")?);
    let state = JobState::from_name(&state).ok_or_else(|| corrupt("job state", state))?;
    let failure = match row.try_get::<Option<String>, _>("failure_code")? {
        None => None,
        Some(code) => {
            let code = FailureCode::from_name(&code).ok_or_else(|| corrupt("failure", code))?;
            Some(Failure { message: text("failure_message")?, ..Failure::new(code) })
        }
    };
    Ok(Job {
        id: text("id")?.parse().map_err(|error| corrupt("job", error))?,
        document_id: text("document_id")?.parse::<DocumentId>().map_err(|error| corrupt("document", error))?,
        tenant: text("tenant")?.parse().map_err(|error| corrupt("tenant", error))?,
        state,
        lane: Lane::from_name(&lane).ok_or_else(|| corrupt("lane", lane))?,
        attempts: row.try_get("token")?,
        progress: Progress {
            done: count("progress", row.try_get("progress_done")?)?,
            total: row.try_get::<Option<i64>, _>("progress_total")?.map(|total| count("progress", total)).transpose()?,
        },
        failure,
        dead_letter: row.try_get::<i64, _>("dead_letter")? == 1,
        warnings: serde_json::from_str(&text("warnings")?).map_err(|error| corrupt("warnings", error))?,
        created_at: Timestamp(row.try_get("created_at")?),
        due_at: if state == JobState::Queued { time("due_at")? } else { None },
        started_at: time("started_at")?,
        finished_at: time("finished_at")?,
        revision: row.try_get("revision")?,
    })
}
