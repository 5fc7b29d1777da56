//! A catalog in a file: one process, one writer.

use std::{
    fs::{self, File, TryLockError},
    io::{Read, Write},
    path::Path,
    time::Duration,
};

use sqlx::{AnyPool, Executor, any::AnyPoolOptions};

use crate::{
    dialect::escaped,
    error::{CatalogError, Result},
};

/// Takes the folder for this process. The operating system lets go of it however the process ends.
pub(crate) fn lock_folder(folder: &Path) -> Result<File> {
    let fail = |source| CatalogError::Folder { folder: folder.into(), source };
    fs::create_dir_all(folder).map_err(fail)?;
    let path = folder.join("lock");
    let mut file = File::options().create(true).read(true).write(true).truncate(false).open(path).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(fail)?;
            let holder = if holder.trim().is_empty() { "another process".into() } else { holder.trim().into() };
            return Err(CatalogError::InUse { folder: folder.into(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(fail(error)),
    }
    file.set_len(0).map_err(fail)?;
    writeln!(file, "process {}", std::process::id()).map_err(fail)?;
    Ok(file)
}

/// The writer's pool of one, and the readers'.
pub(crate) async fn connect(folder: &Path) -> Result<(AnyPool, AnyPool)> {
    sqlx::any::install_default_drivers();
    // A path is data: as part of a URL it is escaped.
    let path = folder.join("catalog.db");
    let text = path.to_str().ok_or_else(|| CatalogError::Folder {
        folder: folder.into(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidInput, "its name is not UTF-8"),
    })?;
    let url = format!("sqlite://{}?mode=rwc", escaped(text));
    // `synchronous = FULL`: a commit is on the disk when it returns, which is what a 202 promises.
    // A file does not hang up between two uses; asking each time whether it has would cost as much as a small query.
    let options = || {
        let options = AnyPoolOptions::new().acquire_timeout(Duration::from_secs(10)).idle_timeout(None).max_lifetime(None);
        options.test_before_acquire(false).after_connect(|connection, _| {
            Box::pin(async move {
                connection
                    .execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000")
                    .await?;
                Ok(())
            })
        })
    };
    let write = options().max_connections(1).connect(&url).await?;
    let read = options().max_connections(4).min_connections(1).connect(&url).await?;
    Ok((write, read))
}
