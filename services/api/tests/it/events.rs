use std::time::Duration;

use docmill_catalog::claims::Hold;
use docmill_domain::job::Progress;
use reqwest::Response;
use rstest::rstest;
use serde_json::Value;

use crate::support::{Database, PATIENCE, TestApi, expect, extraction};

/// What a client has read of a stream so far.
struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    async fn open(api: &TestApi, path: &str, seen: Option<&str>) -> Self {
        let request = seen.into_iter().fold(api.get(path), |request, seen| request.header("last-event-id", seen));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// Reads until the text is there; everything read.
    async fn until(&mut self, text: &str) -> &str {
        while !self.text.contains(text) {
            let piece = tokio::time::timeout(PATIENCE, self.response.chunk())
                .await
                .unwrap_or_else(|_| panic!("no `{text}` in {}", self.text));
            let piece = piece.unwrap().unwrap_or_else(|| panic!("ended without `{text}`: {}", self.text));
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
        &self.text
    }

    async fn end(mut self) -> String {
        while let Some(piece) = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("the stream ends").unwrap() {
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
        self.text
    }
}

fn kinds(text: &str) -> Vec<String> {
    let id = |event: &str| event.lines().find_map(|line| line.strip_prefix("id: ").map(str::to_owned)).unwrap_or("-".into());
    let kind = |event: &str| event.lines().find_map(|line| line.strip_prefix("event: ").map(str::to_owned));
    text.split("\n\n").filter_map(|event| Some(format!("{} {}", id(event), kind(event)?))).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_document_can_be_followed_to_its_end(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let receipt = api.upload("text").await;
    let path = format!("/v1/documents/{}", receipt["document_id"].as_str().unwrap());
    let mut stream = Stream::open(&api, &format!("{path}/events"), None).await;
    stream.until("job.queued").await;

    let claim = api.claim(&receipt["job_id"]).await;
    stream.until("job.running").await;
    let progress = Progress { done: 3, total: Some(10) };
    assert_eq!(api.pipeline.catalog.extend(&claim, Duration::from_secs(60), progress).await.unwrap(), Hold::Held);
    let text = stream.until("event: progress\n").await;
    let data = text.lines().skip_while(|line| *line != "event: progress").nth(1).unwrap().strip_prefix("data: ").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data, serde_json::json!({"job_id": receipt["job_id"], "progress": {"done": 3, "total": 10}}));

    expect(api.request(reqwest::Method::DELETE, &path).send().await.unwrap(), 204).await;
    let text = stream.end().await;
    assert_eq!(kinds(&text), ["1 job.queued", "2 job.running", "- progress", "3 job.cancelled", "4 document.deleted"]);
    expect(api.get(&format!("{path}/events")).send().await.unwrap(), 410).await;
    api.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_client_goes_on_behind_what_it_saw(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let receipt = api.upload("text").await;
    api.succeed(&receipt["job_id"], &extraction("text", Vec::new())).await;
    let path = format!("/v1/documents/{}/events", receipt["document_id"].as_str().unwrap());
    let mut by_header = Stream::open(&api, &path, Some("2")).await;
    assert_eq!(kinds(by_header.until("job.succeeded").await), ["3 job.succeeded"]);
    let mut by_query = Stream::open(&api, &format!("{path}?last_event_id=1"), None).await;
    assert_eq!(kinds(by_query.until("job.succeeded").await), ["2 job.running", "3 job.succeeded"]);
    // Draining ends both, or it would never be done.
    api.stop().await;
    assert_eq!(kinds(&by_header.end().await), ["3 job.succeeded"]);
}
