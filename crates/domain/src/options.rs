//! What a client may ask for with an upload.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Lane;

/// The longest retention that can be asked for, in seconds: ten years.
pub const MAX_RETENTION_SECONDS: u64 = 10 * 366 * 24 * 3600;

/// An upload's options. Unknown fields are refused by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// `interactive` is served before `bulk`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Lane>,
    /// Seconds after which the document and all that was made of it is erased; absent: kept until deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 316_224_000)]
    pub retention: Option<u64>,
    /// Labels of the client's own: at most 32, names of 1 to 64 characters, values of at most 256.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Opens an encrypted document. Never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// A field of [`Options`] that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct OptionError {
    /// The field's name.
    pub field: &'static str,
    /// What is wrong with it and what it takes.
    pub reason: String,
}

impl Options {
    /// Checks what the types cannot say.
    pub fn validate(&self) -> Result<(), OptionError> {
        let fail = |field, reason: &str| Err(OptionError { field, reason: reason.into() });
        if self.retention.is_some_and(|seconds| !(1..=MAX_RETENTION_SECONDS).contains(&seconds)) {
            return fail("retention", "must be between 1 and 316224000 seconds (ten years)");
        }
        if self.tags.len() > 32 {
            return fail("tags", "at most 32 tags are kept with a document");
        }
        let printable = |text: &str, longest: usize| text.chars().count() <= longest && !text.chars().any(char::is_control);
        if self.tags.iter().any(|(name, value)| name.is_empty() || !printable(name, 64) || !printable(value, 256)) {
            return fail("tags", "names take 1 to 64 characters and values at most 256, none of them control characters");
        }
        if self.password.as_ref().is_some_and(|password| password.0.len() > 1024) {
            return fail("password", "must be at most 1024 bytes long");
        }
        Ok(())
    }

    /// The line the document's jobs wait in.
    pub fn lane(&self) -> Lane {
        self.priority.unwrap_or_default()
    }
}

/// A text that is never printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_field_is_named() {
        let long = "x".repeat(300);
        let tags = |name: &str, value: &str| Options { tags: [(name.into(), value.into())].into(), ..Options::default() };
        for (options, field) in [
            (Options { retention: Some(0), ..Options::default() }, "retention"),
            (tags("", "v"), "tags"),
            (tags("k", &long), "tags"),
            (tags("k\0", "v"), "tags"),
            (Options { password: Some(Secret("p".repeat(1025))), ..Options::default() }, "password"),
        ] {
            assert_eq!(options.validate().unwrap_err().field, field);
        }
        assert_eq!(Options::default().validate(), Ok(()));
    }

    #[test]
    fn a_password_is_never_printed() {
        let options = Options { password: Some(Secret("hunter2".into())), ..Options::default() };
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
