use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Section `[catalog]`: where the record is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CatalogConfig {
    /// A SQLite file in a folder that one process holds at a time.
    Sqlite {
        /// The folder; made if it is not there.
        folder: PathBuf,
    },
}

impl Default for CatalogConfig {
    fn default() -> Self {
        Self::Sqlite { folder: "data".into() }
    }
}
