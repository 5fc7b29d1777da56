use docmill_catalog::{CatalogError, Settled, intents::Acceptance};
use docmill_domain::{Limits, TenantId, limits::Limit};

use rstest::rstest;

use crate::support::{Database, Database::*, LEASE, acceptance, open, tenant};

/// A limit is looked at in the transaction that accepts: what it refuses leaves nothing, and the intent can be given up.
#[rstest]
#[tokio::test]
async fn an_acceptance_beyond_a_limit_changes_nothing(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    for (limits, expected) in [
        (Limits { documents_a_day: Some(1), ..Limits::default() }, Limit::DocumentsADay),
        (Limits { bytes_a_day: Some(5), ..Limits::default() }, Limit::BytesADay),
        (Limits { jobs_in_flight: Some(1), ..Limits::default() }, Limit::JobsInFlight),
    ] {
        let fresh = open(on).await;
        let first = Acceptance { limits, ..acceptance() };
        let intent = fresh.intent(None, LEASE).await;
        assert_eq!(fresh.catalog.accept(&intent, &first).await.unwrap().settled, Settled::Applied);
        assert_eq!(
            fresh.catalog.accept(&intent, &first).await.unwrap().settled,
            Settled::Applied,
            "again, and not counted again"
        );
        let (second, intent) = (Acceptance { limits, ..acceptance() }, fresh.intent(Some("k"), LEASE).await);
        let refused = fresh.catalog.accept(&intent, &second).await.unwrap_err();
        let CatalogError::LimitReached(exceeded) = refused else { panic!("{refused}") };
        assert_eq!(exceeded.limit, expected);
        assert!((1..=86_400).contains(&exceeded.usage.day_ends_in), "{exceeded:?}");
        assert!(fresh.catalog.job(&tenant(), second.job).await.unwrap().is_none());
        fresh.catalog.abandon_intent(&intent).await.unwrap();
        assert_eq!(fresh.catalog.blobs_to_erase().await.unwrap(), [intent.blob_key]);
        let usage = fresh.catalog.usage(&tenant(), limits).await.unwrap();
        assert_eq!((usage.documents_today, usage.bytes_today, usage.jobs_in_flight), (1, 3, 1));
    }
    // An ended job is in flight no more.
    let limits = Limits { jobs_in_flight: Some(1), ..Limits::default() };
    let first = fresh.accepted(docmill_domain::Options::default()).await;
    fresh.catalog.cancel_job(&first).await.unwrap();
    let intent = fresh.intent(None, LEASE).await;
    assert_eq!(fresh.catalog.accept(&intent, &Acceptance { limits, ..acceptance() }).await.unwrap().settled, Settled::Applied);
}

#[rstest]
#[tokio::test]
async fn tenants_have_limits_of_their_own(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let acme: TenantId = "acme".parse().unwrap();
    assert_eq!(fresh.catalog.tenant_limits(&acme).await.unwrap(), None);
    fresh.catalog.ensure_tenant(&acme).await.unwrap();
    assert_eq!(fresh.catalog.tenant_limits(&acme).await.unwrap(), Some(Limits::default()));
    let limits = Limits { documents_a_day: Some(7), ..Limits::default() };
    fresh.catalog.set_tenant(&acme, limits).await.unwrap();
    let tenants = fresh.catalog.tenants().await.unwrap();
    let told: Vec<_> = tenants.iter().map(|tenant| (tenant.id.as_str(), tenant.limits)).collect();
    assert_eq!(told, [("acme", limits), ("default", Limits::default())]);
}

/// Many acceptances at once, through several openings of the catalog where there can be several: as many succeed as are allowed.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_not_passed_by_a_race(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let other = if on == Postgres { Some(fresh.again().await) } else { None };
    let limits = Limits { documents_a_day: Some(5), jobs_in_flight: Some(4), ..Limits::default() };
    let mut attempts = Vec::new();
    for number in 0..24 {
        let (intent, acceptance) = (fresh.intent(None, LEASE).await, Acceptance { limits, ..acceptance() });
        let catalog = if number % 2 == 0 { &fresh.catalog } else { other.as_ref().unwrap_or(&fresh.catalog) };
        attempts.push(async move { catalog.accept(&intent, &acceptance).await });
    }
    let ended = futures_util::future::join_all(attempts).await;
    let refused = ended.iter().filter(|it| matches!(it, Err(CatalogError::LimitReached(_)))).count();
    assert_eq!((ended.iter().filter(|it| it.is_ok()).count(), refused), (4, 20), "{ended:?}");
}
