use serde::{Deserialize, Serialize};

use crate::cores;

/// Section `[worker]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerConfig {
    /// Jobs worked on at once, each with an extractor of its own; 0 takes two more than there are cores: one so that a job that waits
    /// for its bytes leaves no core idle, and one that is kept for the other lane.
    pub permits: usize,
}

impl WorkerConfig {
    /// The jobs worked on at once, at least 1.
    pub fn permits(&self) -> usize {
        match self.permits {
            0 => cores() + 2,
            given => given,
        }
    }
}
