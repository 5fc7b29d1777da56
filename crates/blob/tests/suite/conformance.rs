//! What every backend promises. A new backend is one more value of `Backend`.

use std::{io, sync::Arc};

use bytes::Bytes;
use docmill_blob::{BlobConfig, BlobError, BlobStore};
use docmill_domain::DocumentId;
use futures_util::{StreamExt, TryStreamExt, future::join_all, stream};
use rstest::rstest;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{body, bytes, key, open, read, s3, sibling};

#[derive(Debug, Clone, Copy)]
enum Backend {
    File,
    S3,
    S3Versioned,
}

impl Backend {
    /// A store of its own, and what must live as long as it.
    async fn open(self) -> (Arc<dyn BlobStore>, TempDir) {
        let folder = TempDir::new().unwrap();
        let config = match self {
            Self::File => BlobConfig::File { folder: folder.path().join("blobs") },
            Self::S3 => s3::Bucket::new().config(),
            Self::S3Versioned => s3::Bucket::versioned().await.config(),
        };
        (open(&config).await.unwrap(), folder)
    }
}

#[rstest]
#[case::what_was_put_is_read_back(what_was_put_is_read_back)]
#[case::ranges_are_cut_at_the_end(ranges_are_cut_at_the_end)]
#[case::a_key_is_written_once(a_key_is_written_once)]
#[case::of_many_writers_of_a_key_one_wins(of_many_writers_of_a_key_one_wins)]
#[case::a_body_cut_off_leaves_nothing(a_body_cut_off_leaves_nothing)]
#[case::an_abandoned_put_leaves_nothing(an_abandoned_put_leaves_nothing)]
#[case::erasing_is_idempotent_and_exact(erasing_is_idempotent_and_exact)]
#[case::writers_and_erasers_do_not_disturb_each_other(writers_and_erasers_do_not_disturb_each_other)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps(
    #[case] guarantee: impl AsyncFnOnce(Arc<dyn BlobStore>),
    #[values(Backend::File, Backend::S3, Backend::S3Versioned)] backend: Backend,
) {
    let (store, _folder) = backend.open().await;
    store.check().await.unwrap();
    guarantee(store).await;
}

async fn what_was_put_is_read_back(store: Arc<dyn BlobStore>) {
    let known = [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (3_333_333, "19c67484ca4d42df3c228d4c65adda71f3ed983aa06f0144413cf904cfde7033"),
    ];
    for (length, sha256) in known {
        let (key, content) = (key(), bytes(length));
        assert!(matches!(store.get(&key, None).await, Err(BlobError::Missing)));
        let written = store.put(&key, body(&content)).await.unwrap();
        assert_eq!((written.size, written.sha256.as_str()), (length as u64, sha256));
        assert!(read(&*store, &key).await == content, "{length} bytes came back changed");
    }
}

async fn ranges_are_cut_at_the_end(store: Arc<dyn BlobStore>) {
    let (key, content) = (key(), bytes(700_000));
    store.put(&key, body(&content)).await.unwrap();
    for (asked, given) in [(0..1, 0..1), (262_143..524_289, 262_143..524_289), (699_999..u64::MAX, 699_999..700_000)] {
        let reader = store.get(&key, Some(asked)).await.unwrap();
        assert_eq!((reader.size, reader.range), (700_000, given.clone()));
        let part = reader.body.try_collect::<Vec<_>>().await.unwrap().concat();
        assert!(part == content[given.start as usize..given.end as usize], "{given:?}");
    }
    for outside in [700_000..700_001, 5..5] {
        let refused = store.get(&key, Some(outside.clone())).await;
        assert!(matches!(refused, Err(BlobError::OutOfRange { size: 700_000 })), "{outside:?}: {refused:?}");
    }
}

async fn a_key_is_written_once(store: Arc<dyn BlobStore>) {
    let key = key();
    store.put(&key, body(b"first")).await.unwrap();
    let second = store.put(&key, body(b"second")).await;
    assert!(matches!(second, Err(BlobError::Exists)), "{second:?}");
    assert_eq!(read(&*store, &key).await, b"first");
}

async fn of_many_writers_of_a_key_one_wins(store: Arc<dyn BlobStore>) {
    let key = key();
    let contents: Vec<_> = (0..8).map(|writer| bytes(100_000 + writer)).collect();
    let outcomes = join_all(contents.iter().map(|content| store.put(&key, body(content)))).await;
    let winners: Vec<_> = (0..8).filter(|&writer| outcomes[writer].is_ok()).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(BlobError::Exists))), "{outcomes:?}");
    assert!(read(&*store, &key).await == contents[winners[0]]);
}

async fn a_body_cut_off_leaves_nothing(store: Arc<dyn BlobStore>) {
    for sent in [0, 10, 3_000_000] {
        let key = key();
        let cut_off = stream::once(async { Err(io::Error::from(io::ErrorKind::ConnectionReset)) });
        let outcome = store.put(&key, body(&bytes(sent)).chain(cut_off).boxed()).await;
        assert!(matches!(&outcome, Err(BlobError::Body(error)) if error.kind() == io::ErrorKind::ConnectionReset), "{outcome:?}");
        assert!(matches!(store.get(&key, None).await, Err(BlobError::Missing)));
        store.put(&key, body(b"again")).await.unwrap();
        assert_eq!(read(&*store, &key).await, b"again");
    }
}

async fn an_abandoned_put_leaves_nothing(store: Arc<dyn BlobStore>) {
    let key = key();
    let (stalled, reached) = oneshot::channel();
    let stall = stream::once(async {
        stalled.send(()).unwrap();
        std::future::pending::<io::Result<Bytes>>().await
    });
    let content = bytes(3_000_000);
    {
        let put = store.put(&key, body(&content).chain(stall).boxed());
        tokio::select! {
            outcome = put => panic!("a stalled body ended: {outcome:?}"),
            stalled = reached => stalled.unwrap(),
        }
    }
    assert!(matches!(store.get(&key, None).await, Err(BlobError::Missing)));
    store.put(&key, body(b"again")).await.unwrap();
    assert_eq!(read(&*store, &key).await, b"again");
}

async fn erasing_is_idempotent_and_exact(store: Arc<dyn BlobStore>) {
    let document = DocumentId::new();
    let (key, neighbour) = (sibling(document), sibling(document));
    store.erase(&key).await.unwrap();
    store.put(&key, body(b"one")).await.unwrap();
    store.put(&neighbour, body(b"two")).await.unwrap();
    store.erase(&key).await.unwrap();
    store.erase(&key).await.unwrap();
    assert!(matches!(store.get(&key, None).await, Err(BlobError::Missing)));
    assert_eq!(read(&*store, &neighbour).await, b"two");
}

/// Keys of one document are neighbours wherever a backend has such a thing.
async fn writers_and_erasers_do_not_disturb_each_other(store: Arc<dyn BlobStore>) {
    let document = DocumentId::new();
    let work = (0..4).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                let key = sibling(document);
                store.put(&key, body(b"short-lived")).await.unwrap();
                assert_eq!(read(&*store, &key).await, b"short-lived");
                store.erase(&key).await.unwrap();
            }
        })
    });
    for done in join_all(work).await {
        done.unwrap();
    }
}
