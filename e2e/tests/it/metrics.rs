//! The whole metrics scrape, without its values: a dashboard or an alert can name nothing that is not here.

use std::{collections::BTreeSet, time::Duration};

use docmill_e2e::{
    client::{Upload, settled, submit},
    docmill::Docmill,
};
use reqwest::Client;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_scrape_has_these_series_and_no_others() {
    let data = tempfile::tempdir().unwrap();
    let docmill = Docmill::start(data.path()).unwrap();
    let http = Client::new();
    // One of each kind of end.
    for upload in [
        // Long enough for the indexer: a short one is indexed with the end of its job.
        Upload::text("text", &"hello\n".repeat(4000)),
        Upload::mock("partial", &json!({"pages": 0})),
        Upload::mock("dead-letter", &json!({"pages": 0, "then": "abort"})),
    ] {
        let promise = submit(&http, &docmill.api, &upload).await.unwrap();
        settled(&http, &docmill.api, &promise.job, Duration::from_secs(30)).await.unwrap();
    }
    http.get(format!("{}/v1/documents/doc_none", docmill.api)).send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let scrape = http.get(format!("{}/metrics", docmill.ops)).send().await.unwrap().text().await.unwrap();
    let series: BTreeSet<String> = scrape.lines().filter(|line| !line.is_empty()).map(without_value).collect();
    insta::assert_snapshot!(series.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(docmill.stop().unwrap().success());
}

/// A sample without its value; a histogram's buckets folded into one; versions blanked.
fn without_value(line: &str) -> String {
    if line.starts_with('#') {
        return line.into();
    }
    let series = line.rsplit_once(' ').map_or(line, |(series, _)| series);
    let mut series = series.to_string();
    for label in ["le", "version", "revision"] {
        if let Some(at) = series.find(&format!("{label}=\"")) {
            let end = series[at + label.len() + 2..].find('"').map_or(series.len(), |end| at + label.len() + 2 + end);
            series.replace_range(at + label.len() + 2..end, "…");
        }
    }
    series
}
