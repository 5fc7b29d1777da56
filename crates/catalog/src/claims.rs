//! Claims: which worker holds a job, until when, and how its attempt ended. Every method but [`Catalog::claim`] is checked against the
//! claim's fencing token, so that a worker that was thought dead can neither extend, nor finish, nor show anything.

use std::time::Duration;

use docmill_domain::{
    BlobKey, DocumentId, EventKind, Failure, Format, JobId, Options, TenantId,
    extraction::Warning,
    failpoint,
    job::{Outcome, Progress},
    search::Segment,
    time::micros,
};
use sqlx::{Row, any::AnyRow};

use crate::{
    Catalog, CatalogError, Settled,
    error::{Result, corrupt},
    events::event,
    intents::size_column,
    outbox::ring_in,
    search::to_index,
    steps::Step,
};

/// A job in a worker's hands.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The job.
    pub job: JobId,
    /// The fencing token: the latest claim's is the only one that counts.
    pub token: i64,
    /// Whose job it is.
    pub tenant: TenantId,
    /// The document to extract.
    pub document: DocumentId,
    /// Where its bytes are.
    pub original: BlobKey,
    /// How many there must be.
    pub size: u64,
    /// What they must hash to (SHA-256, hex).
    pub sha256: String,
    /// What they are.
    pub format: Format,
    /// The client's file name, as data.
    pub name: Option<String>,
    /// The client's options.
    pub options: Options,
    /// What was noticed at upload.
    pub warnings: Vec<Warning>,
    /// Attempts that failed so far, since the last redrive.
    pub retries: i64,
    /// The one key this attempt may write.
    pub result_key: BlobKey,
    /// The trace the upload belongs to.
    pub traceparent: Option<String>,
}

/// Whether a worker still holds its claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It does.
    Held,
    /// The job was cancelled, deleted, or claimed anew: stop.
    Lost,
}

/// The object that a job's result is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its key.
    pub key: BlobKey,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// Parser and version, `pdfium 7543`.
    pub engine: String,
    /// The version of the JSON's shape.
    pub schema: u32,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub enum Disposition {
    /// There is a result, whole or partial.
    Done {
        /// Where it is.
        manifest: Manifest,
        /// Whether something is missing.
        partial: bool,
        /// What is missing or doubtful.
        warnings: Vec<Warning>,
        /// Pages in the result: how far the job came.
        pages: u32,
        /// What search is to find of it, where that is little enough to be written with the end; else the indexer reads the result.
        segments: Option<Vec<Segment>>,
    },
    /// The document's own fault: another attempt would end alike, and it is no dead letter.
    Failed(Failure),
    /// Another attempt may help, after this delay.
    Retry(Duration, Failure),
    /// Attempts are exhausted, or the fault is docmill's: it waits among the dead letters.
    DeadLetter(Failure),
    /// The worker shuts down: the attempt costs nothing.
    HandBack,
}

impl Disposition {
    /// The name that the attempt's row keeps.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Failed(_) => "failed",
            Self::Retry(..) => "retry",
            Self::DeadLetter(_) => "dead_letter",
            Self::HandBack => "hand_back",
        }
    }
}

