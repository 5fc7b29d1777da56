//! The document as the extractor gets it: a file without a name, that no crash can leave behind.

use std::{
    fs::File,
    io::{self, Seek as _, Write as _},
    path::Path,
};

use docmill_blob::{BlobError, BlobStore};
use docmill_catalog::claims::Claim;
use docmill_domain::hex;
use futures_util::TryStreamExt;
use rustix::fs::{MemfdFlags, memfd_create};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

/// Why there is no scratch file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("the original is not in the blob store")]
    Missing,
    #[error("the original in the blob store is not the one that was accepted")]
    Altered,
    #[error("the original could not be fetched: {0}")]
    Unavailable(String),
}

/// Up to so many bytes are kept in memory: to make a file on a disk and to forget it costs more than they do.
const SHORT: u64 = 1 << 20;

enum Scratch {
    Memory(File),
    Disk(tokio::fs::File),
}

impl Scratch {
    fn of(size: u64, folder: Option<&Path>) -> io::Result<Self> {
        if size <= SHORT {
            return Ok(Self::Memory(memfd_create("docmill-original", MemfdFlags::CLOEXEC)?.into()));
        }
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_path_buf);
        Ok(Self::Disk(tokio::fs::File::from_std(tempfile::tempfile_in(folder)?)))
    }

    async fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            // Waits for nothing.
            Self::Memory(file) => file.write_all(piece),
            Self::Disk(file) => file.write_all(piece).await,
        }
    }

    /// All that was written, to be read from its beginning.
    async fn written(self) -> io::Result<File> {
        match self {
            Self::Memory(mut file) => {
                file.rewind()?;
                Ok(file)
            }
            Self::Disk(mut file) => {
                file.flush().await?;
                file.rewind().await?;
                Ok(file.into_std().await)
            }
        }
    }
}

/// Copies the claim's original into a scratch file, under `folder` if it is long, and checks that it is the one that was accepted.
pub(crate) async fn fetch(blobs: &dyn BlobStore, claim: &Claim, folder: Option<&Path>) -> Result<File, FetchError> {
    let unavailable = |error: io::Error| FetchError::Unavailable(error.to_string());
    let mut reader = blobs.get(&claim.original, None).await.map_err(|error| match error {
        BlobError::Missing => FetchError::Missing,
        other => FetchError::Unavailable(other.to_string()),
    })?;
    if reader.size != claim.size {
        return Err(FetchError::Altered);
    }
    let mut scratch = Scratch::of(claim.size, folder).map_err(unavailable)?;
    let mut hasher = Sha256::new();
    while let Some(piece) = reader.body.try_next().await.map_err(unavailable)? {
        hasher.update(&piece);
        scratch.write(&piece).await.map_err(unavailable)?;
    }
    if hex(&hasher.finalize()) != claim.sha256 {
        return Err(FetchError::Altered);
    }
    scratch.written().await.map_err(unavailable)
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, os::linux::fs::MetadataExt as _};

    use super::*;

    #[tokio::test]
    async fn what_is_long_lies_in_the_folder_and_what_is_short_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().metadata().unwrap().st_dev();
        for (size, on_disk) in [(SHORT, false), (SHORT + 1, true)] {
            let mut scratch = Scratch::of(size, Some(folder.path())).unwrap();
            scratch.write(b"in two ").await.unwrap();
            scratch.write(b"pieces").await.unwrap();
            let mut file = scratch.written().await.unwrap();
            let mut read = String::new();
            file.read_to_string(&mut read).unwrap();
            assert_eq!((read.as_str(), file.metadata().unwrap().st_dev() == disk), ("in two pieces", on_disk));
        }
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "without a name");
        assert!(Scratch::of(SHORT + 1, Some(&folder.path().join("missing"))).is_err());
    }
}
