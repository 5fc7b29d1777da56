//! Reading an object: a stream that survives the connections it comes over.

use std::{io, ops::Range, sync::Arc};

use aws_sdk_s3::{
    operation::get_object::{GetObjectOutput, builders::GetObjectFluentBuilder},
    primitives::ByteStream,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::{
    Bucket,
    error::{code, failed, status},
};
use crate::{BlobError, BlobReader, Body};

/// Bytes given at once.
const PIECE: usize = 256 << 10;
/// Connections that may break one after another without a byte in between.
const RESUMES: u32 = 3;

/// What is read.
pub(super) struct Object {
    /// Its whole key.
    pub(super) name: String,
    /// A version of it; else the current one.
    pub(super) version: Option<String>,
}

impl Object {
    fn request(&self, bucket: &Bucket) -> GetObjectFluentBuilder {
        bucket.client.get_object().bucket(&bucket.config.bucket).key(&self.name).set_version_id(self.version.clone())
    }
}

/// The object, and which version of it is read.
pub(super) async fn get(
    bucket: &Arc<Bucket>,
    object: Object,
    range: Option<Range<u64>>,
) -> Result<(BlobReader, Option<String>), BlobError> {
    if let Some(range) = range.as_ref().filter(|range| range.is_empty()) {
        return Ok((outside(bucket, &object.name, range).await?, None));
    }
    let header = range.as_ref().map(|range| header(range.start, range.end));
    let answer = match object.request(bucket).set_range(header).send().await {
        Ok(answer) => answer,
        Err(error) if ["NoSuchKey", "NoSuchVersion"].contains(&code(&error)) => return Err(BlobError::Missing),
        Err(error) if status(&error) == 416 => {
            return Ok((outside(bucket, &object.name, &range.unwrap_or_default()).await?, None));
        }
        Err(error) => return Err(failed(error)),
    };
    let (size, range) = extent(&answer).ok_or_else(|| BlobError::Unavailable("the store did not say what it sends".into()))?;
    let (tag, version) = (answer.e_tag, answer.version_id);
    let reading =
        Reading { bucket: bucket.clone(), object, tag, rest: range.clone(), body: answer.body, piece: Bytes::new(), broken: 0 };
    Ok((BlobReader { size, range, body: reading.pieces() }, version))
}

/// Length of the whole object, and what of it the answer holds.
fn extent(answer: &GetObjectOutput) -> Option<(u64, Range<u64>)> {
    let Some(said) = answer.content_range() else {
        let size = u64::try_from(answer.content_length?).ok()?;
        return Some((size, 0..size));
    };
    let (range, size) = said.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((size.parse().ok()?, first.parse().ok()?..last.parse::<u64>().ok()? + 1))
}

fn header(start: u64, end: u64) -> String {
    // Some stores read the numbers as signed ones.
    if end > i64::MAX as u64 { format!("bytes={start}-") } else { format!("bytes={start}-{}", end - 1) }
}

/// Answers for a range that holds no byte, of which only an empty object has one.
async fn outside(bucket: &Bucket, name: &str, range: &Range<u64>) -> Result<BlobReader, BlobError> {
    let head = bucket.client.head_object().bucket(&bucket.config.bucket).key(name).send().await;
    let head = head.map_err(|error| if status(&error) == 404 { BlobError::Missing } else { failed(error) })?;
    let size = u64::try_from(head.content_length.unwrap_or_default()).unwrap_or_default();
    if size == 0 && range.start == 0 {
        return Ok(BlobReader { size, range: 0..0, body: stream::empty().boxed() });
    }
    Err(BlobError::OutOfRange { size })
}

struct Reading {
    bucket: Arc<Bucket>,
    object: Object,
    tag: Option<String>,
    /// What is still to come from the store.
    rest: Range<u64>,
    body: ByteStream,
    /// What has come and is still to be given.
    piece: Bytes,
    /// Connections broken since the last byte.
    broken: u32,
}

impl Reading {
    fn pieces(self) -> Body<'static> {
        stream::try_unfold(self, |mut reading| async move {
            loop {
                if !reading.piece.is_empty() {
                    let piece = reading.piece.split_to(reading.piece.len().min(PIECE));
                    return Ok(Some((piece, reading)));
                }
                if reading.rest.is_empty() {
                    return Ok(None);
                }
                match reading.body.next().await {
                    Some(Ok(piece)) if piece.len() as u64 <= reading.rest.end - reading.rest.start => {
                        reading.rest.start += piece.len() as u64;
                        reading.broken = 0;
                        reading.piece = piece;
                    }
                    Some(Ok(_)) => {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, "the store sent more than was asked for"));
                    }
                    Some(Err(error)) => reading.resume(&error.to_string()).await?,
                    None => reading.resume("the store sent less than it said").await?,
                }
            }
        })
        .boxed()
    }

    /// Asks for the rest, of the very object that was being read.
    async fn resume(&mut self, why: &str) -> io::Result<()> {
        self.broken += 1;
        if self.broken > RESUMES {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                format!("the store broke off {} times: {why}", self.broken),
            ));
        }
        tracing::info!(key = self.object.name, at = self.rest.start, why, "reading on over another connection");
        let request = self.object.request(&self.bucket).set_if_match(self.tag.clone());
        let request = request.range(header(self.rest.start, self.rest.end));
        let answer = request.send().await.map_err(|error| io::Error::other(failed(error)))?;
        if extent(&answer).is_none_or(|(_, range)| range != self.rest) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the store resumed with another part of the object"));
        }
        self.body = answer.body;
        Ok(())
    }
}
