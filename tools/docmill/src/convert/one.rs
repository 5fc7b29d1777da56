//! One document's way from its file to its result's.

use std::{
    fs::{self, File, Permissions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use docmill_domain::{
    Extraction, Failure, FailureCode, Format,
    detect::{self, detect},
    extraction::WarningCode,
    job::Progress,
    options::Secret,
};
use docmill_extract::{Content, End, Extractors, Request};
use docmill_pipeline::{cut_short, results::rendition};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::plan::Document;
use crate::cli::To;

pub(crate) struct Converter {
    pub(crate) extractors: Extractors,
    /// How many may read at once.
    pub(crate) children: Semaphore,
    pub(crate) to: To,
    pub(crate) password: Option<String>,
    pub(crate) force: bool,
}

/// A document, and what became of it.
pub(crate) struct Converted {
    pub(crate) document: Document,
    pub(crate) format: Option<Format>,
    pub(crate) ended: Ended,
    pub(crate) took: Duration,
}

pub(crate) enum Ended {
    /// Its result is newer than itself.
    UpToDate,
    /// It was found in a folder and is of no kind that docmill reads.
    NoDocument,
    /// Read, and its result written, unless that goes to standard output.
    Read { extraction: Box<Extraction>, to_stdout: Option<Vec<u8>> },
    /// It cannot be opened.
    Unreadable(io::Error),
    /// It was opened, and there is no result.
    Failed(Failure),
}

impl Converter {
    /// An error is one of this machine, such as a full disk, that would befall all other documents as well.
    pub(crate) async fn convert(&self, document: Document) -> anyhow::Result<Converted> {
        let (mut began, mut format) = (Instant::now(), None);
        let ended = self.ended(&document, &mut format, &mut began).await?;
        Ok(Converted { document, format, ended, took: began.elapsed() })
    }

    async fn ended(&self, document: &Document, format: &mut Option<Format>, began: &mut Instant) -> anyhow::Result<Ended> {
        if !self.force && is_up_to_date(document) {
            return Ok(Ended::UpToDate);
        }
        let (file, head) = match open(document.source.as_deref()) {
            Ok(opened) => opened,
            Err(error) => return Ok(Ended::Unreadable(error)),
        };
        let name = document.source.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let detection = detect(&head, name.as_deref(), None);
        *format = detection.format;
        let Some(found) = detection.format else {
            let message = "it is of no kind that docmill reads; `docmill formats` lists those".into();
            let failure = Failure { message, ..Failure::new(FailureCode::Unsupported) };
            return Ok(if document.named { Ended::Failed(failure) } else { Ended::NoDocument });
        };
        let permit = self.children.acquire().await;
        // Waiting for a child is no work on the document.
        *began = Instant::now();
        let extracted = self.extract(file, found, name).await?;
        drop(permit);
        let mut extraction = match extracted {
            Ok(extraction) => extraction,
            Err(failure) => return Ok(Ended::Failed(failure)),
        };
        extraction.warnings.splice(0..0, detection.warnings);
        let mut bytes = rendition(&extraction, self.to.into())?;
        if bytes.last().is_some_and(|last| *last != b'\n') {
            bytes.push(b'\n');
        }
        let to_stdout = match &document.target {
            Some(target) => {
                write(target, &bytes).with_context(|| format!("cannot write {}", target.display()))?;
                None
            }
            None => Some(bytes),
        };
        Ok(Ended::Read { extraction, to_stdout })
    }

    async fn extract(
        &self,
        file: File,
        format: Format,
        name: Option<String>,
    ) -> anyhow::Result<Result<Box<Extraction>, Failure>> {
        let content = if self.to == To::Text { Content::Text } else { Content::Full };
        let password = self.password.clone().map(Secret);
        let (progress, _) = watch::channel(Progress::default());
        let request = Request { format, name, password, attempt: 1, content };
        let report = self.extractors.extract(file, request, &progress, &CancellationToken::new()).await;
        let extraction = report.extraction;
        Ok(match report.end {
            End::Complete => Ok(extraction.into()),
            End::Limit(failure) if !extraction.is_empty() => Ok(cut_short(extraction, WarningCode::LimitReached, failure)),
            End::Crashed(failure) if !extraction.is_empty() => Ok(cut_short(extraction, WarningCode::ExtractorCrashed, failure)),
            End::Document(failure) | End::Limit(failure) | End::Crashed(failure) => Err(failure),
            // Nothing can be read on this machine.
            End::Unavailable(failure) => bail!(failure.message),
            End::Cancelled => bail!("the extraction was stopped"),
        })
    }
}

fn is_up_to_date(document: &Document) -> bool {
    let (Some(source), Some(target)) = (&document.source, &document.target) else { return false };
    let (Ok(source), Ok(target)) = (fs::metadata(source), fs::metadata(target)) else { return false };
    target.is_file()
        && target.len() > 0
        && matches!((source.modified(), target.modified()), (Ok(source), Ok(target)) if target > source)
}

/// The document as a file, and its first bytes. What cannot be read twice, such as standard input, is copied into one without a name.
fn open(source: Option<&Path>) -> io::Result<(File, Vec<u8>)> {
    let mut file = match source {
        Some(path) => File::open(path)?,
        None => copied(io::stdin().lock())?,
    };
    if source.is_some() && !file.metadata()?.is_file() {
        file = copied(file)?;
    }
    let mut head = Vec::with_capacity(detect::HEAD);
    (&mut file).take(detect::HEAD as u64).read_to_end(&mut head)?;
    Ok((file, head))
}

fn copied(mut stream: impl io::Read) -> io::Result<File> {
    let mut copy = tempfile::tempfile()?;
    io::copy(&mut stream, &mut copy)?;
    copy.rewind()?;
    Ok(copy)
}

/// All of the file or nothing of it, whatever happens to this process; not synced, for it can be made again.
fn write(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".docmill-").permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(target)?;
    Ok(())
}