impl Catalog {
    /// Takes a job that is queued and due, and names the key that this attempt may write. `None` when it is claimed, ended, gone or not
    /// due: the ring that led here has done its work.
    pub async fn claim(&self, tenant: &TenantId, job: JobId, worker: &str, lease: Duration) -> Result<Option<Claim>> {
        let id = job.to_string();
        let take = Step::new(
            "UPDATE jobs SET state = 'running', token = token + 1, lease_until = {now} + $3, worker = $4, started_at = {now}, rung_at = NULL, \
             progress_done = 0, progress_total = NULL, revision = revision + 1 \
             WHERE id = $1 AND {also tenant = $2 AND state = 'queued' AND due_at <= {now}} \
             RETURNING id, token, document_id, options, warnings, retries, traceparent",
        );
        let number = Step::new(
            "UPDATE documents SET last_seq = last_seq + 1 WHERE id = (SELECT document_id FROM {job}) \
             RETURNING id, tenant, last_seq, original_key, size, sha256, format, name",
        );
        let attempt =
            Step::new("INSERT INTO attempts (job_id, token, worker, started_at) SELECT id, token, $1, {now} FROM {job}");
        let key = Step::new(
            "INSERT INTO blobs (key, tenant, document_id, state, created_at) \
             SELECT $1 || document_id || $2 || token || $3, $4, document_id, 'writing', {now} FROM {job}",
        );
        let [before, between, behind] = BlobKey::result_around(tenant, job);
        let steps = [
            take.bind(id.as_str()).bind(tenant.as_str()).bind(micros(lease)).bind(worker).named("job"),
            number.named("document"),
            attempt.bind(worker),
            key.bind(before).bind(between).bind(behind).bind(tenant.as_str()),
            // The ring, if it is still to be told, has been heard.
            Step::new("DELETE FROM outbox WHERE job_id = (SELECT id FROM {job})"),
            event(EventKind::JobRunning, Some(&id), None),
            Step::new(
                "SELECT token, document_id, options, warnings, retries, traceparent, original_key, size, sha256, format, name \
                 FROM {job}, {document}",
            ),
        ];
        let rows = self.take_alone(steps, || failpoint::passed("catalog.claim.before_commit")).await?;
        failpoint::passed("catalog.claim.after_commit");
        let Some(row) = rows.first() else { return Ok(None) };
        let claim = read_claim(row, job, tenant)?;
        self.announce_soon(claim.document);
        Ok(Some(claim))
    }

    /// Whether the claim still stands; cheap enough to ask each second.
    pub async fn holds(&self, claim: &Claim) -> Result<Hold> {
        let row = self
            .sql("SELECT 1 AS held FROM jobs WHERE id = $1 AND {also token = $2 AND state = 'running'}")
            .bind(claim.job.to_string())
            .bind(claim.token)
            .fetch_optional(&self.read)
            .await?;
        Ok(if row.is_some() { Hold::Held } else { Hold::Lost })
    }

    /// Extends the claim by `lease` from now, and records how far the work has come.
    pub async fn extend(&self, claim: &Claim, lease: Duration, progress: Progress) -> Result<Hold> {
        let done = self
            .sql(
                "UPDATE jobs SET lease_until = {now} + $3, progress_done = $4, progress_total = $5, \
                 revision = revision + CASE WHEN progress_done = $4 AND progress_total IS NOT DISTINCT FROM $5 THEN 0 ELSE 1 END \
                 WHERE id = $1 AND {also token = $2 AND state = 'running'} AND {soft}",
            )
            .bind(claim.job.to_string())
            .bind(claim.token)
            .bind(micros(lease))
            .bind(i64::from(progress.done))
            .bind(progress.total.map(i64::from))
            .execute(&self.write)
            .await?;
        failpoint::passed("catalog.extend.after_commit");
        Ok(if done.rows_affected() == 1 { Hold::Held } else { Hold::Lost })
    }

