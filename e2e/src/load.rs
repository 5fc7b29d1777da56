//! Clients that upload, cancel, retry and delete while everything around them dies, and what became of each of their documents.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use docmill_fixtures as fixtures;
use futures_util::{StreamExt, stream};
use reqwest::{Client, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    client::{Promise, Upload, result, send, settled, submit},
    docmill::Docmill,
};

/// Documents that are read back at once.
const READERS: usize = 4;

/// Documents whose results depend on nothing but themselves, by file name.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("note.txt", b"a note\n\nof two paragraphs\n".to_vec()),
        ("long.txt", "all work and no play\n".repeat(4000).into_bytes()),
        ("report.pdf", fixtures::report_pdf()),
        ("book.pdf", fixtures::big_pdf(25)),
        ("torn.pdf", fixtures::pdf_with_damaged_page()),
        ("damaged.pdf", fixtures::damaged_pdf()),
        ("page.html", fixtures::html("a title", &["a paragraph", "and another one"])),
        ("letter.docx", fixtures::docx(&["a heading", "a paragraph"], &[&["a", "b"], &["1", "2"]])),
        ("sheet.xlsx", fixtures::xlsx(&[("numbers", &[&["x", "y"], &["1", "2"]])])),
    ]
}

/// How an undisturbed docmill ends these documents: state, and result where there is one.
pub async fn undisturbed() -> Result<BTreeMap<&'static str, (String, Option<Value>)>> {
    let folder = tempfile::tempdir()?;
    let docmill = Docmill::start(folder.path())?;
    let http = Client::new();
    let mut ends = BTreeMap::new();
    for (name, body) in samples() {
        let promise = submit(&http, &docmill.api, &Upload { key: name.into(), name: name.into(), body }).await?;
        let state = state_of(&settled(&http, &docmill.api, &promise.job, Duration::from_secs(60)).await?);
        let found = match state.as_str() {
            "failed" => None,
            _ => Some(result(&http, &docmill.api, &promise.document).await?),
        };
        ends.insert(name, (state, found));
    }
    Ok(ends)
}

fn state_of(job: &Value) -> String {
    job["state"].as_str().unwrap_or_default().into()
}

/// What a client asked for beside the upload, and was told is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nothing,
    Cancel,
    Delete,
}

/// One accepted document.
struct Entry {
    upload: Upload,
    promise: Promise,
    asked: Asked,
}

/// What the clients did and saw.
pub struct Load {
    http: Client,
    apis: RwLock<Vec<String>>,
    entries: Mutex<Vec<Entry>>,
    /// Answers that no client should ever get.
    faults: Mutex<Vec<String>>,
    accepted: Mutex<Acceptances>,
}

/// When uploads were accepted.
struct Acceptances {
    last: Instant,
    /// The longest time between two: when it began, and how long it was.
    longest: (Instant, Duration),
}

/// The sums of a run. Whatever was accepted and is in none of the five ends is lost.
#[derive(Debug, Default, Serialize)]
pub struct Ledger {
    /// Uploads answered with 202.
    pub accepted: usize,
    /// Ended so, as every one of the next four.
    pub succeeded: usize,
    /// With some of the content.
    pub partial: usize,
    /// By the document's fault, or as a dead letter.
    pub failed: usize,
    /// On request.
    pub cancelled: usize,
    /// Tombstones.
    pub deleted: usize,
    /// Promises broken: not found, not ended, or without the result that an undisturbed run has.
    pub lost: usize,
    /// Promises kept twice: another document for the same key.
    pub doubled: usize,
    /// Milliseconds between two accepted uploads, at most.
    pub longest_unavailability_ms: u128,
    /// What was lost or doubled, and answers that no client should ever get.
    pub complaints: Vec<String>,
}

