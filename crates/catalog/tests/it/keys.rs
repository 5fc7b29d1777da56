use std::time::Duration;

use docmill_catalog::keys::NewKey;
use docmill_domain::{ApiKeySecret, KeyId, Scope, TenantId};

use rstest::rstest;

use crate::support::{Database, Database::*, a_moment, open, tenant};

fn new_key(tenant: &TenantId, lifetime: Option<Duration>) -> NewKey {
    NewKey { tenant: tenant.clone(), name: "a name".into(), scopes: vec![Scope::DocumentsRead, Scope::KeysAdmin], lifetime }
}

#[rstest]
#[tokio::test]
async fn a_key_is_known_by_its_secret_until_it_ends(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let catalog = &fresh.catalog;
    assert!(!catalog.has_keys().await.unwrap());
    let secret = ApiKeySecret::generate();
    let made = catalog.ensure_key(&new_key(&tenant(), None), &secret).await.unwrap();
    assert!(catalog.has_keys().await.unwrap());
    assert_eq!(catalog.ensure_key(&new_key(&tenant(), None), &secret).await.unwrap(), made, "known already");
    assert_eq!(catalog.use_key(&ApiKeySecret::generate()).await.unwrap(), None);
    let used = catalog.use_key(&secret).await.unwrap().unwrap();
    assert_eq!((used.id, &used.scopes), (made.id, &vec![Scope::DocumentsRead, Scope::KeysAdmin]));
    let noted = catalog.keys(None).await.unwrap().remove(0).last_used_at.unwrap();
    assert_eq!(noted.0 % 3_600_000_000, 0, "to the hour");
    assert!(noted <= made.created_at);

    let other: TenantId = "other".parse().unwrap();
    assert!(catalog.keys(Some(&other)).await.unwrap().is_empty());
    assert_eq!(catalog.revoke_key(Some(&other), made.id).await.unwrap(), None);
    assert_eq!(catalog.revoke_key(None, KeyId::new()).await.unwrap(), None);
    let revoked = catalog.revoke_key(Some(&tenant()), made.id).await.unwrap().unwrap();
    assert!(revoked.revoked_at.is_some());
    assert_eq!(catalog.revoke_key(None, made.id).await.unwrap().unwrap().revoked_at, revoked.revoked_at, "again");
    assert_eq!(catalog.use_key(&secret).await.unwrap(), None);
    assert_eq!(catalog.ensure_key(&new_key(&tenant(), None), &secret).await.unwrap().revoked_at, revoked.revoked_at, "stays so");
    assert!(catalog.has_keys().await.unwrap(), "a catalog that has had keys is never open again");
}

#[rstest]
#[tokio::test]
async fn a_key_expires(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let secret = ApiKeySecret::generate();
    fresh.catalog.ensure_key(&new_key(&tenant(), Some(Duration::from_millis(300))), &secret).await.unwrap();
    assert!(fresh.catalog.use_key(&secret).await.unwrap().is_some());
    tokio::time::sleep(Duration::from_millis(320)).await;
    assert_eq!(fresh.catalog.use_key(&secret).await.unwrap(), None);
}

/// The catalog holds nothing that opens anything.
#[rstest]
#[tokio::test]
async fn the_secret_is_not_kept(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let secret = ApiKeySecret::generate();
    fresh.catalog.ensure_key(&new_key(&tenant(), None), &secret).await.unwrap();
    a_moment().await;
    let pool = fresh.raw().await;
    let row: (String, String, String) = sqlx::query_as("SELECT id, name, hash FROM api_keys").fetch_one(&pool).await.unwrap();
    assert_eq!(row.2, secret.hash());
    assert!(!format!("{row:?}").contains(&secret.reveal()[4..]));
}
