//! Everything that xberg reads: office formats, HTML, e-mail, tables of text, and PDF where libpdfium is missing.
//!
//! xberg answers once, with the whole document, so nothing can be shown or saved before its end.

use std::{collections::BTreeMap, fs::File, io};

use docmill_domain::{
    FailureCode, Format,
    extraction::{Engine, WarningCode},
};
use docmill_extract::frame::{Answer, Content, Document};
use serde_json::Value;
use xberg::{
    ConcurrencyConfig, ConversionOptions, ExtractInput, ExtractedDocument, ExtractionConfig, OutputFormat, PageConfig, PdfConfig,
    SecurityLimits, XbergError,
};

use crate::{
    markdown,
    sink::{Sink, Stop, damaged},
    text,
};

/// xberg's version; the workspace pins it, and a test compares.
pub(crate) const VERSION: &str = "1.3.10";

/// What an OLE file begins with. An encrypted OOXML document is one.
const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// The longest value of a metadata entry that is kept, in characters, and the most entries.
const LONGEST_VALUE: usize = 1_000;
const MOST_ENTRIES: usize = 64;

/// Metadata that xberg adds of its own: about the call, not the document.
const OF_THE_RUN: [&str; 10] = [
    "extraction_duration_ms",
    "extraction_method",
    "final_uri",
    "format_type",
    "ocr_used",
    "output_format",
    "pages",
    "source_index",
    "source_kind",
    "source_uri",
];

/// Sources of xberg's warnings that tell of nothing lost: that CSV's Markdown, which is not used, may be askew; that a formula names another
/// program; that a link inside the document leads nowhere.
const WITHOUT_LOSS: [&str; 3] = ["csv", "excel_dde_scan", "relationships"];

pub(crate) fn engine() -> Engine {
    Engine { name: "xberg".into(), version: VERSION.into() }
}

pub(crate) struct Office {
    runtime: tokio::runtime::Runtime,
}

impl Office {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { runtime: tokio::runtime::Builder::new_current_thread().enable_time().max_blocking_threads(1).build()? })
    }

    pub(crate) fn read(&self, file: File, order: &Document, sink: &Sink<'_>) -> Result<(), Stop> {
        let mut bytes = text::whole(file)?;
        if bytes.starts_with(OLE) && matches!(order.format, Format::Docx | Format::Xlsx) {
            return Err(inside_ole(&bytes, order.format));
        }
        let decoded = match order.format {
            Format::Csv => Some(text::decode(&bytes)),
            Format::Html => Some(text::decode_html(&bytes)),
            _ => None,
        };
        if let Some(decoded) = &decoded {
            decoded.report(sink)?;
            bytes = decoded.text.clone().into_bytes();
        }
        let document = self.extract(bytes, order)?;
        sink.send(&Answer::Metadata(metadata(&document)))?;
        let skipped = document.processing_warnings.iter().filter(|warning| !WITHOUT_LOSS.contains(&warning.source.as_ref()));
        for warning in skipped {
            sink.warn(WarningCode::ContentSkipped, format!("{}: {}", warning.source, warning.message), None)?;
        }
        let pages = document.pages.as_deref().unwrap_or_default();
        match order.format {
            Format::Pdf => {
                sink.send(&Answer::Pages(pages.len() as u32))?;
                for page in pages {
                    sink.page(page.page_number, markdown::plain(&page.content))?;
                }
            }
            Format::Xlsx if !pages.is_empty() => {
                sink.send(&Answer::Pages(pages.len() as u32))?;
                for page in pages {
                    let tables = page.tables.iter().map(|table| tabbed(&table.cells)).collect::<Vec<_>>();
                    sink.page(page.page_number, tables.join("\n\n"))?;
                }
            }
            _ => {
                sink.send(&Answer::Pages(1))?;
                let verbatim = decoded.filter(|_| order.format == Format::Csv);
                sink.page(1, verbatim.map_or_else(|| markdown::plain(&document.content), |decoded| decoded.text))?;
            }
        }
        if order.content == Content::Full {
            let paged = matches!(order.format, Format::Pdf | Format::Xlsx);
            match order.format {
                Format::Csv => {
                    for table in &document.tables {
                        sink.markdown(&markdown::table(&table.cells))?;
                    }
                }
                _ => sink.markdown(&document.content)?,
            }
            for table in document.tables {
                sink.table(paged.then_some(table.page_number), table.cells)?;
            }
        }
        Ok(())
    }

    fn extract(&self, bytes: Vec<u8>, order: &Document) -> Result<ExtractedDocument, Stop> {
        let config = ExtractionConfig {
            use_cache: false,
            disable_ocr: true,
            enable_quality_processing: false,
            output_format: OutputFormat::Markdown,
            // The parent has the clock, and a signal that is obeyed.
            extraction_timeout_secs: None,
            concurrency: Some(ConcurrencyConfig { max_threads: Some(1), ..Default::default() }),
            // Its metadata as text of the page would be read twice.
            html_options: Some(ConversionOptions { extract_metadata: false, ..Default::default() }),
            pages: Some(PageConfig { extract_pages: true, ..Default::default() }),
            pdf_options: Some(PdfConfig {
                extract_tables: false,
                passwords: order.password.clone().map(|password| vec![password.0]),
                ..Default::default()
            }),
            // The defaults refuse real files. What these let through, the limits of the process hold.
            security_limits: Some(SecurityLimits {
                max_archive_size: 4 << 30,
                max_compression_ratio: 10_000,
                max_content_size: 1 << 30,
                max_entity_length: 64 << 20,
                max_iterations: 1_000_000_000,
                max_table_cells: 20_000_000,
                ..Default::default()
            }),
            ..Default::default()
        };
        // A file name could send the bytes to another parser than the one that was asked for.
        let input = ExtractInput::from_bytes(bytes, order.format.media_types()[0], None);
        let mut result = self.runtime.block_on(xberg::extract(input, &config)).map_err(stop)?;
        match (result.results.pop(), result.errors.pop()) {
            (Some(document), _) => Ok(document),
            (None, Some(error)) => Err(damaged(error.message)),
            (None, None) => Err(damaged("the parser found nothing in it")),
        }
    }
}

