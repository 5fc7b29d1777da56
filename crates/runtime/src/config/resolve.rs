//! Lays the layers over the defaults and finds the readings that the program's type accepts.
//!
//! Text from the environment has no type. Where the defaults do not tell it (an optional value, a section of another kind than the
//! default's), it may be read in more than one way, and serde cannot say what it would like, since it buffers tagged enums untyped.
//! So each section's few combinations are tried in order; if none is accepted, the value to blame is the one without which the
//! complaint is another.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    ConfigError, Origin,
    error::nearest,
    layers::{Entry, Reading},
    redacted,
};

/// Combinations tried per section. Only values that the defaults say nothing of count, so that it is never reached in earnest.
const COMBINATIONS: usize = 1024;

/// One chosen reading of each entry, with the number of its layer.
type Choice<'a> = Vec<(usize, &'a Entry, &'a Reading)>;

/// The configuration, and the origin of every key that is not a default.
pub(super) fn resolve<T: Serialize + DeserializeOwned>(
    mut tree: Value,
    layers: Vec<Vec<Entry>>,
) -> Result<(T, BTreeMap<String, Origin>), ConfigError> {
    let mut sections: BTreeMap<&str, Vec<(usize, &Entry)>> = BTreeMap::new();
    for (number, layer) in layers.iter().enumerate() {
        for entry in layer {
            sections.entry(&entry.readings[0].path[0]).or_default().push((number, entry));
        }
    }
    let mut origins = BTreeMap::new();
    for (section, entries) in sections {
        let choice = choose::<T>(&tree, section, &entries)?;
        let (laid, said) = lay(&tree, &choice);
        tree = laid;
        origins.extend(said);
    }
    let config =
        T::deserialize(&tree).map_err(|error| ConfigError::Section { section: "defaults".into(), message: error.to_string() })?;
    Ok((config, origins))
}

fn choose<'a, T: Serialize + DeserializeOwned>(
    tree: &Value,
    section: &str,
    entries: &[(usize, &'a Entry)],
) -> Result<Choice<'a>, ConfigError> {
    let combinations = entries.iter().map(|(_, entry)| entry.readings.len()).product::<usize>().min(COMBINATIONS);
    let mut first_error = None;
    for mut number in 0..combinations {
        let pick = |&(layer, entry): &(usize, &'a Entry)| {
            let reading = &entry.readings[number % entry.readings.len()];
            number /= entry.readings.len();
            (layer, entry, reading)
        };
        let choice: Choice<'a> = entries.iter().map(pick).collect();
        let Err(complaint) = accepts::<T>(tree, &choice) else { return Ok(choice) };
        let blamed = blame::<T>(tree, &choice, &complaint);
        // Whatever else is read differently, a value of one meaning stays wrong.
        let certain = blamed.is_some_and(|(_, entry, _)| entry.readings.len() == 1);
        let error = explain(section, &complaint, blamed);
        if certain {
            return Err(error);
        }
        first_error.get_or_insert(error);
    }
    Err(first_error.expect("a section has at least one entry"))
}

/// Lays the chosen values over the tree, and tells the origin of each.
fn lay(tree: &Value, choice: &Choice<'_>) -> (Value, BTreeMap<String, Origin>) {
    let (mut tree, mut origins) = (tree.clone(), BTreeMap::new());
    let mut ordered: Vec<_> = choice.iter().collect();
    // The kind first within each layer: it decides what becomes of the layers below.
    ordered.sort_by_key(|(layer, _, reading)| (*layer, reading.path.last().is_none_or(|key| key != "kind")));
    for (_, entry, Reading { path, value }) in ordered {
        let Some((last, parents)) = path.split_last() else { continue };
        let mut table = &mut tree;
        for parent in parents {
            if !table.get(parent).is_some_and(Value::is_object) {
                table[parent] = Value::Object(Map::new());
            }
            table = &mut table[parent];
        }
        if last == "kind" && table.get(last) != Some(value) {
            *table = Value::Object(Map::new());
            let prefix = format!("{}.", parents.join("."));
            origins.retain(|key: &String, _| !key.starts_with(&prefix));
        }
        table[last] = value.clone();
        origins.insert(path.join("."), entry.origin.clone());
    }
    (tree, origins)
}

