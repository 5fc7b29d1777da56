//! The catalog: the record of everything, and the only truth. A broker rings, a store keeps bytes; what a document is, who may work on
//! it and what became of it stands here.
//!
//! The SQL stands once, in the subset that SQLite and PostgreSQL share, over sqlx's `Any` driver; what differs is in [`dialect`].
//! Every method is one transaction and one decision. A method that changes a job does so by compare-and-set on its state and, where the
//! caller is a worker, on its fencing token: an answer of [`Settled::Stale`] or `None` means that someone else was first, and that
//! nothing was changed.
//!
//! | module | what it decides |
//! |---|---|
//! | [`intents`] | who may upload under a key, and the one transaction behind a 202 |
//! | [`claims`] | which worker holds a job, and how its attempt ended |
//! | [`documents`], [`jobs`] | reading; delete, cancel, retry |
//! | [`events`] | what happened to a document, in order |
//! | [`outbox`] | which jobs must be rung, fairly among tenants |
//! | [`sweep`] | what is overdue: leases, rings, intents, retention, blobs to erase |
//! | `uploads` | which uploads the blob store has begun |

pub mod claims;
mod config;
mod dialect;
pub mod documents;
mod error;
pub mod events;
pub mod intents;
pub mod jobs;
mod migrate;
pub mod outbox;
pub mod stats;
pub mod sweep;
mod uploads;

use std::fs::File;

use docmill_domain::{DocumentId, TenantId};
use sqlx::{Any, AnyPool, AssertSqlSafe, Transaction, any::AnyArguments, query::Query};
use tokio::sync::broadcast;

use self::dialect::Dialect;
pub use self::{
    config::CatalogConfig,
    error::{CatalogError, Result},
};

/// A compare-and-set's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The change is in the catalog, made by this call or by an earlier one of the same caller whose answer was lost.
    Applied,
    /// Someone else was first; nothing was changed.
    Stale,
}

/// An open catalog. Dropping it releases the data folder.
pub struct Catalog {
    /// On SQLite a pool of one connection: it has one writer, and waiting here is cheaper than its busy loop.
    write: AnyPool,
    read: AnyPool,
    dialect: Dialect,
    changes: broadcast::Sender<DocumentId>,
    /// Held for as long as the catalog is open: SQLite means one process.
    _lock: File,
}

type Tx = Transaction<'static, Any>;

impl Catalog {
    /// Opens the catalog, taking its data folder, and brings its schema up to date.
    pub async fn open(config: &CatalogConfig) -> Result<Self> {
        let CatalogConfig::Sqlite { folder } = config;
        let lock = dialect::lock_folder(folder)?;
        let (write, read) = dialect::connect_sqlite(folder).await?;
        migrate::run(&write).await?;
        let (changes, _) = broadcast::channel(1024);
        let catalog = Self { write, read, dialect: Dialect::Sqlite, changes, _lock: lock };
        catalog.ensure_tenant(&TenantId::default_tenant()).await?;
        Ok(catalog)
    }

    /// Announces each document that changed, as far as this process knows; a receiver that lags must look for itself, and everyone
    /// must look from time to time.
    pub fn changes(&self) -> broadcast::Receiver<DocumentId> {
        self.changes.subscribe()
    }

    /// One trivial query, for health.
    pub async fn check(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.read).await?;
        Ok(())
    }

    /// Waits for running queries and closes the files.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    async fn begin(&self) -> Result<Tx> {
        Ok(self.write.begin().await?)
    }

    /// A query in the shared subset, `{now}` standing for the database's clock in microseconds.
    fn sql<'q>(&self, template: &'static str) -> Query<'q, Any, AnyArguments> {
        sqlx::query(AssertSqlSafe(template.replace("{now}", self.dialect.now())))
    }

    /// The same, for a query that shares its list of columns with others.
    fn sql_string<'q>(&self, sql: String) -> Query<'q, Any, AnyArguments> {
        sqlx::query(AssertSqlSafe(sql))
    }

    /// Makes the tenant if it is not there.
    pub async fn ensure_tenant(&self, tenant: &TenantId) -> Result<()> {
        self.sql("INSERT INTO tenants (id, created_at) VALUES ($1, {now}) ON CONFLICT (id) DO NOTHING")
            .bind(tenant.as_str())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    fn announce(&self, document: DocumentId) {
        // Nobody listening is no error.
        let _ = self.changes.send(document);
    }
}
