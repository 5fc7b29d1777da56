//! One object on its way into the bucket: a request for a short one, parts for a longer one.

use std::sync::Arc;

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart, ServerSideEncryption},
};
use bytes::Bytes;
use docmill_domain::{BlobKey, failpoint};
use tokio::{runtime::Handle, task::JoinSet};
use uuid::Uuid;

use super::{
    Bucket, Sse,
    error::{code, failed, status},
    parts::{self, Parts},
};
use crate::{BlobError, Body, Uploads, Written};

/// Bytes of parts held at once, those that are sent and the one that is filled. A single part may be longer.
const WINDOW: usize = 24 << 20;
/// Metadata that tells one writer's object from another's.
const WRITER: &str = "docmill-writer";

/// Stores the body under the key, unless the key is taken.
pub(super) async fn put(
    bucket: &Arc<Bucket>,
    uploads: &dyn Uploads,
    key: &BlobKey,
    body: Body<'_>,
) -> Result<Written, BlobError> {
    let mut parts = Parts::of(body);
    let first = parts.next(parts::size(1)).await.map_err(BlobError::Body)?.unwrap_or_default();
    // Only a full part has others behind it.
    let second = if first.len() < parts::size(1) { None } else { parts.next(parts::size(2)).await.map_err(BlobError::Body)? };
    let write = Write { bucket: bucket.clone(), name: bucket.name(key), writer: Uuid::now_v7().to_string() };
    match second {
        None => write.at_once(first).await?,
        Some(second) => write.in_parts([first, second], &mut parts, uploads, key).await?,
    }
    Ok(parts.written())
}

struct Write {
    bucket: Arc<Bucket>,
    name: String,
    writer: String,
}

