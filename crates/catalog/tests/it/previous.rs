//! The programs of earlier schemas, which go on working while a rollout is under way. Their writes are recorded here, as they were when
//! that schema was the newest, and are run against the newest one. Once an earlier program need no longer be served (the schema's
//! minimum was raised past it) its recording goes.

use docmill_domain::{DocumentId, Job, JobId, JobState, Options};
use rstest::rstest;
use sqlx::{AnyPool, AssertSqlSafe};

use crate::support::{Database, Database::*, Fresh, LEASE, open, tenant};

/// What the program of migration 1 writes from an upload to its job's claim, and how many rows each statement changes.
const ACCEPTED_AND_CLAIMED_BY_1: [(&str, u64); 19] = [
    ("INSERT INTO tenants (id, created_at) VALUES ('default', {now}) ON CONFLICT (id) DO NOTHING", 0),
    (
        "INSERT INTO intents (id, tenant, idempotency_key, fingerprint, document_id, blob_key, state, lease_until, created_at, expires_at) \
         VALUES ('int_1', 'default', 'key', 'f', '{document}', 'original', 'open', {now} + 30000000, {now}, {now} + 86400000000)",
        1,
    ),
    (
        "INSERT INTO blobs (key, tenant, document_id, state, created_at) VALUES ('original', 'default', '{document}', 'writing', {now})",
        1,
    ),
    ("UPDATE intents SET lease_until = {now} + 30000000 WHERE id = 'int_1' AND state = 'open'", 1),
    ("UPDATE intents SET state = 'done', body_sha256 = 'abc', response = '{}' WHERE id = 'int_1' AND state = 'open'", 1),
    (
        "INSERT INTO documents (id, tenant, state, name, declared_type, format, size, sha256, original_key, lane, tags, latest_job_id, \
         created_at, expires_at) \
         VALUES ('{document}', 'default', 'active', 'a.txt', NULL, 'txt', 3, 'abc', 'original', 'bulk', '{}', '{job}', {now}, NULL)",
        1,
    ),
    (
        "INSERT INTO jobs (id, tenant, document_id, kind, lane, state, options, due_at, warnings, traceparent, created_at) \
         VALUES ('{job}', 'default', '{document}', 'extract', 'bulk', 'queued', '{options}', {now}, '[]', NULL, {now})",
        1,
    ),
    ("UPDATE blobs SET state = 'live' WHERE key = 'original'", 1),
    (
        "INSERT INTO outbox (id, kind, tenant, lane, job_id, due_at, traceparent, created_at) \
         SELECT '{ring}', 'job.due', tenant, lane, id, {now} + 0, traceparent, {now} FROM jobs WHERE id = '{job}' \
         ON CONFLICT (job_id, kind) DO UPDATE SET due_at = excluded.due_at",
        1,
    ),
    ("UPDATE jobs SET rung_at = NULL WHERE id = '{job}'", 1),
    ("UPDATE documents SET last_seq = last_seq + 1 WHERE id = '{document}'", 1),
    (
        "INSERT INTO events (document_id, seq, tenant, kind, job_id, code, at) \
         VALUES ('{document}', 1, 'default', 'job.queued', '{job}', NULL, {now})",
        1,
    ),
    (
        "UPDATE jobs SET state = 'running', token = token + 1, lease_until = {now} + 30000000, worker = 'old', started_at = {now}, \
         rung_at = NULL, progress_done = 0, progress_total = NULL, revision = revision + 1 \
         WHERE id = '{job}' AND tenant = 'default' AND state = 'queued' AND due_at <= {now}",
        1,
    ),
    ("INSERT INTO attempts (job_id, token, worker, started_at) VALUES ('{job}', 1, 'old', {now})", 1),
    (
        "INSERT INTO blobs (key, tenant, document_id, state, created_at) VALUES ('result', 'default', '{document}', 'writing', {now})",
        1,
    ),
    ("DELETE FROM outbox WHERE job_id = '{job}'", 0),
    ("UPDATE documents SET last_seq = last_seq + 1 WHERE id = '{document}'", 1),
    (
        "INSERT INTO events (document_id, seq, tenant, kind, job_id, code, at) \
         VALUES ('{document}', 2, 'default', 'job.running', '{job}', NULL, {now})",
        1,
    ),
    (
        "UPDATE jobs SET lease_until = {now} + 30000000, progress_done = 1, progress_total = 2, \
         revision = revision + 1 WHERE id = '{job}' AND token = 1 AND state = 'running'",
        1,
    ),
];

/// … and when its relay, and not the new one's, has rung.
const RUNG_BY_1: [(&str, u64); 2] = [
    ("DELETE FROM outbox WHERE id = (SELECT id FROM outbox WHERE kind = 'job.due' AND job_id = '{job}')", 1),
    ("UPDATE jobs SET rung_at = {now} WHERE id = '{job}' AND state = 'queued'", 1),
];

