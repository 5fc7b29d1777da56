//! What an extraction yields. This is the JSON that docmill stores and serves as a result; text, Markdown and HTML derive from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Format;

/// The version of [`Extraction`]'s shape. It grows only when a reader of the previous version would be misled.
pub const SCHEMA_VERSION: u32 = 1;

/// A document's content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Extraction {
    /// The shape's version, [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Which parser read it, with its version.
    pub engine: Engine,
    /// What it was read as.
    pub format: Format,
    /// Its pages in order. A format without pages (an e-mail, a text) has one; a spreadsheet has one a sheet.
    pub pages: Vec<Page>,
    /// The whole document as Markdown.
    pub markdown: String,
    /// Its tables, in reading order.
    pub tables: Vec<Table>,
    /// What it says about itself: title, author, language, dates, as found.
    pub metadata: BTreeMap<String, String>,
    /// What is missing or doubtful.
    pub warnings: Vec<Warning>,
}

impl Extraction {
    /// The plain text: the pages' texts, a blank line between them.
    pub fn text(&self) -> String {
        let pages: Vec<&str> = self.pages.iter().map(|page| page.text.trim_end()).filter(|text| !text.is_empty()).collect();
        let mut text = pages.join("\n\n");
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }

    /// Whether nothing readable came out.
    pub fn is_empty(&self) -> bool {
        self.markdown.trim().is_empty() && self.pages.iter().all(|page| page.text.trim().is_empty()) && self.tables.is_empty()
    }
}

/// A parser and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Engine {
    /// `pdfium`, `xberg`, …
    pub name: String,
    /// As the parser states it.
    pub version: String,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page {
    /// Counted from 1.
    pub number: u32,
    /// Its text in reading order.
    pub text: String,
    /// Width in points (1/72 inch); absent where the format has no page size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<f32>,
    /// Height in points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<f32>,
}

/// One table: rows of cells, all rows of one length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Table {
    /// The page it stands on, counted from 1, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Rows, top to bottom, of cells' text, left to right. A cell that spans others repeats nothing: the others are empty.
    pub cells: Vec<Vec<String>>,
}

/// Something a reader of the result should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// Stable.
    pub code: WarningCode,
    /// What it is about, in a sentence.
    pub message: String,
    /// The page it is about, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
}

impl Warning {
    /// A warning about the whole document.
    pub fn new(code: WarningCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), page: None }
    }
}

/// The stable code of a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    /// No text came out: an empty document, or one of pictures alone. Makes the result partial.
    NoText,
    /// A page could not be read. Makes the result partial.
    PageDamaged,
    /// Reading stopped at a limit of time, memory or output. Makes the result partial.
    LimitReached,
    /// The extractor died before the end; what it had delivered stands. Makes the result partial.
    ExtractorCrashed,
    /// Part of the document other than a page could not be read. Makes the result partial.
    ContentSkipped,
    /// Content, name and declared type did not agree; the content decided.
    TypeMismatch,
    /// Bytes that are not valid in the text's encoding were replaced.
    EncodingReplaced,
    /// libpdfium was not found: a slower parser, which finds less, read the PDF.
    FallbackEngine,
}

impl WarningCode {
    /// Whether a result with this warning lacks something that the document holds.
    pub fn makes_partial(self) -> bool {
        !matches!(self, Self::TypeMismatch | Self::EncodingReplaced | Self::FallbackEngine)
    }
}
