//! Prometheus' HTTP API, by the program curl: whatever proxy or credential its address needs, curl's own settings know.

use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::program;

/// One value with the labels it came with.
pub(crate) type Sample = (Value, f64);

/// Asks for the values of a query now.
pub(crate) fn query(address: &str, query: &str) -> anyhow::Result<Vec<Sample>> {
    let url = format!("{}/api/v1/query", address.trim_end_matches('/'));
    let mut curl = Command::new("curl");
    // Without --fail: a refusal has its reason in the body.
    curl.args(["--silent", "--show-error", "--max-time", "20", "--get", "--data-urlencode", &format!("query={query}"), &url]);
    let answer: Value =
        serde_json::from_str(&program::run(&mut curl, None)?).with_context(|| format!("{url} answered no JSON"))?;
    if answer["status"] != "success" {
        bail!("{url} answered {}", answer["error"].as_str().unwrap_or("no success"));
    }
    let samples = answer["data"]["result"].as_array().context("no vector")?;
    samples
        .iter()
        .map(|sample| {
            let number = sample["value"][1].as_str().and_then(|text| text.parse().ok()).context("a value that is no number")?;
            Ok((sample["metric"].clone(), number))
        })
        .collect()
}
