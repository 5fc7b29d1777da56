//! Why a job failed: one table of stable codes, each with its sentence and whether trying again can help.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a job ended without a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// The stable code; `docs/reference/failures.md` has a section for each.
    pub code: FailureCode,
    /// What happened, in a sentence.
    pub message: String,
    /// Whether the same document can succeed if it is tried again unchanged.
    pub retryable: bool,
}

impl Failure {
    /// The failure of this code with the table's own sentence.
    pub fn new(code: FailureCode) -> Self {
        Self { code, message: code.sentence().into(), retryable: code.retryable() }
    }

    /// The failure of this code with what was seen appended to its sentence.
    pub fn with_detail(code: FailureCode, detail: &str) -> Self {
        Self { message: format!("{}: {detail}", code.sentence()), ..Self::new(code) }
    }
}

macro_rules! failure_codes {
    ($($variant:ident, $code:literal, retryable: $retryable:literal, $sentence:literal;)*) => {
        /// The stable code of a failure.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        pub enum FailureCode {
            $(#[doc = $sentence] #[serde(rename = $code)] $variant,)*
        }

        impl FailureCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code as JSON and the catalog spell it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// What it means, in a sentence without a full stop.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence),* }
            }

            /// Whether the same document can succeed if it is tried again unchanged.
            pub fn retryable(self) -> bool {
                match self { $(Self::$variant => $retryable),* }
            }

            /// The code of that spelling.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($code => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

failure_codes! {
    Encrypted, "encrypted", retryable: false, "the document is encrypted, and what was given does not open it; docmill opens PDFs alone, with the `password` option";
    Damaged, "damaged", retryable: false, "the document is damaged and nothing in it could be read";
    Unsupported, "unsupported", retryable: false, "the document turned out to be of a kind that docmill does not read";
    TimeLimit, "time_limit", retryable: true, "the extraction took longer than its time budget";
    Stalled, "stalled", retryable: true, "the extraction made no progress for longer than the stall limit";
    MemoryLimit, "memory_limit", retryable: true, "the extraction needed more memory than its limit";
    OutputLimit, "output_limit", retryable: false, "the document's text is larger than the output limit";
    ExtractorCrashed, "extractor_crashed", retryable: true, "the extractor ended abnormally while it read the document";
    ExtractorUnavailable, "extractor_unavailable", retryable: true, "the extractor could not be started";
    OriginalMissing, "original_missing", retryable: false, "the uploaded original is no longer in the blob store";
    OriginalAltered, "original_altered", retryable: false, "the uploaded original in the blob store is not the one that was accepted; its hash differs";
    StoreUnavailable, "store_unavailable", retryable: true, "the blob store could not be reached";
    WorkerLost, "worker_lost", retryable: true, "the workers that held this job died or lost their lease, time after time";
}
