//! What is said of a run: while it lasts, at its end, and to programs.

use std::{path::Path, time::Duration};

use docmill_domain::{
    Extraction,
    extraction::{Warning, WarningCode},
};
use indicatif::ProgressBar;
use serde::Serialize;

use super::{
    one::{Converted, Ended},
    plan::Plan,
};
use crate::{
    exit::Exit,
    output::{Output, Printable, Tone},
};

/// One object of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    /// The document's path; absent for standard input.
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
    /// The result's path.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// `succeeded`, `partial`, `failed`, `up_to_date` or `unsupported`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pages: Option<usize>,
    milliseconds: u128,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [Warning],
    /// Why it failed: `unreadable`, or a code of `docs/reference/failures.md`.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

/// Counts, and tells.
pub(crate) struct Report {
    bar: Option<ProgressBar>,
    single: bool,
    done: usize,
    partial: usize,
    failed: usize,
    up_to_date: usize,
    unsupported: usize,
    pages: usize,
    fallback: bool,
}

impl Report {
    pub(crate) fn new(plan: &Plan, output: &Output) -> Self {
        let bar = (!plan.single && output.has_bars()).then(|| output.count_bar(plan.documents.len() as u64));
        for (path, error) in &plan.unreadable {
            output.say(Tone::Bad, "unreadable", format_args!("{}: {error}", shown(Some(path))));
        }
        Self {
            bar,
            single: plan.single,
            done: 0,
            partial: 0,
            failed: plan.unreadable.len(),
            up_to_date: 0,
            unsupported: 0,
            pages: 0,
            fallback: false,
        }
    }

    /// Whether some document was read by less than docmill has.
    pub(crate) fn saw_fallback(&self) -> bool {
        self.fallback
    }

    pub(crate) fn add(&mut self, converted: Converted, output: &mut Output) -> anyhow::Result<()> {
        let Converted { document, format, ended, took } = converted;
        let input = shown(document.source.as_deref());
        let mut line = Line {
            input: document.source.as_deref().map(|path| path.display().to_string()),
            output: None,
            state: "failed",
            format: format.map(docmill_domain::Format::as_str),
            pages: None,
            milliseconds: took.as_millis(),
            warnings: &[],
            code: None,
            message: None,
        };
        let target = document.target.as_deref().map(|path| path.display().to_string());
        let unreadable = if let Ended::Unreadable(error) = &ended { error.to_string() } else { String::new() };
        match &ended {
            Ended::UpToDate => (self.up_to_date, line.state, line.output) = (self.up_to_date + 1, "up_to_date", target),
            Ended::NoDocument => (self.unsupported, line.state) = (self.unsupported + 1, "unsupported"),
            Ended::Unreadable(_) => {
                self.failed += 1;
                (line.code, line.message) = (Some("unreadable"), Some(unreadable.as_str()));
                output.say(Tone::Bad, "unreadable", format_args!("{input}: {unreadable}"));
            }
            Ended::Failed(failure) => {
                self.failed += 1;
                (line.code, line.message) = (Some(failure.code.as_str()), Some(failure.message.as_str()));
                output.say(Tone::Bad, "failed", format_args!("{input}: {}", failure.message));
            }
            Ended::Read { extraction, to_stdout } => {
                let partial = self.read(extraction);
                line.state = if partial { "partial" } else { "succeeded" };
                (line.output, line.pages, line.warnings) = (target, Some(extraction.pages.len()), &extraction.warnings);
                self.tell_read(&input, extraction, partial, took, output);
                if let Some(bytes) = to_stdout {
                    output.content(bytes)?;
                }
            }
        }
        if output.json {
            output.json_line(&line)?;
        }
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
        Ok(())
    }

    fn read(&mut self, extraction: &Extraction) -> bool {
        self.pages += extraction.pages.len();
        self.fallback |= extraction.warnings.iter().any(|warning| warning.code == WarningCode::FallbackEngine);
        let partial = extraction.warnings.iter().any(|warning| warning.code.makes_partial());
        if partial {
            self.partial += 1;
        } else {
            self.done += 1;
        }
        partial
    }

    fn tell_read(&self, input: &str, extraction: &Extraction, partial: bool, took: Duration, output: &Output) {
        for warning in extraction.warnings.iter().filter(|warning| warning.code != WarningCode::FallbackEngine) {
            let (tone, word) = if warning.code.makes_partial() { (Tone::Doubtful, "partial") } else { (Tone::Aside, "note") };
            let page = warning.page.map(|page| format!(" page {page}")).unwrap_or_default();
            output.note(tone, word, format_args!("{input}:{page} {}", warning.message));
        }
        // Where a bar moves, lines would only push the problems off the screen; a single document's result speaks for itself.
        if !partial && self.bar.is_none() && !self.single && !output.json {
            output.note(
                Tone::Good,
                "done",
                format_args!("{input} ({}, {:.1} s)", count(extraction.pages.len(), "page"), took.as_secs_f64()),
            );
        }
    }

    pub(crate) fn finish(self, engine_warning: Option<&str>, took: Duration, output: &Output) -> Exit {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        if let Some(warning) = engine_warning {
            output.note(Tone::Doubtful, "note", warning);
        }
        if !self.single {
            let parts = [
                (self.partial, "of them partial"),
                (self.failed, "failed"),
                (self.up_to_date, "up to date"),
                (self.unsupported, "of other kinds skipped"),
            ];
            let others: String =
                parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!(", {count} {word}")).collect();
            let (pages, seconds) = (count(self.pages, "page"), took.as_secs_f64());
            output.note(
                Tone::Good,
                "converted",
                format_args!("{} ({pages}) in {seconds:.1} s{others}", count(self.done + self.partial, "document")),
            );
        }
        match (self.failed, self.partial) {
            (0, 0) => Exit::Done,
            (0, _) => Exit::Partial,
            _ => Exit::Failed,
        }
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn shown(path: Option<&Path>) -> String {
    path.map_or_else(|| "standard input".into(), |path| Printable(&path.to_string_lossy()).to_string())
}
