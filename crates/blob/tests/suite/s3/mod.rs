//! S3, on SeaweedFS: what the bucket holds after every way in which a request can end, and how many requests it took.

mod broken;
mod reference;
mod refused;
mod requests;
mod uploads;
mod versions;

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    types::{BucketVersioningStatus, VersioningConfiguration},
};
use docmill_blob::{BlobConfig, S3Config};
use docmill_domain::options::Secret;
use docmill_testbed::SeaweedFs;

/// A fresh bucket, and a client that may do what docmill never does: list.
pub(crate) struct Bucket {
    pub(crate) config: S3Config,
    client: Client,
}

impl Bucket {
    pub(crate) fn new() -> Self {
        Self::of(SeaweedFs::shared())
    }

    pub(crate) fn of(seaweed: &SeaweedFs) -> Self {
        let (id, secret) = seaweed.keys();
        let config = S3Config {
            endpoint: Some(seaweed.endpoint()),
            path_style: true,
            access_key_id: Some(Secret(id.into())),
            secret_access_key: Some(Secret(secret.into())),
            ..S3Config::new(seaweed.create_bucket())
        };
        Self { client: client(&config), config }
    }

    /// A bucket that keeps every version.
    pub(crate) async fn versioned() -> Self {
        let bucket = Self::new();
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        bucket
            .client
            .put_bucket_versioning()
            .bucket(&bucket.config.bucket)
            .versioning_configuration(enabled)
            .send()
            .await
            .unwrap();
        bucket
    }

    pub(crate) fn config(&self) -> BlobConfig {
        BlobConfig::S3(Box::new(self.config.clone()))
    }

    /// Every version and marker of every key.
    async fn versions(&self) -> usize {
        let versions = self.client.list_object_versions().bucket(&self.config.bucket).send().await.unwrap();
        versions.versions().len() + versions.delete_markers().len()
    }

    /// The keys of uploads that have neither ended nor been aborted.
    async fn unfinished(&self) -> Vec<String> {
        let uploads = self.client.list_multipart_uploads().bucket(&self.config.bucket).send().await.unwrap();
        uploads.uploads().iter().map(|upload| upload.key().unwrap().to_owned()).collect()
    }
}

fn client(config: &S3Config) -> Client {
    let (id, secret) = (config.access_key_id.as_ref().unwrap(), config.secret_access_key.as_ref().unwrap());
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(config.region.clone()))
        .endpoint_url(config.endpoint.as_deref().unwrap())
        .force_path_style(true)
        .credentials_provider(Credentials::new(&id.0, &secret.0, None, None, "test"));
    Client::from_conf(config.build())
}