    /// Ends the attempt, in one transaction. Calling it again after an answer was lost gives [`Settled::Applied`] and changes nothing;
    /// [`Settled::Stale`] means that the claim was lost, and that this attempt's blob is already marked for erasing.
    pub async fn finish(&self, claim: &Claim, disposition: &Disposition) -> Result<Settled> {
        let job = claim.job.to_string();
        let mut steps = vec![leave_running(&job, claim.token, disposition)?.named("job")];
        let shown = matches!(disposition, Disposition::Done { .. }).then_some(job.as_str());
        let number = Step::new(
            "UPDATE documents SET last_seq = last_seq + 1, result_job_id = COALESCE($1, result_job_id) \
             WHERE id = (SELECT document_id FROM {job}) RETURNING id, tenant, last_seq, \
             (SELECT count(*) FROM (SELECT 1 FROM segments WHERE document_id = documents.id LIMIT 1) s) AS indexed",
        );
        steps.push(number.bind(shown).named("document"));
        let (kind, code) = match disposition {
            Disposition::Done { partial, segments, .. } => {
                let live = Step::new("UPDATE blobs SET state = 'live' WHERE key = $1 AND {gate}").only_where(HELD);
                steps.push(live.bind(claim.result_key.as_str()));
                match segments {
                    Some(segments) => {
                        let document = claim.document.to_string();
                        let insert =
                            |(seq, segment)| self.segment(&claim.tenant, &document, &job, seq, segment).only_where(UNINDEXED);
                        steps.extend((0..).zip(segments).map(insert));
                        // Those of another result are to be erased first, in as many transactions as they need.
                        steps.push(to_index(&job, "index.due").only_where("EXISTS (SELECT 1 FROM {document} WHERE indexed > 0)"));
                    }
                    None => steps.push(to_index(&job, "index.due").only_where(HELD)),
                }
                (if *partial { EventKind::JobPartial } else { EventKind::JobSucceeded }, None)
            }
            Disposition::Failed(failure) | Disposition::DeadLetter(failure) => {
                (EventKind::JobFailed, Some(failure.code.as_str()))
            }
            Disposition::Retry(delay, failure) => {
                steps.push(ring_in(*delay));
                (EventKind::JobRetrying, Some(failure.code.as_str()))
            }
            Disposition::HandBack => {
                steps.push(ring_in(Duration::ZERO));
                (EventKind::JobRetrying, None)
            }
        };
        if !matches!(disposition, Disposition::Done { .. }) {
            steps.push(kill_blob(claim.result_key.as_str()).only_where(HELD));
        }
        steps.push(end_attempt(&job, claim.token, disposition.as_str(), code).only_where(HELD));
        steps.push(event(kind, Some(&job), code));
        let done = self.take_alone(steps, || failpoint::passed("catalog.finish.before_commit")).await?;
        failpoint::passed("catalog.finish.after_commit");
        if !done.is_empty() {
            self.announce(claim.document);
            return Ok(Settled::Applied);
        }
        let row = self
            .sql("SELECT outcome FROM attempts WHERE job_id = $1 AND token = $2")
            .bind(&job)
            .bind(claim.token)
            .fetch_optional(&self.write)
            .await?;
        let outcome: Option<String> = row.map(|row| row.try_get("outcome")).transpose()?.flatten();
        Ok(if outcome.as_deref() == Some(disposition.as_str()) { Settled::Applied } else { Settled::Stale })
    }
}

/// Whether the claim was still held when the attempt was ended.
const HELD: &str = "EXISTS (SELECT 1 FROM {job})";
/// The same, and that search has nothing of the document.
const UNINDEXED: &str = "EXISTS (SELECT 1 FROM {document} WHERE indexed = 0)";

