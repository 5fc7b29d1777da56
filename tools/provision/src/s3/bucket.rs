//! The bucket itself.

use super::Store;
use crate::resource::{Error, Group, Observed, Removal, Resource};
use async_trait::async_trait;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Delete, ObjectIdentifier};

pub(crate) struct Bucket(pub(crate) Store);

#[async_trait(?Send)]
impl Resource for Bucket {
    fn name(&self) -> String {
        format!("bucket {}", self.0.bucket)
    }

    fn group(&self) -> Group {
        Group::Bucket
    }

    async fn observe(&self) -> Result<Observed, Error> {
        let head = self.0.client.head_bucket().bucket(&self.0.bucket).send().await;
        Ok(self.0.read("ListBucket", head)?.map_or(Observed::Absent, |_| Observed::Present(Vec::new())))
    }

    async fn make(&self) -> Result<(), Error> {
        // S3 refuses the name of its first region, and takes none for it.
        let location = (self.0.region != "us-east-1").then(|| {
            let region = BucketLocationConstraint::from(self.0.region.as_str());
            CreateBucketConfiguration::builder().location_constraint(region).build()
        });
        let made = self.0.client.create_bucket().bucket(&self.0.bucket).set_create_bucket_configuration(location).send().await;
        match made {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_bucket_already_owned_by_you()) => Ok(()),
            made => self.0.read("CreateBucket", made).map(drop),
        }
    }

    fn removal(&self) -> Removal {
        Removal::Data(self.0.bucket.clone())
    }

    /// Empties the bucket of every version and every unfinished upload, and removes it.
    async fn remove(&self) -> Result<(), Error> {
        loop {
            let versions = self.0.client.list_object_versions().bucket(&self.0.bucket).send().await;
            let Some(page) = self.0.read("ListBucketVersions", versions)? else { return Ok(()) };
            let versions = page.versions().iter().map(|it| (it.key(), it.version_id()));
            let markers = page.delete_markers().iter().map(|it| (it.key(), it.version_id()));
            let mut doomed = Vec::new();
            for (key, version) in versions.chain(markers) {
                let object = ObjectIdentifier::builder().key(key.unwrap_or_default()).set_version_id(version.map(str::to_owned));
                doomed.push(object.build().map_err(|error| Error::Refused(error.to_string()))?);
            }
            if doomed.is_empty() {
                break;
            }
            let delete = Delete::builder().set_objects(Some(doomed)).quiet(true).build();
            let delete = delete.map_err(|error| Error::Refused(error.to_string()))?;
            let deleted = self.0.client.delete_objects().bucket(&self.0.bucket).delete(delete).send().await;
            let deleted = self.0.read("DeleteObjectVersion", deleted)?;
            if let Some(error) = deleted.as_ref().and_then(|deleted| deleted.errors().first()) {
                let (key, code) = (error.key().unwrap_or_default(), error.code().unwrap_or_default());
                return Err(Error::Refused(format!("bucket {}: {key} cannot be deleted ({code})", self.0.bucket)));
            }
        }
        let uploads = self.0.client.list_multipart_uploads().bucket(&self.0.bucket).send().await;
        for upload in self.0.read("ListBucketMultipartUploads", uploads)?.iter().flat_map(|page| page.uploads()) {
            let abort = self.0.client.abort_multipart_upload().bucket(&self.0.bucket);
            let abort = abort.set_key(upload.key.clone()).set_upload_id(upload.upload_id.clone()).send().await;
            self.0.read("AbortMultipartUpload", abort)?;
        }
        let deleted = self.0.client.delete_bucket().bucket(&self.0.bucket).send().await;
        self.0.read("DeleteBucket", deleted).map(drop)
    }
}