/// … and from there to its end.
const FINISHED_BY_1: [(&str, u64); 6] = [
    (
        "UPDATE jobs SET state = 'succeeded', result_key = 'result', result_sha256 = 'r', result_size = 1, result_engine = 'e 1', \
         result_schema = 1, warnings = '[]', failure_code = NULL, failure_message = NULL, lease_until = NULL, finished_at = {now}, \
         revision = revision + 1, progress_done = 2, progress_total = 2 WHERE id = '{job}' AND token = 1 AND state = 'running'",
        1,
    ),
    ("UPDATE documents SET result_job_id = '{job}' WHERE id = '{document}'", 1),
    ("UPDATE blobs SET state = 'live' WHERE key = 'result'", 1),
    ("UPDATE attempts SET ended_at = {now}, outcome = 'done', code = NULL WHERE job_id = '{job}' AND token = 1", 1),
    ("UPDATE documents SET last_seq = last_seq + 1 WHERE id = '{document}'", 1),
    (
        "INSERT INTO events (document_id, seq, tenant, kind, job_id, code, at) \
         VALUES ('{document}', 3, 'default', 'job.succeeded', '{job}', NULL, {now})",
        1,
    ),
];

/// … and the document's end, with what its sweeper does then.
const DELETED_BY_1: [(&str, u64); 8] = [
    (
        "UPDATE documents SET state = 'deleted', ended_at = {now} WHERE id = '{document}' AND tenant = 'default' AND state = 'active'",
        1,
    ),
    ("UPDATE jobs SET options = '{}', dead_letter = 0 WHERE document_id = '{document}'", 1),
    ("UPDATE blobs SET state = 'dead', erase_at = {now} WHERE document_id = '{document}' AND state <> 'dead'", 2),
    ("UPDATE documents SET last_seq = last_seq + 1 WHERE id = '{document}'", 1),
    (
        "INSERT INTO events (document_id, seq, tenant, kind, job_id, code, at) \
         VALUES ('{document}', 4, 'default', 'document.deleted', NULL, NULL, {now})",
        1,
    ),
    ("UPDATE blobs SET erasures = 1, erase_at = {now} WHERE key = 'result' AND state = 'dead' AND erasures = 0", 1),
    ("DELETE FROM blobs WHERE key = 'result' AND state = 'dead' AND erasures > 0", 1),
    ("DELETE FROM intents WHERE id = 'int_1' AND state = 'done'", 1),
];

struct Previous {
    database: AnyPool,
    clock: &'static str,
    document: DocumentId,
    job: JobId,
    options: String,
}

impl Previous {
    async fn run(&self, statements: &[(&str, u64)]) {
        for (statement, rows) in statements {
            let sql = statement
                .replace("{now}", self.clock)
                .replace("{document}", &self.document.to_string())
                .replace("{job}", &self.job.to_string())
                .replace("{ring}", &docmill_domain::OutboxId::new().to_string())
                .replace("{options}", &self.options);
            let done = sqlx::query(AssertSqlSafe(sql))
                .execute(&self.database)
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
            assert_eq!(done.rows_affected(), *rows, "{statement}");
        }
    }
}

async fn previous(fresh: &Fresh, on: Database) -> Previous {
    let clock = match on {
        Sqlite => "CAST(unixepoch('now', 'subsec') * 1000000 AS BIGINT)",
        Postgres => "CAST(EXTRACT(EPOCH FROM now()) * 1000000 AS BIGINT)",
    };
    let options = serde_json::to_string(&Options::default()).unwrap();
    Previous { database: fresh.raw().await, clock, document: DocumentId::new(), job: JobId::new(), options }
}

#[rstest]
#[tokio::test]
async fn the_program_of_migration_1_still_works(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let previous = previous(&fresh, on).await;
    let (accepted, claimed) = ACCEPTED_AND_CLAIMED_BY_1.split_at(12);
    previous.run(accepted).await;
    let rings = fresh.catalog.due_rings(9, 9).await.unwrap();
    assert_eq!(rings[0].job, previous.job, "the new relay rings for the old API");
    fresh.catalog.rings_confirmed(&rings).await.unwrap();
    previous.run(claimed).await;
    assert!(fresh.claim(previous.job, LEASE).await.is_none(), "the new worker leaves it to the old one");
    let job = fresh.job(previous.job).await;
    assert_eq!((job.state, job.progress.done), (JobState::Running, 1));

    previous.run(&FINISHED_BY_1).await;
    let record = fresh.catalog.document(&tenant(), previous.document).await.unwrap().unwrap();
    assert_eq!(record.document.result_job_id, Some(previous.job));
    assert_eq!(fresh.event_kinds(&job).await, ["job.queued", "job.running", "job.succeeded"]);

    previous.run(&DELETED_BY_1).await;
    assert_eq!(fresh.event_kinds(&job).await.last(), Some(&"document.deleted"));
    assert_eq!(fresh.catalog.blobs_to_erase().await.unwrap().len(), 1, "the original, for the new sweeper");
}

/// The other way round: what the new program has accepted, the old one can claim and finish.
#[rstest]
#[tokio::test]
async fn the_program_of_migration_1_works_on_what_the_new_one_accepted(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    let previous = Previous { document: job.document_id, job: job.id, ..previous(&fresh, on).await };
    previous.run(&RUNG_BY_1).await;
    previous.run(&ACCEPTED_AND_CLAIMED_BY_1[12..]).await;
    previous.run(&FINISHED_BY_1).await;
    let Job { state, .. } = fresh.job(job.id).await;
    assert_eq!(state, JobState::Succeeded);
}
