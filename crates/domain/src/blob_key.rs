//! Names of objects in the blob store. A key is built only from identifiers, never from anything a client wrote, and is written once.

use std::fmt;

use crate::{DocumentId, IntentId, JobId, TenantId};

/// The name of one object: `{tenant}/{document}/…`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey(String);

impl BlobKey {
    /// The bytes a client uploaded. Each intent has its own, so that two writers can never meet at one key.
    pub fn original(tenant: &TenantId, document: DocumentId, intent: IntentId) -> Self {
        Self(format!("{tenant}/{document}/{intent}/original"))
    }

    /// The extraction that one attempt, known by its fencing token, made of a document: JSON, from which every rendition is derived.
    pub fn result(tenant: &TenantId, document: DocumentId, job: JobId, token: i64) -> Self {
        let [before, between, behind] = Self::result_around(tenant, job);
        Self(format!("{before}{document}{between}{token}{behind}"))
    }

    /// What stands in such a key before the document, between it and the token, and behind that: for who does not know these two yet.
    pub fn result_around(tenant: &TenantId, job: JobId) -> [String; 3] {
        [format!("{tenant}/"), format!("/{job}/"), "/result.json".into()]
    }

    /// A key as the catalog stored it.
    pub fn stored(key: String) -> Self {
        Self(key)
    }

    /// The key's text: ASCII, `/` between its parts, no part of it `.` or `..`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
