//! A version file: what a ring runs, when it may change, and what must hold there.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use anyhow::{Context as _, bail, ensure};
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::window::Window;

/// `argocd/versions/<service>/<ring>.yaml`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionFile {
    pub(crate) pins: Pins,
    pub(crate) window: Option<Window>,
    pub(crate) gate: Gate,
}

/// Revisions of the repository, and digests by program ("" is the tag of the chart's appVersion).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pins {
    /// Of a service's chart; the platform has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chart: Option<String>,
    pub(crate) values: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) images: BTreeMap<String, String>,
}

/// What a ring must show before the next one gets the same, and is reverted for.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gate {
    /// Time within which every site must be on the pins, Synced and Healthy.
    #[serde(deserialize_with = "duration")]
    pub(crate) arrive: SignedDuration,
    /// Time after which a site that is not heard of is left out.
    #[serde(deserialize_with = "duration")]
    pub(crate) skip: SignedDuration,
    /// Time for which every site must stay so.
    #[serde(deserialize_with = "duration")]
    pub(crate) bake: SignedDuration,
    /// Whether every site must convert a document.
    pub(crate) document: bool,
    #[serde(default)]
    pub(crate) queries: Vec<Query>,
}

/// A query of Prometheus, and what each of its values must fulfil.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    pub(crate) name: String,
    pub(crate) query: String,
    #[serde(deserialize_with = "from_text")]
    pub(crate) pass: Bound,
}

/// A comparison, as `>= 0.99`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bound {
    text: String,
}

impl Bound {
    fn parts(text: &str) -> Option<(&str, f64)> {
        let (operator, number) = text.split_once(' ')?;
        Some((operator, number.trim().parse().ok()?))
    }

    /// Whether a value fulfils it. What is no number fulfils nothing.
    pub(crate) fn holds(&self, value: f64) -> bool {
        match Self::parts(&self.text) {
            Some((">=", bound)) => value >= bound,
            Some((">", bound)) => value > bound,
            Some(("<=", bound)) => value <= bound,
            Some(("<", bound)) => value < bound,
            _ => false,
        }
    }
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match Self::parts(text) {
            Some((">=" | ">" | "<=" | "<", _)) => Ok(Self { text: text.to_owned() }),
            _ => Err(format!("{text:?} is no comparison; write one such as \">= 0.99\"")),
        }
    }
}

impl Display for Bound {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(&self.text)
    }
}

fn from_text<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(from: D) -> Result<T, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<SignedDuration, D::Error> {
    let text = String::deserialize(from)?;
    text.parse::<SignedDuration>()
        .map_err(|error| D::Error::custom(format!("{text:?}: {error}; write a time such as 30m or 24h")))
}

pub(crate) fn path(service: &str, ring: &str) -> String {
    format!("argocd/versions/{service}/{ring}.yaml")
}

pub(crate) fn parse(text: &str) -> anyhow::Result<VersionFile> {
    Ok(yaml_serde::from_str(text)?)
}

/// The file's text with other pins, and everything else, comments too, as it was.
pub(crate) fn with_pins(text: &str, pins: &Pins) -> anyhow::Result<String> {
    let old = parse(text)?;
    ensure!(old.pins.chart.is_some() == pins.chart.is_some(), "only one of the two has pins.chart");
    let mut new = text.to_owned();
    if let Some(chart) = &pins.chart {
        new = with_scalar(&new, &["pins", "chart"], chart)?;
    }
    new = with_scalar(&new, &["pins", "values"], &pins.values)?;
    for program in old.pins.images.keys().chain(pins.images.keys()) {
        let digest = pins.images.get(program).map_or("", String::as_str);
        new = with_scalar(&new, &["pins", "images", program], digest)?;
    }
    let mut expected = old;
    for (program, digest) in &mut expected.pins.images {
        *digest = pins.images.get(program).cloned().unwrap_or_default();
    }
    expected.pins = Pins { images: expected.pins.images, ..pins.clone() };
    ensure!(parse(&new)? == expected, "the file could not be changed by lines alone; write pins in block style, a key a line");
    Ok(new)
}

