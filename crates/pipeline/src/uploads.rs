//! The blob store's memory of its uploads: the catalog.

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use docmill_blob::Uploads;
use docmill_catalog::Catalog;
use docmill_domain::BlobKey;

pub(crate) struct Recorded(pub(crate) Arc<Catalog>);

#[async_trait]
impl Uploads for Recorded {
    async fn begun(&self, key: &BlobKey, id: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.0.upload_begun(key, id).await?)
    }

    async fn of(&self, key: &BlobKey) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
        Ok(self.0.uploads_of(key).await?)
    }
}
