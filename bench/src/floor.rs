//! The least that must be done for a document that is never to be lost: docmill's tables, rows, transactions and pragmas, its two objects
//! with their fsyncs, and its parser, without HTTP, relay, queue, lease, hash or check. Documents go through it side by side, and nothing
//! in one waits for another but the one writer of SQLite. [`Rows`] lists the transactions.

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
use docmill_domain::Format;
use docmill_extract::{End, Extractors};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{
    pipeline::{IN_FLIGHT, extract},
    rows::{Rows, in_sqlite},
};

const SCHEMA: &str = include_str!("../../crates/catalog/migrations/0001_core.sql");

pub(crate) struct Floor {
    catalog: SqlitePool,
    folder: Arc<Path>,
    files: Arc<AtomicUsize>,
    extractors: Extractors,
    /// As many as a worker has.
    permits: Semaphore,
}

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
        let rows = Rows::new(bytes.len());
        in_sqlite(&self.catalog, rows.intend()).await?;

        let original = self.put(bytes).await?;

        in_sqlite(&self.catalog, rows.accept()).await?;

        let permit = self.permits.acquire().await?;
        in_sqlite(&self.catalog, rows.claim()).await?;

        let report = extract(&self.extractors, File::open(original)?, Format::Txt).await;
        ensure!(report.end == End::Complete, "a text could not be read: {:?}", report.end);
        let json = serde_json::to_vec(&report.extraction)?;
        let size = json.len();
        self.put(json).await?;

        in_sqlite(&self.catalog, rows.finish(size)).await?;
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
