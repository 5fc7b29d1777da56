//! The process killed exactly at each durable step, then started again: every 202 ends in one final state, with the result of an
//! undisturbed run, and nothing is left on the disk that no row names.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use docmill_domain::failpoint;
use docmill_e2e::{
    client::{Promise, Upload, result, send, settled, submit},
    docmill::{Docmill, command},
    load::check_mock,
    remains::Remains,
};
use reqwest::Client;
use serde_json::json;

/// How long a job may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// A document that is cancelled, one deleted, one whose extractor dies until it is a dead letter and is then retried, and two that run through:
/// together they pass every durable step that there is.
pub(crate) struct Scenario {
    cancelled: Upload,
    deleted: Upload,
    dead_letter: Upload,
    text: Upload,
    slow: Upload,
}

impl Scenario {
    pub(crate) fn new() -> Self {
        Self {
            slow: Upload::mock("slow", &json!({"pages": 4, "ms_per_page": 400, "text": "slow"})),
            // Long enough for the indexer: a short one is indexed with the end of its job.
            text: Upload::text("text", &"the text of a document that runs through\n".repeat(500)),
            cancelled: Upload::mock("cancelled", &json!({"pages": 500, "ms_per_page": 100})),
            deleted: Upload::mock("deleted", &json!({"pages": 500, "ms_per_page": 100})),
            dead_letter: Upload::mock("dead-letter", &json!({"pages": 0, "then": "abort"})),
        }
    }

    fn uploads(&self) -> [&Upload; 5] {
        [&self.slow, &self.text, &self.cancelled, &self.deleted, &self.dead_letter]
    }

    /// Goes through everything once, as far as the server lives. Errors are the point: nothing is concluded from them.
    pub(crate) async fn disturb(&self, http: &Client, api: &str) {
        let mut promises = Vec::new();
        for upload in self.uploads() {
            let Some(Ok(promise)) = send(http, api, upload).await else { return };
            promises.push(promise);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let _ = http.post(format!("{api}/v1/jobs/{}/cancel", promises[2].job)).send().await;
        let _ = http.delete(format!("{api}/v1/documents/{}", promises[3].document)).send().await;
        if settled(http, api, &promises[4].job, PATIENCE).await.is_ok() {
            let _ = http.post(format!("{api}/v1/jobs/{}/retry", promises[4].job)).send().await;
        }
        for promise in &promises {
            if settled(http, api, &promise.job, PATIENCE).await.is_err() {
                return;
            }
        }
    }

    /// Asks again for everything, with the same keys, until all of it has ended, and looks at how.
    pub(crate) async fn conclude(&self, http: &Client, api: &str) -> Result<()> {
        let mut promises: Vec<Promise> = Vec::new();
        for upload in self.uploads() {
            promises.push(submit(http, api, upload).await?);
        }
        let [slow, text, cancelled, deleted, dead_letter] = promises.as_slice() else { unreachable!() };
        let _ = http.post(format!("{api}/v1/jobs/{}/cancel", cancelled.job)).send().await?;
        http.delete(format!("{api}/v1/documents/{}", deleted.document)).send().await?.error_for_status()?;

        let text_job = settled(http, api, &text.job, PATIENCE).await?;
        ensure!(text_job["state"] == "succeeded", "{text_job}");
        let text_result = result(http, api, &text.document).await?;
        ensure!(text_result["markdown"].as_str().is_some_and(|markdown| markdown.contains("runs through")), "{text_result}");

        let slow_job = settled(http, api, &slow.job, PATIENCE).await?;
        ensure!(slow_job["state"] == "succeeded", "{slow_job}");
        check_mock(&result(http, api, &slow.document).await?, &slow_job)?;

        let cancelled_job = settled(http, api, &cancelled.job, PATIENCE).await?;
        ensure!(cancelled_job["state"] == "cancelled", "{cancelled_job}");
        let gone = http.get(format!("{api}/v1/documents/{}", deleted.document)).send().await?;
        ensure!(gone.status() == 410, "{}", gone.status());
        let dead = settled(http, api, &dead_letter.job, PATIENCE).await?;
        ensure!(
            dead["state"] == "failed" && dead["dead_letter"] == true && dead["failure"]["code"] == "extractor_crashed",
            "{dead}"
        );
        Ok(())
    }
}

/// After the sweeper has had its time, the disk holds what the catalog says is live, and nothing else; each job ended once.
pub(crate) async fn check_remains(data: &Path, redriven: i64) -> Result<()> {
    let remains = Remains::of(data).await?;
    ensure!(remains.orphans().is_empty(), "orphans: {:?}", remains.orphans());
    ensure!(remains.missing().is_empty(), "missing: {:?}", remains.missing());
    ensure!(remains.named == remains.live, "rows not swept: {:?}", remains.named.difference(&remains.live));
    for (job, ends) in &remains.ends {
        ensure!(*ends >= 1 && *ends <= 1 + redriven, "{job} ended {ends} times");
    }
    ensure!(remains.ends.len() == remains.jobs.len(), "every job has ended: {:?} of {:?}", remains.ends, remains.jobs);
    Ok(())
}

async fn killed_at(failpoint: &str, nth: u32) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let http = Client::builder().timeout(Duration::from_secs(10)).build()?;
    let scenario = Scenario::new();
    let mut armed = command(folder.path());
    armed.env("DOCMILL_FAILPOINTS", format!("{failpoint}:{nth}=kill"));
    match Docmill::spawn(armed) {
        Ok(mut docmill) => {
            scenario.disturb(&http, &docmill.api).await;
            docmill.wait_killed(Duration::from_secs(30))?;
        }
        // A step that is already taken while docmill starts.
        Err(error) => ensure!(error.to_string().contains("signal: 9"), "{error}"),
    }
    let docmill = Docmill::start(folder.path())?;
    scenario.conclude(&http, &docmill.api).await.with_context(|| docmill.log_text())?;
    // Two rounds of erasing, and what lies between them.
    tokio::time::sleep(Duration::from_millis(2200)).await;
    let status = docmill.stop()?;
    ensure!(status.success(), "{status}");
    check_remains(folder.path(), 1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_at_every_durable_step() {
    let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(4));
    let mut runs = tokio::task::JoinSet::new();
    // A step of another backend than these runs have, or of another program, is killed at by its own tests.
    let ours = |name: &&&str| !["s3.", "provision."].iter().any(|step| name.starts_with(step));
    for name in failpoint::NAMES.iter().filter(ours) {
        // Later passages of the steps that every document takes: another document is then in another state.
        let often =
            ["blob.", "queue.", "catalog.accept", "catalog.claim", "catalog.finish"].iter().any(|step| name.starts_with(step));
        let passages: &[u32] = if often && !name.contains("erased") && !name.contains("unlinked") { &[1, 3] } else { &[1] };
        for &nth in passages {
            let permits = permits.clone();
            runs.spawn(async move {
                let _permit = permits.acquire().await.unwrap();
                (name, nth, killed_at(name, nth).await)
            });
        }
    }
    let mut failed = Vec::new();
    while let Some(run) = runs.join_next().await {
        let (name, nth, outcome) = run.unwrap();
        match outcome {
            Ok(()) => println!("killed at passage {nth} of {name}: all promises kept, nothing left over"),
            Err(error) => failed.push(format!("{name}:{nth}: {error:#}")),
        }
    }
    assert!(failed.is_empty(), "{} runs failed:\n{}", failed.len(), failed.join("\n\n"));
}
