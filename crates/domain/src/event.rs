//! What happened to a document, in order: the feed behind server-sent events, and later webhooks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DocumentId, JobId, Timestamp};

/// One thing that happened to a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// The document.
    #[schema(value_type = String)]
    pub document_id: DocumentId,
    /// Counted from 1 for each document, without gaps; the `Last-Event-ID`.
    pub seq: i64,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The job it happened to; absent where it happened to the document itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub job_id: Option<JobId>,
    /// The failure's code, where a job failed or is to be retried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

macro_rules! event_kinds {
    ($($variant:ident, $name:literal, $doc:literal;)*) => {
        /// What can happen.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        pub enum EventKind {
            $(#[doc = $doc] #[serde(rename = $name)] $variant,)*
        }

        impl EventKind {
            /// The name, as JSON, server-sent events and the catalog spell it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The kind of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

event_kinds! {
    JobQueued, "job.queued", "Accepted, or redriven from the dead letters.";
    JobRunning, "job.running", "Claimed by a worker.";
    JobRetrying, "job.retrying", "An attempt failed, was lost or was handed back; another follows.";
    JobSucceeded, "job.succeeded", "Ended: everything was extracted.";
    JobPartial, "job.partial", "Ended: some text was extracted.";
    JobFailed, "job.failed", "Ended without a result.";
    JobCancelled, "job.cancelled", "Ended because a client asked.";
    DocumentDeleted, "document.deleted", "The document is gone; the feed ends here.";
    DocumentExpired, "document.expired", "The document's retention ran out; the feed ends here.";
}

impl EventKind {
    /// Whether nothing can follow it.
    pub fn ends_feed(self) -> bool {
        matches!(self, Self::DocumentDeleted | Self::DocumentExpired)
    }
}
