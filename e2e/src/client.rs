//! A careful client: it gives every upload a key, and asks again until it knows.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use reqwest::{Client, StatusCode};
use serde_json::Value;

/// One upload, with the key that makes it repeatable.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The `Idempotency-Key`.
    pub key: String,
    /// The file name.
    pub name: String,
    /// The bytes.
    pub body: Vec<u8>,
}

impl Upload {
    /// An upload of the mock format.
    pub fn mock(key: &str, json: &Value) -> Self {
        Self { key: key.into(), name: format!("{key}.mock"), body: json.to_string().into_bytes() }
    }

    fn media_type(&self) -> &'static str {
        match self.name.rsplit_once('.') {
            Some((_, "mock")) => "application/x-docmill-mock",
            Some((_, "txt")) => "text/plain",
            _ => "application/octet-stream",
        }
    }

    /// An upload of plain text.
    pub fn text(key: &str, text: &str) -> Self {
        Self { key: key.into(), name: format!("{key}.txt"), body: text.as_bytes().into() }
    }
}

/// A promise that a 202 made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// `doc_…`
    pub document: String,
    /// `job_…`
    pub job: String,
}

/// Sends it once. `None` where the server said nothing that could be understood: it may or may not have taken it.
pub async fn send(http: &Client, api: &str, upload: &Upload) -> Option<Result<Promise>> {
    let request = http
        .post(format!("{api}/v1/documents?name={}", upload.name))
        .header("Content-Type", upload.media_type())
        .header("Idempotency-Key", &upload.key)
        .body(upload.body.clone());
    let response = request.send().await.ok()?;
    let status = response.status();
    let body: Value = response.json().await.ok()?;
    match status {
        StatusCode::ACCEPTED => Some(promise(&body)),
        StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => None,
        _ => Some(Err(anyhow::anyhow!("{status}: {body}"))),
    }
}

fn promise(body: &Value) -> Result<Promise> {
    let text =
        |name: &str| Ok::<_, anyhow::Error>(body[name].as_str().with_context(|| format!("no {name} in {body}"))?.to_string());
    Ok(Promise { document: text("document_id")?, job: text("job_id")? })
}

/// Sends it until it is answered.
pub async fn submit(http: &Client, api: &str, upload: &Upload) -> Result<Promise> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if let Some(answer) = send(http, api, upload).await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("`{}` was never answered", upload.key)
}

/// The job, once it has ended.
pub async fn settled(http: &Client, api: &str, job: &str, patience: Duration) -> Result<Value> {
    let deadline = Instant::now() + patience;
    loop {
        let body: Value = http.get(format!("{api}/v1/jobs/{job}")).header("Prefer", "wait=2").send().await?.json().await?;
        let state = body["state"].as_str().with_context(|| format!("no state in {body}"))?;
        if !matches!(state, "queued" | "running") {
            return Ok(body);
        }
        if Instant::now() >= deadline {
            bail!("{job} is still {state} after {patience:?}");
        }
    }
}

/// The document's result, as JSON.
pub async fn result(http: &Client, api: &str, document: &str) -> Result<Value> {
    let response = http.get(format!("{api}/v1/documents/{document}/result")).header("Accept", "application/json").send().await?;
    let status = response.status();
    let body: Value = response.json().await?;
    if status != StatusCode::OK {
        bail!("{status}: {body}");
    }
    Ok(body)
}
