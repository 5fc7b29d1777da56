//! Following a document's events while many processes write them.

use std::{sync::Arc, time::Duration};

use docmill_catalog::{Settled, claims::Disposition};
use docmill_domain::{DocumentId, Options};
use rstest::rstest;
use sqlx::AssertSqlSafe;
use tokio::sync::broadcast;

use crate::support::{Database, Database::*, LEASE, open, tenant};

/// What an attempt's end does first, in a transaction that someone else holds open.
const EVENT: &str = "WITH seq AS (UPDATE documents SET last_seq = last_seq + 1 WHERE id = $1 RETURNING last_seq) \
     INSERT INTO events (document_id, seq, tenant, kind, at) SELECT $1, last_seq, 'default', 'job.retrying', 0 FROM seq";

/// The first of two transactions commits last, or so it would be: the second one waits for its number.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_never_seen_before_an_earlier_one() {
    let fresh = open(Postgres).await;
    let job = fresh.accepted(Options::default()).await;
    let mut first = fresh.raw().await.begin().await.unwrap();
    sqlx::query(AssertSqlSafe(EVENT)).bind(job.document_id.to_string()).execute(&mut *first).await.unwrap();

    let (other, cancelled) = (fresh.again().await, job.clone());
    let second = tokio::spawn(async move { other.cancel_job(&cancelled).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!second.is_finished(), "it waits");
    assert_eq!(fresh.event_kinds(&job).await, ["job.queued"], "and nobody sees either");

    first.commit().await.unwrap();
    assert_eq!(second.await.unwrap(), Settled::Applied);
    assert_eq!(fresh.event_kinds(&job).await, ["job.queued", "job.retrying", "job.cancelled"]);
}

/// A reader that asks for what is after the last event it saw, as a stream of events does, sees each once and in order, while several
/// processes write as fast as they can.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_sees_each_event_once_and_in_order(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = Arc::new(open(on).await);
    let job = fresh.accepted(Options::default()).await;
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (fresh, id) = (fresh.clone(), job.id);
        let own = if on == Postgres { Some(fresh.again().await) } else { None };
        workers.spawn(async move {
            let catalog = own.as_ref().unwrap_or(&fresh.catalog);
            let mut done = 0;
            while done < 15 {
                if let Some(claim) = catalog.claim(&tenant(), id, "w", LEASE).await.unwrap() {
                    catalog.finish(&claim, &Disposition::HandBack).await.unwrap();
                    done += 1;
                }
            }
        });
    }
    let mut seen = 0;
    let all = 1 + 4 * 15 * 2;
    while seen < all {
        for event in fresh.catalog.events_after(&tenant(), job.document_id, seen, 100).await.unwrap() {
            assert_eq!(event.seq, seen + 1, "without a gap");
            seen = event.seq;
        }
    }
    workers.join_all().await;
    let times = fresh.catalog.events_after(&tenant(), job.document_id, 0, 1000).await.unwrap();
    assert_eq!(times.len() as i64, all);
    assert!(times.is_sorted_by_key(|event| event.at), "times do not run against numbers");
}

async fn next(changes: &mut broadcast::Receiver<DocumentId>) -> DocumentId {
    tokio::time::timeout(Duration::from_secs(5), changes.recv()).await.expect("announced").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_announced_to_other_processes_once() {
    let fresh = open(Postgres).await;
    let (other, mut own) = (fresh.again().await, fresh.catalog.changes());
    let mut changes = other.changes();
    let cancelled = async || {
        let job = fresh.accepted(Options::default()).await;
        assert_eq!(fresh.catalog.cancel_job(&job).await.unwrap(), Settled::Applied);
        job
    };
    // Listening begins soon after it was asked for: until then looking finds what is missed.
    let heard = async {
        loop {
            let job = cancelled().await;
            let heard = tokio::time::timeout(Duration::from_millis(200), changes.recv()).await;
            assert_eq!(next(&mut own).await, job.document_id);
            if heard.is_ok_and(|heard| heard.unwrap() == job.document_id) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard).await.expect("heard");
    let job = cancelled().await;
    assert_eq!(next(&mut changes).await, job.document_id);
    assert_eq!(next(&mut own).await, job.document_id);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(own.is_empty(), "not by its own notification, too");

    // A claim is told soon, where nothing follows; with an end at once, once for both.
    for ends in [false, true] {
        let job = fresh.accepted(Options::default()).await;
        let claim = fresh.claim(job.id, LEASE).await.unwrap();
        if ends {
            fresh.finish_done(&claim, false).await;
        }
        assert_eq!(next(&mut changes).await, job.document_id);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(changes.is_empty(), "told once");
    }
}
