use std::time::Duration;

use docmill_api::ApiConfig;
use docmill_domain::FailureCode;
use reqwest::multipart::{Form, Part};
use rstest::rstest;
use serde_json::json;

use crate::support::{Database, PATIENCE, TestApi, expect, extraction};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_raw_body_becomes_a_document(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let response = api
        .post("/v1/documents")
        .header("content-type", "text/plain")
        .header("content-disposition", "attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt")
        .header(
            "docmill-options",
            r#"{"priority": "interactive", "retention": 3600, "tags": {"k": "\u00fc"}, "password": "1234"}"#,
        )
        .body("hello")
        .send()
        .await
        .unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("retry-after"), header("x-request-id")), ("1".into(), "test".into()));
    let location = header("location");
    let receipt = expect(response, 202).await;
    assert_eq!(location, format!("/v1/documents/{}", receipt["document_id"].as_str().unwrap()));
    assert_eq!(receipt["sha256"], "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");

    let document = expect(api.get(&location).send().await.unwrap(), 200).await;
    assert_eq!(document["name"], "Grüße.txt");
    assert_eq!(document["tags"], json!({"k": "ü"}));
    assert_eq!((&document["lane"], &document["size"], &document["format"]), (&json!("interactive"), &json!(5), &json!("txt")));
    assert!(document["expires_at"].is_string());
    api.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_form_becomes_a_document(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let content = "0123456789".repeat(100_000);
    let form = Form::new()
        .text("priority", "interactive")
        .text("retention", "60")
        .text("options", r#"{"tags": {"a": "b"}}"#)
        .part("file", Part::text(content.clone()).file_name("b.txt").mime_str("text/plain").unwrap());
    let receipt = expect(api.post("/v1/documents").multipart(form).send().await.unwrap(), 202).await;
    let path = format!("/v1/documents/{}", receipt["document_id"].as_str().unwrap());
    let document = expect(api.get(&path).send().await.unwrap(), 200).await;
    assert_eq!(
        (&document["name"], &document["lane"], &document["tags"]),
        (&json!("b.txt"), &json!("interactive"), &json!({"a": "b"}))
    );
    assert_eq!(document["declared_type"], "text/plain");
    let original = api.get(&format!("{path}/original")).send().await.unwrap().text().await.unwrap();
    assert!(original == content, "{} bytes came back", original.len());
    api.stop().await;
}

/// A file name is data, whatever it looks like.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_are_kept_and_never_used(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let long = format!("{}.txt", "x".repeat(4092));
    for (name, shown, saved) in [
        ("../../etc/passwd", "../../etc/passwd", "filename=\"passwd\""),
        ("..%2f..%2fx.txt", "../../x.txt", "filename=\"x.txt\""),
        ("C:%5Cautoexec.bat", "C:\\autoexec.bat", "filename=\"autoexec.bat\""),
        ("a%00b.txt", "a\u{fffd}b.txt", "filename=\"ab.txt\""),
        ("a%0d%0aSet-Cookie:x", "a\r\nSet-Cookie:x", "filename=\"aSet-Cookie:x\""),
        (
            "a%22;%20filename=%22b.exe",
            "a\"; filename=\"b.exe",
            "filename=\"a_; filename=_b.exe\"; filename*=UTF-8''a%22%3B%20filename%3D%22b.exe",
        ),
        ("invoice%E2%80%AEfdp.exe", "invoice\u{202e}fdp.exe", "filename=\"invoicefdp.exe\""),
        ("%C3%BC.pdf", "ü.pdf", "filename=\"_.pdf\"; filename*=UTF-8''%C3%BC.pdf"),
        (".", ".", "filename=\"document.txt\""),
        (&long, &long, &format!("filename=\"{}.txt\"", "x".repeat(57))),
    ] {
        let receipt = expect(api.post(&format!("/v1/documents?name={name}")).body("text").send().await.unwrap(), 202).await;
        let path = format!("/v1/documents/{}", receipt["document_id"].as_str().unwrap());
        let document = expect(api.get(&path).send().await.unwrap(), 200).await;
        assert_eq!(document["name"], shown, "{name}");
        let original = api.get(&format!("{path}/original")).send().await.unwrap();
        assert_eq!(original.headers()["content-disposition"], format!("attachment; {saved}"), "{name}");
        assert_eq!(original.headers()["x-content-type-options"], "nosniff");
        assert!(original.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
    }
    let made = std::fs::read_dir(api.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let outside: Vec<_> = made.filter(|name| name != "catalog" && name != "blobs").collect();
    assert!(outside.is_empty(), "the folder holds the catalog and the blobs, and nothing else: {outside:?}");
    api.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_gets_the_first_answer(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let send =
        async |body: &'static str| api.post("/v1/documents").header("idempotency-key", "k1").body(body).send().await.unwrap();
    let first = send("text").await;
    assert!(!first.headers().contains_key("idempotency-replayed"));
    let first = expect(first, 202).await;
    let again = send("text").await;
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(expect(again, 202).await, first);
    expect(send("other").await, 422).await;
    let list = expect(api.get("/v1/documents").send().await.unwrap(), 200).await;
    assert_eq!(list["documents"].as_array().unwrap().len(), 1);
    api.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_can_be_waited_for(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let response = api.post("/v1/documents").header("prefer", "wait=1").body("slow").send().await.unwrap();
    assert_eq!(response.headers()["preference-applied"], "wait=1");
    let slow = expect(response, 202).await;
    assert_eq!(slow["state"], "queued");

    let wait = async {
        let response = api.post("/v1/documents").header("prefer", "wait=15").body("fast").send().await.unwrap();
        expect(response, 200).await
    };
    let work = async {
        loop {
            let list = expect(api.get("/v1/documents").send().await.unwrap(), 200).await;
            if let [newest, _] = &list["documents"].as_array().unwrap()[..] {
                return api.fail(&newest["job"]["id"], FailureCode::Damaged).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (waited, ()) = tokio::time::timeout(PATIENCE, async { tokio::join!(wait, work) }).await.unwrap();
    assert_eq!((&waited["job"]["state"], &waited["job"]["failure"]["code"]), (&json!("failed"), &json!("damaged")));
    assert_eq!(waited["document_id"], waited["job"]["document_id"]);

    let job = format!("/v1/jobs/{}", slow["job_id"].as_str().unwrap());
    let text = extraction("slow", Vec::new());
    let (waited, ()) = tokio::join!(
        async { expect(api.get(&job).header("prefer", "wait=15").send().await.unwrap(), 200).await },
        api.succeed(&slow["job_id"], &text),
    );
    assert_eq!(waited["state"], "succeeded");
    api.stop().await;
}

/// Draining lets nobody wait any longer.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn draining_answers_those_who_wait(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let waiting = tokio::spawn(api.post("/v1/documents").header("prefer", "wait=60").body("text").send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    api.stop().await;
    assert_eq!(waiting.await.unwrap().unwrap().status(), 202);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_others_reach_are_refused(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let config = ApiConfig { listen: listen.parse().unwrap(), ..ApiConfig::default() };
        let refused =
            docmill_api::bind(&config, api.pipeline.clone(), None, api.health.clone(), &api.lifecycle).await.err().unwrap();
        let expected = format!("api.listen is {listen}, which other machines may reach; without API keys");
        assert!(refused.to_string().starts_with(&expected), "{refused}");
    }
    api.stop().await;
}
