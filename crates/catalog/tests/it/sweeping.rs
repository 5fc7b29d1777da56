use std::time::Duration;

use docmill_catalog::overdue::Overdue;
use docmill_domain::{DocumentState, FailureCode, JobState, Options};

use rstest::rstest;

use crate::support::{Database, Database::*, LEASE, a_moment, open, tenant};

#[rstest]
#[tokio::test]
async fn the_last_lost_lease_fails_the_job_with_worker_lost(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    for lost in 1..=3 {
        fresh.claim(job.id, Duration::ZERO).await.unwrap();
        a_moment().await;
        assert_eq!(fresh.catalog.expire_claims(3, Duration::ZERO).await.unwrap(), 1, "lost {lost}");
    }
    let failed = fresh.job(job.id).await;
    assert_eq!((failed.state, failed.dead_letter), (JobState::Failed, true));
    assert_eq!(failed.failure.unwrap().code, FailureCode::WorkerLost);
    assert_eq!(fresh.catalog.expire_claims(3, Duration::ZERO).await.unwrap(), 0);
}

#[rstest]
#[tokio::test]
async fn a_live_claim_is_left_alone(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    fresh.claim(job.id, LEASE).await.unwrap();
    assert_eq!(fresh.catalog.expire_claims(3, Duration::ZERO).await.unwrap(), 0);
}

#[rstest]
#[tokio::test]
async fn uploads_whose_owner_died_are_cleared_away(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let dead = fresh.intent(None, Duration::ZERO).await;
    fresh.intent(None, LEASE).await;
    a_moment().await;
    assert_eq!(fresh.catalog.clear_intents().await.unwrap(), 1);
    assert_eq!(fresh.catalog.blobs_to_erase().await.unwrap(), [dead.blob_key]);
}

#[rstest]
#[tokio::test]
async fn a_dead_blob_is_erased_twice(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let intent = fresh.intent(None, LEASE).await;
    fresh.catalog.abandon_intent(&intent).await.unwrap();
    let key = fresh.catalog.blobs_to_erase().await.unwrap().remove(0);
    fresh.catalog.blob_erased(&key, Duration::from_millis(200)).await.unwrap();
    assert!(fresh.catalog.blobs_to_erase().await.unwrap().is_empty(), "nobody can tell yet whether its writer lives");
    tokio::time::sleep(Duration::from_millis(220)).await;
    assert_eq!(fresh.catalog.blobs_to_erase().await.unwrap(), std::slice::from_ref(&key));
    fresh.catalog.blob_erased(&key, Duration::ZERO).await.unwrap();
    a_moment().await;
    assert!(fresh.catalog.blobs_to_erase().await.unwrap().is_empty(), "forgotten");
}

#[rstest]
#[tokio::test]
async fn retention_ends_a_document(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let kept = fresh.accepted(Options::default()).await;
    let job = fresh.accepted(Options { retention: Some(1), ..Options::default() }).await;
    assert_eq!(fresh.catalog.expire_documents().await.unwrap(), 0);
    tokio::time::sleep(Duration::from_millis(1050)).await;
    assert_eq!(fresh.catalog.expire_documents().await.unwrap(), 1);
    let state = async |id| fresh.catalog.document(&tenant(), id).await.unwrap().unwrap().document.state;
    assert_eq!(state(job.document_id).await, DocumentState::Expired);
    assert_eq!(state(kept.document_id).await, DocumentState::Active);
    assert_eq!(fresh.event_kinds(&job).await, ["job.queued", "job.cancelled", "document.expired"]);
}

#[rstest]
#[tokio::test]
async fn the_events_of_an_ended_document_are_forgotten_after_a_while(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let kept = fresh.accepted(Options::default()).await;
    let ended = fresh.accepted(Options::default()).await;
    fresh.catalog.delete_document(&tenant(), ended.document_id).await.unwrap();
    a_moment().await;
    assert_eq!(fresh.catalog.clear_events(LEASE).await.unwrap(), 0, "not yet");
    assert_eq!(fresh.event_kinds(&ended).await.len(), 3);
    assert_eq!(fresh.catalog.clear_events(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(fresh.catalog.clear_events(Duration::ZERO).await.unwrap(), 0, "once");
    assert!(fresh.event_kinds(&ended).await.is_empty());
    assert_eq!(fresh.event_kinds(&kept).await, ["job.queued"]);
}

#[rstest]
#[tokio::test]
async fn what_is_overdue_can_be_counted_before_it_is_done(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let count = async || fresh.catalog.overdue(Duration::ZERO, Duration::ZERO).await.unwrap();
    assert_eq!(count().await, Overdue::default());

    let lost = fresh.accepted(Options::default()).await;
    fresh.claim(lost.id, Duration::ZERO).await.unwrap();
    let rung = fresh.accepted(Options::default()).await;
    fresh.catalog.rings_confirmed(&fresh.catalog.due_rings(9, 9).await.unwrap()).await.unwrap();
    fresh.intent(None, Duration::ZERO).await;
    let gone = fresh.accepted(Options::default()).await;
    fresh.catalog.delete_document(&tenant(), gone.document_id).await.unwrap();
    a_moment().await;
    let overdue = Overdue { expired_claims: 1, unrung_jobs: 1, intents: 1, old_events: 1, dead_blobs: 1, expired_documents: 0 };
    assert_eq!(count().await, overdue);
    assert_eq!(count().await, overdue, "counting does nothing");
    assert_eq!(fresh.job(rung.id).await.state, JobState::Queued);

    assert_eq!(fresh.catalog.ring_again(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(fresh.catalog.expire_claims(9, LEASE).await.unwrap(), 1);
    assert_eq!(fresh.catalog.clear_intents().await.unwrap(), 1);
    assert_eq!(fresh.catalog.clear_events(Duration::ZERO).await.unwrap(), 1);
    a_moment().await;
    let left = Overdue { dead_blobs: 3, ..Overdue::default() };
    assert_eq!(count().await, left, "the deleted document's, the dead upload's and the lost attempt's");
}
