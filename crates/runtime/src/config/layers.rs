//! Reads the layers above the defaults into entries: one value each, with its key and its origin.

use std::{fs, path::Path};

use serde_json::Value;

use super::{ConfigError, OTHER_VARIABLES, Origin, PREFIX, SECTIONS, Sources, error::nearest, leaves};

/// One value of a layer.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) origin: Origin,
    /// What it may mean, likeliest first; never empty. Text from the environment leaves open whether `5432` is a number, and, of a
    /// section whose keys depend on its kind, whether `…_FILE` is a key's own end.
    pub(super) readings: Vec<Reading>,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) path: Vec<String>,
    pub(super) value: Value,
}

/// The layers, the one that is overridden by all others first. Sections of other programs are left out.
pub(super) fn read(sources: &Sources, defaults: &Value) -> Result<Vec<Vec<Entry>>, ConfigError> {
    let file = sources.file.as_deref().map_or(Ok(Vec::new()), from_file)?;
    let environment = from_environment(sources, defaults)?;
    let flag = |(key, text): &(String, String)| {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        Entry { origin: Origin::Flag, readings: readings(defaults, &path, text) }
    };
    let mut layers = vec![file, environment, sources.flags.iter().map(flag).collect()];
    for layer in &mut layers {
        layer.iter().try_for_each(known_section)?;
        layer.retain(|entry| defaults.get(&entry.readings[0].path[0]).is_some());
    }
    Ok(layers)
}

fn known_section(entry: &Entry) -> Result<(), ConfigError> {
    let path = &entry.readings[0].path;
    if SECTIONS.contains(&path[0].as_str()) {
        return Ok(());
    }
    let mut nearest_path = path.clone();
    nearest_path[0] = nearest(&path[0], SECTIONS).expect("there are sections");
    Err(ConfigError::Unknown { what: path.join("."), origin: entry.origin.clone(), nearest: Some(nearest_path.join(".")) })
}

fn from_file(path: &Path) -> Result<Vec<Entry>, ConfigError> {
    let origin = Origin::File(path.to_owned());
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        origin: "--config or DOCMILL_CONFIG".into(),
        source,
    })?;
    let tree: Value =
        toml::from_str(&text).map_err(|error| ConfigError::Syntax { path: path.to_owned(), message: error.to_string() })?;
    let entry = |(path, value): (Vec<String>, &Value)| Entry {
        origin: origin.clone(),
        readings: vec![Reading { path, value: value.clone() }],
    };
    Ok(leaves(&tree).into_iter().map(entry).collect())
}

fn from_environment(sources: &Sources, defaults: &Value) -> Result<Vec<Entry>, ConfigError> {
    let mut entries = Vec::new();
    for (variable, text) in &sources.env {
        let Some(name) = variable.strip_prefix(PREFIX) else { continue };
        if text.is_empty() || OTHER_VARIABLES.contains(&variable.as_str()) || is_service_link(name, text) {
            continue;
        }
        let origin = Origin::Environment(variable.clone());
        let path: Vec<String> = name.split("__").map(str::to_lowercase).collect();
        if path.len() < 2 {
            let known: Vec<String> = leaves(defaults).iter().map(|(path, _)| spelled(path)).collect();
            let nearest = nearest(variable, known.iter().map(String::as_str));
            return Err(ConfigError::Unknown { what: variable.clone(), origin, nearest });
        }
        let mut meanings = readings(defaults, &path, text);
        let secret = path.last().and_then(|last| last.strip_suffix("_file")).filter(|_| at(defaults, &path).is_none());
        if let Some(secret) = secret {
            let twin = variable.trim_end_matches("_FILE");
            if sources.env.get(twin).is_some_and(|text| !text.is_empty()) {
                return Err(ConfigError::Twice { variable: twin.to_owned() });
            }
            let mut stripped = path.clone();
            stripped[path.len() - 1] = secret.to_owned();
            if at(defaults, &stripped).is_some() {
                meanings.clear();
            }
            // Even where `…_file` turns out to be a key's own end, it names something to be read.
            meanings.push(Reading { path: stripped, value: read_secret(Path::new(text), &origin)? });
        }
        entries.push(Entry { origin, readings: meanings });
    }
    Ok(entries)
}

/// A secret's file is read without its last line break, as every editor and `kubectl create secret` leaves one or not.
fn read_secret(path: &Path, origin: &Origin) -> Result<Value, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        origin: origin.to_string(),
        source,
    })?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Value::String(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

/// Whether Kubernetes made this variable, to link a service whose name begins with ours.
fn is_service_link(name: &str, value: &str) -> bool {
    let name = format!("_{name}");
    if name.ends_with("_SERVICE_HOST") || name.ends_with("_SERVICE_PORT") || name.contains("_SERVICE_PORT_") {
        return true;
    }
    if name.ends_with("_PORT") && value.contains("://") {
        return true;
    }
    // …_PORT_8080_TCP, and the same with _PROTO, _PORT or _ADDR behind it.
    name.match_indices("_PORT_").any(|(at, word)| {
        let rest = &name[at + word.len()..];
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| rest.starts_with(protocol))
    })
}

/// What a text may mean at a key: of the default's type where there is one, else a JSON literal or just text.
fn readings(defaults: &Value, path: &[String], text: &str) -> Vec<Reading> {
    let literal = serde_json::from_str::<Value>(text).ok().filter(|value| !value.is_null() && !value.is_string());
    let words = || Value::Array(text.split(',').map(|word| Value::String(word.trim().to_owned())).collect());
    let plain = Value::String(text.to_owned());
    let values = match at(defaults, path) {
        Some(Value::String(_)) => vec![plain],
        Some(Value::Array(_)) => vec![literal.filter(Value::is_array).unwrap_or_else(words)],
        Some(Value::Null) | None => literal.into_iter().chain([plain]).collect(),
        Some(_) => vec![literal.unwrap_or(plain)],
    };
    values.into_iter().map(|value| Reading { path: path.to_vec(), value }).collect()
}

fn at<'a>(tree: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(tree, |tree, key| tree.get(key))
}

fn spelled(path: &[String]) -> String {
    format!("{PREFIX}{}", path.join("__").to_uppercase())
}
