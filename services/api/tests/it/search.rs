//! Looking for words in one's own documents.

use std::collections::BTreeSet;

use docmill_domain::{Extraction, extraction::Page};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Database, TestApi, expect, extraction};

/// Has everything indexed that waits for it.
async fn index(api: &TestApi) {
    while api.pipeline.index_next().await.unwrap() {}
    assert_eq!(api.pipeline.catalog.index_due().await.unwrap(), 0);
}

async fn search(api: &TestApi, query: &str) -> Value {
    expect(api.get(&path(query)).send().await.unwrap(), 200).await
}

fn path(query: &str) -> String {
    format!("/v1/search?q={}", query.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>())
}

fn book(pages: u32) -> Extraction {
    let page = |number| {
        let text = format!("Chapter {number}\n\nA sentence that stands on every page; <b>mark{number}</b> on this one alone.\n");
        Page { number, text: text + &"filling ".repeat(200), width: None, height: None }
    };
    Extraction { pages: (1..=pages).map(page).collect(), ..extraction("", Vec::new()) }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_book_is_found_whole(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let receipt = api.upload("book").await;
    api.succeed(&receipt["job_id"], &book(500)).await;
    assert_eq!(search(&api, "sentence").await, json!({"hits": []}), "written behind");
    index(&api).await;
    for page in [1, 250, 500] {
        let found = search(&api, &format!("\"mark{page}\"")).await;
        assert_eq!(found["hits"].as_array().unwrap().len(), 1, "{found}");
        let hit = &found["hits"][0];
        assert_eq!((&hit["document_id"], &hit["page"], &hit["name"]), (&receipt["document_id"], &json!(page), &json!("a.txt")));
        let (text, mark) = (hit["snippet"]["text"].as_str().unwrap(), &hit["snippet"]["highlights"][0]);
        let (start, end) = (mark["start"].as_u64().unwrap() as usize, mark["end"].as_u64().unwrap() as usize);
        assert_eq!(text.chars().skip(start).take(end - start).collect::<String>(), format!("mark{page}"));
    }
    // Page by page, each place once.
    let (mut path, mut pages, mut seen) = (Some("/v1/search?q=stands%20sentence&limit=100".to_owned()), 0, BTreeSet::new());
    while let Some(next) = path {
        let response = api.get(&next).send().await.unwrap();
        let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let found = expect(response, 200).await;
        seen.extend(found["hits"].as_array().unwrap().iter().map(|hit| hit["page"].as_u64().unwrap()));
        assert_eq!(link.is_some(), found["next_cursor"].is_string());
        path = link.map(|link| link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned());
        pages += 1;
    }
    assert_eq!((pages, seen), (5, (1..=500).collect()));
    api.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_not_found_whatever_the_indexer_is_about(
    #[values(Database::Sqlite, Database::Postgres)] on: Database,
) {
    let api = TestApi::start(on).await;
    for round in 0..8u64 {
        let receipt = api.upload("book").await;
        api.succeed(&receipt["job_id"], &book(200)).await;
        let document = format!("/v1/documents/{}", receipt["document_id"].as_str().unwrap());
        let pipeline = api.pipeline.clone();
        let indexing = tokio::spawn(async move { while pipeline.index_next().await.unwrap() {} });
        tokio::time::sleep(std::time::Duration::from_millis(7 * round)).await;
        expect(api.request(Method::DELETE, &document).send().await.unwrap(), 204).await;
        assert_eq!(search(&api, "sentence").await, json!({"hits": []}), "round {round}");
        indexing.await.unwrap();
        index(&api).await;
        assert_eq!(search(&api, "sentence").await, json!({"hits": []}), "round {round}");
    }
    api.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_typed_fails(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let receipt = api.upload("text").await;
    api.succeed(&receipt["job_id"], &extraction("it's a \"test\" of (syntax)", Vec::new())).await;
    index(&api).await;
    for query in [
        "\"",
        "'",
        "te*",
        "test OR",
        "NEAR(",
        "a AND",
        "-x",
        "test -",
        "(test",
        "te\u{0}st",
        "%",
        "\\",
        "🦀",
        "col:",
        "^",
        "test ^2",
    ] {
        let response = api.get(&path(query)).send().await.unwrap();
        let status = response.status().as_u16();
        assert!(matches!(status, 200 | 400), "{query}: {status} {}", response.text().await.unwrap());
    }
    assert_eq!(search(&api, "it's \"a test\" (OF) syntax!").await["hits"].as_array().unwrap().len(), 1);
    api.stop().await;
}

/// A result that is lost is no reason to stop: what comes behind it is indexed.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_result_does_not_stop_the_indexer(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    let lost = api.upload("lost").await;
    api.succeed(&lost["job_id"], &extraction("lost words", Vec::new())).await;
    let job = lost["job_id"].as_str().unwrap().parse().unwrap();
    let manifest = api.pipeline.catalog.manifest(&docmill_domain::TenantId::default_tenant(), job).await.unwrap().unwrap();
    api.pipeline.blobs.erase(&manifest.key).await.unwrap();
    let kept = api.upload("kept").await;
    api.succeed(&kept["job_id"], &extraction("kept words", Vec::new())).await;
    index(&api).await;
    let found = search(&api, "words").await;
    assert_eq!((found["hits"].as_array().unwrap().len(), &found["hits"][0]["document_id"]), (1, &kept["document_id"]));
    api.stop().await;
}
