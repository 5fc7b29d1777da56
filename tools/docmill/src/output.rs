//! What a command writes: results to standard output, buffered; everything else to standard error. Colours and bars only on a terminal.

use std::{
    env,
    fmt::{self, Display},
    io::{self, BufWriter, IsTerminal, StdoutLock, Write},
};

use anyhow::Context as _;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

/// Where a command writes to.
pub(crate) struct Output {
    /// Whether standard output carries JSON.
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    colours: bool,
    out: BufWriter<StdoutLock<'static>>,
    bars: MultiProgress,
}

/// What a line is about, and so its colour.
#[derive(Clone, Copy)]
pub(crate) enum Tone {
    Good,
    Doubtful,
    Bad,
    Aside,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
        Self {
            json,
            quiet,
            colours: colours(),
            out: BufWriter::with_capacity(64 << 10, io::stdout().lock()),
            bars: MultiProgress::with_draw_target(target),
        }
    }

    /// Whether a person watches the progress.
    pub(crate) fn has_bars(&self) -> bool {
        !self.quiet && !self.bars.is_hidden()
    }

    /// Content, as it is.
    pub(crate) fn content(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        written(self.out.write_all(bytes))
    }

    /// A line of the result.
    pub(crate) fn line(&mut self, line: impl Display) -> anyhow::Result<()> {
        written(writeln!(self.out, "{line}"))
    }

    /// One object of the result, on a line of its own, written out at once: whoever reads it may be waiting for it.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(serde_json::to_string(value)?)?;
        self.flush()
    }

    /// Aligned columns under their heads.
    pub(crate) fn table<const N: usize>(
        &mut self,
        heads: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> anyhow::Result<()> {
        let rows: Vec<[String; N]> = rows.into_iter().collect();
        let width =
            |column: usize| rows.iter().map(|row| row[column].chars().count()).chain([heads[column].len()]).max().unwrap_or(0);
        let widths: [usize; N] = std::array::from_fn(width);
        for row in [heads.map(String::from)].iter().chain(&rows) {
            let line: String = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect();
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    /// A line to standard error, above any bar, unless `--quiet`.
    pub(crate) fn note(&self, tone: Tone, word: &str, rest: impl Display) {
        if !self.quiet {
            self.say(tone, word, rest);
        }
    }

    /// A line to standard error, above any bar, in any case.
    pub(crate) fn say(&self, tone: Tone, word: &str, rest: impl Display) {
        let line = format!("{} {rest}", paint(self.colours, tone, word));
        // Nobody reads standard error any more: there is no one to tell.
        let _ = self.bars.suspend(|| writeln!(io::stderr(), "{line}"));
    }

    /// A bar that counts things; hidden where nobody looks.
    pub(crate) fn count_bar(&self, total: u64) -> ProgressBar {
        self.bar(total, "{bar:30} {pos}/{len} {wide_msg} {eta:>4}")
    }

    /// A bar that counts bytes.
    pub(crate) fn bytes_bar(&self, total: u64) -> ProgressBar {
        self.bar(total, "{bar:30} {bytes:>10}/{total_bytes} {bytes_per_sec:>12} {wide_msg}")
    }

    fn bar(&self, total: u64, template: &str) -> ProgressBar {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bars.add(ProgressBar::new(total).with_style(style.progress_chars("━╸─")))
    }

    /// Writes out what is still buffered.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        written(self.out.flush())
    }
}

/// Whoever read standard output has closed it, having seen enough: an end, not an error.
#[derive(Debug)]
pub(crate) struct Closed;

impl Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output was closed")
    }
}

impl std::error::Error for Closed {}

fn written(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Closed.into()),
        other => other.context("cannot write to standard output"),
    }
}

/// Whether standard error is a terminal whose owner does not mind colours (<https://no-color.org>).
fn colours() -> bool {
    io::stderr().is_terminal()
        && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn paint(colours: bool, tone: Tone, word: &str) -> String {
    let code = match tone {
        Tone::Good => 32,
        Tone::Doubtful => 33,
        Tone::Bad => 31,
        Tone::Aside => 2,
    };
    if colours { format!("\x1b[{code}m{word}\x1b[0m") } else { word.into() }
}

/// An error's line; for `main`, which has no [`Output`] any more.
pub(crate) fn error(message: impl Display) {
    let _ = writeln!(io::stderr(), "{} {message}", paint(colours(), Tone::Bad, "error:"));
}

/// Text that a stranger chose, such as a file name: what could move a terminal's cursor or turn its writing round is escaped.
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '"' | '\'' | '\\' => write!(f, "{c}")?,
                other => write!(f, "{}", other.escape_debug())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_cannot_steer_the_terminal() {
        assert_eq!(Printable("a\x1b[2J\u{202e}\n\"ä\\").to_string(), "a\\u{1b}[2J\\u{202e}\\n\"ä\\");
    }
}
