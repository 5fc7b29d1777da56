//! The lease on a claimed job: extended while the work goes on, and the work's end where it cannot be.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use docmill_catalog::{
    Catalog,
    claims::{Claim, Hold},
};
use docmill_domain::job::Progress;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// A cancellation is noticed within this time.
const GLANCE: Duration = Duration::from_millis(500);

/// Keeps a claim until it is dropped.
pub(crate) struct Lease {
    /// Cancelled once the claim is lost.
    pub(crate) lost: CancellationToken,
    _task: AbortOnDropHandle<()>,
}

impl Lease {
    pub(crate) fn keep(catalog: Arc<Catalog>, claim: Claim, length: Duration, progress: watch::Receiver<Progress>) -> Self {
        let lost = CancellationToken::new();
        let task = tokio::spawn(keep(catalog, claim, length, progress, lost.clone()));
        Self { lost, _task: AbortOnDropHandle::new(task) }
    }
}

async fn keep(
    catalog: Arc<Catalog>,
    claim: Claim,
    length: Duration,
    progress: watch::Receiver<Progress>,
    lost: CancellationToken,
) {
    let mut extended = Instant::now();
    let mut told = Progress::default();
    loop {
        tokio::time::sleep(GLANCE.min(length / 4)).await;
        let seen = *progress.borrow();
        // Progress is written at most once a second or so, and a quiet job only when a third of its lease is gone.
        let due = extended.elapsed() > length / 3 || (seen != told && extended.elapsed() > Duration::from_secs(1));
        let begun = Instant::now();
        let hold = if due { catalog.extend(&claim, length, seen).await } else { catalog.holds(&claim).await };
        match hold {
            Ok(Hold::Held) if due => (extended, told) = (begun, seen),
            Ok(Hold::Held) => {}
            Ok(Hold::Lost) => return lost.cancel(),
            // The catalog may come back while the lease lasts; after that someone else may hold the job.
            Err(error) => {
                tracing::warn!(%error, job = %claim.job, "the lease could not be looked after");
                if extended.elapsed() >= length {
                    return lost.cancel();
                }
            }
        }
    }
}
