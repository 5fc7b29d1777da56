//! One object on its way into the folder: a locked temporary file, hashed while it grows, that gets its name at the end or vanishes.

use std::{
    fs::{self, File},
    io::{self, IoSlice, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use docmill_domain::{failpoint, hex};
use rustix::{
    fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with},
    io::Errno,
};
use sha2::{Digest, Sha256};

use crate::{BlobError, Written, file::failed};

/// Where objects grow, inside the store's folder and so in its file system.
pub(crate) const TEMPORARY: &str = ".tmp";

static COUNTER: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Writer {
    file: File,
    temporary: PathBuf,
    renamed: bool,
    hash: Sha256,
    size: u64,
}

impl Writer {
    /// An empty temporary file, locked as long as it is open.
    pub(crate) fn create(root: &Path) -> io::Result<Self> {
        let (file, temporary) = loop {
            let name = format!("{}-{}", process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
            let path = root.join(TEMPORARY).join(name);
            match File::create_new(&path) {
                Ok(file) => break (file, path),
                // Another container's process of the same number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        let writer = Self { file, temporary, renamed: false, hash: Sha256::new(), size: 0 };
        flock(&writer.file, FlockOperation::NonBlockingLockExclusive)?;
        failpoint::attempt("blob.temp_created")?;
        Ok(writer)
    }

    pub(crate) fn write(mut self, batch: Vec<Bytes>) -> io::Result<Self> {
        for piece in &batch {
            self.hash.update(piece);
            self.size += piece.len() as u64;
        }
        let mut slices: Vec<IoSlice<'_>> = batch.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut rest = slices.as_mut_slice();
        while !rest.is_empty() {
            match self.file.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => IoSlice::advance_slices(&mut rest, count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        failpoint::attempt("blob.written")?;
        Ok(self)
    }

    /// Makes the file durable, then gives it its name, then makes the name durable.
    pub(crate) fn publish(mut self, target: &Path) -> Result<Written, BlobError> {
        self.file.sync_all().map_err(failed)?;
        failpoint::attempt("blob.fsynced").map_err(failed)?;
        match rename_new(&self.temporary, target) {
            Ok(()) => self.renamed = true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(BlobError::Exists),
            Err(error) => return Err(failed(error)),
        }
        if let Err(error) = sync_name(target) {
            // It may or may not survive a power cut, so it must not stay: the caller is told that it failed.
            let _ = fs::remove_file(target);
            return Err(failed(error));
        }
        Ok(Written { size: self.size, sha256: hex(&self.hash.finalize_reset()) })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.renamed {
            // What cannot be removed now is removed when the store is next opened.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Renames, unless the target exists.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system knows the flag; a hard link never replaces either.
        Err(Errno::INVAL | Errno::NOSYS) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        renamed => Ok(renamed?),
    }
}

fn sync_name(target: &Path) -> io::Result<()> {
    failpoint::attempt("blob.renamed")?;
    sync_folder_of(target)?;
    failpoint::attempt("blob.folder_fsynced")
}

/// Makes durable that a file has its name, or has it no more.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

/// Removes the temporary files that no living writer holds.
pub(crate) fn remove_leftovers(root: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(root.join(TEMPORARY))? {
        let path = entry?.path();
        // A writer may finish meanwhile; what is gone needs no removing.
        let Ok(file) = File::open(&path) else { continue };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() && fs::remove_file(&path).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}