/// Replaces the plain or quoted scalar of one key of nested block mappings; its comment stays.
fn with_scalar(text: &str, keys: &[&str], value: &str) -> anyhow::Result<String> {
    let mut open: Vec<(usize, &str)> = Vec::new();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (at, line) in text.lines().enumerate() {
        let content = line.trim_start();
        let Some((key, rest)) = content.split_once(':').filter(|_| !content.starts_with(['#', '-'])) else { continue };
        let indent = line.len() - content.len();
        open.retain(|(outer, _)| *outer < indent);
        open.push((indent, key));
        if open.iter().map(|(_, key)| *key).eq(keys.iter().copied()) {
            let comment = rest.find(" #").map_or("", |start| &rest[start..]);
            let quoted = if value.is_empty() { "\"\"" } else { value };
            lines[at] = format!("{}{key}: {quoted}{comment}", &line[..indent]);
            return Ok(lines.join("\n") + "\n");
        }
    }
    bail!("there is no line for {}", keys.join("."))
}

/// Reads the file of a ring at a commit.
pub(crate) fn read(git: &crate::git::Git, commit: &str, service: &str, ring: &str) -> anyhow::Result<VersionFile> {
    let path = path(service, ring);
    parse(&git.show(commit, &path)?).with_context(|| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# Ring prod.
pins:
  # Revision of helm/docmill
  chart: v1.0.0 # the first
  values: v1.0.0
  images:
    api: \"\"
    worker: sha256:aa
window: {days: [mon], from: \"09:00\", to: \"15:00\", zone: Europe/Berlin}
gate:
  arrive: 15m
  skip: 1h
  bake: 4h
  document: true
  queries:
    - name: values
      query: up
      pass: \">= 0.99\"
";

    #[test]
    fn new_pins_leave_every_other_character() {
        let images = BTreeMap::from([("api".to_owned(), "sha256:bb".to_owned())]);
        let pins = Pins { chart: Some("v1.1.0".to_owned()), values: "0123abc".to_owned(), images };
        let new = with_pins(FILE, &pins).unwrap();
        let expected = FILE
            .replace("chart: v1.0.0 #", "chart: v1.1.0 #")
            .replace("values: v1.0.0", "values: 0123abc")
            .replace("api: \"\"", "api: sha256:bb")
            .replace("worker: sha256:aa", "worker: \"\"");
        assert_eq!(new, expected);
    }

    #[test]
    fn what_lines_cannot_change_is_refused() {
        let pins = Pins { values: "v2".to_owned(), ..Pins::default() };
        let flow = "pins: {values: v1}\ngate: {arrive: 1m, skip: 1m, bake: 0s, document: false}\n";
        assert_eq!(with_pins(flow, &pins).unwrap_err().to_string(), "there is no line for pins.values");
        let chart = Pins { chart: Some("v2".to_owned()), ..pins };
        assert_eq!(with_pins(flow, &chart).unwrap_err().to_string(), "only one of the two has pins.chart");
    }

    #[test]
    fn bounds_compare_and_refuse_what_is_none() {
        let holds = |bound: &str, value: f64| bound.parse::<Bound>().unwrap().holds(value);
        assert!(holds(">= 0.99", 0.99) && !holds("> 0.99", 0.99) && holds("< 300", 12.0) && !holds("<= 1", 2.0));
        assert!(!holds(">= 0.99", f64::NAN) && !holds("< 300", f64::NAN));
        assert!("0.99".parse::<Bound>().is_err() && "== 1".parse::<Bound>().is_err() && ">= much".parse::<Bound>().is_err());
    }

    #[test]
    fn unknown_keys_and_bad_times_are_refused_by_name() {
        let text = FILE.replace("bake: 4h", "bake: soon");
        assert!(parse(&text).unwrap_err().to_string().contains("\"soon\""));
        let text = FILE.replace("bake:", "baking:");
        assert!(parse(&text).unwrap_err().to_string().contains("baking"));
    }
}
