use serde::{Deserialize, Serialize};

use crate::cores;

/// Section `[worker]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerConfig {
    /// Jobs worked on at once, each with an extractor of its own; 0 takes one more than there are cores, so that a job that waits
    /// for its bytes leaves no core idle.
    pub permits: usize,
}

impl WorkerConfig {
    /// The jobs worked on at once, at least 1.
    pub fn permits(&self) -> usize {
        match self.permits {
            0 => cores() + 1,
            given => given,
        }
    }
}
