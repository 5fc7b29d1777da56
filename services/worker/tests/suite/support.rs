//! A folder with a docmill of a test's own, and a queue that is watched, and fails on command.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use docmill_blob::{BlobConfig, UploadsInMemory};
use docmill_catalog::{Catalog, CatalogConfig};
use docmill_domain::{Job, JobId, Lane, Options, TenantId};
use docmill_extract::{ExtractConfig, Extractors};
use docmill_pipeline::{
    Pipeline, PipelineConfig,
    accept::{KEY_LIFETIME, Upload},
};
use docmill_queue::{Delivery, Depth, Outgoing, Queue, QueueConfig, QueueError, Receipt};
use docmill_runtime::lifecycle::{Lifecycle, LifecycleConfig};
use docmill_worker::WorkerConfig;
use futures_util::StreamExt as _;
use tokio::task::JoinHandle;

/// The program that holds the parsers, with the mock format in it.
pub(crate) fn extractor() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_docmill-worker")).with_file_name("docmill-extractor");
    assert!(path.is_file(), "{} is missing: cargo build -p docmill-extractor --features test-hooks", path.display());
    path
}

/// A document of the mock format.
pub(crate) fn mock(pages: u32, milliseconds: u64) -> String {
    format!(r#"{{"pages": {pages}, "ms_per_page": {milliseconds}}}"#)
}

/// Uploads a document of the mock format.
pub(crate) async fn submit(pipeline: &Pipeline, lane: Lane, content: &str) -> JobId {
    let upload = Upload {
        tenant: TenantId::default_tenant(),
        idempotency_key: None,
        key_lifetime: KEY_LIFETIME,
        name: Some("a.mock".into()),
        declared_type: None,
        options: Options { priority: Some(lane), ..Options::default() },
        length: None,
        traceparent: None,
    };
    let rest = futures_util::stream::empty().boxed();
    pipeline.accept(upload, Bytes::from(content.to_owned()), rest).await.expect("it is accepted").receipt.job_id
}

/// A worker at work within the test.
pub(crate) struct Working {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) queue: Arc<Watched>,
    pub(crate) lifecycle: Lifecycle,
    worker: JoinHandle<()>,
    chores: JoinHandle<()>,
    extractors: Extractors,
    _folder: tempfile::TempDir,
}

impl Working {
    pub(crate) async fn start(permits: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let catalog = Catalog::open(&CatalogConfig::Sqlite { folder: folder.path().into() }).await.expect("a catalog");
        let blobs =
            docmill_blob::open(&BlobConfig::File { folder: folder.path().join("blobs") }, Arc::new(UploadsInMemory::default()))
                .await
                .expect("a store");
        let queue = Arc::new(Watched::over(docmill_queue::open(&QueueConfig::default()).await.expect("a queue")));
        let pipeline = Arc::new(Pipeline::new(Arc::new(catalog), blobs, queue.clone(), PipelineConfig::default()));
        let extractors =
            Extractors::new(&ExtractConfig { program: Some(extractor()), ..ExtractConfig::default() }).expect("extractors");
        let lifecycle = Lifecycle::without_signals(&LifecycleConfig::default());
        let (working, reading, ours) = (pipeline.clone(), extractors.clone(), lifecycle.clone());
        let worker = tokio::spawn(async move { docmill_worker::run(&WorkerConfig { permits }, working, reading, &ours).await });
        let (ringing, stop) = (pipeline.clone(), lifecycle.hard.clone());
        let chores = tokio::spawn(async move { ringing.run_relay(&stop).await });
        Self { pipeline, queue, lifecycle, worker, chores, extractors, _folder: folder }
    }

    pub(crate) async fn submit(&self, lane: Lane, content: &str) -> JobId {
        submit(&self.pipeline, lane, content).await
    }

    pub(crate) async fn job(&self, id: JobId) -> Job {
        self.pipeline.job(&TenantId::default_tenant(), id).await.expect("it is there")
    }

    /// The job once this holds of it.
    pub(crate) async fn until(&self, id: JobId, what: impl Fn(&Job) -> bool) -> Job {
        let began = Instant::now();
        loop {
            let job = self.job(id).await;
            if what(&job) {
                return job;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{job:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the worker has ended by itself.
    pub(crate) async fn ended(self) {
        self.worker.await.expect("it does not panic");
        self.lifecycle.hard.cancel();
        self.chores.await.expect("they do not panic");
        self.extractors.shutdown().await;
        self.pipeline.catalog.close().await;
    }
}

/// The in-process queue, watched.
pub(crate) struct Watched {
    inner: Arc<dyn Queue>,
    /// Receives that were begun.
    pub(crate) begun: AtomicUsize,
    /// Receives that returned.
    pub(crate) returned: AtomicUsize,
    /// Whether the broker is away.
    pub(crate) away: AtomicBool,
}

impl Watched {
    fn over(inner: Arc<dyn Queue>) -> Self {
        Self { inner, begun: AtomicUsize::new(0), returned: AtomicUsize::new(0), away: AtomicBool::new(false) }
    }

    /// Receives begun so far, and how many of them returned.
    pub(crate) fn receives(&self) -> (usize, usize) {
        (self.begun.load(Ordering::SeqCst), self.returned.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl Queue for Watched {
    async fn publish(&self, batch: &[Outgoing]) -> Result<Vec<Result<(), QueueError>>, QueueError> {
        self.inner.publish(batch).await
    }

    async fn receive(&self, lane: Lane, max: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let received = match self.away.load(Ordering::SeqCst) {
            true => Err(QueueError::Unavailable("the test has taken it away".into())),
            false => self.inner.receive(lane, max, wait).await,
        };
        self.returned.fetch_add(1, Ordering::SeqCst);
        received
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), QueueError> {
        self.inner.ack(receipt).await
    }

    async fn release(&self, receipt: &Receipt, after: Duration) -> Result<(), QueueError> {
        self.inner.release(receipt, after).await
    }

    async fn reject(&self, receipt: &Receipt, reason: &str) -> Result<(), QueueError> {
        self.inner.reject(receipt, reason).await
    }

    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError> {
        self.inner.depth(lane).await
    }

    async fn check(&self) -> Result<(), QueueError> {
        self.inner.check().await
    }
}
