//! What each call costs.

use std::collections::BTreeMap;

use docmill_blob::BlobError;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::Bucket;
use crate::{body, bytes, key, open, read};

const MIB: usize = 1 << 20;

/// The requests since the last look, by operation.
struct Counter {
    metrics: PrometheusHandle,
    seen: BTreeMap<String, u64>,
}

impl Counter {
    fn since(&mut self) -> String {
        let metrics = self.metrics.render();
        let lines = metrics.lines().filter_map(|line| line.strip_prefix("docmill_blob_requests_total{operation=\""));
        let now: BTreeMap<String, u64> = lines
            .map(|line| {
                let (operation, count) = line.split_once("\"} ").unwrap();
                (operation.to_owned(), count.parse().unwrap())
            })
            .collect();
        let told = now.iter().filter_map(|(operation, count)| {
            let new = count - self.seen.get(operation).unwrap_or(&0);
            (new > 0).then(|| format!("{operation} {new}"))
        });
        let told = told.collect::<Vec<_>>().join(", ");
        self.seen = now;
        told
    }
}

/// On one thread, so that the recorder of this thread sees every request and no other test's.
#[tokio::test(flavor = "current_thread")]
async fn each_call_makes_the_requests_it_must() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let mut counter = Counter { metrics: recorder.handle(), seen: BTreeMap::new() };
    let _recording = metrics::set_default_local_recorder(&recorder);

    let store = open(&Bucket::new().config()).await.unwrap();
    assert_eq!(counter.since(), "AbortMultipartUpload 1, CreateMultipartUpload 1");

    for (length, requests) in [
        (0, "PutObject 1"),
        (1, "PutObject 1"),
        (8 * MIB, "PutObject 1"),
        (8 * MIB + 1, "CompleteMultipartUpload 1, CreateMultipartUpload 1, UploadPart 2"),
        (16 * MIB, "CompleteMultipartUpload 1, CreateMultipartUpload 1, UploadPart 2"),
        (40 * MIB + 5, "CompleteMultipartUpload 1, CreateMultipartUpload 1, UploadPart 6"),
    ] {
        let (key, content) = (key(), bytes(length));
        let written = store.put(&key, body(&content)).await.unwrap();
        assert_eq!((written.size, counter.since()), (length as u64, requests.to_owned()));
        assert!(read(&*store, &key).await == content, "{length} bytes came back changed");
        assert_eq!(counter.since(), "GetObject 1");
    }

    let key = key();
    store.put(&key, body(b"x")).await.unwrap();
    let again = store.put(&key, body(b"y")).await;
    assert!(matches!(again, Err(BlobError::Exists)), "{again:?}");
    assert_eq!(counter.since(), "HeadObject 1, PutObject 2");
    store.erase(&key).await.unwrap();
    assert_eq!(counter.since(), "DeleteObject 1, HeadObject 1");
    store.erase(&key).await.unwrap();
    assert_eq!(counter.since(), "HeadObject 1");
}
