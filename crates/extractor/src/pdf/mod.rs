//! PDF by libpdfium, which is loaded at run time; without it, by xberg.

mod layout;
mod ruled;

use std::{
    collections::BTreeMap,
    fs::File,
    io::Seek,
    path::{Path, PathBuf},
};

use docmill_domain::{
    FailureCode,
    extraction::{Engine, Page, WarningCode},
};
use docmill_extract::frame::{Answer, Content, Document};
use pdfium_render::prelude::*;

use self::layout::Layout;
use crate::{
    office::{self, Office},
    sink::{Sink, Stop, damaged},
    text,
};

/// A larger file is read piece by piece as libpdfium asks, which is slower but leaves memory to what comes out of it.
const WHOLE_UP_TO: u64 = 64 << 20;

const MISSING: &str = "libpdfium was not found, so PDF is read by a slower parser that finds less; \
                       install libpdfium.so beside docmill-extractor or set extract.pdfium";

pub(crate) struct Pdf(Option<Pdfium>);

impl Pdf {
    /// Loads libpdfium from where the configuration says, else from beside this program, its `../lib`, or where the system looks.
    pub(crate) fn load(configured: Option<&Path>) -> Self {
        let bindings = match configured {
            Some(path) => Pdfium::bind_to_library(path),
            None => nearby()
                .into_iter()
                .find_map(|path| Pdfium::bind_to_library(path).ok())
                .map_or_else(Pdfium::bind_to_system_library, Ok),
        };
        Self(bindings.ok().map(Pdfium::new))
    }

    pub(crate) fn engine(&self) -> Engine {
        match self.0 {
            // libpdfium does not say which build it is.
            Some(_) => Engine { name: "pdfium".into(), version: "pdfium-render 0.9.5".into() },
            None => office::engine(),
        }
    }

    /// What an operator should know.
    pub(crate) fn warning(&self) -> Option<String> {
        self.0.is_none().then(|| MISSING.into())
    }

    pub(crate) fn read(&self, fallback: &Office, mut file: File, order: &Document, sink: &Sink<'_>) -> Result<(), Stop> {
        let Some(pdfium) = &self.0 else {
            sink.warn(WarningCode::FallbackEngine, MISSING, None)?;
            return fallback.read(file, order, sink);
        };
        let password = order.password.as_ref().map(|password| password.0.as_str());
        let opened = if file.metadata()?.len() <= WHOLE_UP_TO {
            pdfium.load_pdf_from_byte_vec(text::whole(file)?, password)
        } else {
            file.rewind()?;
            pdfium.load_pdf_from_reader(file, password)
        };
        let document = opened.map_err(refusal)?;
        sink.send(&Answer::Metadata(metadata(&document)))?;
        let pages = document.pages();
        let count = pages.len();
        if count <= 0 {
            return Err(damaged("it has no pages"));
        }
        sink.send(&Answer::Pages(count.unsigned_abs()))?;
        let (mut layout, mut damaged_pages) = (Layout::default(), 0);
        for index in 0..count {
            let number = index.unsigned_abs() + 1;
            if let Err(error) = read_page(pages, index, order.content, &mut layout, sink)? {
                damaged_pages += 1;
                sink.warn(WarningCode::PageDamaged, format!("page {number} could not be read: {error}"), Some(number))?;
            }
        }
        if damaged_pages == count {
            return Err(damaged("none of its pages could be read"));
        }
        Ok(())
    }
}

/// One page; the inner error is the page's own.
fn read_page(
    pages: &PdfPages<'_>,
    index: PdfPageIndex,
    content: Content,
    layout: &mut Layout,
    sink: &Sink<'_>,
) -> Result<Result<(), PdfiumError>, Stop> {
    let number = index.unsigned_abs() + 1;
    let page = match pages.get(index) {
        Ok(page) => page,
        Err(error) => return Ok(Err(error)),
    };
    let text = match page.text() {
        Ok(text) => text,
        Err(error) => return Ok(Err(error)),
    };
    // `all()` would leave out what lies beyond the page's rectangle, which some producers set wrongly.
    let plain = text.inside_rect(PdfRect::MAX).replace("\r\n", "\n").replace('\r', "\n");
    let size = |points: PdfPoints| Some(points.value).filter(|value| value.is_finite() && *value >= 0.0);
    sink.send(&Answer::Page(Page { number, text: plain, width: size(page.width()), height: size(page.height()) }))?;
    if content == Content::Full {
        let lines = layout::lines(&text);
        let tables = ruled::tables(&page, &lines);
        sink.markdown(&layout.markdown(&lines, &tables))?;
        for table in tables {
            sink.table(Some(number), table.cells)?;
        }
    }
    Ok(Ok(()))
}

fn refusal(error: PdfiumError) -> Stop {
    use PdfiumInternalError::{PasswordError, SecurityError};
    match error {
        PdfiumError::PdfiumLibraryInternalError(PasswordError) => {
            Stop::Document(FailureCode::Encrypted, "the password does not open it".into())
        }
        PdfiumError::PdfiumLibraryInternalError(SecurityError) => {
            Stop::Document(FailureCode::Encrypted, "its encryption is of a kind that libpdfium does not know".into())
        }
        other => damaged(other),
    }
}

fn metadata(document: &PdfDocument<'_>) -> BTreeMap<String, String> {
    use PdfDocumentMetadataTagType as Tag;
    let name = |tag| match tag {
        Tag::Title => "title",
        Tag::Author => "author",
        Tag::Subject => "subject",
        Tag::Keywords => "keywords",
        Tag::Creator => "creator",
        Tag::Producer => "producer",
        Tag::CreationDate => "created_at",
        Tag::ModificationDate => "modified_at",
    };
    let tags = document.metadata().iter().filter(|tag| !tag.value().trim().is_empty());
    tags.map(|tag| (name(tag.tag_type()).into(), tag.value().trim().chars().take(1000).collect())).collect()
}

fn nearby() -> Vec<PathBuf> {
    let exe = std::env::current_exe().unwrap_or_default();
    let folder = exe.parent().unwrap_or(Path::new("/"));
    let name = Pdfium::pdfium_platform_library_name();
    [folder.join(&name), folder.join("../lib").join(&name)].into_iter().filter(|path| path.exists()).collect()
}
