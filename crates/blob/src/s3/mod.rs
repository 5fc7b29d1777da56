//! A bucket of S3, or of another store that speaks its protocol.
//!
//! | promise | how |
//! |---|---|
//! | a key is written once | `If-None-Match: *` with the request that makes the object |
//! | all or nothing | an object appears with one request: a `PUT` up to 8 MiB, the completion of a multipart upload behind that |
//! | bounded memory | parts of 8 MiB, three of them at once; larger parts only behind 15.6 GiB |
//! | a lost answer is no error | each write has a name of its own in the object's metadata, by which it knows an object as its own |
//! | nothing is left of an upload that failed | it is aborted; where the process died, by [`erase`](BlobStore::erase), which knows its id from [`Uploads`] |
//! | every version is erased | `HEAD` tells the current one, which is deleted by its id, until there is none: no `LIST` |
//! | a broken connection is no error | the rest of the object is asked for, `If-Match` the tag that it began with |

mod client;
mod config;
mod error;
mod inbox;
mod parts;
mod read;
mod site;
mod upload;

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use docmill_domain::BlobKey;

pub use self::{
    client::client,
    config::{Checksums, S3Config, Sse},
    inbox::Inbox,
    site::{Site, SiteFile},
};
use self::{
    error::{failed, header, misconfigured, status},
    read::Object,
};
use crate::{BlobError, BlobReader, BlobStore, Body, Uploads, Written};

/// What every request needs.
struct Bucket {
    client: Client,
    config: S3Config,
}

impl Bucket {
    fn name(&self, key: &BlobKey) -> String {
        format!("{}{key}", self.config.prefix)
    }
}

pub(crate) struct S3Store {
    bucket: Arc<Bucket>,
    uploads: Arc<dyn Uploads>,
}

impl S3Store {
    /// An upload begun and aborted: it needs the permission to write, and leaves nothing unless the process dies in between.
    async fn may_write(&self) -> Result<(), BlobError> {
        let (client, config) = (&self.bucket.client, &self.bucket.config);
        let name = format!("{}check", config.prefix);
        let created = client.create_multipart_upload().bucket(&config.bucket).key(&name).send().await;
        let created = created.map_err(|error| misconfigured(config, &error).unwrap_or_else(|| failed(error)))?;
        upload::abort(&self.bucket, &name, created.upload_id().unwrap_or_default()).await
    }

    /// Connects, and looks whether the bucket can be written. A store that is away now may come back; what only a person can mend is an
    /// error.
    pub(crate) async fn open(config: S3Config, uploads: Arc<dyn Uploads>) -> Result<Self, BlobError> {
        let store = Self { bucket: Arc::new(Bucket { client: client::client(&config).await?, config }), uploads };
        match store.may_write().await {
            Err(error @ BlobError::Misconfigured(_)) => Err(error),
            Err(error) => {
                tracing::warn!(%error, bucket = store.bucket.config.bucket, "the blob store does not answer yet");
                Ok(store)
            }
            Ok(()) => Ok(store),
        }
    }
}

#[async_trait]
impl BlobStore for S3Store {
    async fn put(&self, key: &BlobKey, body: Body<'_>) -> Result<Written, BlobError> {
        upload::put(&self.bucket, &*self.uploads, key, body).await
    }

    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<BlobReader, BlobError> {
        let object = Object { name: self.bucket.name(key), version: None };
        read::get(&self.bucket, object, range).await.map(|(reader, _)| reader)
    }

    async fn erase(&self, key: &BlobKey) -> Result<(), BlobError> {
        let name = self.bucket.name(key);
        for id in self.uploads.of(key).await.map_err(BlobError::Unavailable)? {
            upload::abort(&self.bucket, &name, &id).await?;
        }
        let (client, bucket) = (&self.bucket.client, &self.bucket.config.bucket);
        loop {
            let version = match client.head_object().bucket(bucket).key(&name).send().await {
                Ok(object) => object.version_id,
                // A marker that somebody else's DELETE has left hides the versions below. Not every store tells of it.
                Err(error) if status(&error) == 404 && header(&error, "x-amz-delete-marker") == Some("true") => {
                    header(&error, "x-amz-version-id").map(str::to_owned)
                }
                Err(error) if status(&error) == 404 => return Ok(()),
                Err(error) => return Err(failed(error)),
            };
            let last = version.is_none();
            client.delete_object().bucket(bucket).key(&name).set_version_id(version).send().await.map_err(failed)?;
            if last {
                return Ok(());
            }
        }
    }

    async fn check(&self) -> Result<(), BlobError> {
        self.bucket.client.head_bucket().bucket(&self.bucket.config.bucket).send().await.map(drop).map_err(failed)
    }
}
