//! How much a tenant may use.

use docmill_domain::{Limits, TenantId};
use docmill_pipeline::PipelineConfig;
use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;

use crate::support::{Database, TestApi, expect, extraction};

/// Many uploads at once, by two APIs over one catalog: as many are taken as are allowed, and no byte of the others is kept.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_across_replicas(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let limits = Limits { documents_a_day: Some(3), ..Limits::default() };
    let api = TestApi::with(on, |_, promises| promises.limits = limits).await;
    let config = docmill_api::ApiConfig { listen: ([127, 0, 0, 1], 0).into(), ..Default::default() };
    let pipeline = match on {
        // Which one process has for itself.
        Database::Sqlite => api.pipeline.clone(),
        Database::Postgres => api.another_pipeline(PipelineConfig { limits, ..PipelineConfig::default() }).await,
    };
    let other = docmill_api::bind(&config, pipeline, None, api.health.clone(), &api.lifecycle).await.unwrap();
    let addresses = [api.address, other.address];
    tokio::spawn(other.run());
    let client = reqwest::Client::new();
    let uploads = (0..16).map(|at| {
        let request = client.post(format!("http://{}/v1/documents", addresses[at % 2])).body(format!("text {at:02}"));
        async move { request.send().await.unwrap() }
    });
    let answers = join_all(uploads).await;
    let accepted = answers.iter().filter(|answer| answer.status() == 202).count();
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status() == 429).collect();
    assert_eq!((accepted, refused.len()), (3, 13));
    for answer in refused {
        assert_eq!(answer.headers()["ratelimit-policy"], "\"documents\";q=3;w=86400");
        assert!(answer.headers()["ratelimit"].to_str().unwrap().starts_with("\"documents\";r=0;t="));
        let seconds: u32 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=86_400).contains(&seconds), "{seconds}");
    }
    let list = expect(api.get("/v1/documents").send().await.unwrap(), 200).await;
    assert_eq!(list["documents"].as_array().unwrap().len(), 3);
    let usage = expect(api.get("/v1/usage").send().await.unwrap(), 200).await;
    assert_eq!((&usage["documents_today"], &usage["jobs_in_flight"], &usage["bytes_today"]), (&json!(3), &json!(3), &json!(21)));
    api.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_own_limits_come_first_and_a_replay_costs_nothing(
    #[values(Database::Sqlite, Database::Postgres)] on: Database,
) {
    let api = TestApi::with(on, |_, promises| promises.limits = Limits { jobs_in_flight: Some(9), ..Limits::default() }).await;
    let tenant = TenantId::default_tenant();
    let own = Limits { jobs_in_flight: Some(1), bytes_a_day: Some(100), ..Limits::default() };
    api.pipeline.catalog.set_tenant(&tenant, own).await.unwrap();
    let upload = |text: &'static str| api.post("/v1/documents?name=a.txt").header("idempotency-key", text).body(text);
    let first = upload("one").send().await.unwrap();
    assert_eq!(
        first.headers()["ratelimit-policy"],
        "\"bytes\";q=100;w=86400;qu=\"content-bytes\", \"jobs\";q=1;qu=\"concurrent-requests\""
    );
    assert!(first.headers()["ratelimit"].to_str().unwrap().ends_with("\"jobs\";r=0"));
    let first = expect(first, 202).await;
    let second = expect(upload("two").send().await.unwrap(), 429).await;
    assert_eq!((&second["code"], &second["retry_after"]), (&json!("limit_reached"), &json!(5)));
    expect(upload("one").send().await.unwrap(), 202).await;
    api.succeed(&first["job_id"], &extraction("one", Vec::new())).await;
    expect(upload("two").send().await.unwrap(), 202).await;
    let usage = expect(api.get("/v1/usage").send().await.unwrap(), 200).await;
    assert_eq!((&usage["documents_today"], &usage["bytes_today"]), (&json!(2), &json!(6)));
    assert_eq!(usage["limits"], json!({"jobs_in_flight": 1, "documents_a_day": null, "bytes_a_day": 100}));
    // A limit that was raised holds for the next call.
    api.pipeline.catalog.set_tenant(&tenant, Limits { bytes_a_day: Some(7), ..Limits::default() }).await.unwrap();
    let told = expect(upload("three").send().await.unwrap(), 429).await;
    assert!(told["detail"].as_str().unwrap().contains("7 bytes a day"), "{told}");
    api.stop().await;
}
