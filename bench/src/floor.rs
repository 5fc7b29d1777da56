//! The least that must be done for a document that is never to be lost: docmill's tables, rows, transactions and pragmas, its two objects
//! with their fsyncs, and its parser, without HTTP, relay, queue, lease, hash or check. Documents go through it side by side, and nothing
//! in one waits for another but the one writer of SQLite.
//!
//! | transaction | rows |
//! |---|---|
//! | before the upload's first byte | intent and blob |
//! | the acceptance | intent, document, job, blob, outbox, event |
//! | the claim | job, attempt, blob, outbox, document and event |
//! | the end | job, document, blob, attempt, event |
//!
//! docmill has a fifth, in which the relay records what it has rung; it takes many documents at once.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, ensure};
use docmill_domain::{DocumentId, Format, IntentId, JobId, OutboxId, Timestamp};
use docmill_extract::{End, Extractors};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::pipeline::{IN_FLIGHT, extract};

const SCHEMA: &str = include_str!("../../crates/catalog/migrations/0001_core.sql");
const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

pub(crate) struct Floor {
    catalog: SqlitePool,
    folder: Arc<Path>,
    files: Arc<AtomicUsize>,
    extractors: Extractors,
    /// As many as a worker has.
    permits: Semaphore,
}

type Tx = Transaction<'static, Sqlite>;

impl Floor {
    pub(crate) async fn open(folder: &Path, extractors: Extractors) -> anyhow::Result<Self> {
        for shard in 0..=u8::MAX {
            fs::create_dir_all(folder.join(format!("{shard:02x}")))?;
        }
        fs::create_dir(folder.join(".tmp"))?;
        let options = SqliteConnectOptions::new()
            .filename(folder.join("catalog.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        let catalog =
            SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None).connect_with(options).await?;
        sqlx::raw_sql(SCHEMA).execute(&catalog).await?;
        sqlx::query("INSERT INTO tenants (id, created_at) VALUES ('default', 0)").execute(&catalog).await?;
        let permits = Semaphore::new(std::thread::available_parallelism()?.get() + 1);
        Ok(Self { catalog, folder: folder.into(), files: Arc::default(), extractors, permits })
    }

    /// Takes all of them to their results, as many at once as there would be uploads.
    pub(crate) async fn take(&self, documents: &[Vec<u8>]) -> anyhow::Result<()> {
        stream::iter(documents).map(|document| self.document(document.clone())).buffer_unordered(IN_FLIGHT).try_collect().await
    }

    async fn document(&self, bytes: Vec<u8>) -> anyhow::Result<()> {
        let row = Row::new(bytes.len());
        let mut tx = self.catalog.begin().await?;
        row.intend(&mut tx).await?;
        tx.commit().await?;

        let original = self.put(bytes).await?;

        let mut tx = self.catalog.begin().await?;
        row.accept(&mut tx).await?;
        tx.commit().await?;

        let permit = self.permits.acquire().await?;
        let mut tx = self.catalog.begin().await?;
        row.claim(&mut tx).await?;
        tx.commit().await?;

        let report = extract(&self.extractors, File::open(original)?, Format::Txt).await;
        ensure!(report.end == End::Complete, "a text could not be read: {:?}", report.end);
        let json = serde_json::to_vec(&report.extraction)?;
        let size = json.len();
        self.put(json).await?;

        let mut tx = self.catalog.begin().await?;
        row.finish(&mut tx, size).await?;
        tx.commit().await?;
        drop(permit);
        Ok(())
    }

    /// Writes, syncs, renames, syncs the folder.
    async fn put(&self, bytes: Vec<u8>) -> anyhow::Result<PathBuf> {
        let (folder, number) = (self.folder.clone(), self.files.fetch_add(1, Ordering::Relaxed));
        spawn_blocking(move || {
            let temporary = folder.join(".tmp").join(number.to_string());
            let mut file = File::create_new(&temporary)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            let shard = folder.join(format!("{:02x}", number % 256));
            let target = shard.join(number.to_string());
            fs::rename(temporary, &target)?;
            File::open(shard)?.sync_all()?;
            Ok(target)
        })
        .await
        .context("a write panicked")?
    }
}

/// One document's rows.
struct Row {
    intent: String,
    document: String,
    job: String,
    ring: String,
    original: String,
    result: String,
    size: i64,
}

impl Row {
    fn new(size: usize) -> Self {
        let (intent, document, job) = (IntentId::new().to_string(), DocumentId::new().to_string(), JobId::new().to_string());
        let original = format!("default/{document}/original/{intent}");
        let result = format!("default/{document}/{job}/1/result.json");
        Self { intent, document, job, ring: OutboxId::new().to_string(), original, result, size: size as i64 }
    }

    async fn intend(&self, tx: &mut Tx) -> sqlx::Result<()> {
        let sql = "INSERT INTO intents (id, tenant, fingerprint, document_id, blob_key, state, lease_until, created_at, expires_at) \
                   VALUES ($1, 'default', $2, $3, $4, 'open', $5, $5, $5)";
        let insert = sqlx::query(sql).bind(&self.intent).bind(HASH).bind(&self.document).bind(&self.original).bind(now());
        insert.execute(&mut **tx).await?;
        self.name_blob(tx, &self.original).await
    }

