//! One lane's receive loop.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use docmill_domain::Lane;
use docmill_extract::Extractors;
use docmill_pipeline::Pipeline;
use docmill_queue::{Delivery, QueueError};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The pause after the first failure to receive; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

pub(crate) struct Receiver {
    pub(crate) lane: Lane,
    /// How long a receive waits while this lane has jobs running.
    pub(crate) wait: Duration,
    /// How long it waits while there are none.
    pub(crate) idle_wait: Duration,
    /// What both lanes share.
    pub(crate) permits: Arc<Semaphore>,
    /// What this lane may hold of it.
    pub(crate) share: Arc<Semaphore>,
    /// How many permits that share is.
    pub(crate) width: usize,
    pub(crate) worker: Arc<str>,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) extractors: Extractors,
    pub(crate) jobs: TaskTracker,
    pub(crate) soft: CancellationToken,
    pub(crate) give_up: CancellationToken,
}

/// Held by a receive, then by the job that it brought until its result is stored.
type Permit = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl Receiver {
    pub(crate) async fn run(self) {
        let mut failures = 0;
        loop {
            let permit = tokio::select! {
                biased;
                () = self.soft.cancelled() => return,
                permit = self.permit() => permit,
            };
            // Not raced with the soft token: a receive that is dropped may take messages with it.
            let idle = self.share.available_permits() + 1 == self.width;
            let wait = if idle { self.idle_wait } else { self.wait };
            match self.pipeline.queue.receive(self.lane, 1, wait).await {
                Ok(deliveries) => {
                    failures = 0;
                    if let Some(delivery) = deliveries.into_iter().next() {
                        self.begin(delivery, permit);
                    }
                }
                Err(error) => {
                    drop(permit);
                    failures += 1;
                    if self.pause(&error, failures).await.is_break() {
                        return;
                    }
                }
            }
        }
    }

    async fn permit(&self) -> Permit {
        let share = self.share.clone().acquire_owned().await;
        let permit = self.permits.clone().acquire_owned().await;
        share.ok().zip(permit.ok()).expect("the semaphores are never closed")
    }

    fn begin(&self, delivery: Delivery, permit: Permit) {
        let (pipeline, extractors) = (self.pipeline.clone(), self.extractors.clone());
        let (worker, lane, give_up) = (self.worker.clone(), self.lane, self.give_up.clone());
        self.jobs.spawn(async move {
            pipeline.work(&extractors, &worker, lane, delivery, &give_up, permit).await;
        });
    }

    /// A broker that is away is only counted, and asked again after a while: nothing is lost meanwhile.
    async fn pause(&self, error: &QueueError, failures: u32) -> ControlFlow<()> {
        metrics::counter!("docmill_broker_errors_total", "operation" => "receive").increment(1);
        let longest = LONGEST_PAUSE.min(PAUSE.saturating_mul(2u32.saturating_pow(failures - 1)));
        // Any part of it from a half up, so that the workers of a fleet do not come back all at once.
        let pause = longest.mul_f64(rand::random_range(0.5..=1.0));
        tracing::warn!(%error, lane = self.lane.as_str(), ?pause, "nothing can be received; asking again");
        tokio::select! {
            () = self.soft.cancelled() => ControlFlow::Break(()),
            () = sleep(pause) => ControlFlow::Continue(()),
        }
    }
}
