//! Which uploads the blob store has begun. Their ids stand beside the key's row in `blobs` and go with it: an upload whose process died
//! is ended when its key is erased.

use docmill_domain::BlobKey;
use sqlx::Row;

use crate::{Catalog, error::Result};

impl Catalog {
    /// Records the store's id of an upload to a key. Fails if no row names the key.
    pub async fn upload_begun(&self, key: &BlobKey, id: &str) -> Result<()> {
        self.sql("INSERT INTO uploads (key, id) VALUES ($1, $2) ON CONFLICT (key, id) DO NOTHING")
            .bind(key.as_str())
            .bind(id.to_owned())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// The ids of all uploads that were begun to a key.
    pub async fn uploads_of(&self, key: &BlobKey) -> Result<Vec<String>> {
        let rows = self.sql("SELECT id FROM uploads WHERE key = $1").bind(key.as_str()).fetch_all(&self.read).await?;
        rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
    }
}
