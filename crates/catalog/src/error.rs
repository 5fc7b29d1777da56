use std::path::PathBuf;

use sqlx::{error::DatabaseError, postgres::PgDatabaseError};

/// The catalog's results.
pub type Result<T, E = CatalogError> = std::result::Result<T, E>;

/// Why the catalog could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Another process holds the data folder.
    #[error("the data folder {} is in use by {holder}; stop that process, or start this one with another folder", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// "process 4711", as the holder wrote it.
        holder: String,
    },
    /// The data folder cannot be made or opened.
    #[error("the data folder {} cannot be used: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The schema has changed in a way that this program would damage.
    #[error("the catalog's schema needs docmill {minimum} or newer, and this is {}; start that version, or restore a backup made before the upgrade", env!("CARGO_PKG_VERSION"))]
    NewerSchema {
        /// The oldest version that may work with it.
        minimum: String,
    },
    /// The catalog cannot be opened as it is configured. A sentence that says what to do.
    #[error("{0}")]
    Start(String),
    /// What is to be filled holds documents already.
    #[error("the catalog already holds documents; take an empty one (another folder, or another database)")]
    NotEmpty,
    /// The acceptance would pass one of the tenant's limits; nothing was changed.
    #[error("the tenant's limit is reached: {0:?}")]
    LimitReached(Box<crate::limits::Exceeded>),
    /// The disk under the database is full.
    #[error("the disk under the catalog is full")]
    Full,
    /// The database cannot be reached, or did not answer in time. Nothing is known to be changed.
    #[error("the catalog cannot be reached: {0}")]
    Unavailable(sqlx::Error),
    /// The database refused a query: a mistake of docmill's.
    #[error("the catalog refused a query: {0}")]
    Query(sqlx::Error),
    /// A row holds what docmill never writes.
    #[error("the catalog holds a value that docmill does not know: {0}")]
    Corrupt(String),
}

impl From<sqlx::Error> for CatalogError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                match if is_postgres(database.as_ref()) { postgres_cause(&code) } else { sqlite_cause(&code) } {
                    Cause::Full => Self::Full,
                    Cause::Away => Self::Unavailable(error),
                    Cause::Mistake => Self::Query(error),
                }
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            _ => Self::Query(error),
        }
    }
}

impl CatalogError {
    /// Whether a row with that key was there already.
    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Query(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}

enum Cause {
    Full,
    Away,
    Mistake,
}

fn is_postgres(error: &dyn DatabaseError) -> bool {
    error.try_downcast_ref::<PgDatabaseError>().is_some()
}

/// By SQLSTATE. What another attempt may cure is no mistake: a server that stops, starts or became a replica (57P, 25006), lost
/// connections (08), a password that is being changed (28), no memory or connection left (53), a transaction that met another one
/// (40, 55P03) or took too long (57014, 25P03), a disk that could not be read (58).
fn postgres_cause(code: &str) -> Cause {
    match code {
        "53100" => Cause::Full,
        "25006" | "25P03" | "55P03" | "57014" => Cause::Away,
        _ if ["08", "28", "40", "53", "57P", "58"].iter().any(|class| code.starts_with(class)) => Cause::Away,
        _ => Cause::Mistake,
    }
}

/// SQLITE_FULL is 13; SQLITE_IOERR and its kin (10 | n << 8) are what a full disk gives where the log is mapped.
fn sqlite_cause(code: &str) -> Cause {
    match code.parse::<u32>() {
        Ok(code) if code == 13 || code & 0xff == 10 => Cause::Full,
        _ => Cause::Mistake,
    }
}

pub(crate) fn corrupt(what: &str, value: impl std::fmt::Display) -> CatalogError {
    CatalogError::Corrupt(format!("{what} `{value}`"))
}
