//! The use cases, once, over the ports: every program that docmill ships does its work by calling these.
//!
//! ```text
//! accept ──202──▶ relay ──ring──▶ work ──▶ dispose ──▶ results
//!   │               ▲               │
//!   └── catalog ────┴── sweeper ◀───┘     control: look, wait, cancel, retry, delete
//! ```
//!
//! [`Pipeline`] holds the ports. [`accept`] turns an upload into a promise; [`relay`] rings, and the other [`chores`] sweep and index; [`work`] keeps the promise, with
//! the lease of `lease.rs` and the one decision of `dispose.rs`; [`results`] and [`control`] are what a client sees of it; [`index`] lets
//! it be found; [`intake`] accepts what is dropped into the bucket; [`archive`] takes all of it elsewhere; [`trace`] is what an observer
//! does.

pub mod accept;
pub mod archive;
pub mod body;
mod checks;
pub mod chores;
mod config;
pub mod control;
mod describe;
mod dispose;
mod error;
pub mod index;
pub mod intake;
mod lease;
pub mod limits;
pub mod relay;
pub mod results;
mod scratch;
pub mod trace;
mod uploads;
mod verified;
pub mod work;

use std::{future::Future, sync::Arc, time::Duration};

use docmill_blob::{BlobConfig, BlobError, BlobStore};
use docmill_catalog::{Catalog, CatalogConfig, CatalogError};
use docmill_queue::{Queue, QueueConfig, QueueError};
use tokio::sync::Notify;

use self::relay::Bell;
pub use self::{checks::Check, config::PipelineConfig, dispose::cut_short, error::Error};

/// The use cases and the ports that they run over.
pub struct Pipeline {
    /// The record of everything.
    pub catalog: Arc<Catalog>,
    /// Where the bytes are.
    pub blobs: Arc<dyn BlobStore>,
    /// The doorbell.
    pub queue: Arc<dyn Queue>,
    /// The promises' numbers.
    pub config: PipelineConfig,
    /// Whether a restart of this process has lost every ring that was outstanding.
    queue_forgets: bool,
    /// What traces call the broker.
    system: &'static str,
    bell: Bell,
    index_wanted: Notify,
}

impl Pipeline {
    /// The use cases over these ports.
    pub fn new(catalog: Arc<Catalog>, blobs: Arc<dyn BlobStore>, queue: Arc<dyn Queue>, config: PipelineConfig) -> Self {
        let (bell, index_wanted) = (Bell::default(), Notify::new());
        Self { catalog, blobs, queue, config, queue_forgets: false, system: "memory", bell, index_wanted }
    }

    /// Opens the ports that a configuration names, and checks that each answers.
    pub async fn open(
        catalog: &CatalogConfig,
        blob: &BlobConfig,
        queue: &QueueConfig,
        config: PipelineConfig,
    ) -> Result<Arc<Self>, OpenError> {
        describe::describe_metrics();
        let catalog = Arc::new(Catalog::open(catalog).await?);
        let blobs = docmill_blob::open(blob, Arc::new(uploads::Recorded(catalog.clone()))).await?;
        let queue_forgets = matches!(queue, QueueConfig::Memory { .. });
        let system = queue.system();
        let queue = docmill_queue::open(queue).await?;
        Ok(Arc::new(Self { queue_forgets, system, ..Self::new(catalog, blobs, queue, config) }))
    }

    /// Calls a compare-and-set of the catalog until its answer is known: while the catalog is away it is asked again, and a change that
    /// was made although its answer was lost is recognised by the catalog itself.
    async fn settle<T, F: Future<Output = Result<T, CatalogError>>>(&self, call: impl Fn() -> F) -> Result<T, CatalogError> {
        let mut pause = Duration::from_millis(100);
        loop {
            match call().await {
                Err(error @ CatalogError::Unavailable(_)) if pause < Duration::from_secs(4) => {
                    tracing::warn!(%error, "the catalog did not answer; asking again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                answer => return answer,
            }
        }
    }
}

/// Why the pipeline could not be opened. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The blob store.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
}
