//! Connections that break and servers that die, in mid-request.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use docmill_blob::BlobError;
use docmill_testbed::SeaweedFs;
use futures_util::StreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::Bucket;
use crate::{body, bytes, key, open, read};

const SIZE: usize = 40 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_mid_upload_and_back_has_nothing_of_it() {
    let seaweed = SeaweedFs::start();
    let mut bucket = Bucket::of(&seaweed);
    bucket.config.attempts = 2;
    let (store, key, content) = (open(&bucket.config()).await.unwrap(), key(), bytes(SIZE));
    let (half, rest) = content.split_at(SIZE / 2);
    let (reached, resume) = (tokio::sync::Notify::new(), tokio::sync::Notify::new());
    let stop = futures_util::stream::once(async {
        reached.notify_one();
        resume.notified().await;
        Ok(bytes::Bytes::new())
    });
    let put = store.put(&key, body(half).chain(stop).chain(body(rest)).boxed());
    let (outcome, ()) = tokio::join!(put, async {
        reached.notified().await;
        seaweed.kill();
        resume.notify_one();
    });
    assert!(matches!(outcome, Err(BlobError::Unavailable(_))), "{outcome:?}");

    seaweed.start_again();
    assert!(matches!(store.get(&key, None).await, Err(BlobError::Missing)));
    assert_eq!(bucket.unfinished().await.len(), 1, "the abort found nobody, so that there is something to erase");
    store.put(&key, body(&content)).await.unwrap();
    assert!(read(&*store, &key).await == content);
    store.erase(&key).await.unwrap();
    assert_eq!((bucket.unfinished().await.len(), bucket.versions().await), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_mid_download_is_read_on_when_it_is_back_and_an_error_when_not() {
    let seaweed = SeaweedFs::start();
    let mut bucket = Bucket::of(&seaweed);
    bucket.config.attempts = 2;
    let (store, key, content) = (open(&bucket.config()).await.unwrap(), key(), bytes(SIZE));
    store.put(&key, body(&content)).await.unwrap();

    let (start, end) = (5 << 20, SIZE as u64 - 7);
    let mut reader = store.get(&key, Some(start..end)).await.unwrap();
    let mut got = reader.body.next().await.unwrap().unwrap().to_vec();
    seaweed.kill();
    seaweed.start_again();
    while let Some(piece) = reader.body.next().await {
        let piece = piece.unwrap();
        assert!(piece.len() <= 256 << 10);
        got.extend_from_slice(&piece);
    }
    assert!(got == content[start as usize..end as usize], "{} bytes came, or others", got.len());

    let mut reader = store.get(&key, None).await.unwrap();
    reader.body.next().await.unwrap().unwrap();
    seaweed.kill();
    let ended = async { while reader.body.next().await.is_some_and(|piece| piece.is_ok()) {} };
    timeout(Duration::from_secs(60), ended).await.expect("it neither ends nor fails");
    assert!(reader.body.next().await.is_none_or(|piece| piece.is_err()));
}

/// Passes everything on to `to`, but closes the first `losing` connections on which an answer to a `PUT` begins.
async fn forgetful(to: SocketAddr, losing: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let lost = Arc::new(AtomicUsize::new(0));
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let lost = lost.clone();
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = TcpStream::connect(to).await.unwrap().into_split();
                let (puts, mut chunk) = (AtomicUsize::new(0), vec![0; 64 << 10]);
                let upwards = async {
                    let mut chunk = vec![0; 64 << 10];
                    while let Ok(count @ 1..) = from_client.read(&mut chunk).await {
                        if chunk.starts_with(b"PUT ") {
                            puts.store(1, Ordering::SeqCst);
                        }
                        if to_server.write_all(&chunk[..count]).await.is_err() {
                            break;
                        }
                    }
                };
                let downwards = async {
                    while let Ok(count @ 1..) = from_server.read(&mut chunk).await {
                        // The server asks for the body first.
                        let answer = !chunk.starts_with(b"HTTP/1.1 100");
                        if answer && puts.load(Ordering::SeqCst) == 1 && lost.fetch_add(1, Ordering::SeqCst) < losing {
                            break;
                        }
                        if to_client.write_all(&chunk[..count]).await.is_err() {
                            break;
                        }
                    }
                };
                tokio::select! { () = upwards => {}, () = downwards => {} }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_whose_answer_was_lost_is_known_as_ones_own() {
    let mut bucket = Bucket::new();
    let server = SeaweedFs::shared().endpoint().strip_prefix("http://").unwrap().parse().unwrap();
    bucket.config.endpoint = Some(format!("http://{}", forgetful(server, 1).await));
    let (store, key) = (open(&bucket.config()).await.unwrap(), key());
    store.put(&key, body(b"once")).await.unwrap();
    assert_eq!(read(&*store, &key).await, b"once");
    let another = store.put(&key, body(b"twice")).await;
    assert!(matches!(another, Err(BlobError::Exists)), "{another:?}");
}
