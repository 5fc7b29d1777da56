//! The schema's history, embedded in the program.

use sqlx::{
    AnyPool,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use crate::error::{CatalogError, Result};

fn migrator() -> Migrator {
    let migration = |version, description: &'static str, sql: &'static str| {
        Migration::new(version, description.into(), MigrationType::Simple, sqlx::SqlStr::from_static(sql), false)
    };
    Migrator::with_migrations(vec![
        migration(1, "core", include_str!("../migrations/0001_core.sql")),
        migration(10, "uploads", include_str!("../migrations/0010_uploads.sql")),
    ])
}

pub(crate) async fn run(pool: &AnyPool) -> Result<()> {
    match migrator().run(pool).await {
        Ok(()) => Ok(()),
        Err(error @ (MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..))) => Err(CatalogError::NewerSchema(error)),
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => Err(error.into()),
        Err(error) => Err(CatalogError::Query(sqlx::Error::Migrate(Box::new(error)))),
    }
}
