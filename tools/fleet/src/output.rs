//! What is said, in plain lines or as JSON.

use std::io::Write as _;

use serde::Serialize;

/// Standard output and standard error.
pub(crate) struct Output {
    json: bool,
}

#[derive(Serialize)]
struct Step<'a> {
    step: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<&'a str>,
    message: &'a str,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// One step of a command: what it is of (`gate staging`), and what came of it.
    pub(crate) fn step(&self, step: &str, message: &str) -> anyhow::Result<()> {
        self.either(&Step { step, site: None, message }, || format!("{step}: {message}"))
    }

    /// One step at one site.
    pub(crate) fn at(&self, step: &str, site: &str, message: &str) -> anyhow::Result<()> {
        self.either(&Step { step, site: Some(site), message }, || format!("{step}: {site}: {message}"))
    }

    /// A row as JSON, or as the text that says the same.
    pub(crate) fn either(&self, row: &impl Serialize, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        let line = if self.json { serde_json::to_string(row)? } else { text() };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    }

    /// Text that only a person reads: a table's head.
    pub(crate) fn plain(&self, text: &str) -> anyhow::Result<()> {
        if !self.json {
            writeln!(std::io::stdout().lock(), "{text}")?;
        }
        Ok(())
    }

    pub(crate) fn error(&self, error: &anyhow::Error) {
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(std::io::stderr().lock(), "error: {error:#}");
    }
}