impl Write {
    fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>, Option<bool>) {
        match self.bucket.config.sse {
            Sse::Bucket => (None, None, None),
            Sse::S3 => (Some(ServerSideEncryption::Aes256), None, None),
            // With a bucket key, one request to the key management serves many objects.
            Sse::Kms => (Some(ServerSideEncryption::AwsKms), self.bucket.config.kms_key.clone(), Some(true)),
        }
    }

    async fn at_once(&self, content: Bytes) -> Result<(), BlobError> {
        let (sse, key, bucket_key) = self.encryption();
        let request =
            self.bucket.client.put_object().bucket(&self.bucket.config.bucket).key(&self.name).metadata(WRITER, &self.writer);
        let request = request.set_server_side_encryption(sse).set_ssekms_key_id(key).set_bucket_key_enabled(bucket_key);
        match request.if_none_match("*").body(ByteStream::from(content)).send().await {
            Ok(_) => Ok(()),
            Err(error) if taken(code(&error), status(&error)) => self.is_ours().await,
            Err(error) => Err(failed(error)),
        }
    }

    async fn in_parts(
        self,
        begun: [Bytes; 2],
        parts: &mut Parts<'_>,
        uploads: &dyn Uploads,
        key: &BlobKey,
    ) -> Result<(), BlobError> {
        let (sse, kms_key, bucket_key) = self.encryption();
        let request = self.bucket.client.create_multipart_upload().bucket(&self.bucket.config.bucket).key(&self.name);
        let request = request.metadata(WRITER, &self.writer).set_server_side_encryption(sse).set_ssekms_key_id(kms_key);
        let created = request.set_bucket_key_enabled(bucket_key).send().await.map_err(failed)?;
        let id = created.upload_id.ok_or_else(|| BlobError::Unavailable("the store gave an upload no id".into()))?;
        failpoint::passed("s3.upload_created");
        let mut upload = Upload { write: Arc::new(self), id, sending: JoinSet::new(), sent: Vec::new(), ended: false };
        // No part before a committed row names its upload.
        uploads.begun(key, &upload.id).await.map_err(BlobError::Unavailable)?;
        for part in begun {
            upload.send(part);
        }
        loop {
            let size = parts::size(upload.number() + 1);
            let room = upload.sending.is_empty() || (upload.sending.len() + 1) * size <= WINDOW;
            tokio::select! {
                part = parts.next(size), if room => match part.map_err(BlobError::Body)? {
                    Some(part) => upload.send(part),
                    None => break,
                },
                Some(sent) = upload.sending.join_next() => upload.note(sent)?,
            }
        }
        while let Some(sent) = upload.sending.join_next().await {
            upload.note(sent)?;
        }
        upload.complete().await
    }

    /// Settles a write that met an object at its key: it may be its own, of an attempt whose answer was lost.
    async fn is_ours(&self) -> Result<(), BlobError> {
        let head = self.bucket.client.head_object().bucket(&self.bucket.config.bucket).key(&self.name).send().await;
        match head {
            Ok(object) if object.metadata().and_then(|metadata| metadata.get(WRITER)) == Some(&self.writer) => Ok(()),
            Ok(_) => Err(BlobError::Exists),
            Err(error) if status(&error) == 404 => Err(BlobError::Unavailable("the key was taken, and is free again".into())),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Whether the store says that an object has the key, or is about to.
fn taken(code: &str, status: u16) -> bool {
    status == 412 || matches!(code, "PreconditionFailed" | "ConditionalRequestConflict")
}

/// A multipart upload. Dropped before its end, it is aborted, and its parts with it.
struct Upload {
    write: Arc<Write>,
    id: String,
    sending: JoinSet<Result<CompletedPart, BlobError>>,
    sent: Vec<CompletedPart>,
    ended: bool,
}

impl Upload {
    fn number(&self) -> usize {
        self.sent.len() + self.sending.len()
    }

    fn send(&mut self, part: Bytes) {
        let (write, id, number) = (self.write.clone(), self.id.clone(), self.number() as i32 + 1);
        self.sending.spawn(async move {
            let request = write.bucket.client.upload_part().bucket(&write.bucket.config.bucket).key(&write.name).upload_id(id);
            let sent = request.part_number(number).body(ByteStream::from(part)).send().await.map_err(failed)?;
            failpoint::passed("s3.part_sent");
            Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag)
                .set_checksum_crc32(sent.checksum_crc32)
                .set_checksum_crc64_nvme(sent.checksum_crc64_nvme)
                .build())
        });
    }

    fn note(&mut self, sent: Result<Result<CompletedPart, BlobError>, tokio::task::JoinError>) -> Result<(), BlobError> {
        self.sent.push(sent.map_err(BlobError::unavailable)??);
        Ok(())
    }

    async fn complete(mut self) -> Result<(), BlobError> {
        self.sent.sort_by_key(|part| part.part_number);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.sent))).build();
        let (write, bucket) = (self.write.clone(), &self.write.bucket);
        let request =
            bucket.client.complete_multipart_upload().bucket(&bucket.config.bucket).key(&write.name).upload_id(&self.id);
        match request.multipart_upload(parts).if_none_match("*").send().await {
            Ok(_) => {}
            // Of an attempt whose answer was lost, the store remembers that there is such an object, or that there is no such upload.
            Err(error) if taken(code(&error), status(&error)) || code(&error) == "NoSuchUpload" => write.is_ours().await?,
            Err(error) => return Err(failed(error)),
        }
        failpoint::passed("s3.upload_completed");
        self.ended = true;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let (write, id, mut sending) = (self.write.clone(), std::mem::take(&mut self.id), std::mem::take(&mut self.sending));
        let abort = async move {
            // A part that arrived behind the abort would stay.
            sending.shutdown().await;
            if let Err(error) = abort(&write.bucket, &write.name, &id).await {
                tracing::warn!(%error, key = write.name, "an upload that failed could not be aborted; erasing its key does it");
            }
        };
        // Without a runtime the process is at its end.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(abort);
        }
    }
}

/// Aborts a multipart upload and erases its parts; that it has ended is success.
pub(super) async fn abort(bucket: &Bucket, name: &str, id: &str) -> Result<(), BlobError> {
    let request = bucket.client.abort_multipart_upload().bucket(&bucket.config.bucket).key(name).upload_id(id);
    match request.send().await {
        Err(error) if status(&error) != 404 => Err(failed(error)),
        _ => Ok(()),
    }
}