impl Load {
    /// Clients of these APIs.
    pub fn new(apis: Vec<String>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            http: Client::builder().timeout(Duration::from_secs(10)).build()?,
            apis: RwLock::new(apis),
            entries: Mutex::default(),
            faults: Mutex::default(),
            accepted: Mutex::new(Acceptances { last: Instant::now(), longest: (Instant::now(), Duration::ZERO) }),
        }))
    }

    /// Where the APIs are now.
    pub fn found_at(&self, apis: Vec<String>) {
        *self.apis.write().unwrap_or_else(PoisonError::into_inner) = apis;
    }

    fn api(&self) -> String {
        let apis = self.apis.read().unwrap_or_else(PoisonError::into_inner);
        apis[rand::random_range(0..apis.len())].clone()
    }

    /// The longest time so far between two accepted uploads: when it began, and how long it was.
    pub fn longest_unavailability(&self) -> (Instant, Duration) {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).longest
    }

    /// How many uploads were accepted so far.
    pub fn accepted(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// One client: a document after the other until `stop`; what it has begun it brings to an answer.
    pub async fn client(self: Arc<Self>, number: usize, stop: CancellationToken) {
        let samples = samples();
        for turn in 0.. {
            if stop.is_cancelled() {
                return;
            }
            let key = format!("client-{number}-{turn}");
            let dice = rand::random_range(0..100);
            let upload = match dice {
                0..10 => Upload::mock(&key, &json!({"pages": 3, "ms_per_page": 100, "text": "m"})),
                10..15 => Upload::mock(&key, &json!({"pages": 1, "then": "abort"})),
                15..25 => Upload::mock(&key, &json!({"pages": 300, "ms_per_page": 100})),
                _ => {
                    let (name, body) = &samples[dice % samples.len()];
                    Upload { key, name: (*name).into(), body: body.clone() }
                }
            };
            let Some(promise) = self.until_answered(&upload).await else { continue };
            let wish = match dice {
                // A document that takes half a minute is cancelled or deleted, a few others too.
                15..20 | 90..95 => Asked::Cancel,
                20..25 | 95..100 => Asked::Delete,
                _ => Asked::Nothing,
            };
            tokio::time::sleep(Duration::from_millis(rand::random_range(0..300))).await;
            if dice < 15 {
                // A dead letter is tried once more; anything else refuses, and that is an answer too.
                let _ = self.http.post(format!("{}/v1/jobs/{}/retry", self.api(), promise.job)).send().await;
            }
            self.until_done(wish, &promise).await;
            self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(Entry { upload, promise, asked: wish });
        }
    }

    /// Uploads until it is known what became of it. `None` where it was refused.
    async fn until_answered(&self, upload: &Upload) -> Option<Promise> {
        loop {
            match send(&self.http, &self.api(), upload).await {
                Some(Ok(promise)) => {
                    let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
                    let since = (accepted.last, accepted.last.elapsed());
                    accepted.last = Instant::now();
                    if since.1 > accepted.longest.1 {
                        accepted.longest = since;
                    }
                    return Some(promise);
                }
                Some(Err(error)) => {
                    self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{}: {error}", upload.key));
                    return None;
                }
                None => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    async fn until_done(&self, wish: Asked, promise: &Promise) {
        loop {
            let api = self.api();
            let request = match wish {
                Asked::Nothing => return,
                Asked::Cancel => self.http.post(format!("{api}/v1/jobs/{}/cancel", promise.job)),
                Asked::Delete => self.http.delete(format!("{api}/v1/documents/{}", promise.document)),
            };
            match request.send().await.map(|response| response.status()) {
                Ok(StatusCode::INTERNAL_SERVER_ERROR) => {
                    return self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{wish:?}: 500"));
                }
                // 409: it had ended before.
                Ok(status) if status.is_success() || status == StatusCode::CONFLICT => return,
                _ => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    /// Asks for every document again, once all is well, and compares it with an undisturbed run.
    pub async fn settle(&self, expected: &BTreeMap<&str, (String, Option<Value>)>, patience: Duration) -> Ledger {
        let entries = std::mem::take(&mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner));
        let mut ledger = Ledger {
            accepted: entries.len(),
            longest_unavailability_ms: self.longest_unavailability().1.as_millis(),
            complaints: std::mem::take(&mut *self.faults.lock().unwrap_or_else(PoisonError::into_inner)),
            ..Ledger::default()
        };
        let read_back = entries.iter().map(async |entry| {
            let again = submit(&self.http, &self.api(), &entry.upload).await;
            (entry, again, self.end_of(entry, expected, patience).await)
        });
        let mut ends = std::pin::pin!(stream::iter(read_back).buffer_unordered(READERS));
        while let Some((entry, again, end)) = ends.next().await {
            match again {
                Ok(again) if again == entry.promise => {}
                other => {
                    ledger.doubled += 1;
                    ledger.complaints.push(format!("{}: promised {:?}, replayed as {other:?}", entry.upload.key, entry.promise));
                }
            }
            match end {
                Ok(state) => match state.as_str() {
                    "succeeded" => ledger.succeeded += 1,
                    "partial" => ledger.partial += 1,
                    "failed" => ledger.failed += 1,
                    "cancelled" => ledger.cancelled += 1,
                    _ => ledger.deleted += 1,
                },
                Err(error) => {
                    ledger.lost += 1;
                    ledger.complaints.push(format!("{} ({}): {error:#}", entry.upload.key, entry.promise.job));
                }
            }
        }
        ledger
    }

    /// How a document ended, if it ended as it should.
    async fn end_of(
        &self,
        entry: &Entry,
        expected: &BTreeMap<&str, (String, Option<Value>)>,
        patience: Duration,
    ) -> Result<String> {
        let (api, Promise { document, job }) = (self.api(), &entry.promise);
        if entry.asked == Asked::Delete {
            let status = self.http.get(format!("{api}/v1/documents/{document}/result")).send().await?.status();
            ensure!(status == StatusCode::GONE, "deleted, but {status}");
            return Ok("deleted".into());
        }
        let job = settled(&self.http, &api, job, patience).await?;
        let state = state_of(&job);
        if state == "cancelled" {
            ensure!(entry.asked == Asked::Cancel, "cancelled by nobody");
            return Ok(state);
        }
        if let Some((expected_state, expected_result)) = expected.get(entry.upload.name.as_str()) {
            ensure!(state == *expected_state, "{state} instead of {expected_state}: {job}");
            if let Some(expected_result) = expected_result {
                let found = result(&self.http, &api, document).await?;
                ensure!(found == *expected_result, "another result than that of an undisturbed run");
            }
        } else if state == "failed" {
            ensure!(job["failure"]["code"] == "extractor_crashed", "{job}");
        } else {
            check_mock(&result(&self.http, &api, document).await?, &job)?;
        }
        Ok(state)
    }
}

/// A mock's pages carry the attempt that made them: all of the result must be the winning attempt's.
pub fn check_mock(result: &Value, job: &Value) -> Result<()> {
    let attempt = job["attempts"].as_i64().context("attempts")?;
    let pages = result["pages"].as_array().context("pages")?;
    ensure!(!pages.is_empty());
    for page in pages {
        let text = page["text"].as_str().unwrap_or_default();
        ensure!(text.contains(&format!("attempt {attempt}")), "page of another attempt than {attempt}: {text}");
    }
    Ok(())
}
