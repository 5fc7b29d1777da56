//! The schema's history, embedded in the program. The rules by which it grows are in `docs/guides/schema-changes.md`.
//!
//! A database may be ahead of the program: then its migrations are left alone, and it is served, unless it declares in `schema_minimum`
//! that programs as old as this one would damage it.

use std::time::Duration;

use sqlx::{
    AnyConnection, AssertSqlSafe, Executor, Row,
    migrate::{Migrate as _, MigrateError, Migration, MigrationType, Migrator},
};
use tokio::time::Instant;

use crate::{
    dialect::Dialect,
    error::{CatalogError, Result, corrupt},
};

/// Between two looks at a schema that someone else makes.
const LOOKS: Duration = Duration::from_millis(500);

fn migrations(dialect: Dialect) -> Vec<Migration> {
    let migration = |version, description: &'static str, sql: &'static str| {
        Migration::new(version, description.into(), MigrationType::Simple, sqlx::SqlStr::from_static(sql), false)
    };
    vec![
        migration(1, "core", include_str!("../migrations/0001_core.sql")),
        migration(2, "keys", include_str!("../migrations/0002_keys.sql")),
        match dialect {
            Dialect::Sqlite => migration(3, "search", include_str!("../migrations/0003_search.sqlite.sql")),
            Dialect::Postgres => migration(3, "search", include_str!("../migrations/0003_search.postgres.sql")),
        },
        migration(4, "many processes", include_str!("../migrations/0004_many_processes.sql")),
        migration(5, "uploads", include_str!("../migrations/0005_uploads.sql")),
        migration(6, "lists", include_str!("../migrations/0006_lists.sql")),
        migration(7, "rows to index", include_str!("../migrations/0007_rows_to_index.sql")),
    ]
}

/// Brings the schema up to date. On PostgreSQL under an advisory lock, which a connection's end gives back: of many processes that start
/// at once, one migrates and the others wait for it.
pub(crate) async fn run(connection: &mut AnyConnection, dialect: Dialect) -> Result<()> {
    check_minimum(connection, dialect).await?;
    // Only making tables takes the right to make tables.
    if missing(connection, dialect).await? == 0 {
        return Ok(());
    }
    let mut migrator = Migrator::with_migrations(migrations(dialect));
    migrator.set_ignore_missing(true);
    migrator.run_direct(None, connection, false).await.map_err(cause)
}

/// Waits until someone else has brought the schema up to date.
pub(crate) async fn wait(connection: &mut AnyConnection, dialect: Dialect, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    let mut told = None;
    loop {
        check_minimum(connection, dialect).await?;
        let missing = missing(connection, dialect).await?;
        if missing == 0 {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(CatalogError::Start(format!(
                "the catalog's schema is not up to date after {} seconds ({missing} migrations are missing), and catalog.migrate is \
                 \"wait\"; run `docmill-provision apply`, or set catalog.migrate = \"auto\"",
                patience.as_secs()
            )));
        }
        if told != Some(missing) {
            tracing::info!(missing, patience_seconds = patience.as_secs(), "waiting for someone to migrate the catalog's schema");
            told = Some(missing);
        }
        tokio::time::sleep(LOOKS).await;
    }
}

/// Migrations that this program knows and the database does not.
pub(crate) async fn missing(connection: &mut AnyConnection, dialect: Dialect) -> Result<usize> {
    let known = migrations(dialect);
    if !has_table(connection, dialect, "_sqlx_migrations").await? {
        return Ok(known.len());
    }
    if let Some(version) = connection.dirty_version("_sqlx_migrations").await.map_err(cause)? {
        return Err(cause(MigrateError::Dirty(version)));
    }
    let applied = connection.list_applied_migrations("_sqlx_migrations").await.map_err(cause)?;
    let mut missing = 0;
    for migration in &known {
        match applied.iter().find(|it| it.version == migration.version) {
            None => missing += 1,
            Some(it) if it.checksum != migration.checksum => return Err(cause(MigrateError::VersionMismatch(migration.version))),
            Some(_) => {}
        }
    }
    Ok(missing)
}

pub(crate) async fn check_minimum(connection: &mut AnyConnection, dialect: Dialect) -> Result<()> {
    if !has_table(connection, dialect, "schema_minimum").await? {
        return Ok(());
    }
    let row = connection.fetch_one("SELECT program FROM schema_minimum").await?;
    let minimum: String = row.try_get("program")?;
    let needed = version(&minimum).ok_or_else(|| corrupt("version", &minimum))?;
    if version(env!("CARGO_PKG_VERSION")) < Some(needed) {
        return Err(CatalogError::NewerSchema { minimum });
    }
    Ok(())
}

/// Major, minor and patch; what stands behind a hyphen is left out, so that a release candidate counts as its release.
fn version(text: &str) -> Option<[u64; 3]> {
    let numbers = text.split(['-', '+']).next()?;
    let parts: Vec<u64> = numbers.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    parts.try_into().ok()
}

async fn has_table(connection: &mut AnyConnection, dialect: Dialect, name: &'static str) -> Result<bool> {
    let sql = match dialect {
        Dialect::Sqlite => "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = $1",
        Dialect::Postgres => "SELECT 1 AS found WHERE to_regclass($1) IS NOT NULL",
    };
    Ok(sqlx::query(AssertSqlSafe(sql)).bind(name).fetch_optional(connection).await?.is_some())
}

fn cause(error: MigrateError) -> CatalogError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        error => CatalogError::Query(sqlx::Error::Migrate(Box::new(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(version("0.10.0") > version("0.9.12"));
        assert_eq!(version("1.2.3-rc.1"), version("1.2.3"));
        assert_eq!(version("1.2"), None);
    }
}
