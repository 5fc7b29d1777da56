use std::path::PathBuf;

use docmill_domain::options::Secret;
use serde::{Deserialize, Serialize};

/// Section `[catalog]`: where the record is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CatalogConfig {
    /// A SQLite file in a folder that one process holds at a time.
    Sqlite {
        /// The folder; made if it is not there.
        folder: PathBuf,
    },
    /// A PostgreSQL database, for any number of processes.
    Postgres(Box<PostgresConfig>),
}

impl Default for CatalogConfig {
    fn default() -> Self {
        Self::Sqlite { folder: "data".into() }
    }
}

/// A PostgreSQL database, and how to work with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresConfig {
    /// The server's name or address, or the folder of its socket.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// The database; it must exist.
    pub database: String,
    /// The role to connect as.
    pub user: String,
    /// Its password.
    pub password: Option<Secret>,
    /// A file that holds its password; looked at again and again, so that a new password needs no restart.
    pub password_file: Option<PathBuf>,
    /// Whether an RDS IAM token takes the password's place, signed with the credentials that the AWS SDK finds.
    pub iam_auth: bool,
    /// The AWS region of the token; the SDK's own when absent.
    pub region: Option<String>,
    /// How far the connection is secured; `verify-full` where there is a `tls_ca`, else `prefer`.
    pub tls: Option<Tls>,
    /// The certificate authorities to trust, in PEM.
    pub tls_ca: Option<PathBuf>,
    /// Who brings the schema up to date.
    pub migrate: Migrate,
    /// How long `migrate = "wait"` waits for the schema, in seconds.
    pub migrate_wait_seconds: u64,
    /// Connections of this process, besides one that listens.
    pub max_connections: u32,
    /// How long a call waits for a connection, in seconds; then the catalog counts as away.
    pub acquire_timeout_seconds: u64,
    /// How long a statement may run, in seconds, before the server ends it.
    pub statement_timeout_seconds: u64,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            host: "localhost".into(),
            port: 5432,
            database: "docmill".into(),
            user: "docmill".into(),
            password: None,
            password_file: None,
            iam_auth: false,
            region: None,
            tls: None,
            tls_ca: None,
            migrate: Migrate::Auto,
            migrate_wait_seconds: 600,
            max_connections: 16,
            acquire_timeout_seconds: 5,
            statement_timeout_seconds: 30,
        }
    }
}

/// How far a connection is secured, in PostgreSQL's own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Never.
    Disable,
    /// Where the server offers it; whoever answers is believed.
    Prefer,
    /// Always; whoever answers is believed.
    Require,
    /// Always, with a certificate of `tls_ca`, whatever its name.
    VerifyCa,
    /// Always, with a certificate of `tls_ca` for this host.
    VerifyFull,
}

/// Who brings the schema up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Migrate {
    /// This process, when it starts.
    Auto,
    /// Someone else: this process waits until it is done.
    Wait,
}
