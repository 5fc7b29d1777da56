//! The port's guarantees on every backend, and what is particular to each.

#![expect(clippy::unwrap_used, reason = "a helper fails as the test that calls it does")]

mod conformance;
mod file;
mod s3;

use std::{fs, sync::Arc};

use bytes::Bytes;
use docmill_blob::{BlobConfig, BlobError, BlobStore, Body, UploadsInMemory};
use docmill_domain::{BlobKey, DocumentId, IntentId, TenantId};
use futures_util::{StreamExt, TryStreamExt, stream};

/// Opens a store that remembers its uploads as long as it is open.
async fn open(config: &BlobConfig) -> Result<Arc<dyn BlobStore>, BlobError> {
    docmill_blob::open(config, Arc::new(UploadsInMemory::default())).await
}

/// The most bytes of memory that this process has had.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// A body of so many pieces of 64 KiB, one and the same.
fn long(pieces: usize) -> Body<'static> {
    let piece = Bytes::from(bytes(64 << 10));
    stream::iter((0..pieces).map(move |_| Ok(piece.clone()))).boxed()
}

/// A key that no other test has.
fn key() -> BlobKey {
    sibling(DocumentId::new())
}

/// One of the many keys of a document.
fn sibling(document: DocumentId) -> BlobKey {
    BlobKey::original(&TenantId::default_tenant(), document, IntentId::new())
}

/// Bytes that repeat only after 251, so that a piece lost or swapped shows.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// The bytes as a body in pieces of a size that divides nothing.
fn body(content: &[u8]) -> Body<'static> {
    let pieces: Vec<_> = content.chunks(65_521).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}

async fn read(store: &dyn BlobStore, key: &BlobKey) -> Vec<u8> {
    let reader = store.get(key, None).await.unwrap();
    let content: Vec<u8> = reader.body.try_collect::<Vec<_>>().await.unwrap().concat();
    assert_eq!(reader.size, content.len() as u64);
    content
}
