//! How the worker is told of objects that others drop into the bucket.

use std::path::PathBuf;

use docmill_domain::options::Secret;
use serde::{Deserialize, Serialize};

use super::SqsConfig;

/// Section `[intake]`: documents that arrive as objects under `inbox/{tenant}/` in the bucket of `[blob]`, announced to a queue that is no
/// lane's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntakeConfig {
    /// The URL of the SQS queue that the bucket announces new objects to. Unset: nothing is taken in.
    pub queue_url: Option<String>,
    /// The region; by AWS's default chain if absent.
    pub region: Option<String>,
    /// The service's own address, where it is not AWS's of the region.
    pub endpoint: Option<String>,
    /// After how many seconds an announcement that was not dealt with is received again.
    pub visibility_seconds: u64,
    /// With the secret key, instead of AWS's default chain.
    pub access_key_id: Option<Secret>,
    /// The access key's secret.
    pub secret_access_key: Option<Secret>,
    /// A PEM file with the certificates of the CA that signed the endpoint's, instead of those that the system trusts.
    pub tls_ca: Option<PathBuf>,
}

impl Default for IntakeConfig {
    fn default() -> Self {
        Self {
            queue_url: None,
            region: None,
            endpoint: None,
            // A copy of a large object takes minutes.
            visibility_seconds: 300,
            access_key_id: None,
            secret_access_key: None,
            tls_ca: None,
        }
    }
}

impl IntakeConfig {
    /// How to reach the queue, if there is one. It has no lanes: both lead to it.
    pub fn queue(&self) -> Option<SqsConfig> {
        let url = self.queue_url.clone().filter(|url| !url.is_empty())?;
        let Self { region, endpoint, visibility_seconds, access_key_id, secret_access_key, tls_ca, .. } = self.clone();
        Some(SqsConfig {
            interactive_url: url.clone(),
            bulk_url: url,
            region,
            endpoint,
            visibility_seconds,
            access_key_id,
            secret_access_key,
            tls_ca,
        })
    }
}
