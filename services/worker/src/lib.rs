//! The worker: it receives rings, and works on the jobs that they announce.
//!
//! A permit is taken **before** a ring is received, so that no ring ever waits here for a free hand while another worker has one. Both
//! lanes share the permits, and neither may hold all of them: an hour of books in `bulk` leaves one for whoever waits at a screen.
//!
//! The end comes in two steps. Once the lifecycle's soft token is cancelled, the receive under way is let finish (dropping it could
//! hide messages), nothing new is received, and what runs may go on. Once the hard token is, what still runs is handed back, which
//! costs it no attempt.

mod config;
pub mod intake;
mod lane;

use std::{sync::Arc, thread, time::Duration};

use docmill_domain::Lane;
use docmill_extract::{Engines, Extractors};
use docmill_pipeline::Pipeline;
use docmill_runtime::{
    health::{Health, Status},
    lifecycle::Lifecycle,
};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

pub use self::config::WorkerConfig;
use self::lane::Receiver;

/// How long one receive waits for a ring while its lane has jobs running: where the last permit is free, the lane that does not hold it
/// waits as long.
const POLL: Duration = Duration::from_secs(1);
/// The same with a single permit, for which the lanes take turns all the time.
const TURN: Duration = Duration::from_millis(200);

/// Starts the worker and the chores as essential tasks of the process.
pub fn start(config: &WorkerConfig, pipeline: &Arc<Pipeline>, extractors: &Extractors, lifecycle: &Lifecycle) {
    let (config, working, extractors, ours) = (config.clone(), pipeline.clone(), extractors.clone(), lifecycle.clone());
    lifecycle.essential("worker", async move {
        run(&config, working, extractors, &ours).await;
        Ok(())
    });
    let (pipeline, stop) = (pipeline.clone(), lifecycle.soft.clone());
    lifecycle.essential("chores", async move {
        pipeline.run_chores(&stop).await;
        Ok(())
    });
}

/// Starts an extractor ahead of the first document, and reports what it can do.
pub async fn warm(extractors: &Extractors, health: &Health) -> Engines {
    let engines = extractors.engines().await;
    let status = engines.warning.clone().map_or(Status::Ok, Status::Degraded);
    health.report("extractor", status);
    engines
}

/// Works until the lifecycle's soft token is cancelled and everything that was begun has ended or was handed back.
pub async fn run(config: &WorkerConfig, pipeline: Arc<Pipeline>, extractors: Extractors, lifecycle: &Lifecycle) {
    let count = config.permits();
    let permits = Arc::new(Semaphore::new(count));
    let jobs = TaskTracker::new();
    let name: Arc<str> = name().into();
    tracing::info!(worker = %name, permits = count, "receiving");
    metrics::describe_gauge!("docmill_worker_permits", "Jobs that this worker may work on at once.");
    metrics::gauge!("docmill_worker_permits").set(count as f64);
    let width = (count - 1).max(1);
    let receiver = |lane: Lane| Receiver {
        lane,
        wait: if count > 1 { POLL } else { TURN },
        // A lane without jobs holds one permit while it waits, which the other may not have anyway.
        idle_wait: if count > 1 { pipeline.queue.idle_wait() } else { TURN },
        permits: permits.clone(),
        share: Arc::new(Semaphore::new(width)),
        width,
        worker: name.clone(),
        pipeline: pipeline.clone(),
        extractors: extractors.clone(),
        jobs: jobs.clone(),
        soft: lifecycle.soft.clone(),
        give_up: lifecycle.hard.clone(),
    };
    tokio::join!(receiver(Lane::Interactive).run(), receiver(Lane::Bulk).run());
    jobs.close();
    if !jobs.is_empty() {
        tracing::info!(jobs = jobs.len(), "receiving no more; what runs may finish");
    }
    jobs.wait().await;
}

/// What the catalog calls this worker.
fn name() -> String {
    let host = rustix::system::uname();
    format!("{}:{}", host.nodename().to_string_lossy(), std::process::id())
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
