//! Objects that others have put into the bucket, read as they were announced. docmill never writes them, nor erases them: whoever dropped
//! them, or the bucket's lifecycle, does.

use std::sync::Arc;

use super::{
    Bucket, S3Config, client,
    read::{self, Object},
};
use crate::{BlobError, BlobReader};

/// A bucket, as others write it.
pub struct Inbox(Arc<Bucket>);

impl Inbox {
    /// Makes a client, and asks the store nothing yet.
    pub async fn open(config: &S3Config) -> Result<Self, BlobError> {
        Ok(Self(Arc::new(Bucket { client: client::client(config).await?, config: config.clone() })))
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.0.config.bucket
    }

    /// Begins to read an object by its whole key: this version of it, else the current one. Tells which version is read, where the bucket
    /// keeps them. Fails with [`Missing`](BlobError::Missing) or [`Unavailable`](BlobError::Unavailable).
    pub async fn read(&self, key: &str, version: Option<&str>) -> Result<(BlobReader, Option<String>), BlobError> {
        read::get(&self.0, Object { name: key.into(), version: version.map(Into::into) }, None).await
    }
}
