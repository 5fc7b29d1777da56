use std::time::Duration;

use docmill_catalog::intents::{NewIntent, Opened};
use docmill_domain::{Lane, Options};

use rstest::rstest;

use crate::support::{Database, Database::*, LEASE, a_moment, acceptance, open, upload};

#[rstest]
#[tokio::test]
async fn a_confirmed_ring_is_not_rung_again_until_silence(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    let rings = fresh.catalog.due_rings(9, 9).await.unwrap();
    fresh.catalog.rings_confirmed(&rings).await.unwrap();
    assert!(fresh.catalog.due_rings(9, 9).await.unwrap().is_empty());
    assert_eq!(fresh.catalog.ring_again(Duration::from_secs(60)).await.unwrap(), 0);
    a_moment().await;
    assert_eq!(fresh.catalog.ring_again(Duration::ZERO).await.unwrap(), 1, "a broker may lose everything it holds");
    let again = fresh.catalog.due_rings(9, 9).await.unwrap();
    assert_eq!(again[0].job, job.id);
    assert_ne!(again[0].id, rings[0].id, "a new row, or the broker would take it for a duplicate");
    assert_eq!(
        (rings[0].traceparent.is_some(), &again[0].traceparent),
        (true, &None),
        "the upload did not cause the second ring"
    );
}

#[rstest]
#[tokio::test]
async fn a_ring_confirmed_after_its_claim_leaves_nothing_outstanding(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    let rings = fresh.catalog.due_rings(1, 9).await.unwrap();
    fresh.claim(job.id, LEASE).await.unwrap();
    fresh.catalog.rings_confirmed(&rings).await.unwrap();
    fresh.accepted(Options::default()).await;
    assert_eq!(fresh.catalog.due_rings(1, 9).await.unwrap().len(), 1, "the cap is free again");
}

#[rstest]
#[tokio::test]
async fn one_tenants_many_do_not_stand_before_anothers_one(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    fresh.catalog.ensure_tenant(&"small".parse().unwrap()).await.unwrap();
    for _ in 0..30 {
        fresh.accepted(Options::default()).await;
    }
    let new = NewIntent { tenant: "small".parse().unwrap(), ..upload(None) };
    let Opened::New(intent) = fresh.catalog.open_intent(&new, LEASE).await.unwrap() else { panic!() };
    fresh.catalog.accept(&intent, &acceptance()).await.unwrap();

    let rings = fresh.catalog.due_rings(10, 100).await.unwrap();
    let of = |name: &str| rings.iter().filter(|ring| ring.tenant.as_str() == name).count();
    assert_eq!((of("default"), of("small")), (10, 1));
    fresh.catalog.rings_confirmed(&rings).await.unwrap();
    assert!(
        fresh.catalog.due_rings(10, 100).await.unwrap().is_empty(),
        "the large tenant waits until some of its ten are claimed"
    );
    for ring in rings.iter().filter(|ring| ring.tenant.as_str() == "default").take(4) {
        fresh.claim(ring.job, LEASE).await.unwrap();
    }
    assert_eq!(fresh.catalog.due_rings(10, 100).await.unwrap().len(), 4);
}

#[rstest]
#[tokio::test]
async fn the_backlog_counts_what_is_due_and_what_runs(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options { priority: Some(Lane::Interactive), ..Options::default() }).await;
    fresh.accepted(Options::default()).await;
    fresh.claim(job.id, LEASE).await.unwrap();
    a_moment().await;
    let backlog = fresh.catalog.backlog().await.unwrap();
    let seen: Vec<_> = backlog.iter().map(|lane| (lane.lane, lane.due, lane.running)).collect();
    assert_eq!(seen, [(Lane::Interactive, 0, 1), (Lane::Bulk, 1, 0)]);
    assert!(backlog[1].oldest_due_micros > 0);
}
