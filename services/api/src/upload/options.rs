//! An upload's options, gathered from wherever they came. Each is checked on its own, so that an error can name it.

use docmill_domain::Options;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{ApiError, Result};

/// Options gathered so far.
#[derive(Default)]
pub(crate) struct Gathered(Map<String, Value>);

impl Gathered {
    /// Takes a JSON object of options.
    pub(crate) fn json(&mut self, text: &str) -> Result<()> {
        let fields: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| ApiError::option("options", format!("options takes a JSON object: {error}")))?;
        fields.into_iter().try_for_each(|(name, value)| self.insert(name, value))
    }

    /// Takes one option as the text of a form's part: plain, or JSON where the option is no text.
    pub(crate) fn text(&mut self, name: &str, text: &str) -> Result<()> {
        let plain = Value::String(text.into());
        if alone(name, &plain).is_ok() {
            return self.insert(name.into(), plain);
        }
        self.insert(name.into(), serde_json::from_str(text).unwrap_or(plain))
    }

    fn insert(&mut self, name: String, value: Value) -> Result<()> {
        alone(&name, &value)?;
        match self.0.insert(name.clone(), value) {
            None => Ok(()),
            Some(_) => Err(ApiError::option(&name, format!("{name} is given twice; give it once"))),
        }
    }

    /// The options, if all of them can be used.
    pub(crate) fn finish(self) -> Result<Options> {
        let options = read(self.0).map_err(|error| ApiError::option("options", error.to_string()))?;
        options.validate().map_err(|error| ApiError::option(error.field, error.to_string()))?;
        Ok(options)
    }
}

/// Whether this option can take this value, whatever the others are.
fn alone(name: &str, value: &Value) -> Result<()> {
    read(Map::from_iter([(name.to_owned(), value.clone())])).map(drop).map_err(|error| {
        // The parser repeats what it read: not a secret, and not at any length.
        let what =
            if name == "password" { "takes a text".into() } else { error.to_string().chars().take(300).collect::<String>() };
        ApiError::option(name, format!("{}: {what}", name.chars().take(64).collect::<String>()))
    })
}

fn read(fields: Map<String, Value>) -> serde_json::Result<Options> {
    Options::deserialize(Value::Object(fields))
}
