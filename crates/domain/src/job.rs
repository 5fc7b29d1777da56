//! A job and the states it moves through.
//!
//! | from | claim | complete | retry | hand back | lease lost | lease lost, last | give up | cancel | redrive |
//! |---|---|---|---|---|---|---|---|---|---|
//! | queued | running | | | | | | | cancelled | |
//! | running | | succeeded, partial or failed | queued | queued | queued | failed | failed | cancelled | |
//! | succeeded, partial, cancelled | | | | | | | | | |
//! | failed | | | | | | | | | queued, if a dead letter |
//!
//! An empty field is a refusal: the act changes nothing. All acts on a running job but *cancel* and *lease lost* are the claim holder's
//! and carry its fencing token; with another token they are refused too. The catalog's SQL keeps this table by compare-and-set, and a
//! property test holds the two against each other.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DocumentId, Failure, JobId, TenantId, Timestamp, extraction::Warning};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waiting to be claimed, now or at its due time.
    Queued,
    /// Claimed by a worker that holds its lease.
    Running,
    /// Ended: everything was extracted.
    Succeeded,
    /// Ended: some text was extracted; the warnings say what is missing.
    Partial,
    /// Ended without a result; the failure says why.
    Failed,
    /// Ended because a client asked, or deleted the document.
    Cancelled,
}

/// How a finished extraction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was extracted.
    Succeeded,
    /// Some of it was.
    Partial,
    /// Nothing, by the document's own fault.
    Failed,
}

/// What can happen to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A worker takes it: a new attempt, a new fencing token.
    Claim,
    /// The claim holder finished it.
    Complete(Outcome),
    /// The claim holder failed by no fault of the document; another attempt may help.
    Retry,
    /// The claim holder shuts down; the attempt costs nothing.
    HandBack,
    /// The claim expired, and attempts are left.
    LeaseLost,
    /// The claim expired on the last attempt.
    LeaseLostLast,
    /// The claim holder's last attempt failed.
    GiveUp,
    /// A client cancelled the job or deleted its document.
    Cancel,
    /// A client asked for a dead letter to be tried anew.
    Redrive,
}

impl JobState {
    /// Every state, in the order of a job's life.
    pub const ALL: [Self; 6] = [Self::Queued, Self::Running, Self::Succeeded, Self::Partial, Self::Failed, Self::Cancelled];

    /// The state after `act`, or `None` where the act is refused. Whether a failed job is a dead letter is the caller's to check.
    pub fn after(self, act: Act) -> Option<Self> {
        use Act::*;
        Some(match (self, act) {
            (Self::Queued, Claim) => Self::Running,
            (Self::Queued | Self::Running, Cancel) => Self::Cancelled,
            (Self::Running, Complete(Outcome::Succeeded)) => Self::Succeeded,
            (Self::Running, Complete(Outcome::Partial)) => Self::Partial,
            (Self::Running, Complete(Outcome::Failed) | GiveUp | LeaseLostLast) => Self::Failed,
            (Self::Running, Retry | HandBack | LeaseLost) => Self::Queued,
            (Self::Failed, Redrive) => Self::Queued,
            _ => return None,
        })
    }

    /// Whether nothing more happens to the job by itself.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// The state's name, as JSON and the catalog spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Which line a job waits in: a person at a screen is served before a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Someone is waiting.
    Interactive,
    /// Nobody is.
    #[default]
    Bulk,
}

impl Lane {
    /// Both lanes, the one served first ahead.
    pub const ALL: [Self; 2] = [Self::Interactive, Self::Bulk];

    /// The lane's name, as JSON and the catalog spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Bulk => "bulk",
        }
    }

    /// The lane of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == name)
    }
}

/// How far a running job has come, in pages; `total` is absent until the document's length is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Pages extracted so far.
    pub done: u32,
    /// Pages in all.
    pub total: Option<u32>,
}

/// A job as a client sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// `job_…`
    #[schema(value_type = String)]
    pub id: JobId,
    /// The document it works on.
    #[schema(value_type = String)]
    pub document_id: DocumentId,
    /// Whose it is; known from the request's credentials, so not repeated in answers.
    #[serde(skip, default = "TenantId::default_tenant")]
    pub tenant: TenantId,
    /// Where it stands.
    pub state: JobState,
    /// The line it waits in.
    pub lane: Lane,
    /// How many times it was claimed by a worker, ever.
    pub attempts: i64,
    /// Pages done and in all.
    pub progress: Progress,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Whether it failed by exhausted attempts or by docmill's own fault, and so can be retried by `POST /v1/jobs/{id}/retry`.
    pub dead_letter: bool,
    /// What is missing or doubtful in its result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it may next be claimed, while it is queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
    /// When its latest attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it reached its final state.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// Grows by every change that a client can see; the entity tag.
    #[serde(skip, default)]
    pub revision: i64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_act() -> impl Strategy<Value = Act> {
        prop::sample::select(vec![
            Act::Claim,
            Act::Complete(Outcome::Succeeded),
            Act::Complete(Outcome::Partial),
            Act::Complete(Outcome::Failed),
            Act::Retry,
            Act::HandBack,
            Act::LeaseLost,
            Act::LeaseLostLast,
            Act::GiveUp,
            Act::Cancel,
            Act::Redrive,
        ])
    }

    proptest! {
        /// Whatever happens, in whatever order, a job gets at most one result, and none after it ended.
        #[test]
        fn no_sequence_of_acts_doubles_or_revives_a_job(acts in prop::collection::vec(any_act(), 0..64)) {
            let (mut state, mut results, mut claims, mut ended_claims) = (JobState::Queued, 0, 0, 0);
            for act in acts {
                let Some(next) = state.after(act) else { continue };
                prop_assert!(!state.is_final() || act == Act::Redrive, "{state:?} ended, yet {act:?} moved it");
                claims += i32::from(act == Act::Claim);
                ended_claims += i32::from(state == JobState::Running);
                results += i32::from(matches!(next, JobState::Succeeded | JobState::Partial));
                state = next;
            }
            prop_assert!(results <= 1);
            prop_assert_eq!(claims - ended_claims, i32::from(state == JobState::Running), "each claim ends once");
        }
    }

    #[test]
    fn every_state_can_still_reach_an_end() {
        assert_eq!(JobState::Queued.after(Act::Cancel), Some(JobState::Cancelled));
        assert_eq!(JobState::Running.after(Act::LeaseLostLast), Some(JobState::Failed));
        for state in JobState::ALL {
            assert_eq!(JobState::from_name(state.as_str()), Some(state));
        }
    }
}
