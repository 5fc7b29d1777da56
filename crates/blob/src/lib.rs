//! Where the bytes are: one [`BlobStore`] port, and its backends.
//!
//! A store keeps whole objects under write-once [`BlobKey`]s. It is no catalog: it cannot list, and never needs to, because no byte is
//! written before a committed row of the catalog names its key, and only the catalog's sweeper erases. What a caller may rely on, of
//! every backend (`tests/suite/conformance.rs` holds them to it):
//!
//! - **All or nothing.** [`put`](BlobStore::put) streams with bounded memory, hashes in the same pass, and returns once the object is
//!   durable. When it fails, or its future is dropped before the body has ended, no object appears. When it is dropped, or its process
//!   dies, after that, or when a remote store goes away, the object may be there, and is erased like any other.
//! - **Write-once.** A key that exists is never overwritten: [`BlobError::Exists`].
//! - **Erasing is idempotent**, and takes every stored version.
//!
//! [`open`] makes the store that a [`BlobConfig`] names. `file` keeps each object as a file in a folder, `s3` in a bucket.

mod file;
mod s3;
mod writer;

use std::{
    collections::BTreeMap,
    error::Error,
    fmt, io,
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use docmill_domain::BlobKey;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};

pub use self::s3::{Checksums, Inbox, S3Config, Site, SiteFile, Sse, client as s3_client};

/// Which store, and where: the section `blob` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum BlobConfig {
    /// Files of a folder on a local file system.
    File {
        /// The folder; made if it is missing. Relative to the working directory.
        #[serde(default = "default_folder")]
        folder: PathBuf,
    },
    /// A bucket of S3, or of another store that speaks its protocol.
    S3(Box<S3Config>),
}

fn default_folder() -> PathBuf {
    "data/blobs".into()
}

impl Default for BlobConfig {
    fn default() -> Self {
        Self::File { folder: default_folder() }
    }
}

/// Opens the store that the configuration names. One that is away is opened all the same; one that cannot be meant is
/// [`Misconfigured`](BlobError::Misconfigured).
pub async fn open(config: &BlobConfig, uploads: Arc<dyn Uploads>) -> Result<Arc<dyn BlobStore>, BlobError> {
    Ok(match config {
        BlobConfig::File { folder } => Arc::new(file::FileStore::open(folder.clone()).await?),
        BlobConfig::S3(config) => Arc::new(s3::S3Store::open((**config).clone(), uploads).await?),
    })
}

/// Remembers which uploads a store has begun, so that erasing a key also ends those that died with their process. A store whose unfinished
/// objects have no name of their own never asks.
#[async_trait]
pub trait Uploads: Send + Sync {
    /// Records durably that the store knows an upload to `key` by this id. Until it has returned, the upload holds no byte.
    async fn begun(&self, key: &BlobKey, id: &str) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// The ids of all uploads that were ever begun to `key`.
    async fn of(&self, key: &BlobKey) -> Result<Vec<String>, Box<dyn Error + Send + Sync>>;
}

/// The memory of a process without a catalog, such as a test.
#[derive(Debug, Default)]
pub struct UploadsInMemory(Mutex<BTreeMap<BlobKey, Vec<String>>>);

#[async_trait]
impl Uploads for UploadsInMemory {
    async fn begun(&self, key: &BlobKey, id: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default().push(id.into());
        Ok(())
    }

    async fn of(&self, key: &BlobKey) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned().unwrap_or_default())
    }
}

/// An object's bytes on their way; an error ends them.
pub type Body<'a> = BoxStream<'a, io::Result<Bytes>>;

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Length in bytes.
    pub size: u64,
    /// SHA-256 of the bytes: 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// An object, or a part of it, about to be read.
pub struct BlobReader {
    /// Length of the whole object in bytes.
    pub size: u64,
    /// The bytes that [`body`](Self::body) gives: the range asked for, cut off at the object's end.
    pub range: Range<u64>,
    /// The bytes of `range`, in pieces of at most 256 KiB.
    pub body: Body<'static>,
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobReader").field("size", &self.size).field("range", &self.range).finish_non_exhaustive()
    }
}

/// The port. Every method may be called from many tasks at once.
#[async_trait]
pub trait BlobStore: Send + Sync {
    /// Stores `body` under `key`, durably. Fails with [`Exists`](BlobError::Exists), [`Body`](BlobError::Body),
    /// [`Full`](BlobError::Full) or [`Unavailable`](BlobError::Unavailable); of the object nothing is left then.
    async fn put(&self, key: &BlobKey, body: Body<'_>) -> Result<Written, BlobError>;

    /// Begins to read an object, or the `range` of bytes of it. Fails with [`Missing`](BlobError::Missing), or with
    /// [`OutOfRange`](BlobError::OutOfRange) if the range is empty or begins at or behind the object's end.
    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<BlobReader, BlobError>;

    /// Erases every version of an object; that it is absent already is success.
    async fn erase(&self, key: &BlobKey) -> Result<(), BlobError>;

    /// Whether the store works, asked often: by a small write where that costs nothing, else by a request that writes nothing.
    async fn check(&self) -> Result<(), BlobError>;
}

/// Why a store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No object has this key.
    #[error("no object is stored under this key")]
    Missing,
    /// An object has this key already.
    #[error("an object is stored under this key already")]
    Exists,
    /// The object is too short for the range asked for.
    #[error("the range holds none of the object's {size} bytes")]
    OutOfRange {
        /// Length of the object in bytes.
        size: u64,
    },
    /// The body ended in an error before its end; nothing was stored.
    #[error("the body was cut off: {0}")]
    Body(#[source] io::Error),
    /// No space, or no quota, is left; service resumes by itself once there is.
    #[error("the blob store is full: {0}")]
    Full(#[source] Box<dyn Error + Send + Sync>),
    /// The store cannot be reached or does not work; a later attempt may succeed.
    #[error("the blob store is unavailable: {0}")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The store, or the configuration that names it, is wrong until somebody mends it; told when it is opened or checked.
    #[error("{0}")]
    Misconfigured(String),
}

impl BlobError {
    fn unavailable(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(error.into())
    }
}
