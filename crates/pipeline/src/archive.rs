//! An archive: catalog and blobs as they were at one moment, in a folder that any docmill can check and take over.
//!
//! ```text
//! manifest.json    what it is: versions, when, how much, and the hash of the next
//! catalog.jsonl    every row, one a line
//! blobs/           every object that a live row names, as the file store keeps them
//! ```
//!
//! The rows come first, in one snapshot; then the objects that they name. Objects are write-once, so each is the one that the rows mean,
//! however late it is copied, unless it was erased meanwhile: its document was deleted then, and the archive says so, so that a restore
//! does not bring it back. A run that was interrupted goes on where it was, with the same snapshot.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use docmill_blob::{BlobConfig, BlobError, BlobStore, UploadsInMemory};
use docmill_catalog::{CatalogError, archive::Record};
use docmill_domain::{BlobKey, DocumentId, DocumentState, TenantId, Timestamp, hex};
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Pipeline;

/// The archive's shape; it grows when an older docmill could not read it.
const VERSION: u32 = 1;

/// What an archive says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The archive's shape.
    pub version: u32,
    /// The docmill that wrote it.
    pub docmill: String,
    /// The moment whose state it holds.
    pub taken_at: Timestamp,
    /// Rows of the catalog.
    pub rows: u64,
    /// Hash of `catalog.jsonl`.
    pub catalog_sha256: String,
    /// Objects, and their bytes.
    pub blobs: u64,
    /// Bytes of all objects.
    pub bytes: u64,
    /// Documents that were deleted between that moment and the end of the copying; a restore leaves them deleted. What is deleted later is
    /// still in the archive, until it is thrown away: so much do its erasures lag.
    pub deleted_since: BTreeMap<DocumentId, TenantId>,
}

/// Why an archive could not be written, read or trusted.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file of the archive.
    #[error("the archive's file {} cannot be used: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What the archive holds is not what it says it holds.
    #[error("the archive cannot be trusted: {0}; take another one")]
    Damaged(String),
    /// It holds an archive already.
    #[error("{} holds a whole archive already; name an empty folder", .0.display())]
    Taken(PathBuf),
    /// A newer docmill wrote it.
    #[error("the archive is of version {0}, of which this docmill knows nothing; use the docmill that wrote it, or a newer one")]
    Newer(u32),
    /// The catalog's objects cannot be read.
    #[error(
        "the object {key} of document {document} is {what}; nothing can be backed up for it. `docmill verify` lists all such objects"
    )]
    Object {
        /// Its key.
        key: String,
        /// Whose it is.
        document: DocumentId,
        /// What is wrong with it.
        what: String,
    },
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The store, or the archive's own.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

type Result<T, E = ArchiveError> = std::result::Result<T, E>;

/// How far a run has come: objects done, and objects in all.
pub type Progress<'a> = &'a mut (dyn FnMut(u64, u64) + Send);

/// An object that the catalog says is there.
struct Object {
    key: BlobKey,
    tenant: TenantId,
    document: DocumentId,
    /// As the catalog knows it; `None` where it does not.
    sha256: Option<String>,
}

/// The files of an archive.
struct Folder(PathBuf);

impl Folder {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn failed(&self, name: &str) -> impl FnOnce(io::Error) -> ArchiveError {
        let path = self.path(name);
        move |source| ArchiveError::File { path, source }
    }

    async fn blobs(&self) -> Result<Arc<dyn BlobStore>> {
        Ok(docmill_blob::open(&BlobConfig::File { folder: self.path("blobs") }, Arc::<UploadsInMemory>::default()).await?)
    }

    fn manifest(&self) -> Result<Manifest> {
        let text = fs::read(self.path("manifest.json")).map_err(self.failed("manifest.json"))?;
        let version = serde_json::from_slice::<serde_json::Value>(&text).ok().and_then(|manifest| manifest["version"].as_u64());
        match version.and_then(|version| u32::try_from(version).ok()) {
            Some(VERSION) => {}
            Some(newer) => return Err(ArchiveError::Newer(newer)),
            None => return Err(ArchiveError::Damaged("manifest.json is none".into())),
        }
        serde_json::from_slice(&text).map_err(|error| ArchiveError::Damaged(format!("manifest.json: {error}")))
    }

    /// Every row.
    fn records(&self) -> Result<impl Iterator<Item = Result<Record>> + use<>> {
        let file = File::open(self.path("catalog.jsonl")).map_err(self.failed("catalog.jsonl"))?;
        let path = self.path("catalog.jsonl");
        Ok(BufReader::new(file).lines().map(move |line| {
            let line = line.map_err(|source| ArchiveError::File { path: path.clone(), source })?;
            serde_json::from_str(&line).map_err(|error| ArchiveError::Damaged(format!("catalog.jsonl: {error}")))
        }))
    }

