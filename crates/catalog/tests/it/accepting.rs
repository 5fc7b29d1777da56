use std::time::Duration;

use docmill_catalog::{Settled, documents::Filter, intents::Opened};
use docmill_domain::{DocumentId, DocumentState, Format, JobState, Options, TenantId};

use rstest::rstest;

use crate::support::{Database, Database::*, LEASE, a_moment, acceptance, open, tenant, upload};

#[rstest]
#[tokio::test]
async fn a_202_makes_document_job_event_ring_and_answer_at_once(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options { tags: [("a".into(), "b".into())].into(), ..Options::default() }).await;
    assert_eq!(job.state, JobState::Queued);
    let record = fresh.catalog.document(&tenant(), job.document_id).await.unwrap().unwrap();
    assert_eq!(record.document.job.id, job.id);
    assert_eq!(record.document.tags["a"], "b");
    assert_eq!(fresh.event_kinds(&job).await, ["job.queued"]);
    let rings = fresh.catalog.due_rings(10, 10).await.unwrap();
    assert_eq!((rings.len(), rings[0].job), (1, job.id));
    assert_eq!(rings[0].traceparent.as_deref(), Some("00-trace-span-01"));
}

#[rstest]
#[tokio::test]
async fn an_acceptance_whose_answer_was_lost_is_recognised(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let intent = fresh.intent(None, LEASE).await;
    let acceptance = acceptance();
    assert_eq!(fresh.catalog.accept(&intent, &acceptance).await.unwrap().settled, Settled::Applied);
    assert_eq!(fresh.catalog.accept(&intent, &acceptance).await.unwrap().settled, Settled::Applied, "the same again");
    assert_eq!(fresh.catalog.due_rings(10, 10).await.unwrap().len(), 1, "and only one job");
}

#[rstest]
#[tokio::test]
async fn a_key_is_in_flight_then_done(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let intent = fresh.intent(Some("k"), LEASE).await;
    assert!(matches!(fresh.catalog.open_intent(&upload(Some("k")), LEASE).await.unwrap(), Opened::InFlight));
    fresh.catalog.accept(&intent, &acceptance()).await.unwrap();
    let Opened::Done(saved) = fresh.catalog.open_intent(&upload(Some("k")), LEASE).await.unwrap() else { panic!("not done") };
    assert_eq!((saved.body_sha256.as_str(), saved.response.as_str()), ("abc", "{\"answer\":1}"));
}

#[rstest]
#[tokio::test]
async fn a_dead_owners_key_is_taken_over_with_a_new_blob_key(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let dead = fresh.intent(Some("k"), Duration::ZERO).await;
    a_moment().await;
    let heir = fresh.intent(Some("k"), LEASE).await;
    assert_ne!(dead.blob_key, heir.blob_key);
    assert_eq!(fresh.catalog.extend_intent(dead.id, LEASE).await.unwrap(), Settled::Stale);
    assert_eq!(
        fresh.catalog.accept(&dead, &acceptance()).await.unwrap().settled,
        Settled::Stale,
        "the one thought dead comes too late"
    );
    assert_eq!(fresh.catalog.accept(&heir, &acceptance()).await.unwrap().settled, Settled::Applied);
    assert_eq!(fresh.catalog.blobs_to_erase().await.unwrap(), [dead.blob_key]);
}

#[rstest]
#[tokio::test]
async fn an_abandoned_upload_frees_its_key_and_gives_up_its_blob(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let intent = fresh.intent(Some("k"), LEASE).await;
    fresh.catalog.abandon_intent(&intent).await.unwrap();
    assert_eq!(fresh.catalog.blobs_to_erase().await.unwrap(), [intent.blob_key]);
    fresh.intent(Some("k"), LEASE).await;
}

