use std::path::PathBuf;

use docmill_domain::options::Secret;
use serde::{Deserialize, Serialize};

/// A bucket, how it is reached, and what is asked of it. Only `bucket` has no default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// The bucket; it must be there.
    pub bucket: String,
    /// What every key begins with, such as `docmill/`; empty for none.
    #[serde(default)]
    pub prefix: String,
    /// The bucket's region. Stores without regions take any.
    #[serde(default = "default_region")]
    pub region: String,
    /// The store's address, with its scheme. Unset: that of AWS in the region.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path of a URL and not in the name of its host.
    #[serde(default)]
    pub path_style: bool,
    /// A file of certificates in PEM that are trusted besides the system's.
    #[serde(default)]
    pub tls_ca: Option<PathBuf>,
    /// Access key. Unset: the default chain (environment, profile, web identity, container, instance).
    #[serde(default)]
    pub access_key_id: Option<Secret>,
    /// Its secret.
    #[serde(default)]
    pub secret_access_key: Option<Secret>,
    /// Encryption at rest.
    #[serde(default)]
    pub sse: Sse,
    /// The key of `sse = "kms"`. Unset: the one that the bucket or the account has for that.
    #[serde(default)]
    pub kms_key: Option<String>,
    /// Checksums beside docmill's own SHA-256.
    #[serde(default)]
    pub checksums: Checksums,
    /// Attempts at one request, the first included.
    #[serde(default = "default_attempts")]
    pub attempts: u32,
    /// Seconds that one attempt may take until its answer begins, the sending of a part included.
    #[serde(default = "default_timeout_seconds")]
    pub timeout_seconds: u64,
}

/// Who encrypts objects at rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sse {
    /// The bucket's own setting decides.
    #[default]
    Bucket,
    /// The store, with keys of its own (SSE-S3).
    S3,
    /// The store, with a key of its key management (SSE-KMS).
    Kms,
}

/// When requests and answers carry checksums of the S3 protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checksums {
    /// Where the protocol demands one. Many stores that are not AWS refuse more.
    #[default]
    WhenRequired,
    /// With every upload, and looked at with every download.
    Always,
}

fn default_region() -> String {
    "us-east-1".into()
}

fn default_attempts() -> u32 {
    4
}

fn default_timeout_seconds() -> u64 {
    60
}

impl S3Config {
    /// The bucket's default settings.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: String::new(),
            region: default_region(),
            endpoint: None,
            path_style: false,
            tls_ca: None,
            access_key_id: None,
            secret_access_key: None,
            sse: Sse::default(),
            kms_key: None,
            checksums: Checksums::default(),
            attempts: default_attempts(),
            timeout_seconds: default_timeout_seconds(),
        }
    }
}