/// What the type has against a choice.
#[derive(PartialEq)]
enum Complaint {
    Unknown { key: String, known: Vec<String> },
    Other(String),
}

fn accepts<T: Serialize + DeserializeOwned>(tree: &Value, choice: &Choice<'_>) -> Result<(), Complaint> {
    let (laid, said) = lay(tree, choice);
    let config = T::deserialize(&laid).map_err(|error| complaint(&error.to_string()))?;
    // A type that does not deny unknown fields dropped them silently; they are missing in what it serialises to.
    let known = serde_json::to_value(&config).map_err(|error| Complaint::Other(error.to_string()))?;
    for path in said.keys() {
        let mut table = &known;
        for key in path.split('.') {
            match table.get(key) {
                Some(below) => table = below,
                None => {
                    let known = table.as_object().into_iter().flat_map(Map::keys).cloned().collect();
                    return Err(Complaint::Unknown { key: key.to_owned(), known });
                }
            }
        }
    }
    Ok(())
}

/// Reads serde's own words, which are the same for every format: ``unknown field `a`, expected `b` ``.
fn complaint(message: &str) -> Complaint {
    let Some(unknown) = message.strip_prefix("unknown field ") else { return Complaint::Other(message.to_owned()) };
    let mut quoted = unknown.split('`').skip(1).step_by(2).map(str::to_owned);
    Complaint::Unknown { key: quoted.next().unwrap_or_default(), known: quoted.collect() }
}

/// The value that the complaint is about, if it is about one.
fn blame<'c, 'a, T: Serialize + DeserializeOwned>(
    tree: &Value,
    choice: &'c Choice<'a>,
    complaint: &Complaint,
) -> Option<&'c (usize, &'a Entry, &'a Reading)> {
    match complaint {
        Complaint::Unknown { key, .. } => choice.iter().find(|(_, _, reading)| reading.path.contains(key)),
        Complaint::Other(message) if message.starts_with("missing field") => None,
        Complaint::Other(_) => {
            let changes_it = |index: &usize| {
                let mut without = choice.clone();
                without.remove(*index);
                accepts::<T>(tree, &without).as_ref().err() != Some(complaint)
            };
            // Without its kind a section is another one and every complaint changes, so a kind is suspected last.
            let (kinds, others): (Vec<_>, Vec<_>) =
                (0..choice.len()).rev().partition(|&index| choice[index].2.path.last().is_some_and(|key| key == "kind"));
            others.into_iter().chain(kinds).find(changes_it).map(|index| &choice[index])
        }
    }
}

fn explain(section: &str, complaint: &Complaint, blamed: Option<&(usize, &Entry, &Reading)>) -> ConfigError {
    match (complaint, blamed) {
        (Complaint::Unknown { key, known }, Some((_, entry, reading))) => {
            let depth = reading.path.iter().position(|part| part == key).unwrap_or(0);
            let sibling = |name: String| [&reading.path[..depth], &[name]].concat().join(".");
            let nearest = nearest(key, known.iter().map(String::as_str)).map(sibling);
            ConfigError::Unknown { what: reading.path.join("."), origin: entry.origin.clone(), nearest }
        }
        (Complaint::Other(message), Some((_, entry, reading))) => {
            let (key, origin) = (reading.path.join("."), entry.origin.clone());
            let takes = message.rsplit_once(", expected ").map_or("another value", |(_, expected)| in_words(expected)).to_owned();
            let is = redacted(&key, &reading.value);
            ConfigError::Type { key, origin, takes, is: format!("`{is}`") }
        }
        (Complaint::Unknown { key, .. }, None) => {
            ConfigError::Section { section: section.into(), message: format!("`{key}` is not a setting") }
        }
        (Complaint::Other(message), None) => ConfigError::Section { section: section.into(), message: message.clone() },
    }
}

/// serde's names of types, as one would say them.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, zero or more, in its range",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number in its range",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "path string" => "a text",
        "socket address" => "an address and a port, such as 127.0.0.1:8080",
        table if table.contains("struct ") || table.contains("enum ") => "a table",
        other => other,
    }
}
