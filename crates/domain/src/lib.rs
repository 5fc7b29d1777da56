//! What docmill talks about: documents, jobs, events, problems, extractions, and the state machine that a job follows.
//!
//! This crate does no I/O and knows no database, broker, store or HTTP server; every other crate depends on it and it on none of them.
//! A reader new to docmill should start at [`job`], whose transition table is the contract that the catalog's SQL keeps.

pub mod api_key;
pub mod blob_key;
pub mod detect;
pub mod document;
pub mod event;
pub mod extraction;
pub mod failpoint;
pub mod failure;
pub mod format;
mod hex;
pub mod id;
pub mod job;
pub mod limits;
pub mod message;
pub mod options;
pub mod problem;
pub mod search;
pub mod time;

pub use api_key::{ApiKey, ApiKeySecret, Scope};
pub use blob_key::BlobKey;
pub use document::{Document, DocumentState};
pub use event::{Event, EventKind};
pub use extraction::Extraction;
pub use failure::{Failure, FailureCode};
pub use format::Format;
pub use hex::hex;
pub use id::{DocumentId, IntentId, JobId, KeyId, OutboxId, TenantId};
pub use job::{Job, JobState, Lane};
pub use limits::{Limits, Usage};
pub use options::Options;
pub use problem::{Problem, ProblemCode};
pub use time::Timestamp;
