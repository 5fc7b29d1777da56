//! Buckets that keep every version.

use aws_sdk_s3::primitives::ByteStream;
use docmill_blob::BlobError;
use docmill_domain::{BlobKey, DocumentId};

use super::Bucket;
use crate::{body, open, sibling};

async fn put(bucket: &Bucket, key: &BlobKey) {
    let content = ByteStream::from_static(b"by somebody else");
    bucket.client.put_object().bucket(&bucket.config.bucket).key(key.as_str()).body(content).send().await.unwrap();
}

#[tokio::test]
async fn every_version_of_a_key_is_erased_and_no_other_key() {
    let bucket = Bucket::versioned().await;
    let store = open(&bucket.config()).await.unwrap();
    let document = DocumentId::new();
    let (key, neighbour) = (sibling(document), sibling(document));
    store.put(&neighbour, body(b"stays")).await.unwrap();
    store.put(&key, body(b"ours")).await.unwrap();
    // Versions that docmill does not make.
    for _ in 0..3 {
        put(&bucket, &key).await;
    }
    assert_eq!(bucket.versions().await, 1 + 4);

    store.erase(&key).await.unwrap();
    assert_eq!(bucket.versions().await, 1);
    assert!(matches!(store.get(&key, None).await, Err(BlobError::Missing)));
    store.erase(&neighbour).await.unwrap();
    assert_eq!(bucket.versions().await, 0);
}

#[tokio::test]
async fn a_prefix_stands_before_every_key() {
    let mut bucket = Bucket::new();
    bucket.config.prefix = "docmill/".into();
    let (store, key) = (open(&bucket.config()).await.unwrap(), sibling(DocumentId::new()));
    store.put(&key, body(b"x")).await.unwrap();
    let below = format!("docmill/{key}");
    bucket.client.head_object().bucket(&bucket.config.bucket).key(below).send().await.unwrap();
    store.erase(&key).await.unwrap();
    assert_eq!(bucket.versions().await, 0);
}
