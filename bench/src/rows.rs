//! One document's rows in docmill's tables, transaction by transaction, as the floors write them.
//!
//! | transaction | rows |
//! |---|---|
//! | before the upload's first byte | intent and blob |
//! | the acceptance | intent, document, job, blob, outbox, event |
//! | the claim | job, attempt, blob, outbox, document and event |
//! | the end | job, document, blob, attempt, event; over PostgreSQL the words for the search too |
//!
//! docmill has a fifth where no worker claims a job soon after its ring: the relay records it, many at once.

use docmill_domain::{DocumentId, IntentId, JobId, OutboxId, Timestamp};
use sqlx::{Pool, Postgres, Sqlite};

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What a statement is given.
enum Value {
    Text(String),
    Number(i64),
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// A statement, and what takes the places of `$1` and so on.
pub(crate) struct Statement {
    sql: &'static str,
    values: Vec<Value>,
}

impl Statement {
    fn new<const N: usize>(sql: &'static str, values: [Value; N]) -> Self {
        Self { sql, values: values.into() }
    }
}

macro_rules! executor {
    ($name:ident, $database:ty) => {
        /// Runs statements as one transaction.
        pub(crate) async fn $name(pool: &Pool<$database>, statements: Vec<Statement>) -> sqlx::Result<()> {
            let mut tx = pool.begin().await?;
            for Statement { sql, values } in statements {
                let bound = values.into_iter().fold(sqlx::query(sql), |query, value| match value {
                    Value::Text(text) => query.bind(text),
                    Value::Number(number) => query.bind(number),
                });
                bound.execute(&mut *tx).await?;
            }
            tx.commit().await
        }
    };
}

executor!(in_sqlite, Sqlite);
executor!(in_postgres, Postgres);

/// One document's rows.
pub(crate) struct Rows {
    intent: String,
    document: String,
    job: String,
    ring: String,
    /// The key of its bytes.
    pub(crate) original: String,
    /// The key of its result.
    pub(crate) result: String,
    size: i64,
}

impl Rows {
    /// Of a document of so many bytes.
    pub(crate) fn new(size: usize) -> Self {
        let (intent, document, job) = (IntentId::new().to_string(), DocumentId::new().to_string(), JobId::new().to_string());
        let original = format!("default/{document}/original/{intent}");
        let result = format!("default/{document}/{job}/1/result.json");
        Self { intent, document, job, ring: OutboxId::new().to_string(), original, result, size: size as i64 }
    }

    /// Before the upload's first byte.
    pub(crate) fn intend(&self) -> Vec<Statement> {
        let sql = "INSERT INTO intents (id, tenant, fingerprint, document_id, blob_key, state, lease_until, created_at, expires_at) \
                   VALUES ($1, 'default', $2, $3, $4, 'open', $5, $5, $5)";
        let values = [(&self.intent).into(), HASH.into(), (&self.document).into(), (&self.original).into(), now()];
        vec![Statement::new(sql, values), self.name_blob(&self.original)]
    }

    /// The acceptance.
    pub(crate) fn accept(&self) -> Vec<Statement> {
        let receipt = format!(
            "{{\"document_id\":\"{}\",\"job_id\":\"{}\",\"state\":\"queued\",\"format\":\"txt\",\"size\":{},\"sha256\":\"{HASH}\"}}",
            self.document, self.job, self.size
        );
        let document = "INSERT INTO documents (id, tenant, state, name, format, size, sha256, original_key, lane, latest_job_id, last_seq, \
                        created_at) VALUES ($1, 'default', 'active', 'note.txt', 'txt', $2, $3, $4, 'bulk', $5, 1, $6)";
        let job = "INSERT INTO jobs (id, tenant, document_id, kind, lane, state, options, due_at, created_at) \
                   VALUES ($1, 'default', $2, 'extract', 'bulk', 'queued', '{}', $3, $3)";
        let ring = "INSERT INTO outbox (id, kind, tenant, lane, job_id, due_at, created_at) \
                    VALUES ($1, 'job.due', 'default', 'bulk', $2, $3, $3)";
        vec![
            Statement::new(
                "UPDATE intents SET state = 'done', body_sha256 = $2, response = $3 WHERE id = $1",
                [(&self.intent).into(), HASH.into(), Value::Text(receipt)],
            ),
            Statement::new(
                document,
                [(&self.document).into(), self.size.into(), HASH.into(), (&self.original).into(), (&self.job).into(), now()],
            ),
            Statement::new(job, [(&self.job).into(), (&self.document).into(), now()]),
            Statement::new(ring, [(&self.ring).into(), (&self.job).into(), now()]),
            self.revive_blob(&self.original),
            self.tell(1, "job.queued"),
        ]
    }

