//! Why a configuration was refused, in a sentence that names the setting and where it stands.

use std::{io, path::PathBuf};

use super::Origin;

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file, or a file that holds a secret, cannot be read.
    #[error("cannot read {}, named by {origin}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Who named it.
        origin: String,
        /// Why not.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not TOML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// No program has such a setting.
    #[error("{what} ({origin}) is not a setting{}", nearest.as_ref().map(|it| format!("; did you mean {it}?")).unwrap_or_default())]
    Unknown {
        /// The key or variable.
        what: String,
        /// Where it stands.
        origin: Origin,
        /// The known one that is spelt most like it.
        nearest: Option<String>,
    },
    /// The value is not of the setting's type.
    #[error("{key} ({origin}) takes {takes}, but is {is}")]
    Type {
        /// The key.
        key: String,
        /// Where its value stands.
        origin: Origin,
        /// What it would take.
        takes: String,
        /// What it is; hidden if secret.
        is: String,
    },
    /// The settings of a section do not make sense.
    #[error("section {section}: {message}")]
    Section {
        /// The section.
        section: String,
        /// What is wrong.
        message: String,
    },
    /// A variable and its `_FILE` twin are both set.
    #[error("{variable} and {variable}_FILE are both set; unset one")]
    Twice {
        /// The variable.
        variable: String,
    },
    /// A variable of ours is not UTF-8.
    #[error("{variable} is not UTF-8")]
    NotUnicode {
        /// The variable.
        variable: String,
    },
}

/// The candidate spelt most like `word`.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    candidates.into_iter().min_by_key(|candidate| strsim::damerau_levenshtein(word, candidate)).map(str::to_owned)
}
