//! Files of a folder as objects under a prefix. An object keeps its file's hash in its metadata, so that only what differs is sent.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use docmill_domain::hex;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Store;
use crate::resource::{Error, Group, Observed, Resource};

/// Folders within folders; deeper ones are a circle of links.
const DEPTH: usize = 32;

/// One file, and the object that it becomes.
pub(crate) struct Seed {
    store: Store,
    file: PathBuf,
    key: String,
    /// SHA-256 of the file when the plan was made.
    sha256: String,
}

/// The seed files of `folder`, by name. What begins with `..` is how Kubernetes mounts a volume, and no file of anyone's.
pub(crate) fn seeds(store: &Store, folder: &Path, prefix: &str) -> io::Result<Vec<Seed>> {
    let mut files = Vec::new();
    walk(folder, DEPTH, &mut files)?;
    files.sort();
    let seed = |file: PathBuf| {
        let inside = file.strip_prefix(folder).unwrap_or(&file);
        let name = inside.to_str().ok_or_else(|| io::Error::other(format!("the name of {} is not UTF-8", file.display())))?;
        let sha256 = hash(&fs::read(&file)?);
        Ok(Seed { store: store.clone(), key: format!("{prefix}{name}"), file, sha256 })
    };
    files.into_iter().map(seed).collect()
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other(format!("{} lies too deep, or in a circle of links", folder.display())));
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"..")) {
            continue;
        }
        if fs::metadata(&path)?.is_dir() { walk(&path, depth - 1, files)? } else { files.push(path) }
    }
    Ok(())
}

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[async_trait(?Send)]
impl Resource for Seed {
    fn name(&self) -> String {
        format!("seed file {}", self.key)
    }

    fn group(&self) -> Group {
        Group::Seed
    }

    async fn observe(&self) -> Result<Observed, Error> {
        let head = self.store.client.head_object().bucket(&self.store.bucket).key(&self.key).send().await;
        let head = self.store.read("GetObject", head)?;
        let Some(head) = head else { return Ok(Observed::Absent) };
        let there = head.metadata().and_then(|it| it.get("sha256"));
        Ok(Observed::compared(&json!({"sha256": self.sha256}), &json!({"sha256": there})))
    }

    async fn make(&self) -> Result<(), Error> {
        let bytes =
            fs::read(&self.file).map_err(|error| Error::Refused(format!("cannot read {}: {error}", self.file.display())))?;
        // Of these bytes, whatever the file was when the plan was made.
        let sha256 = hash(&bytes);
        if sha256 != self.sha256 {
            return Err(Error::Refused(format!("{} has changed since the plan was made; apply again", self.file.display())));
        }
        let put = self.store.client.put_object().bucket(&self.store.bucket).key(&self.key).metadata("sha256", sha256);
        let sent = self.store.read("PutObject", put.body(ByteStream::from(bytes)).send().await)?;
        sent.map(drop).ok_or_else(|| Error::Refused(format!("bucket {} is not there for {}", self.store.bucket, self.key)))
    }
}
