//! Local files: what is on the disk after every way in which a writer can end.

use std::{
    env, fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use bytes::Bytes;
use docmill_blob::{BlobConfig, BlobError, BlobStore};
use docmill_domain::{BlobKey, failpoint};
use futures_util::{StreamExt, stream};
use tempfile::TempDir;

use super::{body, bytes, key, long, open, peak, read};

/// Where a child process of this very test program stores, and what.
const FOLDER: &str = "DOCMILL_TEST_FOLDER";
const KEY: &str = "default/doc/intent/original";
const SIZE: usize = 2_500_000;

async fn store(folder: &Path) -> Arc<dyn BlobStore> {
    open(&BlobConfig::File { folder: folder.into() }).await.unwrap()
}

/// Every file below the folder, temporary ones included.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A life of an object, in a folder of its own or in the one that a parent process names and looks at afterwards.
#[tokio::test]
async fn an_object_is_put_and_erased_and_nothing_is_left() {
    let own = TempDir::new().unwrap();
    let folder = env::var_os(FOLDER).map_or(own.path().into(), PathBuf::from);
    let (store, key) = (store(&folder).await, BlobKey::stored(KEY.into()));
    store.put(&key, body(&bytes(SIZE))).await.unwrap();
    let files_now = files(&folder);
    assert_eq!(files_now.len(), 1);
    assert!(files_now[0].ends_with("default+doc+intent+original"), "{files_now:?}");
    store.erase(&key).await.unwrap();
    assert_eq!(files(&folder), [] as [PathBuf; 0]);
}

/// The test above, in a process of its own.
fn child(folder: &Path, failpoints: &str) -> Output {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "file::an_object_is_put_and_erased_and_nothing_is_left", "--nocapture"])
        .env(FOLDER, folder)
        .env("DOCMILL_FAILPOINTS", failpoints)
        .output()
        .unwrap()
}

#[tokio::test]
async fn killed_at_any_step_an_object_is_whole_or_absent() {
    const SIGKILL: i32 = 9;
    let steps: Vec<_> = failpoint::NAMES.iter().filter(|name| name.starts_with("blob.")).collect();
    assert_eq!(steps.len(), 7);
    for step in steps {
        let folder = TempDir::new().unwrap();
        let died = child(folder.path(), &format!("{step}=kill"));
        assert_eq!(died.status.signal(), Some(SIGKILL), "{step}: {died:?}");

        let (store, key) = (store(folder.path()).await, BlobKey::stored(KEY.into()));
        if matches!(*step, "blob.renamed" | "blob.folder_fsynced") {
            assert_eq!(files(folder.path()).len(), 1, "{step}");
            assert!(read(&*store, &key).await == bytes(SIZE), "{step}");
        } else {
            assert_eq!(files(folder.path()), [] as [PathBuf; 0], "{step}");
            store.put(&key, body(b"again")).await.unwrap();
        }
        store.erase(&key).await.unwrap();
        assert_eq!(files(folder.path()), [] as [PathBuf; 0], "{step}");
    }
}

#[test]
fn a_full_disk_or_a_broken_one_leaves_nothing_and_says_which() {
    for step in ["blob.temp_created", "blob.written:2", "blob.fsynced", "blob.renamed", "blob.folder_fsynced"] {
        for (error, said) in [("enospc", "Full("), ("eio", "Unavailable(")] {
            let folder = TempDir::new().unwrap();
            let failed = child(folder.path(), &format!("{step}=error:{error}"));
            let output = String::from_utf8_lossy(&failed.stderr);
            assert!(!failed.status.success() && output.contains(said), "{step} {error}: {failed:?}");
            assert_eq!(files(folder.path()), [] as [PathBuf; 0], "{step} {error}");
        }
    }
}

#[tokio::test]
async fn opening_removes_what_dead_writers_left_and_spares_the_living() {
    let folder = TempDir::new().unwrap();
    let first = store(folder.path()).await;
    fs::write(folder.path().join(".tmp/1-0"), "of a writer that died").unwrap();
    let (sender, mut reached) = tokio::sync::mpsc::channel(1);
    let (resume, resumed) = tokio::sync::oneshot::channel::<()>();
    let slow = stream::once(async move {
        sender.send(()).await.unwrap();
        resumed.await.unwrap();
        Ok(Bytes::from_static(b"slow"))
    });
    let key = key();
    let put = tokio::spawn({
        let key = key.clone();
        async move { first.put(&key, body(&bytes(SIZE)).chain(slow).boxed()).await }
    });
    reached.recv().await.unwrap();

    let second = store(folder.path()).await;
    assert_eq!(files(folder.path()).len(), 1, "the dead writer's is gone, the living one's is not");
    resume.send(()).unwrap();
    assert_eq!(put.await.unwrap().unwrap().size, SIZE as u64 + 4);
    assert_eq!(read(&*second, &key).await.len(), SIZE + 4);
}

#[tokio::test]
async fn a_key_is_never_a_path() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder.path().join("blobs")).await;
    for bad in ["a+b", "", "ä", "a b", "a\0b"] {
        let outcome = store.put(&BlobKey::stored(bad.into()), body(b"x")).await;
        assert!(matches!(outcome, Err(BlobError::Unavailable(_))), "{bad}: {outcome:?}");
    }
    for climbing in ["../outside", "/outside", "a/../../outside"] {
        store.put(&BlobKey::stored(climbing.into()), body(b"x")).await.unwrap();
    }
    let within = files(folder.path()).iter().all(|file| file.parent().unwrap().parent() == Some(&folder.path().join("blobs")));
    assert!(within, "{:?}", files(folder.path()));
}

#[tokio::test]
async fn a_folder_that_cannot_be_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = open(&BlobConfig::File { folder: file.join("blobs") }).await.err().unwrap();
    assert!(refused.to_string().contains(file.to_str().unwrap()), "{refused}");
}

/// In a process of its own, as its peak is measured.
#[tokio::test]
async fn memory_stays_flat_however_long_the_body() {
    const MIB: u64 = 1 << 20;
    if env::var_os(FOLDER).is_none() {
        let folder = TempDir::new().unwrap();
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "file::memory_stays_flat_however_long_the_body", "--nocapture"])
            .env(FOLDER, folder.path())
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        return;
    }
    let store = store(Path::new(&env::var_os(FOLDER).unwrap())).await;
    store.put(&key(), long(64)).await.unwrap();
    let before = peak();
    let (key, pieces) = (key(), 2048);
    store.put(&key, long(pieces)).await.unwrap();
    let mut reader = store.get(&key, None).await.unwrap();
    let mut length = 0;
    while let Some(piece) = reader.body.next().await {
        length += piece.unwrap().len() as u64;
    }
    assert_eq!(length, pieces as u64 * (64 << 10));
    let grown = peak() - before;
    assert!(grown <= 8 * MIB, "grew by {grown} bytes over {length}");
}
