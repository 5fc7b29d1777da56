//! A child's frames, checked, into an [`Extraction`]. By now the child has read a stranger's file: nothing it says is believed.

use std::collections::BTreeMap;

use docmill_domain::{
    Extraction, FailureCode, Format,
    extraction::{Engine, Page, SCHEMA_VERSION, Table, Warning, WarningCode},
    job::Progress,
};
use tokio::sync::watch;

use crate::frame::{Answer, Outcome};

/// The largest page number, far above that of any real document.
const MAX_PAGES: u32 = 1_000_000;
/// The most warnings that are kept; each is also bounded by the output limit.
const MAX_WARNINGS: usize = 1_000;

pub(crate) struct Gathered {
    pub(crate) extraction: Extraction,
    progress: Progress,
}

impl Gathered {
    /// Nothing yet.
    pub(crate) fn new(format: Format) -> Self {
        let extraction = Extraction {
            schema_version: SCHEMA_VERSION,
            engine: Engine { name: "none".into(), version: String::new() },
            format,
            pages: Vec::new(),
            markdown: String::new(),
            tables: Vec::new(),
            metadata: BTreeMap::new(),
            warnings: Vec::new(),
        };
        Self { extraction, progress: Progress::default() }
    }

    /// Takes an answer; the outcome, once that is it. An error says how the child broke the protocol.
    pub(crate) fn take(&mut self, answer: Answer, progress: &watch::Sender<Progress>) -> Result<Option<Outcome>, String> {
        let extraction = &mut self.extraction;
        match answer {
            Answer::Pages(total) => {
                self.progress.total = Some(total);
                progress.send_replace(self.progress);
            }
            Answer::Page(page) => {
                check_page(&page, extraction.pages.last())?;
                extraction.pages.push(page);
                self.progress.done += 1;
                progress.send_replace(self.progress);
            }
            Answer::Markdown(part) => {
                if !extraction.markdown.is_empty() {
                    extraction.markdown.push_str("\n\n");
                }
                extraction.markdown.push_str(&part);
            }
            Answer::Table(table) => {
                check_table(&table)?;
                extraction.tables.push(table);
            }
            Answer::Metadata(metadata) => extraction.metadata.extend(metadata),
            Answer::Warning(warning) => match extraction.warnings.len() {
                MAX_WARNINGS.. => return Err("it warned too often".into()),
                _ => extraction.warnings.push(warning),
            },
            Answer::End(Outcome::Complete) => {
                if extraction.is_empty() && !extraction.warnings.iter().any(|warning| warning.code == WarningCode::NoText) {
                    extraction.warnings.push(Warning::new(
                        WarningCode::NoText,
                        "no text was found: the document is empty, or made of pictures alone",
                    ));
                }
                return Ok(Some(Outcome::Complete));
            }
            Answer::End(outcome @ Outcome::Failed { .. }) => return Ok(Some(outcome)),
            Answer::Hello { .. } | Answer::Begin(_) => return Err("it began again in the middle of a document".into()),
        }
        Ok(None)
    }
}

/// The failures that a child may report of a document; any other it reports of itself.
pub(crate) fn is_of_the_document(code: FailureCode) -> bool {
    matches!(code, FailureCode::Encrypted | FailureCode::Damaged | FailureCode::Unsupported | FailureCode::OutputLimit)
}

fn check_page(page: &Page, previous: Option<&Page>) -> Result<(), String> {
    let after = previous.map_or(0, |page| page.number);
    if page.number <= after || page.number > MAX_PAGES {
        return Err(format!("page {} after page {after}", page.number));
    }
    let sizes = [page.width, page.height];
    match sizes.into_iter().flatten().find(|size| !size.is_finite() || *size < 0.0) {
        Some(size) => Err(format!("a page of {size} points")),
        None => Ok(()),
    }
}

fn check_table(table: &Table) -> Result<(), String> {
    let width = table.cells.first().map_or(0, Vec::len);
    if width == 0 || table.cells.iter().any(|row| row.len() != width) {
        return Err("a table whose rows differ in length, or are empty".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(number: u32, width: f32) -> Answer {
        Answer::Page(Page { number, text: "t".into(), width: Some(width), height: None })
    }

    #[test]
    fn what_breaks_the_protocol_is_refused() {
        let progress = watch::Sender::new(Progress::default());
        let table = |cells: &[&[&str]]| {
            Answer::Table(Table {
                page: None,
                cells: cells.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect(),
            })
        };
        for bad in [
            page(1, 1.0),
            page(MAX_PAGES + 1, 1.0),
            page(3, f32::NAN),
            page(3, -1.0),
            table(&[]),
            table(&[&[]]),
            table(&[&["a"], &["b", "c"]]),
            Answer::Begin(Engine { name: String::new(), version: String::new() }),
        ] {
            let mut gathered = Gathered::new(Format::Txt);
            gathered.take(page(2, 1.0), &progress).unwrap();
            assert!(gathered.take(bad, &progress).is_err());
        }
        let mut gathered = Gathered::new(Format::Txt);
        let warnings = || (0..2 * MAX_WARNINGS).map(|_| Answer::Warning(Warning::new(WarningCode::ContentSkipped, "x")));
        assert!(warnings().any(|warning| gathered.take(warning, &progress).is_err()));
    }

    #[test]
    fn nothing_is_never_a_success() {
        let progress = watch::Sender::new(Progress::default());
        let mut gathered = Gathered::new(Format::Txt);
        gathered.take(Answer::Page(Page { number: 1, text: " \n".into(), width: None, height: None }), &progress).unwrap();
        gathered.take(Answer::End(Outcome::Complete), &progress).unwrap();
        assert_eq!(gathered.extraction.warnings[0].code, WarningCode::NoText);
        assert_eq!(*progress.borrow(), Progress { done: 1, total: None });
    }
}