    /// The claim.
    pub(crate) fn claim(&self) -> Vec<Statement> {
        let job = "UPDATE jobs SET state = 'running', token = 1, lease_until = $2, worker = 'floor', started_at = $2, revision = 1 \
                   WHERE id = $1";
        let attempt = "INSERT INTO attempts (job_id, token, worker, started_at) VALUES ($1, 1, 'floor', $2)";
        vec![
            Statement::new(job, [(&self.job).into(), now()]),
            Statement::new(attempt, [(&self.job).into(), now()]),
            self.name_blob(&self.result),
            Statement::new("DELETE FROM outbox WHERE job_id = $1", [(&self.job).into()]),
            Statement::new("UPDATE documents SET last_seq = 2 WHERE id = $1", [(&self.document).into()]),
            self.tell(2, "job.running"),
        ]
    }

    /// The end, with a result of so many bytes.
    pub(crate) fn finish(&self, size: usize) -> Vec<Statement> {
        let job = "UPDATE jobs SET state = 'succeeded', result_key = $2, result_sha256 = $3, result_size = $4, result_engine = 'docmill', \
                   result_schema = 1, lease_until = NULL, finished_at = $5, revision = 2 WHERE id = $1";
        let document = "UPDATE documents SET result_job_id = $2, last_seq = 3 WHERE id = $1";
        let attempt = "UPDATE attempts SET ended_at = $2, outcome = 'done' WHERE job_id = $1 AND token = 1";
        vec![
            Statement::new(job, [(&self.job).into(), (&self.result).into(), HASH.into(), (size as i64).into(), now()]),
            Statement::new(document, [(&self.document).into(), (&self.job).into()]),
            self.revive_blob(&self.result),
            Statement::new(attempt, [(&self.job).into(), now()]),
            self.tell(3, "job.succeeded"),
        ]
    }

    /// What search finds of a short text, in PostgreSQL's words.
    pub(crate) fn index(&self, text: &str) -> Statement {
        let sql = "INSERT INTO segments (tenant, document_id, job_id, seq, page, text, words) VALUES ('default', $1, $2, 0, 1, $3, \
                   to_tsvector('simple', $3) || array_to_tsvector(ARRAY['tenant=default']))";
        Statement::new(sql, [(&self.document).into(), (&self.job).into(), text.into()])
    }

    fn name_blob(&self, key: &String) -> Statement {
        let sql = "INSERT INTO blobs (key, tenant, document_id, state, created_at) VALUES ($1, 'default', $2, 'writing', $3)";
        Statement::new(sql, [key.into(), (&self.document).into(), now()])
    }

    fn revive_blob(&self, key: &String) -> Statement {
        Statement::new("UPDATE blobs SET state = 'live' WHERE key = $1", [key.into()])
    }

    fn tell(&self, seq: i64, kind: &str) -> Statement {
        let sql = "INSERT INTO events (document_id, seq, tenant, kind, job_id, at) VALUES ($1, $2, 'default', $3, $4, $5)";
        Statement::new(sql, [(&self.document).into(), seq.into(), kind.into(), (&self.job).into(), now()])
    }
}

/// Microseconds since 1970.
fn now() -> Value {
    Value::Number(Timestamp::now().0)
}
