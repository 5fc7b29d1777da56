//! Every way in which a request can go wrong, and what its client is told.

use std::{fmt::Write, time::Duration};

use docmill_domain::{ApiKeySecret, FailureCode, Limits, ProblemCode, Scope, options::Secret};
use reqwest::{
    Method, RequestBuilder, Response,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::support::{Database, TestApi, answer, expect, extraction};

/// Collects problems for the snapshot.
#[derive(Default)]
struct Told {
    text: String,
    codes: Vec<String>,
}

impl Told {
    async fn ask(&mut self, what: &str, request: RequestBuilder) {
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{what}");
        assert_eq!(response.headers()["x-request-id"], "test", "{what}");
        let headers = headers(&response);
        self.note(what, response.status().as_u16(), &headers, response.json().await.unwrap());
    }

    fn raw(&mut self, what: &str, answer: &str) {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{what}: {answer}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let header = |name: &str| {
            head.lines().find_map(|line| line.strip_prefix(name)).map(|value| format!("{name}{value}\n")).unwrap_or_default()
        };
        self.note(what, status, &header("retry-after"), serde_json::from_str(body).unwrap());
    }

    fn note(&mut self, what: &str, status: u16, headers: &str, mut body: Value) {
        let code = body["code"].as_str().unwrap().to_owned();
        assert_eq!(body["status"], status, "{what}");
        assert_eq!(body["type"], format!("https://docmill.io/docs/reference/problems#{code}"), "{what}");
        let known = ProblemCode::ALL.iter().find(|known| known.as_str() == code).unwrap();
        assert_eq!((body["title"].as_str().unwrap(), status), (known.title(), known.status()), "{what}");
        let fields = body.as_object_mut().unwrap();
        for field in ["type", "title", "status"] {
            fields.remove(field);
        }
        if let Some(accepted) = fields.get_mut("accepted") {
            // A build with test hooks, as of the whole workspace's tests, knows one more.
            accepted.as_array_mut().unwrap().retain(|media_type| media_type != "application/x-docmill-mock");
        }
        writeln!(self.text, "## {what}\n{status}\n{headers}{}\n", serde_json::to_string_pretty(&body).unwrap()).unwrap();
        self.codes.push(code);
    }
}

fn headers(response: &Response) -> String {
    let told = ["allow", "content-range", "ratelimit-policy", "retry-after", "www-authenticate"];
    told.iter().filter_map(|name| Some(format!("{name}: {}\n", response.headers().get(*name)?.to_str().ok()?))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_is_told_exactly() {
    let api = TestApi::with(Database::Sqlite, |config, _| {
        config.max_uploads = 1;
        config.upload_stall_seconds = 2;
        config.drain_seconds = 2;
    })
    .await;
    let mut told = Told::default();
    uploads(&api, &mut told).await;
    connections(&api, &mut told).await;
    resources(&api, &mut told).await;
    states(&api, &mut told).await;
    keys(&mut told).await;
    limits(&mut told).await;
    faults(api, &mut told).await;

    let untold: Vec<_> =
        ProblemCode::ALL.iter().map(|code| code.as_str()).filter(|code| !told.codes.iter().any(|told| told == code)).collect();
    // A full disk is `program.rs`' to show.
    assert_eq!(untold, ["storage_full"]);
    insta::with_settings!({ filters => [
        (r"(doc|job)_[0-9a-f]{32}", "${1}_…"),
        // Until the day ends.
        (r"\d+ seconds \(UTC\)", "[n] seconds (UTC)"),
        (r#"(retry-after: |"retry_after": )\d{3,}"#, "${1}[n]"),
    ] }, { insta::assert_snapshot!(told.text); });
}

async fn uploads(api: &TestApi, told: &mut Told) {
    let post = || api.post("/v1/documents");
    let file = || Part::text("text").file_name("a.txt");
    told.ask("an empty body", post().body("")).await;
    told.ask("an empty file", post().multipart(Form::new().part("file", Part::text("").file_name("a.txt")))).await;
    told.ask("a form without a file", post().multipart(Form::new().text("priority", "bulk"))).await;
    told.ask("a form without a boundary", post().header("content-type", "multipart/form-data").body("text")).await;
    told.ask("bytes of no known kind", post().body(&b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"[..])).await;
    told.ask("a JSON body", post().header("content-type", "application/json").body("{}")).await;
    told.ask("more than the limit", post().body("x".repeat((1 << 20) + 1))).await;
    let options = |json: &'static str| post().header("docmill-options", json).body("text");
    told.ask("an unknown option", options(r#"{"ocr": true}"#)).await;
    told.ask("an option of the wrong type", options(r#"{"retention": "soon"}"#)).await;
    told.ask("an option out of bounds", options(r#"{"retention": 0}"#)).await;
    told.ask("a password that is no text", options(r#"{"password": 31337}"#)).await;
    told.ask("options that are no JSON", options("priority=bulk")).await;
    told.ask("an option in the query", api.post("/v1/documents?priority=bulk").body("text")).await;
    told.ask("a name that is too long", api.post(&format!("/v1/documents?name={}", "x".repeat(4097))).body("text")).await;
    told.ask("an unknown option in a form", post().multipart(Form::new().text("ocr", "true").part("file", file()))).await;
    told.ask("a bad option in a form", post().multipart(Form::new().text("priority", "urgent").part("file", file()))).await;
    told.ask("tags that are no object", post().multipart(Form::new().text("tags", "a,b").part("file", file()))).await;
    told.ask(
        "an option given twice",
        post().multipart(Form::new().text("priority", "bulk").text("options", r#"{"priority": "bulk"}"#).part("file", file())),
    )
    .await;
    told.ask("an option behind the file", post().multipart(Form::new().part("file", file()).text("priority", "bulk"))).await;
    told.ask("a file under another name", post().multipart(Form::new().part("document", file()))).await;
    told.ask("an empty key", post().header("idempotency-key", "").body("text")).await;
    told.ask("a key that is too long", post().header("idempotency-key", "k".repeat(256)).body("text")).await;
    api.assert_nothing_stored().await;

    let key = |name: &'static str, body: &'static str| {
        api.post(&format!("/v1/documents?name={name}")).header("idempotency-key", "k").body(body)
    };
    expect(key("a.txt", "text").send().await.unwrap(), 202).await;
    told.ask("a key with another body", key("a.txt", "other")).await;
    told.ask("a key with another name", key("b.txt", "text")).await;
}

async fn connections(api: &TestApi, told: &mut Told) {
    let head = |length: usize| {
        format!(
            "POST /v1/documents HTTP/1.1\r\nhost: localhost\r\nx-request-id: test\r\nidempotency-key: c{length}\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut cut = api.connect(format!("{}hello", head(10)).as_bytes()).await;
    cut.shutdown().await.unwrap();
    told.raw("a connection cut off", &answer(&mut cut).await);
    let mut stalled = api.connect(format!("{}hello", head(11)).as_bytes()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    told.ask("no permit left", api.post("/v1/documents").body("text")).await;
    told.raw("a stalled upload", &answer(&mut stalled).await);
}

async fn resources(api: &TestApi, told: &mut Told) {
    let unknown = "0".repeat(32);
    told.ask("an unknown path", api.get("/v2/documents")).await;
    told.ask("an unknown document", api.get(&format!("/v1/documents/doc_{unknown}"))).await;
    told.ask("events of an unknown document", api.get(&format!("/v1/documents/doc_{unknown}/events"))).await;
    told.ask("deleting an unknown document", api.request(Method::DELETE, &format!("/v1/documents/doc_{unknown}"))).await;
    told.ask("an unknown job", api.get(&format!("/v1/jobs/job_{unknown}"))).await;
    told.ask("a malformed id", api.get("/v1/documents/doc_ABC/result")).await;
    told.ask("a job's id for a document", api.get(&format!("/v1/documents/job_{unknown}"))).await;
    told.ask("a method not taken", api.request(Method::PUT, "/v1/documents")).await;
    told.ask("a method that nobody knows", api.request(Method::from_bytes(b"BREW").unwrap(), "/v1/formats")).await;
    told.ask("an unknown filter", api.get("/v1/documents?state=queued")).await;
    told.ask("a filter that cannot be", api.get("/v1/documents?job_state=done")).await;
    told.ask("a limit out of bounds", api.get("/v1/documents?limit=1000")).await;
    told.ask("a cursor of someone else", api.get("/v1/documents?cursor=ZG9jXzE")).await;
    told.ask("a search for nothing", api.get("/v1/search")).await;
    told.ask("a search for no word", api.get("/v1/search?q=-draft")).await;
    told.ask("a search for too many words", api.get(&format!("/v1/search?q={}", "word+".repeat(33)))).await;
    told.ask("a search that is too long", api.get(&format!("/v1/search?q={}", "x".repeat(1001)))).await;
    told.ask("a search for too much at once", api.get("/v1/search?q=word&limit=101")).await;
    told.ask("a search's cursor that cannot be", api.get("/v1/search?q=word&cursor=MTAwMDA")).await;
    told.ask("another host", api.get("/v1/formats").header("host", "rebound.example:8080")).await;
}

async fn states(api: &TestApi, told: &mut Told) {
    let paths = |receipt: &Value| {
        let (document, job) = (receipt["document_id"].as_str().unwrap(), receipt["job_id"].as_str().unwrap());
        (format!("/v1/documents/{document}"), format!("/v1/jobs/{job}"))
    };
    let receipt = api.upload("one").await;
    let (document, job) = paths(&receipt);
    told.ask("a result too soon", api.get(&format!("{document}/result"))).await;
    told.ask("retrying what has not failed", api.post(&format!("{job}/retry"))).await;
    api.succeed(&receipt["job_id"], &extraction("one", Vec::new())).await;
    told.ask("cancelling what has ended", api.post(&format!("{job}/cancel"))).await;
    told.ask("a form that nobody serves", api.get(&format!("{document}/result")).header("accept", "image/png")).await;
    told.ask("a form that nobody knows", api.get(&format!("{document}/result?as=pdf"))).await;
    told.ask("a range behind the end", api.get(&format!("{document}/original")).header("range", "bytes=3-")).await;
    told.ask("a range of the result behind the end", api.get(&format!("{document}/result?as=md")).header("range", "bytes=9-"))
        .await;
    told.ask("an event that cannot be", api.get(&format!("{document}/events")).header("last-event-id", "x")).await;
    expect(api.request(Method::DELETE, &document).send().await.unwrap(), 204).await;
    told.ask("a deleted document", api.get(&document)).await;
    told.ask("a deleted document's result", api.get(&format!("{document}/result"))).await;

    let receipt = api.upload("two").await;
    api.fail(&receipt["job_id"], FailureCode::Encrypted).await;
    told.ask("a failed job's result", api.get(&format!("{}/result", paths(&receipt).0))).await;
    let receipt = api.upload("three").await;
    let (document, job) = paths(&receipt);
    expect(api.post(&format!("{job}/cancel")).send().await.unwrap(), 200).await;
    told.ask("a cancelled job's result", api.get(&format!("{document}/result"))).await;
}

async fn keys(told: &mut Told) {
    let first = ApiKeySecret::generate();
    let api = TestApi::with(Database::Sqlite, |config, _| config.first_key = Some(Secret(first.reveal().into()))).await;
    let (_, reader) = api.key("default", &[Scope::DocumentsRead]).await;
    told.ask("a call without a key", api.get("/v1/documents")).await;
    told.ask("a key of another kind", api.get("/v1/documents").basic_auth("me", Some("secret"))).await;
    told.ask("an unknown key", api.get("/v1/documents").bearer_auth(ApiKeySecret::generate().reveal())).await;
    told.ask("an upload with a key for reading", api.post("/v1/documents").bearer_auth(&reader).body("text")).await;
    told.ask("keys with a key for reading", api.get("/v1/api-keys").bearer_auth(&reader)).await;
    let admin = |body: Value| api.post("/v1/api-keys").bearer_auth(first.reveal()).json(&body);
    told.ask("a key without a name", admin(json!({"name": ""}))).await;
    told.ask("a key without a scope", admin(json!({"name": "n", "scopes": []}))).await;
    told.ask("a key with a scope that nobody knows", admin(json!({"name": "n", "scopes": ["root"]}))).await;
    told.ask("a key that has expired already", admin(json!({"name": "n", "expires_in": 0}))).await;
    let unknown = format!("/v1/api-keys/key_{}", "0".repeat(32));
    told.ask("an unknown key's id", api.request(Method::DELETE, &unknown).bearer_auth(first.reveal())).await;
    api.stop().await;
    let open = TestApi::start(Database::Sqlite).await;
    told.ask("a first key that could make no other", open.post("/v1/api-keys").json(&json!({"name": "n"}))).await;
    open.stop().await;
}

async fn limits(told: &mut Told) {
    for (what, limits) in [
        ("too many jobs", Limits { jobs_in_flight: Some(0), ..Limits::default() }),
        ("too many documents", Limits { documents_a_day: Some(0), ..Limits::default() }),
        ("too many bytes", Limits { bytes_a_day: Some(3), ..Limits::default() }),
    ] {
        let api = TestApi::with(Database::Sqlite, |_, promises| promises.limits = limits).await;
        told.ask(what, api.post("/v1/documents").body("text")).await;
        api.stop().await;
    }
}

async fn faults(api: TestApi, told: &mut Told) {
    // The permit is held by an upload under the key.
    let mut begun = api
        .connect(b"POST /v1/documents HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\nidempotency-key: f\r\n\r\n10000\r\n")
        .await;
    begun.write_all(&vec![b'x'; 0x10000]).await.unwrap();
    let other = docmill_api::bind(
        &docmill_api::ApiConfig { listen: ([127, 0, 0, 1], 0).into(), ..Default::default() },
        api.pipeline.clone(),
        None,
        api.health.clone(),
        &api.lifecycle,
    )
    .await
    .unwrap();
    let address = other.address;
    tokio::spawn(other.run());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let again = reqwest::Client::new().post(format!("http://{address}/v1/documents")).header("x-request-id", "test");
    told.ask("a key in flight", again.header("idempotency-key", "f").body("text")).await;
    begun.write_all(b"\r\n0\r\n\r\n").await.unwrap();
    let mut accepted = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut begun, &mut accepted).await.unwrap();
    assert_eq!(&accepted, b"HTTP/1.1 202");

    let receipt = api.upload("lost").await;
    api.succeed(&receipt["job_id"], &extraction("lost", Vec::new())).await;
    let job = receipt["job_id"].as_str().unwrap().parse().unwrap();
    let tenant = docmill_domain::TenantId::default_tenant();
    let manifest = api.pipeline.catalog.manifest(&tenant, job).await.unwrap().unwrap();
    api.pipeline.blobs.erase(&manifest.key).await.unwrap();
    told.ask("a result that is lost", api.get(&format!("/v1/documents/{}/result", receipt["document_id"].as_str().unwrap())))
        .await;

    let alive = reqwest::Client::new();
    let url = format!("http://{}/v1/documents", api.address);
    expect(alive.get(&url).send().await.unwrap(), 200).await;
    api.pipeline.catalog.close().await;
    told.ask("a catalog that is away", api.get("/v1/documents")).await;

    api.lifecycle.soft.cancel();
    told.ask("an upload to one who drains", api.post("/v1/documents").body("text")).await;
    assert_eq!(api.get("/readyz").send().await.unwrap().status(), 503);
    assert_eq!(api.get("/v1/formats").send().await.unwrap().status(), 200);
    api.stop().await;
}
