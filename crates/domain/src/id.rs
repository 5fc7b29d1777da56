//! Identifiers. Each is a UUIDv7 behind a prefix that says what it names (`doc_…`, `job_…`), so that a pasted id explains itself
//! and ids sort by the time they were made.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Text that is not an identifier of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct ParseIdError {
    text: String,
    expected: &'static str,
}

impl ParseIdError {
    fn new(text: &str, expected: &'static str) -> Self {
        // Hostile input ends up in messages: keep them short.
        Self { text: text.chars().take(64).collect(), expected }
    }
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new identifier, later in order than every earlier one of this process.
            #[expect(clippy::new_without_default, reason = "a default identifier would be a fresh one each time")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                // Exactly the canonical spelling: an id with upper-case digits or hyphens would be a second name of one thing.
                let id = text
                    .strip_prefix($prefix)
                    .filter(|hex| hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
                    .and_then(|hex| Uuid::try_parse(hex).ok());
                id.map(Self).ok_or_else(|| ParseIdError::new(text, $expected))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

prefixed_id!(
    /// One uploaded document (`doc_…`).
    DocumentId, "doc_", "a document id (doc_ and 32 hex digits)"
);
prefixed_id!(
    /// One piece of work on a document (`job_…`).
    JobId, "job_", "a job id (job_ and 32 hex digits)"
);
prefixed_id!(
    /// One upload, from before its first byte to its answer (`int_…`).
    IntentId, "int_", "an intent id (int_ and 32 hex digits)"
);
prefixed_id!(
    /// One thing that must be told outside the catalog (`out_…`); the key by which rings are deduplicated.
    OutboxId, "out_", "an outbox id (out_ and 32 hex digits)"
);

prefixed_id!(
    /// One API key's row (`key_…`); the key itself begins with `dmk_`.
    KeyId, "key_", "an API key's id (key_ and 32 hex digits)"
);

/// The folder of the bucket that others drop objects into, by tenant; so no tenant is called this.
pub const INBOX: &str = "inbox";

/// Whose documents these are: 1 to 63 lower-case letters, digits and inner hyphens, so that it can stand in a blob key. Not [`INBOX`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TenantId(String);

impl TenantId {
    /// The tenant that owns everything where no API keys are configured.
    pub fn default_tenant() -> Self {
        Self("default".into())
    }

    /// The tenant's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TenantId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let ok = (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-');
        if ok && text != INBOX {
            Ok(Self(text.into()))
        } else {
            Err(ParseIdError::new(text, "a tenant (1 to 63 lower-case letters, digits and inner hyphens, and not `inbox`)"))
        }
    }
}

impl<'de> Deserialize<'de> for TenantId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_sort_by_time() {
        let (a, b) = (DocumentId::new(), DocumentId::new());
        assert!(a < b && a.to_string() < b.to_string());
        assert_eq!(a.to_string().parse(), Ok(a));
    }

    #[test]
    fn only_the_canonical_spelling_is_an_id() {
        let id = JobId::new().to_string();
        for bad in [id.to_uppercase(), id.replace("job_", "doc_"), format!("{id}0"), "job_".into(), String::new()] {
            assert!(bad.parse::<JobId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tenant_can_never_climb_out_of_its_folder() {
        for bad in ["", "..", "a/b", "A", "-a", "a-", "ä", "inbox", &"a".repeat(64)] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad}");
        }
        assert!("acme-2".parse::<TenantId>().is_ok());
    }
}
