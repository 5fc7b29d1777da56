use std::{path::PathBuf, time::Duration};

use docmill_domain::Limits;
use serde::{Deserialize, Serialize};

/// Section `[pipeline]`: the promises' numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineConfig {
    /// The largest upload that is taken, in MiB.
    pub max_upload_mib: u64,
    /// An upload whose process died is taken over, or cleared away, after so many seconds.
    pub upload_lease_seconds: u64,
    /// A job whose worker died is taken from it after so many seconds.
    pub lease_seconds: u64,
    /// Failed attempts after which a job becomes a dead letter.
    pub max_attempts: i64,
    /// Lost leases after which a job becomes a dead letter. More than the attempts: most of them are rollouts and dead nodes.
    pub max_lost_leases: i64,
    /// The pause before the second attempt, in seconds; it doubles from attempt to attempt.
    pub retry_seconds: f64,
    /// The longest pause between attempts, in seconds.
    pub retry_max_seconds: f64,
    /// Rings that one tenant may have outstanding in a lane of the broker.
    pub ring_cap: i64,
    /// A due job that nobody claimed is rung again after so many seconds.
    pub ring_again_seconds: u64,
    /// A message of a newer docmill waits so many seconds for a newer worker, nine times; then it is set aside.
    pub newer_seconds: u64,
    /// Seconds between two rounds of the sweeper.
    pub sweep_seconds: f64,
    /// What was erased is erased once more after so many seconds, when nobody can still be writing to it.
    pub writers_live_seconds: u64,
    /// The events of a document that was deleted or has expired are kept for so many seconds.
    pub events_kept_seconds: u64,
    /// Where documents of more than 1 MiB lie while they are extracted, as files without a name; the system's folder for temporary files when absent.
    pub scratch: Option<PathBuf>,
    /// How much each tenant may use that has no limits of its own.
    pub limits: Limits,
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self {
            max_upload_mib: 2048,
            upload_lease_seconds: 30,
            lease_seconds: 30,
            max_attempts: 3,
            max_lost_leases: 8,
            retry_seconds: 2.0,
            retry_max_seconds: 300.0,
            ring_cap: 512,
            ring_again_seconds: 60,
            newer_seconds: 60,
            sweep_seconds: 5.0,
            writers_live_seconds: 24 * 3600,
            events_kept_seconds: 7 * 24 * 3600,
            scratch: None,
            limits: Limits::default(),
        }
    }
}

impl PipelineConfig {
    /// The largest upload, in bytes.
    pub fn max_upload(&self) -> u64 {
        self.max_upload_mib.saturating_mul(1 << 20)
    }

    pub(crate) fn upload_lease(&self) -> Duration {
        Duration::from_secs(self.upload_lease_seconds)
    }

    pub(crate) fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }
}
