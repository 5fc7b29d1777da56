use std::time::Duration;

use docmill_catalog::{
    Settled,
    claims::{Disposition, Hold},
};
use docmill_domain::{Failure, FailureCode, JobState, Options, job::Progress};

use rstest::rstest;

use crate::support::{Database, Database::*, LEASE, a_moment, crash, open, tenant};

#[rstest]
#[tokio::test]
async fn a_job_is_claimed_once_and_its_result_is_the_documents(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    let claim = fresh.claim(job.id, LEASE).await.unwrap();
    assert!(fresh.claim(job.id, LEASE).await.is_none(), "a second delivery of the same ring");
    assert_eq!(fresh.finish_done(&claim, false).await, Settled::Applied);
    assert_eq!(fresh.finish_done(&claim, false).await, Settled::Applied, "an answer that was lost is recognised");
    assert!(fresh.claim(job.id, LEASE).await.is_none(), "a delivery after the end");
    let manifest = fresh.catalog.manifest(&tenant(), job.id).await.unwrap().unwrap();
    assert_eq!(manifest.key, claim.result_key);
    let record = fresh.catalog.document(&tenant(), job.document_id).await.unwrap().unwrap();
    assert_eq!(record.document.result_job_id, Some(job.id));
    assert_eq!(fresh.event_kinds(&job).await, ["job.queued", "job.running", "job.succeeded"]);
}

#[rstest]
#[tokio::test]
async fn a_worker_thought_dead_can_neither_extend_nor_finish(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    let old = fresh.claim(job.id, Duration::ZERO).await.unwrap();
    a_moment().await;
    assert_eq!(fresh.catalog.expire_claims(9, Duration::ZERO).await.unwrap(), 1);
    let new = fresh.claim(job.id, LEASE).await.unwrap();
    assert!(new.token > old.token && new.result_key != old.result_key);
    assert_eq!(fresh.catalog.extend(&old, LEASE, Progress::default()).await.unwrap(), Hold::Lost);
    assert_eq!(fresh.catalog.holds(&old).await.unwrap(), Hold::Lost);
    assert_eq!(fresh.catalog.holds(&new).await.unwrap(), Hold::Held);
    assert_eq!(fresh.finish_done(&old, false).await, Settled::Stale);
    assert_eq!(fresh.finish_done(&new, true).await, Settled::Applied);
    assert_eq!(fresh.finish_done(&old, false).await, Settled::Stale, "nor afterwards");
    assert_eq!(fresh.catalog.manifest(&tenant(), job.id).await.unwrap().unwrap().key, new.result_key);
    assert_eq!(fresh.job(job.id).await.state, JobState::Partial);
    assert_eq!(fresh.catalog.blobs_to_erase().await.unwrap(), [old.result_key]);
}

#[rstest]
#[tokio::test]
async fn a_retry_waits_for_its_time_and_costs_an_attempt(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    let claim = fresh.claim(job.id, LEASE).await.unwrap();
    fresh.catalog.finish(&claim, &Disposition::Retry(Duration::from_millis(300), crash())).await.unwrap();
    assert!(fresh.claim(job.id, LEASE).await.is_none(), "not due yet");
    assert!(fresh.catalog.due_rings(9, 9).await.unwrap().is_empty(), "nor to be rung");
    tokio::time::sleep(Duration::from_millis(320)).await;
    assert_eq!(fresh.catalog.due_rings(9, 9).await.unwrap().len(), 1);
    assert_eq!(fresh.claim(job.id, LEASE).await.unwrap().retries, 1);
    assert_eq!(fresh.event_kinds(&job).await, ["job.queued", "job.running", "job.retrying", "job.running"]);
}

#[rstest]
#[tokio::test]
async fn a_hand_back_costs_nothing(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    let claim = fresh.claim(job.id, LEASE).await.unwrap();
    assert_eq!(fresh.catalog.finish(&claim, &Disposition::HandBack).await.unwrap(), Settled::Applied);
    assert_eq!(fresh.claim(job.id, LEASE).await.unwrap().retries, 0);
}

#[rstest]
#[tokio::test]
async fn a_dead_letter_can_be_redriven_and_the_documents_own_fault_cannot(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    let claim = fresh.claim(job.id, LEASE).await.unwrap();
    fresh.catalog.finish(&claim, &Disposition::DeadLetter(crash())).await.unwrap();
    let failed = fresh.job(job.id).await;
    assert!(failed.dead_letter && failed.state == JobState::Failed);
    assert_eq!(fresh.catalog.dead_letters().await.unwrap(), 1);
    assert_eq!(fresh.catalog.redrive_job(&failed).await.unwrap(), Settled::Applied);
    assert_eq!(fresh.catalog.redrive_job(&failed).await.unwrap(), Settled::Stale, "once");
    let claim = fresh.claim(job.id, LEASE).await.unwrap();
    assert_eq!((claim.token, claim.retries), (2, 0), "attempts anew, the fencing token not");
    fresh.catalog.finish(&claim, &Disposition::Failed(Failure::new(FailureCode::Damaged))).await.unwrap();
    let damaged = fresh.job(job.id).await;
    assert!(!damaged.dead_letter);
    assert_eq!(fresh.catalog.redrive_job(&damaged).await.unwrap(), Settled::Stale);
}

#[rstest]
#[tokio::test]
async fn cancelling_takes_the_claim_away(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    let claim = fresh.claim(job.id, LEASE).await.unwrap();
    assert_eq!(fresh.catalog.cancel_job(&job).await.unwrap(), Settled::Applied);
    assert_eq!(fresh.catalog.cancel_job(&job).await.unwrap(), Settled::Stale);
    assert_eq!(fresh.catalog.holds(&claim).await.unwrap(), Hold::Lost);
    assert_eq!(fresh.finish_done(&claim, false).await, Settled::Stale);
    assert_eq!(fresh.catalog.blobs_to_erase().await.unwrap(), [claim.result_key]);
    let queued = fresh.accepted(Options::default()).await;
    fresh.catalog.cancel_job(&queued).await.unwrap();
    assert!(fresh.claim(queued.id, LEASE).await.is_none());
    assert!(fresh.catalog.due_rings(9, 9).await.unwrap().is_empty(), "a cancelled job is not rung");
}

#[rstest]
#[tokio::test]
async fn progress_is_seen_and_changes_the_entity_tag(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    let claim = fresh.claim(job.id, LEASE).await.unwrap();
    let before = fresh.job(job.id).await.revision;
    fresh.catalog.extend(&claim, LEASE, Progress { done: 3, total: Some(9) }).await.unwrap();
    let after = fresh.job(job.id).await;
    assert_eq!(after.progress, Progress { done: 3, total: Some(9) });
    assert!(after.revision > before);
}
