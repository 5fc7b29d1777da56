//! The document as the extractor gets it: a file without a name, that no crash can leave behind.

use std::{fs::File, path::Path};

use docmill_blob::{BlobError, BlobStore};
use docmill_catalog::claims::Claim;
use docmill_domain::hex;
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

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

/// Copies the claim's original into a scratch file under `folder`, and checks that it is the one that was accepted.
pub(crate) async fn fetch(blobs: &dyn BlobStore, claim: &Claim, folder: Option<&Path>) -> Result<File, FetchError> {
    let unavailable = |error: std::io::Error| FetchError::Unavailable(error.to_string());
    let mut reader = blobs.get(&claim.original, None).await.map_err(|error| match error {
        BlobError::Missing => FetchError::Missing,
        other => FetchError::Unavailable(other.to_string()),
    })?;
    let folder = folder.map_or_else(std::env::temp_dir, Path::to_path_buf);
    let mut file = tokio::fs::File::from_std(tempfile::tempfile_in(folder).map_err(unavailable)?);
    let mut hasher = Sha256::new();
    while let Some(piece) = reader.body.try_next().await.map_err(unavailable)? {
        hasher.update(&piece);
        file.write_all(&piece).await.map_err(unavailable)?;
    }
    if hex(&hasher.finalize()) != claim.sha256 {
        return Err(FetchError::Altered);
    }
    file.flush().await.map_err(unavailable)?;
    file.rewind().await.map_err(unavailable)?;
    Ok(file.into_std().await)
}
