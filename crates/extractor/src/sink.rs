//! Where a reader puts what it finds, and how it says that it cannot go on.

use std::{io, os::unix::net::UnixStream};

use docmill_domain::{
    FailureCode,
    extraction::{Page, Table, Warning, WarningCode},
};
use docmill_extract::frame::{Answer, send_answer};

/// Why a reader stopped before the end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The document cannot be read.
    Document(FailureCode, String),
    /// The parent no longer listens.
    Parent(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Parent(error)
    }
}

/// A document that is damaged, in the words of its parser.
pub(crate) fn damaged(detail: impl ToString) -> Stop {
    Stop::Document(FailureCode::Damaged, detail.to_string())
}

pub(crate) struct Sink<'a>(pub(crate) &'a UnixStream);

impl Sink<'_> {
    pub(crate) fn send(&self, answer: &Answer) -> Result<(), Stop> {
        Ok(send_answer(self.0, answer)?)
    }

    pub(crate) fn page(&self, number: u32, text: String) -> Result<(), Stop> {
        self.send(&Answer::Page(Page { number, text, width: None, height: None }))
    }

    /// Sends a part of the Markdown, unless there is nothing in it.
    pub(crate) fn markdown(&self, part: &str) -> Result<(), Stop> {
        match part.trim_matches('\n') {
            "" => Ok(()),
            part => self.send(&Answer::Markdown(part.into())),
        }
    }

    /// Sends a table, its rows filled up to one length; nothing if all of its cells are empty.
    pub(crate) fn table(&self, page: Option<u32>, mut cells: Vec<Vec<String>>) -> Result<(), Stop> {
        if cells.iter().flatten().all(|cell| cell.trim().is_empty()) {
            return Ok(());
        }
        let width = cells.iter().map(Vec::len).max().unwrap_or(0);
        cells.iter_mut().for_each(|row| row.resize(width, String::new()));
        self.send(&Answer::Table(Table { page, cells }))
    }

    pub(crate) fn warn(&self, code: WarningCode, message: impl Into<String>, page: Option<u32>) -> Result<(), Stop> {
        self.send(&Answer::Warning(Warning { page, ..Warning::new(code, message) }))
    }
}
