//! A document: what a client uploaded, and how long it stays.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DocumentId, Format, JobId, JobState, Lane, TenantId, Timestamp};

/// Whether a document is there. `active → expired | deleted`; both ends are tombstones, kept so that the answer stays 410 and not 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DocumentState {
    /// There.
    Active,
    /// Its retention ran out; everything of it is erased or about to be.
    Expired,
    /// A client deleted it; everything of it is erased or about to be.
    Deleted,
}

impl DocumentState {
    /// The state's name, as JSON and the catalog spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Expired, Self::Deleted].into_iter().find(|state| state.as_str() == name)
    }
}

/// A document as a client sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Document {
    /// `doc_…`
    #[schema(value_type = String)]
    pub id: DocumentId,
    /// Whose it is; known from the request's credentials, so not repeated in answers.
    #[serde(skip, default = "TenantId::default_tenant")]
    pub tenant: TenantId,
    /// Whether it is there.
    pub state: DocumentState,
    /// The file name its client gave, as data: it is never used as a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What its bytes are: content first, then name, then the declared type.
    pub format: Format,
    /// The media type its client declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared_type: Option<String>,
    /// Size of the original, in bytes.
    pub size: u64,
    /// SHA-256 of the original, in hex.
    pub sha256: String,
    /// The line its jobs wait in.
    pub lane: Lane,
    /// The client's own labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Its latest job.
    pub job: JobSummary,
    /// The job whose result is the document's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub result_job_id: Option<JobId>,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it will expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

/// A document's latest job, in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobSummary {
    /// `job_…`
    #[schema(value_type = String)]
    pub id: JobId,
    /// Where it stands.
    pub state: JobState,
}
