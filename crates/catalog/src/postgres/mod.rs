//! A catalog in a PostgreSQL database: any number of processes.

mod credentials;
mod iam;
mod listen;
mod refusal;

use std::{str::FromStr, sync::Arc, time::Duration};

use docmill_domain::DocumentId;
use sqlx::{
    AnyConnection, AnyPool, Connection, Executor,
    any::{AnyConnectOptions, AnyPoolOptions},
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::{Notify, broadcast, mpsc};

pub(crate) use self::listen::{Change, Tasks};
pub(crate) use self::{credentials::Credentials, refusal::Server};
use crate::{
    config::{Migrate, PostgresConfig},
    dialect::Dialect,
    error::Result,
    migrate,
};

/// A statement waits so long for a row that another transaction holds. Every transaction of docmill is short, so that a longer wait is
/// for one that hangs.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// A transaction whose process hangs, or was cut off, is ended after so long, and its locks with it.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(30);
/// A connection is replaced after so long, so that a fleet moves over to a new replica or address by itself.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// A connection that was alive so lately is taken to be so still: what is wrong then fails as it would in the middle of a statement.
const TESTED_FOR: Duration = Duration::from_secs(1);
/// How long the first connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an open database gives to the catalog.
pub(crate) struct Opened {
    pub(crate) pool: AnyPool,
    pub(crate) tell: mpsc::Sender<Change>,
    pub(crate) tasks: Tasks,
}

/// Connects, brings the schema up to date or waits for that, and starts what keeps the password fresh and the changes announced.
pub(crate) async fn open(
    config: &PostgresConfig,
    changes: &broadcast::Sender<DocumentId>,
    followed: &Arc<Notify>,
) -> Result<Opened> {
    sqlx::any::install_default_drivers();
    let server = Server::of(config);
    let credentials = Credentials::of(config).await?;
    let options = AnyConnectOptions::from_str(&credentials.url().await?)?;

    let connecting = tokio::time::timeout(PATIENCE, AnyConnection::connect_with(&options)).await;
    let mut connection = match connecting {
        Ok(connected) => connected.map_err(|error| server.refused(error))?,
        Err(_) => return Err(server.silent(PATIENCE)),
    };
    let migrated = match config.migrate {
        Migrate::Auto => migrate::run(&mut connection, Dialect::Postgres).await,
        Migrate::Wait => {
            let patience = Duration::from_secs(config.migrate_wait_seconds);
            migrate::wait(&mut connection, Dialect::Postgres, patience).await
        }
    };
    migrated.map_err(|error| server.not_migrated(error))?;
    connection.close().await?;

    let settings = settings(config);
    let pool = AnyPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(Duration::from_secs(config.acquire_timeout_seconds))
        .max_lifetime(LIFETIME)
        // The pool asks a connection whether it is alive as it comes back; once more as it goes out is as a rule a round trip for nothing.
        .test_before_acquire(false)
        .before_acquire(|connection, known| {
            Box::pin(async move {
                if known.idle_for > TESTED_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            let settings = settings.clone();
            Box::pin(async move { connection.execute(sqlx::AssertSqlSafe(settings)).await.map(drop) })
        })
        .connect_lazy_with(options.clone());
    let listening = PgPoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(PgConnectOptions::try_from(&options)?);

    let mut tasks = Tasks::default();
    if credentials.change() {
        tasks.spawn(credentials::keep(credentials, options, pool.clone(), listening.clone()));
    }
    let tell = listen::start(&mut tasks, pool.clone(), listening, changes.clone(), followed.clone());
    Ok(Opened { pool, tell, tasks })
}

/// What a connection of the pool is told first. Not as options of its start: poolers between docmill and the server refuse those.
fn settings(config: &PostgresConfig) -> String {
    format!(
        "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}",
        config.statement_timeout_seconds.saturating_mul(1000),
        LOCK_TIMEOUT.as_millis(),
        IDLE_IN_TRANSACTION.as_millis()
    )
}
