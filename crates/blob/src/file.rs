//! The local backend: each object is a file, written under a temporary name and renamed when it is durable.
//!
//! | step | what makes it safe |
//! |---|---|
//! | write to `.tmp/{process}-{counter}` | a lock on the file tells a living writer's from a dead one's, which opening the store removes |
//! | fsync the file | before it gets its name: a name never leads to fewer bytes than were acknowledged |
//! | rename, never replacing | keys are write-once |
//! | fsync the folder | after that the name is there to stay, and only then is it told |
//!
//! The key `a/b/c` is the file `a+b+c` in one of 256 folders that are made once. A folder for each document would cost an upload of a
//! small one three more fsyncs, and would have to be removed again while others write into it.
//! File calls block, so they run on tokio's threads for that, a batch of about a mebibyte at a time: a slow client holds no thread.

use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use docmill_domain::{BlobKey, failpoint};
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use crate::{
    BlobError, BlobReader, BlobStore, Body, Written,
    writer::{TEMPORARY, Writer, remove_leftovers, sync_folder_of},
};

/// Bytes handed to a blocking thread at once: two such batches are a writer's memory.
const BATCH_BYTES: usize = 1 << 20;
/// Pieces in a batch, however small they are.
const BATCH_PIECES: usize = 1024;
/// Bytes read at once.
const READ_BYTES: u64 = 256 << 10;

pub(crate) struct FileStore {
    root: Arc<Path>,
}

impl FileStore {
    pub(crate) async fn open(folder: PathBuf) -> Result<Self, BlobError> {
        blocking(move || {
            let prepare = || -> io::Result<PathBuf> {
                make_durable(&folder)?;
                let root = folder.canonicalize()?;
                let names = (0..=u8::MAX).map(shard).chain([TEMPORARY.into()]);
                names.map(|name| root.join(name)).try_for_each(fs::create_dir_all)?;
                File::open(&root)?.sync_all()?;
                let removed = remove_leftovers(&root)?;
                if removed > 0 {
                    tracing::info!(removed, "removed temporary files of writers that died");
                }
                Ok(root)
            };
            let root = prepare().map_err(|error| failed(in_folder(error, &folder)))?;
            Ok(Self { root: root.into() })
        })
        .await
    }

    fn path(&self, key: &BlobKey) -> Result<PathBuf, BlobError> {
        let text = key.as_str();
        // Also keeps two keys from one name, since no key has a `+`.
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
        if text.is_empty() || !text.bytes().all(plain) {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, format!("`{key}` is no key of ours"))));
        }
        Ok(self.root.join(shard(Sha256::digest(text)[0])).join(text.replace('/', "+")))
    }
}

/// One of the folders that share the objects evenly.
fn shard(number: u8) -> String {
    format!("{number:02x}")
}

#[async_trait]
impl BlobStore for FileStore {
    async fn put(&self, key: &BlobKey, mut body: Body<'_>) -> Result<Written, BlobError> {
        let target = self.path(key)?;
        let (root, existing) = (self.root.clone(), target.clone());
        let mut writer = spawn_blocking(move || {
            // Renaming will tell for certain; this spares the upload.
            if existing.exists() { Err(BlobError::Exists) } else { Writer::create(&root).map_err(failed) }
        });
        loop {
            // The next batch arrives while the last one is written.
            let batch = next_batch(&mut body).await;
            let idle = joined(writer.await)?;
            match batch {
                Ok(batch) if batch.is_empty() => {
                    return blocking(move || idle.publish(&target)).await;
                }
                Ok(batch) => writer = spawn_blocking(move || idle.write(batch).map_err(failed)),
                Err(error) => {
                    return blocking(move || {
                        drop(idle);
                        Err(BlobError::Body(error))
                    })
                    .await;
                }
            }
        }
    }

    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<BlobReader, BlobError> {
        let path = self.path(key)?;
        let (file, size) = blocking(move || {
            let open = || File::open(path).and_then(|file| file.metadata().map(|data| (file, data.len())));
            open().map_err(|error| if error.kind() == io::ErrorKind::NotFound { BlobError::Missing } else { failed(error) })
        })
        .await?;
        let range = match range {
            None => 0..size,
            Some(asked) => asked.start..asked.end.min(size),
        };
        if range.is_empty() && size > 0 || range.start > size {
            return Err(BlobError::OutOfRange { size });
        }
        Ok(BlobReader { size, range: range.clone(), body: read(Arc::new(file), range) })
    }

    async fn erase(&self, key: &BlobKey) -> Result<(), BlobError> {
        let path = self.path(key)?;
        blocking(move || erase(&path).map_err(failed)).await
    }

    async fn check(&self) -> Result<(), BlobError> {
        let root = self.root.clone();
        blocking(move || {
            Writer::create(&root).and_then(|writer| writer.write(vec![Bytes::from_static(b"?")])).map(drop).map_err(failed)
        })
        .await
    }
}

/// Pieces of the body worth one turn on a blocking thread; none at its end.
async fn next_batch(body: &mut Body<'_>) -> io::Result<Vec<Bytes>> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while bytes < BATCH_BYTES && batch.len() < BATCH_PIECES {
        match body.next().await.transpose()? {
            Some(piece) if piece.is_empty() => {}
            Some(piece) => {
                bytes += piece.len();
                batch.push(piece);
            }
            None => break,
        }
    }
    Ok(batch)
}

fn read(file: Arc<File>, range: Range<u64>) -> Body<'static> {
    stream::try_unfold(range, move |rest| {
        let file = file.clone();
        async move {
            if rest.is_empty() {
                return Ok(None);
            }
            let length = READ_BYTES.min(rest.end - rest.start);
            let piece = spawn_blocking(move || {
                let mut piece = vec![0; length as usize];
                file.read_exact_at(&mut piece, rest.start).map(|()| piece)
            })
            .await
            .map_err(io::Error::other)??;
            Ok(Some((Bytes::from(piece), rest.start + length..rest.end)))
        }
    })
    .boxed()
}

fn erase(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        // A file that is gone already may have been unlinked by a process that died before the next step.
        _ => failpoint::attempt("blob.unlinked")?,
    }
    sync_folder_of(path)?;
    failpoint::attempt("blob.erased")
}

/// Makes a folder and what is missing above it, so that their names survive a power cut.
fn make_durable(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    for made in missing {
        let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

fn in_folder(error: io::Error, folder: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", folder.display()))
}

/// What an error of the file system means to the caller.
pub(crate) fn failed(error: io::Error) -> BlobError {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => BlobError::Full(error.into()),
        _ => BlobError::Unavailable(error.into()),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, BlobError> + Send + 'static) -> Result<T, BlobError> {
    joined(spawn_blocking(work).await)
}

fn joined<T>(work: Result<Result<T, BlobError>, tokio::task::JoinError>) -> Result<T, BlobError> {
    work.unwrap_or_else(|error| Err(BlobError::Unavailable(error.into())))
}