    /// How many rows there are, and what they say is live.
    fn objects(&self) -> Result<(u64, Vec<Object>)> {
        let mut known = BTreeMap::new();
        let (mut rows, mut objects) = (0, Vec::new());
        for record in self.records()? {
            rows += 1;
            let Record { table, row } = record?;
            let text = |name: &str| row.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
            match table.as_str() {
                "documents" => drop(text("original_key").zip(text("sha256")).map(|(key, hash)| known.insert(key, hash))),
                "jobs" => drop(text("result_key").zip(text("result_sha256")).map(|(key, hash)| known.insert(key, hash))),
                "blobs" if text("state").as_deref() == Some("live") => {
                    let (tenant, document) = (text("tenant"), text("document_id"));
                    let ids = tenant.and_then(|id| id.parse().ok()).zip(document.and_then(|id| id.parse().ok()));
                    let (tenant, document) = ids.ok_or_else(|| ArchiveError::Damaged("a blob is nobody's".into()))?;
                    objects.push((text("key").unwrap_or_default(), tenant, document));
                }
                _ => {}
            }
        }
        let object = |(key, tenant, document): (String, _, _)| Object {
            sha256: known.remove(&key),
            key: BlobKey::stored(key),
            tenant,
            document,
        };
        Ok((rows, objects.into_iter().map(object).collect()))
    }
}

/// Hashes an object, and gives its size.
async fn hash(store: &dyn BlobStore, key: &BlobKey) -> Result<(String, u64), BlobError> {
    let mut reader = store.get(key, None).await?;
    let (mut hasher, mut size) = (Sha256::new(), 0);
    while let Some(piece) = reader.body.try_next().await.map_err(|error| BlobError::Unavailable(error.into()))? {
        hasher.update(&piece);
        size += piece.len() as u64;
    }
    Ok((hex(&hasher.finalize()), size))
}

/// Copies an object, unless the target has it; its hash and size are those of what the target holds afterwards.
async fn copy(from: &dyn BlobStore, to: &dyn BlobStore, key: &BlobKey) -> Result<(String, u64), BlobError> {
    let reader = from.get(key, None).await?;
    match to.put(key, reader.body).await {
        Ok(written) => Ok((written.sha256, written.size)),
        Err(BlobError::Exists) => hash(to, key).await,
        Err(error) => Err(error),
    }
}

impl Pipeline {
    /// Writes an archive into `folder`, which is made if it is missing, while docmill goes on working.
    pub async fn backup(&self, folder: &Path, progress: Progress<'_>) -> Result<Manifest> {
        let folder = Folder(folder.into());
        if folder.path("manifest.json").exists() {
            return Err(ArchiveError::Taken(folder.0));
        }
        let archive = folder.blobs().await?;
        if !folder.path("catalog.jsonl").exists() {
            self.snapshot(&folder).await?;
        }
        let (rows, objects) = folder.objects()?;
        let mut manifest = Manifest {
            version: VERSION,
            docmill: env!("CARGO_PKG_VERSION").into(),
            taken_at: taken_at(&folder)?,
            rows,
            catalog_sha256: file_hash(&folder)?,
            blobs: 0,
            bytes: 0,
            deleted_since: BTreeMap::new(),
        };
        for (done, object) in objects.iter().enumerate() {
            progress(done as u64, objects.len() as u64);
            match copy(&*self.blobs, &*archive, &object.key).await {
                Ok((sha256, size)) if object.sha256.as_ref().is_none_or(|known| *known == sha256) => {
                    manifest.blobs += 1;
                    manifest.bytes += size;
                }
                Ok(_) => {
                    archive.erase(&object.key).await?;
                    return Err(broken(object, "not the one that was stored"));
                }
                Err(BlobError::Missing) if self.has_ended(object).await? => {
                    manifest.deleted_since.insert(object.document, object.tenant.clone());
                }
                Err(BlobError::Missing) => return Err(broken(object, "missing")),
                Err(error) => return Err(error.into()),
            }
        }
        progress(objects.len() as u64, objects.len() as u64);
        let json = serde_json::to_vec_pretty(&manifest).map_err(|error| ArchiveError::Damaged(error.to_string()))?;
        durably(&folder, "manifest.json", |file| file.write_all(&json))?;
        Ok(manifest)
    }

    async fn has_ended(&self, object: &Object) -> Result<bool> {
        let record = self.catalog.document(&object.tenant, object.document).await?;
        Ok(record.is_none_or(|record| record.document.state != DocumentState::Active))
    }

