use std::time::Duration;

use docmill_catalog::intents::{Acceptance, NewIntent, Opened};
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

#[rstest]
#[tokio::test]
async fn an_acceptance_takes_its_ring_while_its_tenant_has_room(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let accepted = async || {
        let (intent, acceptance) = (fresh.intent(None, LEASE).await, Acceptance { ring_cap: 2, ..acceptance() });
        (acceptance.job, fresh.catalog.accept(&intent, &acceptance).await.unwrap().ring)
    };
    let (first, taken) = accepted().await;
    let taken = taken.expect("none is outstanding");
    assert_eq!((taken.job, taken.traceparent.as_deref()), (first, Some("00-trace-span-01")));
    assert!(fresh.catalog.due_rings(9, 9).await.unwrap().is_empty(), "no other relay rings it meanwhile");
    let (second, also_taken) = accepted().await;
    let (third, left) = accepted().await;
    assert!(also_taken.is_some() && left.is_none(), "the cap is two");
    assert!(fresh.catalog.due_rings(2, 9).await.unwrap().is_empty(), "and the relay keeps to it too");

    // Heard by a worker before it was recorded: nothing is left to record.
    fresh.claim(first, LEASE).await.unwrap();
    let unheard = fresh.catalog.unheard(vec![taken, also_taken.unwrap()]).await.unwrap();
    assert_eq!(unheard.iter().map(|ring| ring.job).collect::<Vec<_>>(), [second]);
    let (fourth, left) = accepted().await;
    assert!(left.is_none(), "another one waits, and goes first");
    let due = fresh.catalog.due_rings(2, 9).await.unwrap();
    assert_eq!(due.iter().map(|ring| ring.job).collect::<Vec<_>>(), [third]);

    // What could not be published is due again.
    fresh.catalog.rings_confirmed(&due).await.unwrap();
    fresh.catalog.rings_failed(&unheard).await.unwrap();
    let due = fresh.catalog.due_rings(9, 9).await.unwrap();
    assert_eq!(due.iter().map(|ring| ring.job).collect::<Vec<_>>(), [second, fourth]);
}

#[tokio::test]
async fn what_a_dead_process_had_taken_is_given_back() {
    let fresh = open(Sqlite).await;
    let (intent, acceptance) = (fresh.intent(None, LEASE).await, Acceptance { ring_cap: 1, ..acceptance() });
    assert!(fresh.catalog.accept(&intent, &acceptance).await.unwrap().ring.is_some());
    assert!(fresh.catalog.due_rings(9, 9).await.unwrap().is_empty());
    fresh.catalog.give_back_rings().await.unwrap();
    assert_eq!(fresh.catalog.due_rings(9, 9).await.unwrap().len(), 1);
}

#[rstest]
#[tokio::test]
async fn a_job_whose_ring_was_deleted_by_hand_is_rung_again(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let (robbed, waiting) = (fresh.accepted(Options::default()).await, fresh.accepted(Options::default()).await);
    let delete = sqlx::query("DELETE FROM outbox WHERE job_id = $1").bind(robbed.id.to_string());
    assert_eq!(delete.execute(&fresh.raw().await).await.unwrap().rows_affected(), 1);
    a_moment().await;
    assert_eq!(fresh.catalog.ring_again(Duration::from_secs(60)).await.unwrap(), 0);
    assert_eq!(fresh.catalog.ring_again(Duration::ZERO).await.unwrap(), 1);
    let due = fresh.catalog.due_rings(9, 9).await.unwrap();
    assert_eq!(due.len(), 2);
    assert!(due.iter().all(|ring| [robbed.id, waiting.id].contains(&ring.job)));
    assert!(due.iter().all(|ring| ring.traceparent.is_some()), "it is the first ring that the job has");
}