    async fn accept(&self, tx: &mut Tx) -> sqlx::Result<()> {
        let receipt = format!(
            "{{\"document_id\":\"{}\",\"job_id\":\"{}\",\"state\":\"queued\",\"format\":\"txt\",\"size\":{},\"sha256\":\"{HASH}\"}}",
            self.document, self.job, self.size
        );
        let sql = "UPDATE intents SET state = 'done', body_sha256 = $2, response = $3 WHERE id = $1";
        sqlx::query(sql).bind(&self.intent).bind(HASH).bind(receipt).execute(&mut **tx).await?;
        let sql = "INSERT INTO documents (id, tenant, state, name, format, size, sha256, original_key, lane, latest_job_id, last_seq, created_at) \
                   VALUES ($1, 'default', 'active', 'note.txt', 'txt', $2, $3, $4, 'bulk', $5, 1, $6)";
        let insert =
            sqlx::query(sql).bind(&self.document).bind(self.size).bind(HASH).bind(&self.original).bind(&self.job).bind(now());
        insert.execute(&mut **tx).await?;
        let sql = "INSERT INTO jobs (id, tenant, document_id, kind, lane, state, options, due_at, created_at) \
                   VALUES ($1, 'default', $2, 'extract', 'bulk', 'queued', '{}', $3, $3)";
        sqlx::query(sql).bind(&self.job).bind(&self.document).bind(now()).execute(&mut **tx).await?;
        let sql = "INSERT INTO outbox (id, kind, tenant, lane, job_id, due_at, created_at) VALUES ($1, 'job.due', 'default', 'bulk', $2, $3, $3)";
        sqlx::query(sql).bind(&self.ring).bind(&self.job).bind(now()).execute(&mut **tx).await?;
        self.revive_blob(tx, &self.original).await?;
        self.tell(tx, 1, "job.queued").await
    }

    async fn claim(&self, tx: &mut Tx) -> sqlx::Result<()> {
        let sql = "UPDATE jobs SET state = 'running', token = 1, lease_until = $2, worker = 'floor', started_at = $2, revision = 1 WHERE id = $1";
        sqlx::query(sql).bind(&self.job).bind(now()).execute(&mut **tx).await?;
        let sql = "INSERT INTO attempts (job_id, token, worker, started_at) VALUES ($1, 1, 'floor', $2)";
        sqlx::query(sql).bind(&self.job).bind(now()).execute(&mut **tx).await?;
        self.name_blob(tx, &self.result).await?;
        sqlx::query("DELETE FROM outbox WHERE job_id = $1").bind(&self.job).execute(&mut **tx).await?;
        sqlx::query("UPDATE documents SET last_seq = 2 WHERE id = $1").bind(&self.document).execute(&mut **tx).await?;
        self.tell(tx, 2, "job.running").await
    }

    async fn finish(&self, tx: &mut Tx, size: usize) -> sqlx::Result<()> {
        let sql = "UPDATE jobs SET state = 'succeeded', result_key = $2, result_sha256 = $3, result_size = $4, result_engine = 'docmill', \
                   result_schema = 1, lease_until = NULL, finished_at = $5, revision = 2 WHERE id = $1";
        let update = sqlx::query(sql).bind(&self.job).bind(&self.result).bind(HASH).bind(size as i64).bind(now());
        update.execute(&mut **tx).await?;
        let sql = "UPDATE documents SET result_job_id = $2, last_seq = 3 WHERE id = $1";
        sqlx::query(sql).bind(&self.document).bind(&self.job).execute(&mut **tx).await?;
        self.revive_blob(tx, &self.result).await?;
        let sql = "UPDATE attempts SET ended_at = $2, outcome = 'done' WHERE job_id = $1 AND token = 1";
        sqlx::query(sql).bind(&self.job).bind(now()).execute(&mut **tx).await?;
        self.tell(tx, 3, "job.succeeded").await
    }

    async fn name_blob(&self, tx: &mut Tx, key: &str) -> sqlx::Result<()> {
        let sql = "INSERT INTO blobs (key, tenant, document_id, state, created_at) VALUES ($1, 'default', $2, 'writing', $3)";
        sqlx::query(sql).bind(key).bind(&self.document).bind(now()).execute(&mut **tx).await.map(drop)
    }

    async fn revive_blob(&self, tx: &mut Tx, key: &str) -> sqlx::Result<()> {
        sqlx::query("UPDATE blobs SET state = 'live' WHERE key = $1").bind(key).execute(&mut **tx).await.map(drop)
    }

    async fn tell(&self, tx: &mut Tx, seq: i64, kind: &str) -> sqlx::Result<()> {
        let sql = "INSERT INTO events (document_id, seq, tenant, kind, job_id, at) VALUES ($1, $2, 'default', $3, $4, $5)";
        let insert = sqlx::query(sql).bind(&self.document).bind(seq).bind(kind).bind(&self.job).bind(now());
        insert.execute(&mut **tx).await.map(drop)
    }
}

/// Microseconds since 1970.
fn now() -> i64 {
    Timestamp::now().0
}