/// The compare-and-set of [`Catalog::finish`]: the job's row if the claim was still held.
fn leave_running(job: &str, token: i64, disposition: &Disposition) -> Result<Step> {
    let held = |template| Step::new(template).bind(job).bind(token);
    Ok(match disposition {
        Disposition::Done { manifest, partial, warnings, pages, .. } => {
            let state = docmill_domain::JobState::Running.after(docmill_domain::job::Act::Complete(if *partial {
                Outcome::Partial
            } else {
                Outcome::Succeeded
            }));
            let warnings = serde_json::to_string(warnings).map_err(|error| CatalogError::Corrupt(error.to_string()))?;
            held(
                "UPDATE jobs SET state = $3, result_key = $4, result_sha256 = $5, result_size = $6, result_engine = $7, result_schema = $8, \
                 warnings = $9, failure_code = NULL, failure_message = NULL, lease_until = NULL, finished_at = {now}, revision = revision + 1, \
                 progress_done = $10, progress_total = $10 \
                 WHERE id = $1 AND {also token = $2 AND state = 'running'} RETURNING id, document_id",
            )
            .bind(state.map(|state| state.as_str()))
            .bind(manifest.key.as_str())
            .bind(manifest.sha256.as_str())
            .bind(size_column(manifest.size)?)
            .bind(manifest.engine.as_str())
            .bind(i64::from(manifest.schema))
            .bind(warnings)
            .bind(i64::from(*pages))
        }
        Disposition::Failed(failure) => held(
            "UPDATE jobs SET state = 'failed', failure_code = $3, failure_message = $4, lease_until = NULL, finished_at = {now}, \
             revision = revision + 1 WHERE id = $1 AND {also token = $2 AND state = 'running'} RETURNING id, document_id",
        )
        .bind(failure.code.as_str())
        .bind(&*failure.message),
        Disposition::DeadLetter(failure) => held(
            "UPDATE jobs SET state = 'failed', failure_code = $3, failure_message = $4, dead_letter = 1, retries = retries + 1, \
             lease_until = NULL, finished_at = {now}, revision = revision + 1 WHERE id = $1 AND {also token = $2 AND state = 'running'} \
             RETURNING id, document_id",
        )
        .bind(failure.code.as_str())
        .bind(&*failure.message),
        Disposition::Retry(delay, _) => held(
            "UPDATE jobs SET state = 'queued', retries = retries + 1, due_at = {now} + $3, lease_until = NULL, worker = NULL, \
             revision = revision + 1 WHERE id = $1 AND {also token = $2 AND state = 'running'} \
             RETURNING id, tenant, lane, document_id, CAST(NULL AS TEXT) AS traceparent",
        )
        .bind(micros(*delay)),
        Disposition::HandBack => held(
            "UPDATE jobs SET state = 'queued', due_at = {now}, lease_until = NULL, worker = NULL, revision = revision + 1 \
             WHERE id = $1 AND {also token = $2 AND state = 'running'} \
             RETURNING id, tenant, lane, document_id, CAST(NULL AS TEXT) AS traceparent",
        ),
    })
}

/// Records how an attempt ended. It has a gate.
pub(crate) fn end_attempt(job: &str, token: i64, outcome: &str, code: Option<&str>) -> Step {
    Step::new("UPDATE attempts SET ended_at = {now}, outcome = $3, code = $4 WHERE job_id = $1 AND token = $2 AND {gate}")
        .bind(job)
        .bind(token)
        .bind(outcome)
        .bind(code)
}

/// Names a key that is about to be written.
pub(crate) fn name_blob(tenant: &TenantId, document: DocumentId, key: &BlobKey) -> Step {
    Step::new("INSERT INTO blobs (key, tenant, document_id, state, created_at) VALUES ($1, $2, $3, 'writing', {now})")
        .bind(key.as_str())
        .bind(tenant.as_str())
        .bind(document.to_string())
}

/// Marks a key for erasing, whoever may still be writing to it. It has a gate.
pub(crate) fn kill_blob(key: &str) -> Step {
    Step::new("UPDATE blobs SET state = 'dead', erase_at = {now} WHERE key = $1 AND state <> 'dead' AND {gate}").bind(key)
}

fn read_claim(row: &AnyRow, job: JobId, tenant: &TenantId) -> Result<Claim> {
    let text = |name: &str| row.try_get::<String, _>(name);
    let document: DocumentId = text("document_id")?.parse().map_err(|error| corrupt("document", error))?;
    let (token, format) = (row.try_get("token")?, text("format")?);
    Ok(Claim {
        job,
        token,
        tenant: tenant.clone(),
        document,
        original: BlobKey::stored(text("original_key")?),
        size: row.try_get::<i64, _>("size")?.unsigned_abs(),
        sha256: text("sha256")?,
        format: Format::from_name(&format).ok_or_else(|| corrupt("format", format))?,
        name: row.try_get("name")?,
        options: serde_json::from_str(&text("options")?).map_err(|error| corrupt("options", error))?,
        warnings: serde_json::from_str(&text("warnings")?).map_err(|error| corrupt("warnings", error))?,
        retries: row.try_get("retries")?,
        result_key: BlobKey::result(tenant, document, job, token),
        traceparent: row.try_get("traceparent")?,
    })
}
