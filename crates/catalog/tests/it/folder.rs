use docmill_catalog::{Catalog, CatalogConfig, CatalogError};
use docmill_domain::Options;

use crate::support::{open, tenant};

#[tokio::test]
async fn a_second_process_is_refused_by_name() {
    let fresh = open().await;
    let again = Catalog::open(&CatalogConfig::Sqlite { folder: fresh.folder.path().into() }).await;
    let error = again.err().expect("refused").to_string();
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    assert!(error.contains("stop that process"), "{error}");
}

#[tokio::test]
async fn what_was_accepted_is_there_after_a_restart() {
    let fresh = open().await;
    let job = fresh.accepted(Options::default()).await;
    fresh.catalog.close().await;
    let config = CatalogConfig::Sqlite { folder: fresh.folder.path().into() };
    drop(fresh.catalog);
    let catalog = Catalog::open(&config).await.unwrap();
    assert_eq!(catalog.job(&tenant(), job.id).await.unwrap().unwrap().id, job.id);
}

#[tokio::test]
async fn a_folder_name_is_data() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a b?mode=memory#%41 ü");
    Catalog::open(&CatalogConfig::Sqlite { folder: folder.clone() }).await.unwrap();
    assert!(folder.join("catalog.db").exists());
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Catalog::open(&CatalogConfig::Sqlite { folder: file.path().join("sub") }).await.err().unwrap();
    assert!(matches!(error, CatalogError::Folder { .. }) && error.to_string().contains("cannot be used"), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let fresh = open().await;
    fresh.catalog.close().await;
    let config = CatalogConfig::Sqlite { folder: fresh.folder.path().into() };
    drop(fresh.catalog);
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}/catalog.db", fresh.folder.path().display());
    let pool = sqlx::AnyPool::connect(&url).await.unwrap();
    sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', 1, x'00', 0)")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let error = Catalog::open(&config).await.err().expect("refused");
    assert!(matches!(error, CatalogError::NewerSchema(_)), "{error}");
}
