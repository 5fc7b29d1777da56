//! Multipart uploads: nothing is left of one that did not end, and memory does not know how long one is.

use std::{
    env,
    error::Error,
    fs, io,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    pin::pin,
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use docmill_blob::{BlobConfig, BlobError, S3Config, Uploads};
use docmill_domain::{BlobKey, options::Secret};
use futures_util::{StreamExt, stream};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::Bucket;
use crate::{body, bytes, key, long, open, peak, read};

/// Where a child process of this very test program stores, and what it notes: endpoint, bucket, access key, secret, file of notes.
const PLACE: &str = "DOCMILL_TEST_BUCKET";
const KEY: &str = "default/doc/intent/original";
const SIZE: usize = 20 << 20;

/// Notes uploads in a file, which outlives the process.
struct Notes(PathBuf);

#[async_trait]
impl Uploads for Notes {
    async fn begun(&self, _: &BlobKey, id: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(fs::write(&self.0, id)?)
    }

    async fn of(&self, _: &BlobKey) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
        Ok(fs::read_to_string(&self.0).into_iter().collect())
    }
}

async fn nothing_is_unfinished(bucket: &Bucket) {
    let all_ended = async {
        while !bucket.unfinished().await.is_empty() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(20), all_ended).await.expect("uploads are left");
}

#[tokio::test]
async fn a_body_cut_off_behind_some_parts_leaves_no_upload() {
    let bucket = Bucket::new();
    let (store, key) = (open(&bucket.config()).await.unwrap(), key());
    let cut_off = stream::once(async { Err(io::Error::from(io::ErrorKind::ConnectionReset)) });
    let outcome = store.put(&key, body(&bytes(SIZE)).chain(cut_off).boxed()).await;
    assert!(matches!(outcome, Err(BlobError::Body(_))), "{outcome:?}");
    nothing_is_unfinished(&bucket).await;
    assert!(matches!(store.get(&key, None).await, Err(BlobError::Missing)));
    assert_eq!(bucket.versions().await, 0);
}

#[tokio::test]
async fn a_put_dropped_behind_some_parts_leaves_no_upload() {
    let bucket = Bucket::new();
    let (store, key) = (open(&bucket.config()).await.unwrap(), key());
    let (stalled, reached) = tokio::sync::oneshot::channel();
    let stall = stream::once(async {
        stalled.send(()).unwrap();
        std::future::pending().await
    });
    {
        let content = bytes(SIZE);
        let mut put = pin!(store.put(&key, body(&content).chain(stall).boxed()));
        tokio::select! {
            outcome = &mut put => panic!("a stalled body ended: {outcome:?}"),
            stalled = reached => stalled.unwrap(),
        }
        // It is dropped behind this.
        assert_eq!(bucket.unfinished().await.len(), 1);
    }
    nothing_is_unfinished(&bucket).await;
    assert_eq!(bucket.versions().await, 0);
}

/// An upload of three parts, into a bucket of its own or into the one that a parent process names and looks at afterwards.
#[tokio::test]
async fn three_parts_make_an_object_and_nothing_else() {
    let (config, notes, _folder) = match env::var(PLACE) {
        Ok(place) => {
            let [endpoint, bucket, id, secret, notes]: [&str; 5] = place.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let config = S3Config {
                endpoint: Some(endpoint.into()),
                path_style: true,
                access_key_id: Some(Secret(id.into())),
                secret_access_key: Some(Secret(secret.into())),
                ..S3Config::new(bucket)
            };
            (BlobConfig::S3(Box::new(config)), PathBuf::from(notes), None)
        }
        Err(_) => {
            let folder = TempDir::new().unwrap();
            (Bucket::new().config(), folder.path().join("notes"), Some(folder))
        }
    };
    let store = docmill_blob::open(&config, Arc::new(Notes(notes.clone()))).await.unwrap();
    let key = BlobKey::stored(KEY.into());
    store.put(&key, body(&bytes(SIZE))).await.unwrap();
    assert!(notes.is_file(), "an upload was begun without a note of it");
    assert!(read(&*store, &key).await == bytes(SIZE));
}

/// The test above, in a process of its own.
fn child(bucket: &Bucket, notes: &TempDir, failpoints: &str) -> Output {
    let S3Config { endpoint, access_key_id, secret_access_key, bucket: name, .. } = &bucket.config;
    let (endpoint, id) = (endpoint.as_ref().unwrap(), &access_key_id.as_ref().unwrap().0);
    let (secret, notes) = (&secret_access_key.as_ref().unwrap().0, notes.path().join("notes"));
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "s3::uploads::three_parts_make_an_object_and_nothing_else", "--nocapture"])
        .env(PLACE, format!("{endpoint} {name} {id} {secret} {}", notes.display()))
        .env("DOCMILL_FAILPOINTS", failpoints)
        .output()
        .unwrap()
}

#[tokio::test]
async fn killed_at_any_step_erasing_the_key_leaves_no_byte() {
    const SIGKILL: i32 = 9;
    for (step, unfinished, objects) in
        [("s3.upload_created", 1, 0), ("s3.part_sent:1", 1, 0), ("s3.part_sent:3", 1, 0), ("s3.upload_completed", 0, 1)]
    {
        let (bucket, notes) = (Bucket::new(), TempDir::new().unwrap());
        let died = child(&bucket, &notes, &format!("{step}=kill"));
        assert_eq!(died.status.signal(), Some(SIGKILL), "{step}: {died:?}");
        assert_eq!((bucket.unfinished().await.len(), bucket.versions().await), (unfinished, objects), "{step}");

        let noted = Notes(notes.path().join("notes"));
        let store = docmill_blob::open(&bucket.config(), Arc::new(noted)).await.unwrap();
        store.erase(&BlobKey::stored(KEY.into())).await.unwrap();
        // An upload that was created and not yet noted holds no byte; the bucket's lifecycle rule ends it.
        let empty = usize::from(step == "s3.upload_created");
        assert_eq!((bucket.unfinished().await.len(), bucket.versions().await), (empty, 0), "{step}");
    }
}

/// In a process of its own, as its peak is measured.
#[tokio::test]
async fn memory_stays_flat_however_long_the_body() {
    const MIB: u64 = 1 << 20;
    const ALONE: &str = "DOCMILL_TEST_ALONE";
    if env::var_os(ALONE).is_none() {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "s3::uploads::memory_stays_flat_however_long_the_body", "--nocapture"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        return;
    }
    let store = open(&Bucket::new().config()).await.unwrap();
    // What the client itself needs, connections and all, is not counted.
    store.put(&key(), long(16)).await.unwrap();
    let before = peak();
    let (key, pieces) = (key(), 8192);
    store.put(&key, long(pieces)).await.unwrap();
    let grown = peak() - before;
    let mut reader = store.get(&key, None).await.unwrap();
    let mut length = 0;
    while let Some(piece) = reader.body.next().await {
        length += piece.unwrap().len() as u64;
    }
    assert_eq!(length, pieces as u64 * (64 << 10));
    // Three parts of 8 MiB on their way, the one that is filled, and what the client holds of them: eight parts are never there.
    assert!(grown <= 64 * MIB, "grew by {grown} bytes over {length}");
    assert!(peak() - before <= grown + 4 * MIB, "reading took more than writing");
}
