//! One thing that a configuration names, and how it compares with what is there.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that can be looked at, made, and taken down. Every step may be taken again: whatever was killed in its middle is found
/// half done by the next [`observe`](Self::observe), and finished by the next [`make`](Self::make).
#[async_trait(?Send)]
pub(crate) trait Resource {
    /// Kind and name, as `bucket docmill`; never a secret.
    fn name(&self) -> String;

    /// Who it belongs to.
    fn group(&self) -> Group;

    /// What is there, and how it differs from what should be.
    async fn observe(&self) -> Result<Observed, Error>;

    /// Makes or changes it until it is as desired.
    async fn make(&self) -> Result<(), Error>;

    /// Whether a part of it cannot be looked at. Then every `apply` makes it, also where all that can be seen is as it should be.
    fn is_partly_hidden(&self) -> bool {
        false
    }

    /// What becomes of it when everything is taken down.
    fn removal(&self) -> Removal {
        Removal::WithAnother
    }

    /// Takes it down; that it is gone already is success.
    async fn remove(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// Whose a resource is: a group can be left to another tool, which `provision.check_only` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Group {
    /// The bucket and its settings.
    Bucket,
    /// The broker's queues, streams and exchanges.
    Queue,
    /// The database and the role that the programs log in as.
    Database,
    /// What is in the database: schema and grants.
    Schema,
    /// Seed files.
    Seed,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Observed {
    Absent,
    /// It is there, with these differences.
    Present(Vec<Difference>),
}

impl Observed {
    /// Something there, compared with what it should be. What it is beside that is someone else's, and no difference.
    pub(crate) fn compared(desired: &Value, found: &Value) -> Self {
        let mut list = Vec::new();
        compare("", desired, found, &mut list);
        Self::Present(list)
    }
}

/// What [`Resource::remove`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Removal {
    /// Nothing: it is a part of something else, and goes with that.
    WithAnother,
    /// Takes down what holds no data.
    Harmless,
    /// Takes down what holds data, once a person has typed this name.
    Data(String),
}

/// Why a resource could not be looked at, made or removed; each a sentence that names it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The server is not up, or not yet; it is asked again until the deadline.
    #[error("{0}")]
    Away(String),
    /// The server cannot do this at all, which is no drift.
    #[error("{0}")]
    Unsupported(String),
    /// Nothing but a person can help.
    #[error("{0}")]
    Refused(String),
}

/// An error and what caused it, in one sentence.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// One value that is not as it should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Difference {
    /// Where in the resource, as `status` or `rule.days`; empty for the whole.
    pub(crate) at: String,
    pub(crate) is: Value,
    pub(crate) should_be: Value,
}

fn compare(at: &str, desired: &Value, found: &Value, list: &mut Vec<Difference>) {
    match (desired, found) {
        (Value::Object(desired), Value::Object(found)) => {
            for (key, desired) in desired {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                compare(&at, desired, found.get(key).unwrap_or(&Value::Null), list);
            }
        }
        _ if desired != found => list.push(Difference { at: at.to_owned(), is: found.clone(), should_be: desired.clone() }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_desired_is_compared() {
        let desired = json!({"status": "on", "rule": {"days": 2, "tags": ["a"]}});
        let right = json!({"status": "on", "rule": {"days": 2, "tags": ["a"]}, "more": 1});
        assert_eq!(Observed::compared(&desired, &right), Observed::Present(Vec::new()));
        let wrong = json!({"status": "on", "rule": {"days": 3, "tags": ["b", "a"]}});
        let Observed::Present(found) = Observed::compared(&desired, &wrong) else { panic!("it is there") };
        let told: Vec<_> = found.iter().map(|d| format!("{}: {} should be {}", d.at, d.is, d.should_be)).collect();
        assert_eq!(told, ["rule.days: 3 should be 2", r#"rule.tags: ["b","a"] should be ["a"]"#]);
    }
}
