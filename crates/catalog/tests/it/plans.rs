//! What PostgreSQL reads where many rows came after its statements were planned, as they do on every new database.

use std::time::{Duration, Instant};

use docmill_catalog::Settled;
use docmill_domain::Options;
use sqlx::Row as _;

use crate::support::{Database::Postgres, Fresh, LEASE, open, tenant};

const MANY: i64 = 5000;
const DOCUMENTS: i64 = 20;

#[tokio::test]
async fn a_row_is_looked_up_by_its_id_however_many_came_since() {
    let fresh = open(Postgres).await;
    // A prepared statement has its last plan after five executions.
    one_by_one(&fresh, 2 * DOCUMENTS).await;
    let database = fresh.raw().await;
    let rows = [
        "INSERT INTO documents (id, tenant, state, format, size, sha256, original_key, lane, latest_job_id, created_at) \
         SELECT 'doc_' || n, 'default', 'active', 'txt', 1, '', n, 'bulk', 'job_' || n, 0 FROM generate_series(1, $1) n",
        "INSERT INTO jobs (id, tenant, document_id, kind, lane, state, options, due_at, created_at, token, lease_until) \
         SELECT 'job_' || n, 'default', 'doc_' || n, 'extract', 'bulk', CASE WHEN n % 2 = 0 THEN 'queued' ELSE 'running' END, '{}', 0, 0, 1, 0 \
         FROM generate_series(1, $1) n",
        "INSERT INTO intents (id, tenant, fingerprint, document_id, blob_key, state, lease_until, created_at, expires_at) \
         SELECT 'int_' || n, 'default', '', 'doc_' || n, n, 'open', 0, 0, 0 FROM generate_series(1, $1) n",
    ];
    for sql in rows {
        sqlx::query(sql).bind(MANY).execute(&database).await.unwrap();
    }
    one_by_one(&fresh, DOCUMENTS).await;
    // Each document's job is looked up at least to be claimed, to be ended, and twice to be told of.
    let read = read_by_other_indices(&fresh, 4 * (2 * DOCUMENTS + DOCUMENTS)).await;
    assert!(read < MANY, "{read} rows were read by indices that are not those of the ids");
}

/// Has documents go all the way, each of them asked for at its end.
async fn one_by_one(fresh: &Fresh, documents: i64) {
    for _ in 0..documents {
        let job = fresh.accepted(Options::default()).await;
        let claim = fresh.claim(job.id, LEASE).await.unwrap();
        assert_eq!(fresh.finish_found(&claim, Some(vec![])).await, Settled::Applied);
        assert!(fresh.job(job.id).await.state.is_final());
        assert!(fresh.catalog.document(&tenant(), job.document_id).await.unwrap().is_some());
    }
}

/// Rows read by the indices that are not those of ids, once the server knows of so many look-ups of jobs by theirs.
async fn read_by_other_indices(fresh: &Fresh, looked_up: i64) -> i64 {
    let (database, began) = (fresh.raw().await, Instant::now());
    let sql = "SELECT CAST(sum(CASE WHEN indexrelname = 'jobs_pkey' THEN idx_scan END) AS BIGINT) AS looked_up, \
               CAST(sum(CASE WHEN indexrelname NOT LIKE '%_pkey' THEN idx_tup_read END) AS BIGINT) AS read \
               FROM pg_stat_user_indexes WHERE relname IN ('documents', 'intents', 'jobs')";
    loop {
        // A connection tells what it did a second ago when it is used again.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        fresh.catalog.check().await.unwrap();
        let row = sqlx::query(sql).fetch_one(&database).await.unwrap();
        if row.get::<i64, _>("looked_up") >= looked_up {
            return row.get("read");
        }
        assert!(began.elapsed() < Duration::from_secs(30), "only {} look-ups of jobs were by id", row.get::<i64, _>("looked_up"));
    }
}
