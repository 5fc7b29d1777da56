//! The catalog: the record of everything, and the only truth. A broker rings, a store keeps bytes; what a document is, who may work on
//! it and what became of it stands here.
//!
//! The SQL stands once, in the subset that SQLite and PostgreSQL share, over sqlx's `Any` driver; what differs is in [`dialect`],
//! [`sqlite`] and [`postgres`]. Every method is one transaction and one decision. A method that changes a job does so by compare-and-set on its state and, where the
//! caller is a worker, on its fencing token: an answer of [`Settled::Stale`] or `None` means that someone else was first, and that
//! nothing was changed.
//!
//! On PostgreSQL any number of processes call these methods at once, under READ COMMITTED. What is decided from rows that were read is
//! decided under their locks, or checked again by the statement that changes them. Locks are taken in one order, so that transactions
//! wait for each other but never in a circle: intents; jobs, by id; documents; then what belongs to them. Where two meet
//! nevertheless the database ends one, which is [`CatalogError::Unavailable`] to its caller.
//!
//! | module | what it decides |
//! |---|---|
//! | [`administer`] | what a PostgreSQL server needs before anyone can open the catalog |
//! | [`intents`] | who may upload under a key, and the one transaction behind a 202 |
//! | [`claims`] | which worker holds a job, and how its attempt ended |
//! | [`documents`], [`jobs`] | reading; delete, cancel, retry |
//! | [`events`] | what happened to a document, in order |
//! | [`keys`], [`limits`] | who may call; how much a tenant may use, and has used |
//! | [`outbox`] | which jobs must be rung, fairly among tenants |
//! | [`search`] | what is to be indexed, and looking for words |
//! | [`sweep`] | what is overdue: leases, rings, intents, retention, events, blobs to erase; [`overdue`] only counts it |
//! | `steps` | nothing: how statements go to the database together |
//! | `uploads` | which uploads the blob store has begun |
//! | [`archive`] | every row, out of one catalog and into another |

pub mod administer;
pub mod archive;
pub mod claims;
mod config;
mod dialect;
pub mod documents;
mod error;
pub mod events;
pub mod intents;
pub mod jobs;
pub mod keys;
pub mod limits;
mod migrate;
pub mod outbox;
pub mod overdue;
mod postgres;
pub mod search;
mod sqlite;
pub mod stats;
mod steps;
pub mod sweep;
mod uploads;

use std::{fs::File, sync::Arc};

use docmill_domain::{DocumentId, TenantId};
use sqlx::{Any, AnyPool, AssertSqlSafe, Transaction, any::AnyArguments, query::Query};
use tokio::sync::{Notify, broadcast, mpsc};

pub use self::{
    config::{CatalogConfig, Migrate, PostgresConfig, Tls},
    error::{CatalogError, Result},
};
use self::{dialect::Dialect, postgres::Change};

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
    /// Notified once changes of other processes are wanted.
    followed: Arc<Notify>,
    /// Has other processes told of a change, where there can be any.
    tell: Option<mpsc::Sender<Change>>,
    tasks: postgres::Tasks,
    /// Held for as long as the catalog is open: SQLite means one process.
    _lock: Option<File>,
}

type Tx = Transaction<'static, Any>;

impl Catalog {
    /// Opens the catalog and brings its schema up to date, or waits until someone else has. On SQLite it takes the data folder.
    pub async fn open(config: &CatalogConfig) -> Result<Self> {
        let (changes, _) = broadcast::channel(1024);
        let followed = Arc::new(Notify::new());
        let catalog = match config {
            CatalogConfig::Sqlite { folder } => {
                let lock = Some(sqlite::lock_folder(folder)?);
                let (write, read) = sqlite::connect(folder).await?;
                migrate::run(&mut *write.acquire().await?, Dialect::Sqlite).await?;
                let (dialect, tasks) = (Dialect::Sqlite, Default::default());
                Self { write, read, dialect, changes, followed, tell: None, tasks, _lock: lock }
            }
            CatalogConfig::Postgres(config) => {
                let postgres::Opened { pool, tell, tasks } = postgres::open(config, &changes, &followed).await?;
                let (write, read, tell) = (pool.clone(), pool, Some(tell));
                Self { write, read, dialect: Dialect::Postgres, changes, followed, tell, tasks, _lock: None }
            }
        };
        catalog.ensure_tenant(&TenantId::default_tenant()).await?;
        Ok(catalog)
    }

    /// Announces each document that changed, by this process or another. A hint, which can be lost: a receiver that lags must look for
    /// itself, and everyone must look from time to time.
    pub fn changes(&self) -> broadcast::Receiver<DocumentId> {
        self.follow();
        self.changes.subscribe()
    }

    /// Has changes by other processes announced from now on, in a process that will soon ask for [`Catalog::changes`].
    pub fn follow(&self) {
        self.followed.notify_one();
    }

    /// One trivial query, for health.
    pub async fn check(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.read).await?;
        Ok(())
    }

    /// Waits for running queries and closes files and connections.
    pub async fn close(&self) {
        self.tasks.end();
        self.read.close().await;
        self.write.close().await;
    }

    async fn begin(&self) -> Result<Tx> {
        Ok(self.write.begin().await?)
    }

    /// A query in the shared subset, `{now}` standing for the database's clock in microseconds, and `{lock}` for locking what is read.
    fn sql<'q>(&self, template: &'static str) -> Query<'q, Any, AnyArguments> {
        sqlx::query(AssertSqlSafe(self.dialect.expand(template)))
    }

    /// The same, for a query that is put together: of a list of columns that it shares, or of so many placeholders.
    fn sql_string<'q>(&self, sql: String) -> Query<'q, Any, AnyArguments> {
        sqlx::query(AssertSqlSafe(self.dialect.expand(&sql)))
    }

    /// The same, for so many ids, whose placeholders stand for `{ids}`.
    fn sql_in<'q>(&self, template: &str, ids: impl ExactSizeIterator<Item = String>) -> Query<'q, Any, AnyArguments> {
        let places: Vec<String> = (1..=ids.len()).map(|n| format!("${n}")).collect();
        let query = self.sql_string(template.replace("{ids}", &places.join(", ")));
        // There is a statement for each number of ids: keeping them prepared would drive others out.
        ids.fold(query, |query, id| query.bind(id)).persistent(false)
    }

    /// Makes the tenant if it is not there.
    pub async fn ensure_tenant(&self, tenant: &TenantId) -> Result<()> {
        self.sql("INSERT INTO tenants (id, created_at) VALUES ($1, {now}) ON CONFLICT (id) DO NOTHING")
            .bind(tenant.as_str())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Announces a change.
    fn announce(&self, document: DocumentId) {
        self.announced(Change { document, at_once: true });
    }

    /// Announces a change that another one of the same document is about to follow.
    fn announce_soon(&self, document: DocumentId) {
        self.announced(Change { document, at_once: false });
    }

    fn announced(&self, change: Change) {
        // Nobody listening is no error, nor is having too much to tell.
        let _ = self.changes.send(change.document);
        if let Some(tell) = &self.tell {
            let _ = tell.try_send(change);
        }
    }
}
