//! A start that cannot succeed says what to do, in a sentence; one that may succeed later is no error.

use docmill_blob::{BlobConfig, BlobError, Checksums, S3Config, Sse};
use docmill_domain::options::Secret;
use docmill_testbed::SeaweedFs;

use super::Bucket;
use crate::{body, bytes, key, open, read};

/// What opening says against a configuration, its addresses replaced.
async fn refusal(change: impl FnOnce(&mut S3Config)) -> String {
    let mut bucket = Bucket::new();
    change(&mut bucket.config);
    match open(&bucket.config()).await.err() {
        Some(error @ BlobError::Misconfigured(_)) => {
            let sentence = error.to_string().replace(&SeaweedFs::shared().endpoint(), "ENDPOINT");
            sentence.replace(&format!("`{}`", bucket.config.bucket), "BUCKET")
        }
        other => panic!("it was not refused: {other:?}"),
    }
}

fn keys(config: &mut S3Config, id: &str, secret: &str) {
    (config.access_key_id, config.secret_access_key) = (Some(Secret(id.into())), Some(Secret(secret.into())));
}

#[tokio::test]
async fn what_is_wrong_is_said_in_a_sentence() {
    let credentials = "set blob.access_key_id and blob.secret_access_key, or unset both and give the process a role";
    assert_eq!(
        refusal(|config| config.bucket = "of-nobody".into()).await,
        "there is no bucket BUCKET at ENDPOINT; make it with `docmill-provision apply`, or set blob.bucket, blob.endpoint and \
         blob.region to where it is"
    );
    assert_eq!(
        refusal(|config| keys(config, "docmill", "wrong")).await,
        format!("the store at ENDPOINT does not accept the credentials for bucket BUCKET (SignatureDoesNotMatch); {credentials}")
    );
    assert_eq!(
        refusal(|config| keys(config, "nobody", "wrong")).await,
        format!("the store at ENDPOINT does not accept the credentials for bucket BUCKET (InvalidAccessKeyId); {credentials}")
    );
    let (id, secret) = SeaweedFs::shared().reader_keys();
    assert_eq!(
        refusal(|config| keys(config, id, secret)).await,
        "the credentials may not write to bucket BUCKET at ENDPOINT; grant them reading, writing and erasing of its objects, which \
         `docmill-provision check` looks at"
    );
    assert_eq!(
        refusal(|config| config.secret_access_key = None).await,
        "blob.access_key_id is set without blob.secret_access_key"
    );
    assert_eq!(
        refusal(|config| config.tls_ca = Some("/dev/null".into())).await,
        "blob.tls_ca, /dev/null, cannot be used: it holds no certificate in PEM"
    );
}

#[tokio::test]
async fn a_store_that_is_away_is_opened_and_unavailable() {
    let config = S3Config { endpoint: Some("http://127.0.0.1:1".into()), attempts: 1, ..Bucket::new().config };
    let store = open(&BlobConfig::S3(Box::new(config))).await.unwrap();
    let outcome = store.put(&key(), body(b"x")).await;
    assert!(matches!(outcome, Err(BlobError::Unavailable(_))), "{outcome:?}");
    assert!(matches!(store.check().await, Err(BlobError::Unavailable(_))));
}

#[tokio::test]
async fn a_store_with_a_certificate_of_its_own_is_trusted_by_its_authority_only() {
    let seaweed = SeaweedFs::start_with_tls();
    let mut bucket = Bucket::of(&seaweed);
    bucket.config.attempts = 1;
    let store = open(&bucket.config()).await.unwrap();
    let unknown = store.check().await.unwrap_err().to_string();
    assert!(unknown.contains("certificate"), "{unknown}");

    bucket.config.tls_ca = Some(seaweed.tls_ca().into());
    let (store, key, content) = (open(&bucket.config()).await.unwrap(), key(), bytes(9 << 20));
    store.put(&key, body(&content)).await.unwrap();
    assert!(read(&*store, &key).await == content);
}

#[tokio::test]
async fn checksums_and_encryption_are_asked_for() {
    let mut bucket = Bucket::new();
    (bucket.config.checksums, bucket.config.sse) = (Checksums::Always, Sse::S3);
    let store = open(&bucket.config()).await.unwrap();
    for length in [1000, 9 << 20] {
        let (key, content) = (key(), bytes(length));
        store.put(&key, body(&content)).await.unwrap();
        assert!(read(&*store, &key).await == content, "{length}");
        let head = bucket.client.head_object().bucket(&bucket.config.bucket).key(key.as_str()).send().await.unwrap();
        assert_eq!(head.server_side_encryption().map(|sse| sse.as_str()), Some("AES256"), "{length}");
    }
}
