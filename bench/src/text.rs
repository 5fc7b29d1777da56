//! `docmill convert` against a bare loop over the same calls of libpdfium.

use std::{env, process::Command, thread};

use anyhow::ensure;
use serde::Deserialize;

use crate::{
    bare::Counts,
    corpus::Corpus,
    figure::{Figure, Target, median},
    process::{self, Ran},
    programs::Programs,
};

/// Pages per second of wall clock, and per second on a core.
#[derive(Clone, Copy)]
struct Rate {
    wall: f64,
    core: f64,
}

impl Rate {
    fn of(pages: usize, ran: &Ran) -> Self {
        Self { wall: pages as f64 / ran.seconds, core: pages as f64 / ran.cpu }
    }
}

pub(crate) fn run(programs: &Programs, corpus: &Corpus, rounds: u16) -> anyhow::Result<Vec<Figure>> {
    let (mut bare, mut one, mut two, mut markdown) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // The first round only brings files into the page cache.
    for round in 0..=rounds {
        let rates = [
            bare_loop(corpus)?,
            convert(programs, corpus, "text", 1)?,
            convert(programs, corpus, "text", 2)?,
            convert(programs, corpus, "md", 1)?,
        ];
        if round > 0 {
            for (side, rate) in [&mut bare, &mut one, &mut two, &mut markdown].into_iter().zip(rates) {
                side.push(rate);
            }
        }
    }
    let ratios = |above: &[Rate], below: &[Rate], of: fn(&Rate) -> f64| -> Vec<f64> {
        above.iter().zip(below).map(|(above, below)| of(above) / of(below)).collect()
    };
    let wall = |rate: &Rate| rate.wall;
    let core = |rate: &Rate| rate.core;
    let amounts = |above: &[Rate], below: &[Rate]| {
        let middle = |rates: &[Rate]| median(&rates.iter().map(wall).collect::<Vec<_>>());
        let busy = median(&ratios(above, below, core));
        format!("{:.0} and {:.0} pages/s, {busy:.2} by time on cores; {}", middle(above), middle(below), corpus.title)
    };
    let mut figures = vec![
        Figure::new("text, one core, of a bare loop", "", Target::AtLeast(0.9), ratios(&one, &bare, wall), amounts(&one, &bare)),
        Figure::new(
            "Markdown and tables, one core, of a bare loop for text",
            "",
            Target::None,
            ratios(&markdown, &bare, wall),
            amounts(&markdown, &bare),
        ),
    ];
    if thread::available_parallelism()?.get() >= 2 {
        let (ratios, amounts) = (ratios(&two, &one, wall), amounts(&two, &one));
        figures.push(Figure::new("text, two cores, of one core", "×", Target::AtLeast(1.9), ratios, amounts));
    }
    Ok(figures)
}

fn bare_loop(corpus: &Corpus) -> anyhow::Result<Rate> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("bare-text").arg(&corpus.folder);
    let ran = process::run(command, true)?;
    ensure!(ran.output.status.success(), "the bare loop failed: {}", String::from_utf8_lossy(&ran.output.stderr));
    let counts: Counts = serde_json::from_slice(&ran.output.stdout)?;
    ensure!(counts.pages > 0 && counts.bytes > 0, "the bare loop read nothing");
    Ok(Rate::of(counts.pages, &ran))
}

/// What `docmill --json convert` says of a document.
#[derive(Deserialize)]
struct Line {
    pages: Option<usize>,
}

/// With one extractor on one core, or with several on all.
fn convert(programs: &Programs, corpus: &Corpus, to: &str, jobs: usize) -> anyhow::Result<Rate> {
    let results = programs.scratch()?;
    let mut command = programs.docmill()?;
    command.args(["--json", "--quiet", "convert", "--to", to, "--jobs", &jobs.to_string(), "--output"]);
    command.arg(results.path()).arg(&corpus.folder);
    let ran = process::run(command, jobs == 1)?;
    let mut pages = 0;
    for line in String::from_utf8(ran.output.stdout.clone())?.lines() {
        pages += serde_json::from_str::<Line>(line)?.pages.unwrap_or(0);
    }
    // 3 and 4: some document is partial, or could not be read.
    let code = ran.output.status.code();
    ensure!(
        matches!(code, Some(0 | 3 | 4)) && pages > 0,
        "docmill convert ended with {}: {}",
        ran.output.status,
        String::from_utf8_lossy(&ran.output.stderr)
    );
    Ok(Rate::of(pages, &ran))
}
