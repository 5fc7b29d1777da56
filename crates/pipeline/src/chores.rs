//! What must be done whoever does it: ringing what is due, sweeping up what is overdue, and indexing what is new. Every API and worker
//! process runs all of it, so that with no worker at all things are still rung, expired and erased.

use std::{collections::BTreeMap, ops::AddAssign, time::Duration};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{Pipeline, error::Result};

/// A blob that could not be erased is left alone for so long.
const ERASE_AGAIN: Duration = Duration::from_secs(10);

/// The work that there is for workers, over all tenants: `GET /v1/backlog` of the operations port.
#[derive(Debug, Serialize)]
pub struct Backlog {
    /// Jobs that could be claimed now, or that a worker holds.
    pub backlog: i64,
    /// How long the oldest due job has been due; 0 where none is.
    pub oldest_due_seconds: f64,
    /// The same by lane.
    pub lanes: BTreeMap<&'static str, LaneBacklog>,
}

/// One lane's part of the [`Backlog`].
#[derive(Debug, Serialize)]
pub struct LaneBacklog {
    /// Jobs that could be claimed now.
    pub due: i64,
    /// Jobs that a worker holds.
    pub running: i64,
    /// How long the oldest due job has been due; 0 where none is.
    pub oldest_due_seconds: f64,
}

/// What rounds of the sweeper did, or would do.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Claims taken from workers that were lost.
    pub expired_claims: usize,
    /// Due jobs to be rung again.
    pub rung_again: usize,
    /// Uploads given up, and saved answers forgotten.
    pub intents: usize,
    /// Documents whose retention ran out.
    pub expired_documents: usize,
    /// Ended documents whose events were forgotten.
    pub old_events: usize,
    /// Blobs erased, for the first or the last time.
    pub erased: usize,
}

impl AddAssign for Swept {
    fn add_assign(&mut self, more: Self) {
        self.expired_claims += more.expired_claims;
        self.rung_again += more.rung_again;
        self.intents += more.intents;
        self.expired_documents += more.expired_documents;
        self.old_events += more.old_events;
        self.erased += more.erased;
    }
}

impl Pipeline {
    /// Does all of it until `stop`.
    pub async fn run_chores(&self, stop: &CancellationToken) {
        tokio::join!(self.run_relay(stop), self.run_sweeper(stop), self.run_indexer(stop));
    }

    /// Sweeps until `stop`, and keeps the gauges of the backlog.
    pub async fn run_sweeper(&self, stop: &CancellationToken) {
        if self.queue_forgets {
            self.ring_all_again(stop).await;
        }
        loop {
            match self.sweep().await {
                Ok(swept) if swept != Swept::default() => {
                    tracing::info!(?swept, "swept");
                    self.wake_relay();
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the sweeper could not finish its round; it tries again"),
            }
            if let Err(error) = self.measure().await {
                tracing::warn!(%error, "the backlog could not be measured");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_secs_f64(self.config.sweep_seconds)) => {}
            }
        }
    }

    /// Has everything rung anew that a queue in this process held when it died: nobody need wait for its silence to be noticed.
    async fn ring_all_again(&self, stop: &CancellationToken) {
        if let Err(error) = self.catalog.give_back_rings().await {
            tracing::warn!(%error, "what was about to be rung before the restart is rung in some seconds");
        }
        while !stop.is_cancelled() {
            match self.catalog.ring_again(Duration::ZERO).await {
                Ok(0) => return,
                Ok(_) => self.wake_relay(),
                Err(error) => {
                    return tracing::warn!(%error, "what was rung before the restart is rung again later, by the sweeper");
                }
            }
        }
    }

    /// One round over everything that can be overdue.
    pub async fn sweep(&self) -> Result<Swept> {
        let mut swept = Swept {
            expired_claims: self
                .catalog
                .expire_claims(self.config.max_lost_leases, Duration::from_secs_f64(self.config.retry_seconds))
                .await?,
            rung_again: self.catalog.ring_again(Duration::from_secs(self.config.ring_again_seconds)).await?,
            intents: self.catalog.clear_intents().await?,
            expired_documents: self.catalog.expire_documents().await?,
            old_events: self.catalog.clear_events(Duration::from_secs(self.config.events_kept_seconds)).await?,
            erased: 0,
        };
        for key in self.catalog.blobs_to_erase().await? {
            if let Err(error) = self.blobs.erase(&key).await {
                // Behind the others: a key that the store will not erase must not keep them waiting in every round.
                self.catalog.erase_later(&key, ERASE_AGAIN).await?;
                return Err(error.into());
            }
            self.catalog.blob_erased(&key, Duration::from_secs(self.config.writers_live_seconds)).await?;
            swept.erased += 1;
        }
        for (what, count) in [
            ("claims", swept.expired_claims),
            ("rings", swept.rung_again),
            ("intents", swept.intents),
            ("documents", swept.expired_documents),
            ("events", swept.old_events),
            ("blobs", swept.erased),
        ] {
            metrics::counter!("docmill_swept_total", "what" => what).increment(count as u64);
        }
        Ok(swept)
    }

    /// What the sweeper would do now.
    pub async fn overdue(&self) -> Result<Swept> {
        let silence = Duration::from_secs(self.config.ring_again_seconds);
        let overdue = self.catalog.overdue(silence, Duration::from_secs(self.config.events_kept_seconds)).await?;
        Ok(Swept {
            expired_claims: overdue.expired_claims,
            rung_again: overdue.unrung_jobs,
            intents: overdue.intents,
            expired_documents: overdue.expired_documents,
            old_events: overdue.old_events,
            erased: overdue.dead_blobs,
        })
    }

    async fn measure(&self) -> Result<()> {
        for lane in self.catalog.backlog().await? {
            let name = lane.lane.as_str();
            metrics::gauge!("docmill_jobs_due", "lane" => name).set(lane.due as f64);
            metrics::gauge!("docmill_jobs_running", "lane" => name).set(lane.running as f64);
            metrics::gauge!("docmill_jobs_oldest_due_seconds", "lane" => name).set(lane.oldest_due_micros as f64 / 1e6);
        }
        metrics::gauge!("docmill_dead_letters").set(self.catalog.dead_letters().await? as f64);
        metrics::gauge!("docmill_index_due").set(self.catalog.index_due().await? as f64);
        Ok(())
    }

    /// What workers are scaled by, counted now: with no worker at all, too.
    pub async fn backlog(&self) -> Result<Backlog> {
        let lanes = self.catalog.backlog().await?;
        Ok(Backlog {
            backlog: lanes.iter().map(|lane| lane.due + lane.running).sum(),
            oldest_due_seconds: lanes.iter().map(|lane| lane.oldest_due_micros).max().unwrap_or_default() as f64 / 1e6,
            lanes: lanes
                .into_iter()
                .map(|lane| {
                    let oldest_due_seconds = lane.oldest_due_micros as f64 / 1e6;
                    (lane.lane.as_str(), LaneBacklog { due: lane.due, running: lane.running, oldest_due_seconds })
                })
                .collect(),
        })
    }
}
