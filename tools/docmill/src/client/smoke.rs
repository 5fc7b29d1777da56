//! `docmill smoke`: whether a server does what it is for, shown by a document of its own.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use docmill_domain::{DocumentId, Job, JobState, ProblemCode};
use docmill_pipeline::accept::Receipt;
use reqwest::{
    Method,
    header::{ACCEPT, CONTENT_TYPE},
};
use serde_json::json;

use super::{Client, http::Refused};
use crate::{
    cli::SmokeArgs,
    exit::Exit,
    output::{Output, Tone},
};

/// Whatever became of the test, its document is deleted in this time, or erases itself an hour later.
const CLEARING: Duration = Duration::from_secs(10);

pub(crate) async fn run(args: SmokeArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let client = Client::patient(&args.server)?;
    let (began, mut document) = (Instant::now(), None);
    let tested = tokio::time::timeout(args.timeout, test(&client, &mut document)).await;
    let tested = tested.unwrap_or_else(|_| Err(anyhow::anyhow!("it took longer than {} seconds", args.timeout.as_secs())));
    let cleared = match document {
        None => Ok(()),
        Some(id) => tokio::time::timeout(CLEARING, delete(&client, id)).await.context("deleting took too long").flatten(),
    };
    tested.context("the smoke test failed")?;
    cleared.context("the smoke test's document could not be deleted")?;
    let seconds = began.elapsed().as_secs_f64();
    if output.json {
        output.json_line(&json!({ "passed": true, "document_id": document, "seconds": seconds }))?;
    } else {
        output.note(Tone::Good, "passed", format_args!("a document went in and its text came out in {seconds:.1} s"));
    }
    Ok(Exit::Done)
}

async fn test(client: &Client, document: &mut Option<DocumentId>) -> anyhow::Result<()> {
    let name = uuid::Uuid::now_v7();
    let text = format!("docmill smoke test {name}");
    let upload = || {
        client
            .request(Method::POST, "/v1/documents?name=docmill-smoke.txt")
            .header("idempotency-key", format!("smoke-{name}"))
            .header("docmill-options", r#"{"priority": "interactive", "retention": 3600, "tags": {"docmill": "smoke"}}"#)
            .header(CONTENT_TYPE, "text/plain")
            .body(text.clone())
    };
    let receipt: Receipt = client.send(upload).await?.json().await.context("the upload's answer cannot be understood")?;
    *document = Some(receipt.document_id);
    let job: Job = loop {
        let job: Job = client.json(&format!("/v1/jobs/{}", receipt.job_id), Some(Duration::from_secs(10))).await?;
        if job.state.is_final() {
            break job;
        }
    };
    let failure = job.failure.map(|failure| format!(": {}", failure.message)).unwrap_or_default();
    ensure!(job.state == JobState::Succeeded, "the job ended {}{failure}", job.state.as_str());
    let path = format!("/v1/documents/{}/result", receipt.document_id);
    let got = client.send(|| client.request(Method::GET, &path).header(ACCEPT, "text/plain")).await?.text().await?;
    ensure!(got.trim_end() == text, "the text that came out is not the one that went in");
    Ok(())
}

/// Deletes the document, and sees that it is gone.
async fn delete(client: &Client, id: DocumentId) -> anyhow::Result<()> {
    let path = format!("/v1/documents/{id}");
    client.send(|| client.request(Method::DELETE, &path)).await?;
    match client.send(|| client.request(Method::GET, &path)).await {
        Err(error) if error.downcast_ref::<Refused>().is_some_and(|Refused(problem)| problem.code == ProblemCode::Gone) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => anyhow::bail!("document {id} was deleted and is still served"),
    }
}
