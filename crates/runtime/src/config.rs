//! One configuration from four layers: the program's defaults, a TOML file, the environment, flags; a later one wins.
//!
//! - The environment spells `blob.folder` as `DOCMILL_BLOB__FOLDER`. `DOCMILL_CATALOG__PASSWORD_FILE` names a file that holds
//!   `catalog.password`. An empty variable is not set. The variables by which Kubernetes links services are skipped.
//! - One file serves every program: a section that the program has no use for is skipped, one that no program has is an error.
//! - A section with a `kind` is another section once its kind changes: what lower layers said of the old kind is dropped.
//! - Unknown keys are errors that name the nearest known one. This holds for every type whose fields are all serialised, whether it
//!   denies unknown fields or not.

mod error;
mod layers;
mod resolve;

use std::{collections::BTreeMap, env, fmt, path::PathBuf};

use serde::{Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

pub use self::error::ConfigError;

/// The sections that any docmill program may have.
pub const SECTIONS: [&str; 12] =
    ["catalog", "blob", "queue", "extract", "pipeline", "api", "worker", "intake", "ops", "telemetry", "lifecycle", "provision"];

/// Variables that begin with `DOCMILL_` and are no settings.
pub const OTHER_VARIABLES: &[&str] = &[
    "DOCMILL_API_KEY",
    "DOCMILL_API_KEY_FILE",
    "DOCMILL_CONFIG",
    "DOCMILL_CORPUS",
    "DOCMILL_FAILPOINTS",
    "DOCMILL_PASSWORD",
    "DOCMILL_SERVER",
    "DOCMILL_TOOLS",
];

const PREFIX: &str = "DOCMILL_";

/// Where the layers above the defaults come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The TOML file; it must exist.
    pub file: Option<PathBuf>,
    /// The environment's variables by name; those without our prefix are ignored.
    pub env: BTreeMap<String, String>,
    /// Values by dotted key, as `--set blob.folder=/data` gives them.
    pub flags: Vec<(String, String)>,
}

impl Sources {
    /// This process's environment, and the file that `--config` or `DOCMILL_CONFIG` names, else `./docmill.toml` if there is one.
    pub fn of_process(config_flag: Option<PathBuf>, flags: Vec<(String, String)>) -> Result<Self, ConfigError> {
        let mut env = BTreeMap::new();
        for (name, value) in env::vars_os() {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            let value = value.into_string().map_err(|_| ConfigError::NotUnicode { variable: name.into() })?;
            env.insert(name.to_owned(), value);
        }
        let named = config_flag.or_else(|| env.get("DOCMILL_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from));
        let file = named.or_else(|| Some(PathBuf::from("docmill.toml")).filter(|path| path.exists()));
        Ok(Self { file, env, flags })
    }
}

/// One `--set` of a command line: `KEY=VALUE`.
pub fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("takes KEY=VALUE")?;
    Ok((key.into(), value.into()))
}

/// A configuration, and where each value of it came from.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    /// What the program works with.
    pub config: T,
    /// Every value, by key, fit to be shown.
    pub settings: Vec<Setting>,
}

/// One value, as `docmill config` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Dotted key.
    pub key: String,
    /// The value as text, empty if unset; of secrets nothing but that they are set.
    pub value: String,
    /// Which layer said so.
    pub origin: Origin,
}

/// The layer that a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The program itself.
    Default,
    /// The TOML file.
    File(PathBuf),
    /// A variable of the environment.
    Environment(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Resolves the configuration of a program: a struct of sections, each serialising all of its fields.
pub fn load<T: Serialize + DeserializeOwned + Default>(sources: &Sources) -> Result<Loaded<T>, ConfigError> {
    let defaults = serde_json::to_value(T::default()).expect("a configuration type serialises to JSON");
    let layers = layers::read(sources, &defaults)?;
    let (config, origins) = resolve::resolve::<T>(defaults, layers)?;
    let values = serde_json::to_value(&config).expect("a configuration type serialises to JSON");
    let setting = |(path, value): (Vec<String>, &Value)| {
        let key = path.join(".");
        let origin = origins.get(&key).cloned().unwrap_or(Origin::Default);
        Setting { value: redacted(&key, value), key, origin }
    };
    let settings = leaves(&values).into_iter().map(setting).collect();
    Ok(Loaded { config, settings })
}

/// The values of a tree with their paths; an array is one value.
fn leaves(tree: &Value) -> Vec<(Vec<String>, &Value)> {
    let Value::Object(table) = tree else { return vec![(Vec::new(), tree)] };
    let below = |(key, value)| {
        leaves(value).into_iter().map(move |(mut path, leaf): (Vec<String>, _)| {
            path.insert(0, String::clone(key));
            (path, leaf)
        })
    };
    table.iter().flat_map(below).collect()
}

/// A value as it may be shown: secrets by their key's last word, and a password within a URL, are hidden.
pub(crate) fn redacted(key: &str, value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.is_empty() {
        return text;
    }
    if ["password", "secret", "token", "key", "access_key_id", "credentials"].iter().any(|word| key.ends_with(word)) {
        return "[redacted]".into();
    }
    let hide = || {
        let (scheme, rest) = text.split_once("://")?;
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let (credentials, _) = authority.rsplit_once('@')?;
        let (user, _) = credentials.split_once(':')?;
        Some(format!("{scheme}://{user}:[redacted]{}", &rest[credentials.len()..]))
    };
    hide().unwrap_or(text)
}
