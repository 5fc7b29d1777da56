//! API keys: who may call, as which tenant, and for what.
//!
//! A key is `dmk_` and the 64 hex digits of 256 random bits, so that people and secret scanners recognise one. The catalog keeps its
//! SHA-256 alone. A slow, salted hash would protect a secret that can be guessed, as people's passwords can; nobody guesses 256 random
//! bits, and a slow hash would be paid with every request.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{KeyId, TenantId, Timestamp, hex};

const PREFIX: &str = "dmk_";

/// What a key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub enum Scope {
    /// Look at documents, jobs, results and usage, and search.
    #[serde(rename = "documents:read")]
    DocumentsRead,
    /// Upload, cancel, retry, delete.
    #[serde(rename = "documents:write")]
    DocumentsWrite,
    /// List, make and revoke the tenant's API keys, with any scope.
    #[serde(rename = "keys:admin")]
    KeysAdmin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::DocumentsRead, Self::DocumentsWrite, Self::KeysAdmin];

    /// The scope as JSON and the catalog spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DocumentsRead => "documents:read",
            Self::DocumentsWrite => "documents:write",
            Self::KeysAdmin => "keys:admin",
        }
    }

    /// The scope of that spelling.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// An API key, as its administrators see it: all but the secret, which is shown once, when the key is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    /// What it is listed and revoked by.
    #[schema(value_type = String)]
    pub id: KeyId,
    /// Whose documents it opens.
    #[schema(value_type = String)]
    pub tenant: TenantId,
    /// What its administrators call it.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// From when on it opens nothing; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
    /// The hour in which it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
}

/// The key itself, which is never printed but where it is handed over.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeySecret(String);

/// Text that is no API key. It may be a mistyped one, so it is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no API key: one is `dmk_` and 64 hex digits, as `echo dmk_$(openssl rand -hex 32)` makes one")]
pub struct NoApiKey;

impl ApiKeySecret {
    /// A new one, of 256 bits from the system's random numbers.
    pub fn generate() -> Self {
        let bits: [u8; 32] = rand::random();
        Self(format!("{PREFIX}{}", hex(&bits)))
    }

    /// The secret, for whoever is to keep it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its SHA-256, in hex: what the catalog knows it by.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(&self.0))
    }
}

impl FromStr for ApiKeySecret {
    type Err = NoApiKey;

    fn from_str(text: &str) -> Result<Self, NoApiKey> {
        let is_hex = |digits: &&str| digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        text.strip_prefix(PREFIX).filter(is_hex).map(|_| Self(text.into())).ok_or(NoApiKey)
    }
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_recognised_and_never_printed() {
        let key = ApiKeySecret::generate();
        assert_eq!(key.reveal().parse(), Ok(key.clone()));
        assert_ne!(key, ApiKeySecret::generate());
        assert_eq!(format!("{key:?}"), "[redacted]");
        for bad in ["", "dmk_", &key.reveal()[4..], &key.reveal().to_uppercase(), &format!("{}0", key.reveal())] {
            assert_eq!(bad.parse::<ApiKeySecret>(), Err(NoApiKey), "{bad}");
        }
    }

    #[test]
    fn the_hash_is_that_of_the_whole_key() {
        let key: ApiKeySecret = format!("dmk_{}", "0".repeat(64)).parse().unwrap();
        // printf dmk_000…0 | sha256sum
        assert_eq!(key.hash(), "097d1a539025301f6a992bda69861bd09a73cfaccb59218f5335112e1c8f39ec");
    }

    #[test]
    fn scopes_are_spelt_alike_everywhere() {
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.as_str()), Some(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
    }
}
