//! Several processes at one catalog, at the same moment: each is a catalog of its own, with connections of its own.

use std::{sync::Arc, time::Duration};

use docmill_catalog::{Catalog, Settled, claims::Hold, intents::Opened, outbox::Ring};
use docmill_domain::{DocumentState, JobState, Options};
use rstest::rstest;
use tokio::task::JoinSet;

use crate::support::{Database::*, Fresh, LEASE, a_moment, acceptance, open, tenant, upload};

async fn processes(fresh: &Fresh, count: usize) -> Vec<Arc<Catalog>> {
    let mut processes = Vec::new();
    for _ in 0..count {
        processes.push(Arc::new(fresh.again().await));
    }
    processes
}

/// What each of them answers to the same call, made by all at once.
async fn all<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    processes: &[Arc<Catalog>],
    call: impl Fn(usize, Arc<Catalog>) -> F,
) -> Vec<T> {
    let mut calls = JoinSet::new();
    for (number, catalog) in processes.iter().enumerate() {
        calls.spawn(call(number, catalog.clone()));
    }
    calls.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_claimed_by_one() {
    let fresh = open(Postgres).await;
    let processes = processes(&fresh, 4).await;
    for _ in 0..20 {
        let job = fresh.accepted(Options::default()).await;
        let claims =
            all(&processes, move |_, catalog| async move { catalog.claim(&tenant(), job.id, "w", LEASE).await.unwrap() }).await;
        assert_eq!(claims.iter().flatten().count(), 1);
        assert_eq!(fresh.event_kinds(&fresh.job(job.id).await).await, ["job.queued", "job.running"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_requests_with_one_key_one_goes_ahead() {
    let fresh = open(Postgres).await;
    let processes = processes(&fresh, 4).await;
    for round in 0..20 {
        let key = format!("key {round}");
        if round % 2 == 1 {
            // Half of the time there is a dead one to be taken over.
            fresh.intent(Some(&key), Duration::ZERO).await;
            a_moment().await;
        }
        let opened = all(&processes, move |_, catalog| {
            let new = upload(Some(&key));
            async move { catalog.open_intent(&new, LEASE).await.unwrap() }
        })
        .await;
        let new = opened.iter().filter(|opened| matches!(opened, Opened::New(_))).count();
        let waiting = opened.iter().filter(|opened| matches!(opened, Opened::InFlight)).count();
        assert_eq!((new, waiting), (1, 3), "{opened:?}");
    }
}

/// The owner of an upload comes late, at the moment when others take its key over and clear it away: either it is accepted and whole, or
/// it is not and its blob is dead.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_accepted_or_given_up_and_never_both() {
    let fresh = open(Postgres).await;
    let processes = processes(&fresh, 3).await;
    let raw = fresh.raw().await;
    for round in 0..40 {
        let key = format!("key {round}");
        let intent = fresh.intent(Some(&key), Duration::ZERO).await;
        a_moment().await;
        let owned = intent.clone();
        let settled = all(&processes, move |number, catalog| {
            let (intent, new) = (owned.clone(), upload(Some(&key)));
            async move {
                match number {
                    0 => return Some(catalog.accept(&intent, &acceptance()).await.unwrap().settled),
                    1 => drop(catalog.open_intent(&new, LEASE).await.unwrap()),
                    _ => drop(catalog.clear_intents().await.unwrap()),
                }
                None
            }
        })
        .await;
        let accepted = settled.contains(&Some(Settled::Applied));
        let state: (String,) = sqlx::query_as("SELECT state FROM blobs WHERE key = $1")
            .bind(intent.blob_key.as_str())
            .fetch_one(&raw)
            .await
            .unwrap();
        assert_eq!(state.0, if accepted { "live" } else { "dead" }, "round {round}");
        assert_eq!(fresh.catalog.document(&tenant(), intent.document).await.unwrap().is_some(), accepted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn relays_take_different_rings_and_keep_to_the_cap_together() {
    let fresh = open(Postgres).await;
    for _ in 0..30 {
        fresh.accepted(Options::default()).await;
    }
    let processes = processes(&fresh, 4).await;
    let taken: Vec<Ring> = all(&processes, |_, catalog| async move { catalog.due_rings(12, 100).await.unwrap() })
        .await
        .into_iter()
        .flatten()
        .collect();
    let mut jobs: Vec<_> = taken.iter().map(|ring| ring.job).collect();
    jobs.sort_unstable();
    jobs.dedup();
    assert_eq!((taken.len(), jobs.len()), (12, 12), "the cap, and none twice");
    fresh.catalog.rings_failed(&taken[..5]).await.unwrap();
    assert_eq!(fresh.catalog.due_rings(12, 100).await.unwrap().len(), 5, "given back for any relay to take");
    fresh.catalog.rings_confirmed(&taken[5..]).await.unwrap();
    assert!(fresh.catalog.due_rings(12, 100).await.unwrap().is_empty(), "confirmed or taken, all twelve are outstanding");
}

#[tokio::test(flavor = "multi_thread")]
async fn rings_are_confirmed_while_their_jobs_are_claimed() {
    let fresh = open(Postgres).await;
    let processes = processes(&fresh, 2).await;
    for _ in 0..20 {
        for _ in 0..8 {
            fresh.accepted(Options::default()).await;
        }
        let rings = Arc::new(fresh.catalog.due_rings(100, 100).await.unwrap());
        assert_eq!(rings.len(), 8);
        all(&processes, move |number, catalog| {
            let rings = rings.clone();
            async move {
                if number == 0 {
                    return catalog.rings_confirmed(&rings).await.unwrap();
                }
                for ring in rings.iter().rev() {
                    assert!(catalog.claim(&tenant(), ring.job, "w", LEASE).await.unwrap().is_some());
                }
            }
        })
        .await;
        let outstanding: (i64,) = sqlx::query_as("SELECT count(*) FROM jobs WHERE rung_at IS NOT NULL AND state = 'queued'")
            .fetch_one(&fresh.raw().await)
            .await
            .unwrap();
        assert_eq!(outstanding.0, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sweepers_share_what_is_overdue() {
    let fresh = open(Postgres).await;
    let mut jobs = Vec::new();
    for _ in 0..40 {
        let job = fresh.accepted(Options { retention: Some(1), ..Options::default() }).await;
        fresh.claim(job.id, Duration::ZERO).await.unwrap();
        jobs.push(job);
    }
    a_moment().await;
    let processes = processes(&fresh, 4).await;
    let expired = all(&processes, |_, catalog| async move {
        let mut expired = 0;
        while let Ok(more @ 1..) = catalog.expire_claims(9, Duration::ZERO).await {
            expired += more;
        }
        expired
    })
    .await;
    assert_eq!(expired.iter().sum::<usize>(), 40, "each lease was lost once: {expired:?}");
    for job in &jobs {
        assert_eq!(fresh.event_kinds(job).await, ["job.queued", "job.running", "job.retrying"]);
    }
    tokio::time::sleep(Duration::from_millis(1050)).await;
    let ended = all(&processes, |_, catalog| async move { catalog.expire_documents().await.unwrap() }).await;
    assert_eq!(ended.iter().sum::<usize>(), 40, "each document ended once: {ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_deleted_while_its_job_ends() {
    let fresh = open(Postgres).await;
    let processes = processes(&fresh, 4).await;
    for _ in 0..30 {
        let job = fresh.accepted(Options::default()).await;
        let claim = fresh.claim(job.id, LEASE).await.unwrap();
        let calls = claim.clone();
        all(&processes, move |number, catalog| {
            let claim = calls.clone();
            async move {
                match number {
                    0 => drop(catalog.delete_document(&tenant(), claim.document).await.unwrap()),
                    1 => drop(catalog.finish(&claim, &docmill_catalog::claims::Disposition::HandBack).await.unwrap()),
                    2 => drop(catalog.claim(&tenant(), claim.job, "w", LEASE).await.unwrap()),
                    _ => drop(catalog.extend(&claim, LEASE, Default::default()).await.unwrap()),
                }
            }
        })
        .await;
        let record = fresh.catalog.document(&tenant(), job.document_id).await.unwrap().unwrap();
        assert_eq!(record.document.state, DocumentState::Deleted);
        assert_eq!(fresh.job(job.id).await.state, JobState::Cancelled);
        assert_eq!(fresh.catalog.holds(&claim).await.unwrap(), Hold::Lost);
        assert_eq!(fresh.event_kinds(&job).await.last(), Some(&"document.deleted"));
        let living: (i64,) = sqlx::query_as("SELECT count(*) FROM blobs WHERE document_id = $1 AND state <> 'dead'")
            .bind(job.document_id.to_string())
            .fetch_one(&fresh.raw().await)
            .await
            .unwrap();
        assert_eq!(living.0, 0, "every key is marked");
    }
}

/// Two have erased a key for the first time. The slower one must not count as the second time.
#[rstest]
#[tokio::test]
async fn a_blob_erased_by_two_at_once_is_still_erased_once_more(#[values(Sqlite, Postgres)] on: crate::support::Database) {
    let fresh = open(on).await;
    let intent = fresh.intent(None, LEASE).await;
    fresh.catalog.abandon_intent(&intent).await.unwrap();
    let later = Duration::from_millis(300);
    fresh.catalog.blob_erased(&intent.blob_key, later).await.unwrap();
    fresh.catalog.blob_erased(&intent.blob_key, later).await.unwrap();
    tokio::time::sleep(later + Duration::from_millis(20)).await;
    assert_eq!(fresh.catalog.blobs_to_erase().await.unwrap(), [intent.blob_key]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_of_the_time_when_its_number_was_drawn() {
    let fresh = open(Postgres).await;
    let job = fresh.accepted(Options::default()).await;
    let raw = fresh.raw().await;
    let mut held = raw.begin().await.unwrap();
    let lock = sqlx::query("SELECT id FROM documents WHERE id = $1 FOR UPDATE").bind(job.document_id.to_string());
    lock.execute(&mut *held).await.unwrap();
    let catalog = Arc::new(fresh.again().await);
    let claiming = tokio::spawn(async move { catalog.claim(&tenant(), job.id, "w", LEASE).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let clock = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
    let (released,): (i64,) = sqlx::query_as(clock).fetch_one(&mut *held).await.unwrap();
    held.commit().await.unwrap();
    assert!(claiming.await.unwrap().is_some());
    let events = fresh.catalog.events_after(&tenant(), job.document_id, 1, 9).await.unwrap();
    assert_eq!(events.len(), 1);
    assert!(
        events[0].at.0 >= released,
        "whoever had the document's row before may have written an event until {released}: {events:?}"
    );
}
