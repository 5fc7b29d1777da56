//! Figures, their targets, the table and the ledger.

use std::{fs, path::Path, process::Command, thread};

use anyhow::Context as _;
use docmill_domain::Timestamp;
use serde::Serialize;

/// What a figure must reach.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// Measured to be known.
    None,
}

/// Something measured.
#[derive(Serialize)]
pub(crate) struct Figure {
    name: &'static str,
    unit: &'static str,
    target: Target,
    /// The median of the rounds.
    value: f64,
    met: bool,
    rounds: Vec<f64>,
    /// The amounts behind a ratio.
    detail: String,
}

impl Figure {
    pub(crate) fn new(name: &'static str, unit: &'static str, target: Target, rounds: Vec<f64>, detail: String) -> Self {
        let value = median(&rounds);
        let met = match target {
            Target::AtLeast(least) => value >= least,
            Target::AtMost(most) => value <= most,
            Target::None => true,
        };
        Self { name, unit, target, value, met, rounds, detail }
    }

    pub(crate) fn is_met(&self) -> bool {
        self.met
    }
}

/// The middle one; of an even number the mean of the two in the middle. Not a number for none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The table on standard output, in Markdown.
#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
pub(crate) fn print(figures: &[Figure]) {
    println!("\n| figure | target | measured | | rounds | amounts |\n|---|---|---|---|---|---|");
    for Figure { name, unit, target, value, met, rounds, detail } in figures {
        let (target, verdict) = match target {
            Target::AtLeast(least) => (format!("≥ {}{unit}", short(*least)), if *met { "met" } else { "**missed**" }),
            Target::AtMost(most) => (format!("≤ {}{unit}", short(*most)), if *met { "met" } else { "**missed**" }),
            Target::None => ("–".into(), ""),
        };
        let (low, high) = rounds.iter().fold((f64::MAX, f64::MIN), |(low, high), round| (low.min(*round), high.max(*round)));
        let spread = format!("{} of {}…{}", rounds.len(), short(low), short(high));
        println!("| {name} | {target} | {}{unit} | {verdict} | {spread} | {detail} |", short(*value));
    }
}

/// Three digits or so.
fn short(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Everything that was measured, and on what.
#[derive(Serialize)]
struct Ledger<'a> {
    commit: String,
    date: Timestamp,
    profile: &'static str,
    cores: usize,
    cpu: String,
    kernel: String,
    figures: &'a [Figure],
}

pub(crate) fn write_ledger(figures: &[Figure], path: &Path) -> anyhow::Result<()> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let ledger = Ledger {
        commit: commit(),
        date: Timestamp::now(),
        profile: if cfg!(debug_assertions) { "dev" } else { "release" },
        cores: thread::available_parallelism()?.get(),
        cpu: model.trim_start_matches([' ', '\t', ':']).into(),
        kernel: rustix::system::uname().release().to_string_lossy().into(),
        figures,
    };
    let json = serde_json::to_string_pretty(&ledger)? + "\n";
    fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
}

/// The commit that the working folder is at, `-dirty` where something in it is not committed.
fn commit() -> String {
    let described = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=10"]).output();
    described.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn a_target_is_met_on_its_right_side() {
        let met = |target, value| Figure::new("f", "", target, vec![value], String::new()).is_met();
        assert!(met(Target::AtLeast(0.9), 0.9) && !met(Target::AtLeast(0.9), 0.89));
        assert!(met(Target::AtMost(25.0), 25.0) && !met(Target::AtMost(25.0), 25.1));
        assert!(!met(Target::AtLeast(0.9), f64::NAN) && !met(Target::AtMost(25.0), f64::NAN));
    }
}
