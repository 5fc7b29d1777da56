use docmill_catalog::{Catalog, CatalogConfig, CatalogError};
use docmill_domain::Options;

use crate::support::{Database::Sqlite, open, tenant};

#[tokio::test]
async fn a_second_process_is_refused_by_name() {
    let fresh = open(Sqlite).await;
    let again = Catalog::open(&fresh.config).await;
    let error = again.err().expect("refused").to_string();
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    assert!(error.contains("stop that process"), "{error}");
}

#[tokio::test]
async fn what_was_accepted_is_there_after_a_restart() {
    let fresh = open(Sqlite).await;
    let job = fresh.accepted(Options::default()).await;
    fresh.catalog.close().await;
    let config = fresh.config.clone();
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
