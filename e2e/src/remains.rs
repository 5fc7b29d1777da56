//! What a stopped docmill left on its disk, and whether it should be there.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::Result;
use sqlx::{AnyPool, Row};

/// The catalog's rows and the store's files.
#[derive(Debug)]
pub struct Remains {
    /// Keys that the catalog says are live.
    pub live: BTreeSet<String>,
    /// Keys that the catalog names in any state.
    pub named: BTreeSet<String>,
    /// Files in the store, as keys; temporary files too.
    pub files: BTreeSet<String>,
    /// (job, state, attempts) of every job.
    pub jobs: Vec<(String, String, i64)>,
    /// How often each job was reported to have ended, by its events.
    pub ends: Vec<(String, i64)>,
}

impl Remains {
    /// Reads them. Docmill must not be running.
    pub async fn of(data: &Path) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let pool = AnyPool::connect(&format!("sqlite://{}/catalog.db", data.display())).await?;
        let (mut live, mut named) = (BTreeSet::new(), BTreeSet::new());
        for row in sqlx::query("SELECT key, state FROM blobs").fetch_all(&pool).await? {
            let key: String = row.try_get("key")?;
            if row.try_get::<String, _>("state")? == "live" {
                live.insert(key.clone());
            }
            named.insert(key);
        }
        let mut jobs = Vec::new();
        for row in sqlx::query("SELECT id, state, token FROM jobs ORDER BY id").fetch_all(&pool).await? {
            jobs.push((row.try_get("id")?, row.try_get("state")?, row.try_get("token")?));
        }
        let mut ends = Vec::new();
        let sql = "SELECT job_id, count(*) AS ends FROM events \
                   WHERE kind IN ('job.succeeded', 'job.partial', 'job.failed', 'job.cancelled') GROUP BY job_id";
        for row in sqlx::query(sql).fetch_all(&pool).await? {
            ends.push((row.try_get("job_id")?, row.try_get("ends")?));
        }
        pool.close().await;
        let mut files = BTreeSet::new();
        collect(&data.join("blobs"), &mut files)?;
        Ok(Self { live, named, files, jobs, ends })
    }

    /// Files that no live row names.
    pub fn orphans(&self) -> Vec<&String> {
        self.files.difference(&self.live).collect()
    }

    /// Live rows whose file is not there.
    pub fn missing(&self) -> Vec<&String> {
        self.live.difference(&self.files).collect()
    }
}

/// The local store keeps the key `a/b/c` as the file `a+b+c` in one of its folders.
fn collect(root: &Path, files: &mut BTreeSet<String>) -> Result<()> {
    for folder in fs::read_dir(root)? {
        for file in fs::read_dir(folder?.path())? {
            files.insert(file?.file_name().to_string_lossy().replace('+', "/"));
        }
    }
    Ok(())
}
