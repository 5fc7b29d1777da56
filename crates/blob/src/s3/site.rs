//! Objects under a prefix as the files of a static site: read by path, with the entity tag that the store gives them.

use std::{io, ops::Range};

use aws_sdk_s3::Client;
use docmill_domain::options::Secret;
use futures_util::{StreamExt as _, stream};

use super::{
    client::client,
    error::{failed, status},
};
use crate::{BlobConfig, BlobError, Body};

/// A prefix of a bucket, to be read and nothing else.
#[derive(Debug, Clone)]
pub struct Site {
    client: Client,
    bucket: String,
    prefix: String,
}

/// What is known of a file before it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFile {
    /// Length in bytes.
    pub size: u64,
    /// The store's entity tag, without its quotes.
    pub tag: String,
}

impl Site {
    /// The objects whose names begin with `prefix` in the bucket of `config`, read with `keys` in place of the configuration's.
    pub async fn open(config: &BlobConfig, prefix: &str, keys: Option<(Secret, Secret)>) -> Result<Self, BlobError> {
        let BlobConfig::S3(config) = config else {
            return Err(BlobError::Misconfigured("a site is served from a bucket, but blob.kind is not s3".into()));
        };
        let mut config = (**config).clone();
        if let Some((id, secret)) = keys {
            (config.access_key_id, config.secret_access_key) = (Some(id), Some(secret));
        }
        Ok(Self { client: client(&config).await?, bucket: config.bucket, prefix: prefix.to_owned() })
    }

    /// Looks at a file. Fails with [`Missing`](BlobError::Missing) if there is none.
    pub async fn head(&self, path: &str) -> Result<SiteFile, BlobError> {
        let key = format!("{}{path}", self.prefix);
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(head) => {
                let size = head.content_length.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
                let tag = head.e_tag.unwrap_or_default().trim_matches('"').to_owned();
                Ok(SiteFile { size, tag })
            }
            Err(error) if status(&error) == 404 => Err(BlobError::Missing),
            Err(error) => Err(failed(error)),
        }
    }

    /// Reads these bytes of a file, if it is still the one that was looked at.
    pub async fn read(&self, path: &str, file: &SiteFile, range: Range<u64>) -> Result<Body<'static>, BlobError> {
        let request = self.client.get_object().bucket(&self.bucket).key(format!("{}{path}", self.prefix));
        let request = request.if_match(format!("\"{}\"", file.tag)).range(format!("bytes={}-{}", range.start, range.end - 1));
        let body = request.send().await.map_err(failed)?.body;
        let pieces = stream::try_unfold(body, |mut body| async {
            let piece = body.next().await.transpose().map_err(io::Error::other)?;
            Ok(piece.map(|piece| (piece, body)))
        });
        Ok(pieces.boxed())
    }
}
