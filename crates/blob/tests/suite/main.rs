//! The port's guarantees on every backend, and what is particular to each.

#![expect(clippy::unwrap_used, reason = "a helper fails as the test that calls it does")]

mod conformance;
mod file;

use bytes::Bytes;
use docmill_blob::{BlobStore, Body};
use docmill_domain::{BlobKey, DocumentId, IntentId, TenantId};
use futures_util::{StreamExt, TryStreamExt, stream};

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