#[rstest]
#[tokio::test]
async fn another_tenants_things_are_not_there(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    let other: TenantId = "other".parse().unwrap();
    assert!(fresh.catalog.document(&other, job.document_id).await.unwrap().is_none());
    assert!(fresh.catalog.job(&other, job.id).await.unwrap().is_none());
    assert!(fresh.catalog.manifest(&other, job.id).await.unwrap().is_none());
    assert!(fresh.catalog.claim(&other, job.id, "w", LEASE).await.unwrap().is_none());
    assert!(fresh.catalog.events_after(&other, job.document_id, 0, 10).await.unwrap().is_empty());
    assert_eq!(fresh.catalog.delete_document(&other, job.document_id).await.unwrap(), None);
    assert_eq!(fresh.catalog.delete_document(&tenant(), DocumentId::new()).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn delete_ends_jobs_forgets_secrets_and_marks_every_blob(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let options = Options { password: Some(docmill_domain::options::Secret("hunter2".into())), ..Options::default() };
    let job = fresh.accepted(options).await;
    let claim = fresh.claim(job.id, LEASE).await.unwrap();
    assert_eq!(fresh.catalog.delete_document(&tenant(), job.document_id).await.unwrap(), Some(DocumentState::Deleted));
    assert_eq!(fresh.job(job.id).await.state, JobState::Cancelled);
    assert_eq!(fresh.finish_done(&claim, false).await, Settled::Stale);
    assert_eq!(fresh.catalog.blobs_to_erase().await.unwrap().len(), 2, "the original and the result under way");
    assert_eq!(fresh.event_kinds(&job).await, ["job.queued", "job.running", "job.cancelled", "document.deleted"]);
    assert_eq!(fresh.catalog.delete_document(&tenant(), job.document_id).await.unwrap(), Some(DocumentState::Deleted), "again");
    assert!(fresh.catalog.list_documents(&tenant(), &filter(10)).await.unwrap().is_empty());
    let kept: (String,) = sqlx::query_as("SELECT options FROM jobs").fetch_one(&fresh.raw().await).await.unwrap();
    assert_eq!(kept.0, "{}", "the password is forgotten");
}

fn filter(limit: i64) -> Filter {
    Filter { limit, ..Default::default() }
}

#[rstest]
#[tokio::test]
async fn lists_newest_first_by_pages_and_filters(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let mut jobs = Vec::new();
    for _ in 0..5 {
        jobs.push(fresh.accepted(Options::default()).await);
    }
    let claim = fresh.claim(jobs[0].id, LEASE).await.unwrap();
    fresh.finish_done(&claim, false).await;
    let first = fresh.catalog.list_documents(&tenant(), &filter(3)).await.unwrap();
    let rest = fresh.catalog.list_documents(&tenant(), &Filter { before: Some(first[2].id), ..filter(3) }).await.unwrap();
    let listed: Vec<_> = first.iter().chain(&rest).map(|document| document.id).collect();
    assert_eq!(listed, jobs.iter().rev().map(|job| job.document_id).collect::<Vec<_>>());
    let done = Filter { job_state: Some(JobState::Succeeded), ..filter(9) };
    let done = fresh.catalog.list_documents(&tenant(), &done).await.unwrap();
    assert_eq!(done.iter().map(|document| document.id).collect::<Vec<_>>(), [jobs[0].document_id]);

    // Every condition at once, and each of them for nothing.
    let all =
        Filter { job_state: Some(JobState::Queued), format: Some(Format::Txt), before: Some(jobs[4].document_id), limit: 2 };
    let found = async |filter: Filter| {
        let listed = fresh.catalog.list_documents(&tenant(), &filter).await.unwrap();
        listed.into_iter().map(|document| document.id).collect::<Vec<_>>()
    };
    assert_eq!(found(all.clone()).await, [jobs[3].document_id, jobs[2].document_id]);
    assert!(found(Filter { job_state: Some(JobState::Failed), ..all.clone() }).await.is_empty());
    assert!(found(Filter { format: Some(Format::Pdf), ..all.clone() }).await.is_empty());
    assert!(found(Filter { before: Some(jobs[0].document_id), ..all }).await.is_empty());
}