fn stop(error: XbergError) -> Stop {
    let detail = error.to_string();
    let code = match &error {
        _ if detail.to_lowercase().contains("password") || detail.to_lowercase().contains("encrypted") => FailureCode::Encrypted,
        // Some of xberg's own limits cannot be raised: 100 MiB for a part of a Word document, and how deep things may nest.
        _ if detail.contains("Nesting too deep") => FailureCode::Unsupported,
        _ if detail.contains("Security limit exceeded") || detail.contains("Security violation") => FailureCode::OutputLimit,
        XbergError::UnsupportedFormat(_) => FailureCode::Unsupported,
        _ => FailureCode::Damaged,
    };
    Stop::Document(code, short(&detail))
}

fn inside_ole(bytes: &[u8], format: Format) -> Stop {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    if bytes.windows(name.len()).any(|window| window == name) {
        // xberg cannot decrypt them, so a password would not help.
        Stop::Document(
            FailureCode::Encrypted,
            format!("docmill cannot decrypt {} yet, with or without a password", format.title()),
        )
    } else {
        Stop::Document(FailureCode::Unsupported, "it is an OLE file, not the OOXML that its name says".into())
    }
}

fn tabbed(cells: &[Vec<String>]) -> String {
    let rows = cells.iter().map(|row| row.join("\t").trim_end().to_owned());
    rows.collect::<Vec<_>>().join("\n")
}

/// The entries that are text, numbers or lists of text, those of the format too; nothing that differs from run to run.
fn metadata(document: &ExtractedDocument) -> BTreeMap<String, String> {
    let mut entries = BTreeMap::new();
    if let Ok(Value::Object(mut object)) = serde_json::to_value(&document.metadata) {
        for nested in ["format", "additional"] {
            if let Some(Value::Object(nested)) = object.remove(nested) {
                object.extend(nested);
            }
        }
        for name in OF_THE_RUN {
            object.remove(name);
        }
        entries.extend(object.into_iter().filter_map(|(name, value)| Some((name, short(&flat(&value)?)))));
    }
    entries.into_iter().take(MOST_ENTRIES).collect()
}

fn flat(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().into()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(values) if !values.is_empty() => {
            let texts: Option<Vec<_>> = values.iter().map(|value| value.as_str().map(str::trim)).collect();
            Some(texts?.join(", "))
        }
        _ => None,
    }
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST_VALUE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stated_version_is_the_linked_one() {
        let lock = include_str!("../../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"xberg\"\nversion = \"{VERSION}\"\n")));
    }
}
