use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use docmill_domain::{JobState, Lane};
use tokio::time::sleep;

use crate::support::{Working, mock};

#[tokio::test]
async fn a_single_permit_serves_both_lanes() {
    let working = Working::start(1).await;
    for lane in [Lane::Bulk, Lane::Interactive, Lane::Bulk] {
        let began = Instant::now();
        let id = working.submit(lane, &mock(1, 0)).await;
        working.until(id, |job| job.state == JobState::Succeeded).await;
        assert!(began.elapsed() < Duration::from_secs(2), "{lane:?} waited {:?}", began.elapsed());
    }
    working.lifecycle.soft.cancel();
    working.ended().await;
}

#[tokio::test]
async fn no_lane_holds_all_permits() {
    let working = Working::start(3).await;
    let mut books = Vec::new();
    for _ in 0..4 {
        books.push(working.submit(Lane::Bulk, &mock(40, 100)).await);
    }
    working.until(books[1], |job| job.state == JobState::Running).await;
    sleep(Duration::from_millis(300)).await;
    let mut running = 0;
    for &book in &books {
        running += usize::from(working.job(book).await.state == JobState::Running);
    }
    assert_eq!(running, 2, "three permits, of which one is kept for the other lane");
    let began = Instant::now();
    let note = working.submit(Lane::Interactive, &mock(1, 0)).await;
    working.until(note, |job| job.state == JobState::Succeeded).await;
    assert!(began.elapsed() < Duration::from_secs(2), "whoever is at a screen waited {:?}", began.elapsed());
    assert_eq!(working.job(books[0]).await.state, JobState::Running);
    working.lifecycle.soft.cancel();
    working.lifecycle.hard.cancel();
    working.ended().await;
}

#[tokio::test]
async fn a_broker_that_is_away_is_asked_again_but_not_pestered() {
    let working = Working::start(2).await;
    working.queue.away.store(true, Ordering::SeqCst);
    sleep(Duration::from_millis(1200)).await;
    let before = working.queue.begun.load(Ordering::SeqCst);
    sleep(Duration::from_secs(1)).await;
    let asked = working.queue.begun.load(Ordering::SeqCst) - before;
    assert!(asked <= 12, "asked {asked} times in a second");
    working.queue.away.store(false, Ordering::SeqCst);
    let id = working.submit(Lane::Bulk, &mock(1, 0)).await;
    working.until(id, |job| job.state == JobState::Succeeded).await;
    working.lifecycle.soft.cancel();
    working.ended().await;
}

#[tokio::test]
async fn draining_lets_receives_return_and_jobs_finish() {
    let working = Working::start(3).await;
    let id = working.submit(Lane::Bulk, &mock(15, 100)).await;
    working.until(id, |job| job.state == JobState::Running).await;
    // Until both lanes receive again.
    sleep(Duration::from_millis(100)).await;
    let (begun, returned) = working.queue.receives();
    assert_eq!(begun - returned, 2, "both lanes wait for rings");
    working.lifecycle.soft.cancel();
    let unheard = working.submit(Lane::Interactive, &mock(1, 0)).await;
    let (pipeline, queue) = (working.pipeline.clone(), working.queue.clone());
    let done = working.until(id, |job| job.state.is_final()).await;
    assert_eq!((done.state, done.attempts), (JobState::Succeeded, 1));
    let tenant = docmill_domain::TenantId::default_tenant();
    // It may have come with a receive that was under way; if not, it waits for the next worker.
    let late = pipeline.job(&tenant, unheard).await.expect("it is there");
    assert!(matches!(late.state, JobState::Succeeded | JobState::Queued), "{late:?}");
    working.ended().await;
    assert_eq!(queue.receives(), (begun, begun), "each was let return, and none begun");
}

#[tokio::test]
async fn insisting_hands_back_what_runs() {
    let working = Working::start(2).await;
    let id = working.submit(Lane::Bulk, &mock(100, 100)).await;
    working.until(id, |job| job.state == JobState::Running).await;
    working.lifecycle.soft.cancel();
    sleep(Duration::from_millis(200)).await;
    assert_eq!(working.job(id).await.state, JobState::Running);
    working.lifecycle.hard.cancel();
    let back = working.until(id, |job| job.state != JobState::Running).await;
    assert_eq!(back.state, JobState::Queued);
    let pipeline = working.pipeline.clone();
    let began = Instant::now();
    working.ended().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    drop(pipeline);
}
