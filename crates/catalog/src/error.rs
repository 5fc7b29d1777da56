use std::path::PathBuf;

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
    /// A later docmill has changed the schema.
    #[error("the catalog was written by a newer docmill ({0}); start that version, or restore a backup made before the upgrade")]
    NewerSchema(sqlx::migrate::MigrateError),
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
            // SQLITE_FULL is 13; SQLITE_IOERR and its kin (10 | n << 8) are what a full disk gives where the log is mapped.
            sqlx::Error::Database(database) if database.code().is_some_and(|code| code == "13" || is_io_error(&code)) => {
                Self::Full
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            _ => Self::Query(error),
        }
    }
}

fn is_io_error(code: &str) -> bool {
    code.parse::<u32>().is_ok_and(|code| code & 0xff == 10)
}

pub(crate) fn corrupt(what: &str, value: impl std::fmt::Display) -> CatalogError {
    CatalogError::Corrupt(format!("{what} `{value}`"))
}