    async fn snapshot(&self, folder: &Folder) -> Result<()> {
        let (sender, mut records) = tokio::sync::mpsc::channel::<Record>(256);
        let writing = {
            let folder = Folder(folder.0.clone());
            tokio::task::spawn_blocking(move || {
                durably(&folder, "catalog.jsonl", |file| {
                    while let Some(record) = records.blocking_recv() {
                        serde_json::to_writer(&mut *file, &record)?;
                        file.write_all(b"\n")?;
                    }
                    Ok(())
                })
            })
        };
        let dumped = self.catalog.dump(sender).await;
        let written = writing.await.map_err(|error| ArchiveError::Damaged(error.to_string()))?;
        dumped?;
        written
    }

    /// Takes an archive over into this empty catalog and its store. Interrupted, it can be done again: the catalog is filled last, in one
    /// transaction.
    pub async fn restore(&self, folder: &Path, progress: Progress<'_>) -> Result<Manifest> {
        let folder = Folder(folder.into());
        let manifest = folder.manifest()?;
        check_catalog(&folder, &manifest)?;
        if !self.catalog.is_empty().await? {
            return Err(CatalogError::NotEmpty.into());
        }
        self.catalog.name_blobs(folder.records()?).await?;
        let archive = folder.blobs().await?;
        let (_, objects) = folder.objects()?;
        for (done, object) in objects.iter().enumerate() {
            progress(done as u64, objects.len() as u64);
            if manifest.deleted_since.contains_key(&object.document) {
                continue;
            }
            match copy(&*archive, &*self.blobs, &object.key).await {
                Ok((sha256, _)) if object.sha256.as_ref().is_none_or(|known| *known == sha256) => {}
                Ok(_) => return Err(ArchiveError::Damaged(format!("{} has another hash than the catalog says", object.key))),
                Err(BlobError::Missing) => return Err(ArchiveError::Damaged(format!("{} is missing", object.key))),
                Err(error) => return Err(error.into()),
            }
        }
        progress(objects.len() as u64, objects.len() as u64);
        self.catalog.load(folder.records()?).await?;
        for (document, tenant) in &manifest.deleted_since {
            self.catalog.delete_document(tenant, *document).await?;
        }
        // What can be found by its words is made anew from the results.
        let mut after = None;
        while let Some((last, _)) = self.catalog.reindex(None, after, 500).await? {
            after = Some(last);
        }
        // The queue of the other place knew what was rung; this one does not.
        while self.catalog.ring_again(Duration::ZERO).await? > 0 {}
        Ok(manifest)
    }
}

/// Reads an archive through, and compares every object with its hash. Gives what it says of itself.
pub async fn verify(folder: &Path, progress: Progress<'_>) -> Result<Manifest> {
    let folder = Folder(folder.into());
    let manifest = folder.manifest()?;
    check_catalog(&folder, &manifest)?;
    let archive = folder.blobs().await?;
    let (_, objects) = folder.objects()?;
    let mut faults = Vec::new();
    for (done, object) in objects.iter().enumerate() {
        progress(done as u64, objects.len() as u64);
        if manifest.deleted_since.contains_key(&object.document) {
            continue;
        }
        match hash(&*archive, &object.key).await {
            Ok((sha256, _)) if object.sha256.as_ref().is_none_or(|known| *known == sha256) => {}
            Ok(_) => faults.push(format!("{} is altered", object.key)),
            Err(error) => faults.push(format!("{}: {error}", object.key)),
        }
    }
    progress(objects.len() as u64, objects.len() as u64);
    if faults.is_empty() { Ok(manifest) } else { Err(ArchiveError::Damaged(faults.join("; "))) }
}

fn broken(object: &Object, what: &str) -> ArchiveError {
    ArchiveError::Object { key: object.key.to_string(), document: object.document, what: what.into() }
}

/// The snapshot's moment: when its file was made.
fn taken_at(folder: &Folder) -> Result<Timestamp> {
    let metadata = fs::metadata(folder.path("catalog.jsonl")).and_then(|metadata| metadata.modified());
    let since = metadata.map_err(folder.failed("catalog.jsonl"))?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)))
}

fn file_hash(folder: &Folder) -> Result<String> {
    let mut file = File::open(folder.path("catalog.jsonl")).map_err(folder.failed("catalog.jsonl"))?;
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut HashWriter(&mut hasher)).map_err(folder.failed("catalog.jsonl"))?;
    Ok(hex(&hasher.finalize()))
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn check_catalog(folder: &Folder, manifest: &Manifest) -> Result<()> {
    if file_hash(folder)? == manifest.catalog_sha256 {
        return Ok(());
    }
    Err(ArchiveError::Damaged("catalog.jsonl is not the one that manifest.json names".into()))
}

/// Writes a file whole, or not at all.
fn durably(folder: &Folder, name: &str, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<()> {
    let part = folder.path(&format!("{name}.part"));
    let done = move || -> io::Result<()> {
        let mut file = BufWriter::new(File::create(&part)?);
        write(&mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&part, folder.path(name))?;
        File::open(&folder.0)?.sync_all()
    };
    done().map_err(folder.failed(name))
}
