use docmill_domain::extraction::{Warning, WarningCode};
use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::support::{Database, TestApi, expect, extraction};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_result_comes_in_every_form(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let receipt = api.upload("# Title").await;
    let path = format!("/v1/documents/{}/result", receipt["document_id"].as_str().unwrap());
    api.succeed(&receipt["job_id"], &extraction("# Title\n\n<script>x</script>", Vec::new())).await;
    for (accept, content_type, content) in [
        ("text/markdown", "text/markdown; charset=utf-8", "# Title\n\n<script>x</script>"),
        ("text/plain, */*;q=0.1", "text/plain; charset=utf-8", "# Title\n\n<script>x</script>\n"),
        ("text/html", "text/html; charset=utf-8", "<h1>Title</h1>\n<p>&lt;script&gt;x&lt;/script&gt;</p>\n"),
    ] {
        let response = api.get(&path).header("accept", accept).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], content_type);
        assert_eq!(response.headers()["vary"], "Accept");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
        assert_eq!(response.text().await.unwrap(), content);
    }
    let whole = expect(api.get(&path).send().await.unwrap(), 200).await;
    assert_eq!((&whole["schema_version"], &whole["pages"][0]["number"]), (&json!(1), &json!(1)));
    let named = api.get(&format!("{path}?as=md")).header("accept", "text/html").send().await.unwrap();
    assert_eq!(named.headers()["content-type"], "text/markdown; charset=utf-8");
    api.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn tags_and_ranges_spare_bytes(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let receipt = api.upload("0123456789").await;
    let document = format!("/v1/documents/{}", receipt["document_id"].as_str().unwrap());
    api.succeed(&receipt["job_id"], &extraction("0123456789", Vec::new())).await;
    let job = format!("/v1/jobs/{}", receipt["job_id"].as_str().unwrap());
    let (result, original) = (format!("{document}/result?as=md"), format!("{document}/original"));
    let mut tags = Vec::new();
    for path in [&document, &job, &result, &original, &format!("{document}/result?as=html")] {
        let tag = api.get(path).send().await.unwrap().headers()["etag"].to_str().unwrap().to_owned();
        let known =
            api.get(path).header("if-none-match", format!("\"x\", W/{}", tag.trim_start_matches("W/"))).send().await.unwrap();
        assert_eq!((known.status().as_u16(), known.headers()["etag"].to_str().unwrap()), (304, &*tag), "{path}");
        assert_eq!(known.bytes().await.unwrap().len(), 0);
        assert_eq!(api.get(path).header("if-none-match", "\"x\"").send().await.unwrap().status(), 200);
        tags.push(tag);
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 5, "each representation has a tag of its own");

    for path in [&result, &original] {
        let whole = api.get(path).send().await.unwrap();
        assert_eq!(whole.headers()["accept-ranges"], "bytes");
        let tag = whole.headers()["etag"].to_str().unwrap().to_owned();
        let part = api.get(path).header("range", "bytes=2-4").header("if-range", &tag).send().await.unwrap();
        assert_eq!((part.status().as_u16(), part.headers()["content-range"].to_str().unwrap()), (206, "bytes 2-4/10"));
        assert_eq!(part.headers()["content-length"], "3");
        assert_eq!(part.text().await.unwrap(), "234");
        let changed = api.get(path).header("range", "bytes=2-4").header("if-range", "\"old\"").send().await.unwrap();
        assert_eq!((changed.status().as_u16(), changed.text().await.unwrap().len()), (200, 10));
        let head = api.request(Method::HEAD, path).send().await.unwrap();
        assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (200, "10"));
    }
    api.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_paged_and_filtered(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let mut uploaded = Vec::new();
    for text in ["one", "two", "three", "four", "five"] {
        uploaded.insert(0, api.upload(text).await);
    }
    let (mut path, mut pages, mut seen) = (Some("/v1/documents?limit=2&format=txt".to_owned()), 0, Vec::new());
    while let Some(next) = path {
        let response = api.get(&next).send().await.unwrap();
        let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let page = expect(response, 200).await;
        seen.extend(page["documents"].as_array().unwrap().iter().map(|document| document["id"].clone()));
        path = link.map(|link| link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned());
        assert_eq!(path.is_some(), page["next_cursor"].is_string());
        pages += 1;
    }
    assert_eq!(pages, 3);
    assert_eq!(seen, uploaded.iter().map(|receipt| receipt["document_id"].clone()).collect::<Vec<_>>());

    let missing = vec![Warning::new(WarningCode::NoText, "nothing")];
    api.succeed(&uploaded[0]["job_id"], &extraction("", missing)).await;
    let partial = expect(api.get("/v1/documents?job_state=partial").send().await.unwrap(), 200).await;
    assert_eq!(partial["documents"].as_array().unwrap().len(), 1);
    assert_eq!(partial["documents"][0]["id"], uploaded[0]["document_id"]);
    let none = expect(api.get("/v1/documents?format=pdf").send().await.unwrap(), 200).await;
    assert_eq!(none, json!({"documents": []}));
    api.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_job_can_be_cancelled_and_a_document_deleted(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let receipt = api.upload("text").await;
    let job = format!("/v1/jobs/{}", receipt["job_id"].as_str().unwrap());
    for _ in 0..2 {
        let cancelled = expect(api.post(&format!("{job}/cancel")).send().await.unwrap(), 200).await;
        assert_eq!(cancelled["state"], "cancelled");
    }
    let document = format!("/v1/documents/{}", receipt["document_id"].as_str().unwrap());
    for _ in 0..2 {
        expect(api.request(Method::DELETE, &document).send().await.unwrap(), 204).await;
    }
    expect(api.get(&document).send().await.unwrap(), 410).await;
    api.assert_nothing_stored().await;
    api.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_it_is_and_how_it_does(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let formats = expect(api.get("/v1/formats").send().await.unwrap(), 200).await;
    assert_eq!(formats["formats"][0]["media_types"][0], "application/pdf");
    api.health.report("pdf", docmill_runtime::health::Status::Degraded("libpdfium was not found".into()));
    let ready = expect(api.get("/readyz").send().await.unwrap(), 200).await;
    assert_eq!(
        ready["dependencies"]["pdf"],
        json!({"status": "degraded", "reason": "`/details` on the operations port says why"})
    );
    for (path, content_type, policy) in [
        ("/", "text/html; charset=utf-8", "script-src 'self'"),
        ("/page.js", "text/javascript; charset=utf-8", "script-src 'self'"),
        ("/docs/", "text/html", "img-src 'self' data:"),
        ("/docs/swagger-ui.css", "text/css", "img-src 'self' data:"),
        ("/openapi.json", "application/json", "default-src 'none'"),
        ("/livez", "text/plain; charset=utf-8", "default-src 'none'"),
    ] {
        let response = api.get(path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], content_type, "{path}");
        assert!(response.headers()["content-security-policy"].to_str().unwrap().contains(policy), "{path}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
        assert!(!response.headers().contains_key("access-control-allow-origin"), "{path}");
    }
    assert_eq!(api.get("/docs").send().await.unwrap().url().path(), "/docs/");
    // The page asks nobody but its own server for anything.
    for path in ["/", "/page.js", "/page.css", "/reading.css"] {
        let text = api.get(path).send().await.unwrap().text().await.unwrap();
        assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("//cdn"), "{path}");
    }
    api.stop().await;
}
