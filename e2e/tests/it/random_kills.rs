//! SIGKILL at random moments, of which those count in which jobs were running.

use std::time::Duration;

use docmill_e2e::{
    client::{Promise, Upload, result, settled, submit},
    docmill::Docmill,
    load::check_mock,
};
use rand::RngExt;
use reqwest::Client;
use serde_json::json;

use crate::kill::check_remains;

/// `KILLS` asks for more, as `make torture` does.
fn kills_wanted() -> u32 {
    std::env::var("KILLS").map_or(20, |kills| kills.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_while_jobs_run() {
    let wanted = kills_wanted();
    let folder = tempfile::tempdir().unwrap();
    let http = Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
    let mut docmill = Docmill::start(folder.path()).unwrap();
    let mut promises: Vec<(Upload, Promise)> = Vec::new();
    let mut kills = 0;
    for round in 0.. {
        assert!(round < wanted * 10, "only {kills} of {round} kills met running jobs");
        let upload = Upload::mock(&format!("mock-{round}"), &json!({"pages": 5, "ms_per_page": 60, "text": "m"}));
        let promise = submit(&http, &docmill.api, &upload).await.unwrap();
        promises.push((upload, promise));
        tokio::time::sleep(Duration::from_millis(rand::rng().random_range(0..400))).await;
        let running: serde_json::Value =
            http.get(format!("{}/v1/documents?job_state=running", docmill.api)).send().await.unwrap().json().await.unwrap();
        docmill.kill();
        kills += u32::from(running["documents"].as_array().is_some_and(|running| !running.is_empty()));
        docmill = Docmill::start(folder.path()).unwrap();
        if kills == wanted {
            break;
        }
    }
    for (upload, promise) in &promises {
        assert_eq!(&submit(&http, &docmill.api, upload).await.unwrap(), promise, "a replay has the same answer");
        let job = settled(&http, &docmill.api, &promise.job, Duration::from_secs(60)).await.unwrap();
        assert_eq!(job["state"], "succeeded", "{job}");
        check_mock(&result(&http, &docmill.api, &promise.document).await.unwrap(), &job).unwrap();
    }
    println!("{kills} kills while jobs ran, {} documents: lost 0, doubled 0", promises.len());
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(docmill.stop().unwrap().success());
    check_remains(folder.path(), 0).await.unwrap();
    if let Ok(ledger) = std::env::var("LEDGER") {
        let figures = json!({"kills_while_jobs_ran": kills, "documents": promises.len(), "lost": 0, "doubled": 0, "orphans": 0});
        std::fs::write(ledger, figures.to_string()).unwrap();
    }
}
