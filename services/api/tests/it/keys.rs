//! Who may call, and as whom.

use std::time::{Duration, Instant};

use docmill_domain::{ApiKeySecret, Limits, ProblemCode, Scope, TenantId, options::Secret};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Database, PATIENCE, TestApi, expect, extraction};

/// An API with keys from the start, and the first of them.
async fn keyed(on: Database) -> (TestApi, String) {
    let first = ApiKeySecret::generate();
    let api = TestApi::with(on, |config, _| config.first_key = Some(Secret(first.reveal().into()))).await;
    (api, first.reveal().into())
}

/// Every call that the description names, as method and path.
fn calls() -> Vec<(Method, String)> {
    let description: Value = serde_json::from_str(&docmill_api::openapi::json()).unwrap();
    let calls = description["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
        methods.map(|method| (method.to_uppercase().parse().unwrap(), path.clone())).collect::<Vec<(Method, String)>>()
    });
    let calls: Vec<_> = calls.collect();
    assert!(calls.len() > 15, "{calls:?}");
    calls
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn no_call_is_open_without_a_key(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let (api, first) = keyed(on).await;
    let id = "0".repeat(32);
    for (method, path) in calls() {
        let path = path.replace("documents/{id}", &format!("documents/doc_{id}"));
        let path = path.replace("jobs/{id}", &format!("jobs/job_{id}")).replace("{id}", &format!("key_{id}"));
        let answer = api.request(method.clone(), &path).send().await.unwrap();
        if path.starts_with("/v1/") {
            assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer "), "{method} {path}");
            assert_eq!(expect(answer, 401).await["code"], "unauthorized", "{method} {path}");
        } else {
            assert_eq!(answer.status(), 200, "{method} {path}");
        }
    }
    // A path has more than one spelling.
    for path in ["/%761/documents", "/v1/%64ocuments", "/v1/api%2Dkeys", "/v1/documents?name=x"] {
        let raw = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        assert!(!api.raw(raw.as_bytes()).await.starts_with("HTTP/1.1 2"), "{path}");
    }
    // A body is not waited for.
    let endless = b"POST /v1/documents HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    assert!(api.raw(endless).await.starts_with("HTTP/1.1 401"));
    expect(api.get("/v1/documents").bearer_auth(&first).header("host", "docmill.example").send().await.unwrap(), 200).await;
    expect(api.get("/readyz").header("host", "10.0.0.7:8080").send().await.unwrap(), 200).await;
    api.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_another_tenant_is_there(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let (api, _) = keyed(on).await;
    let (key, ours) = api.key("acme", &Scope::ALL).await;
    let (_, theirs) = api.key("globex", &Scope::ALL).await;
    let upload = api.post("/v1/documents?name=a.txt").bearer_auth(&ours).body("peculiar words");
    let receipt = expect(upload.send().await.unwrap(), 202).await;
    let (document, job) = (receipt["document_id"].as_str().unwrap(), receipt["job_id"].as_str().unwrap());
    let acme: TenantId = "acme".parse().unwrap();
    api.succeed_of(&acme, &receipt["job_id"], &extraction("peculiar words", Vec::new())).await;

    while api.pipeline.index_next().await.unwrap() {}
    let found = expect(api.get("/v1/search?q=peculiar").bearer_auth(&ours).send().await.unwrap(), 200).await;
    assert_eq!(found["hits"][0]["document_id"], document);

    let mut asked = 0;
    for (method, path) in calls() {
        let named = path.replace("/v1/documents/{id}", &format!("/v1/documents/{document}"));
        let named = named.replace("/v1/jobs/{id}", &format!("/v1/jobs/{job}"));
        let named = named.replace("/v1/api-keys/{id}", &format!("/v1/api-keys/{}", key.id));
        assert!(!named.contains('{'), "{path} takes something that this test does not know: give it another tenant's");
        let answer = api.request(method.clone(), &named).bearer_auth(&theirs).send().await.unwrap();
        if named != path {
            assert_eq!(expect(answer, 404).await["code"], "not_found", "{method} {path}");
            asked += 1;
        } else if method == Method::GET {
            let query = if named == "/v1/search" { format!("{named}?q=peculiar") } else { named };
            let answer = api.get(&query).bearer_auth(&theirs).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            let text = answer.text().await.unwrap();
            for ours in [document, job, &key.id.to_string(), "acme"] {
                assert!(!text.contains(ours), "{path} tells of {ours}: {text}");
            }
        }
    }
    assert!(asked >= 9, "{asked}");
    // Nothing that they tried has done anything.
    for path in [format!("/v1/documents/{document}/result"), format!("/v1/jobs/{job}"), "/v1/api-keys".into()] {
        let answer = api.get(&path).bearer_auth(&ours).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    let job = expect(api.get(&format!("/v1/jobs/{job}")).bearer_auth(&ours).send().await.unwrap(), 200).await;
    assert_eq!(job["state"], "succeeded");
    api.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_what_its_scopes_say(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let (api, first) = keyed(on).await;
    let make = |body: Value| api.post("/v1/api-keys").bearer_auth(&first).json(&body).send();
    let made = expect(make(json!({"name": "the scanner's"})).await.unwrap(), 201).await;
    assert_eq!(made["scopes"], json!(["documents:read", "documents:write"]));
    let scanner = made["secret"].as_str().unwrap();
    let upload = |key: &str| api.post("/v1/documents").bearer_auth(key).body("text").send();
    expect(upload(scanner).await.unwrap(), 202).await;
    expect(api.get("/v1/documents").bearer_auth(scanner).send().await.unwrap(), 200).await;
    expect(api.get("/v1/api-keys").bearer_auth(scanner).send().await.unwrap(), 403).await;
    let reader = expect(make(json!({"name": "r", "scopes": ["documents:read"]})).await.unwrap(), 201).await;
    let reader = reader["secret"].as_str().unwrap();
    expect(upload(reader).await.unwrap(), 403).await;
    expect(api.request(Method::HEAD, "/v1/formats").bearer_auth(reader).send().await.unwrap(), 200).await;

    let list = expect(api.get("/v1/api-keys").bearer_auth(&first).send().await.unwrap(), 200).await;
    let names: Vec<_> = list["api_keys"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["api.first_key", "the scanner's", "r"]);
    assert!(!list.to_string().contains("dmk_"), "no secret is shown twice");
    let used = list["api_keys"][0]["last_used_at"].as_str().unwrap();
    assert!(used.ends_with(":00:00.000000Z"), "rounded: {used}");
    api.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_by_its_time_or_by_being_revoked(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let (api, first) = keyed(on).await;
    let (key, secret) = api.key("default", &[Scope::DocumentsRead]).await;
    let (elsewhere, other) = api.key("default", &[Scope::DocumentsRead]).await;
    let brief = ApiKeySecret::generate();
    let new = docmill_catalog::keys::NewKey {
        tenant: TenantId::default_tenant(),
        name: "brief".into(),
        scopes: vec![Scope::DocumentsRead],
        lifetime: Some(Duration::from_secs(1)),
    };
    api.pipeline.catalog.ensure_key(&new, &brief).await.unwrap();
    let status = async |key: &str| api.get("/v1/documents").bearer_auth(key).send().await.unwrap().status().as_u16();
    for secret in [&secret, &other, brief.reveal()] {
        assert_eq!(status(secret).await, 200);
    }
    let revoke = format!("/v1/api-keys/{}", key.id);
    for _ in 0..2 {
        expect(api.request(Method::DELETE, &revoke).bearer_auth(&first).send().await.unwrap(), 204).await;
    }
    assert_eq!(status(&secret).await, 401, "here at once");
    // By another process: this one learns of it within the time that it trusts a verified key.
    assert_eq!(status(&other).await, 200);
    api.pipeline.catalog.revoke_key(None, elsewhere.id).await.unwrap().unwrap();
    let began = Instant::now();
    while status(&other).await == 200 || status(brief.reveal()).await == 200 {
        assert!(began.elapsed() < Duration::from_secs(7), "still open");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // A first key that was revoked is not made anew by the setting, and opens nothing.
    let keys = api.pipeline.catalog.keys(None).await.unwrap();
    api.pipeline.catalog.revoke_key(None, keys[0].id).await.unwrap().unwrap();
    let config = docmill_api::ApiConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        first_key: Some(Secret(first.clone())),
        ..Default::default()
    };
    let again = docmill_api::bind(&config, api.pipeline.clone(), None, api.health.clone(), &api.lifecycle).await.unwrap();
    let url = format!("http://{}/v1/documents", again.address);
    tokio::spawn(again.run());
    expect(reqwest::Client::new().get(url).bearer_auth(&first).send().await.unwrap(), 401).await;
    api.stop().await;
}

/// From the first key on, made by whoever reaches loopback, nobody calls without one.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_first_key_closes_the_door(#[values(Database::Sqlite, Database::Postgres)] on: Database) {
    let api = TestApi::start(on).await;
    expect(api.get("/v1/documents").send().await.unwrap(), 200).await;
    let first = json!({"name": "first", "scopes": ["keys:admin"], "expires_in": 3600});
    let made = expect(api.post("/v1/api-keys").json(&first).send().await.unwrap(), 201).await;
    assert!(made["expires_at"].is_string());
    let told = expect(api.get("/v1/documents").send().await.unwrap(), 401).await;
    assert_eq!(told["code"], ProblemCode::Unauthorized.as_str());
    let secret = made["secret"].as_str().unwrap();
    expect(api.get("/v1/api-keys").bearer_auth(secret).send().await.unwrap(), 200).await;
    let id = made["id"].as_str().unwrap();
    let revoke = api.request(Method::DELETE, &format!("/v1/api-keys/{id}")).bearer_auth(secret);
    expect(revoke.send().await.unwrap(), 204).await;
    expect(api.get("/v1/documents").send().await.unwrap(), 401).await;
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_address_is_bound_once_there_is_a_key() {
    let api = TestApi::start(Database::Sqlite).await;
    let mut config = docmill_api::ApiConfig { listen: ([0, 0, 0, 0], 0).into(), ..Default::default() };
    let bind = async |config: &docmill_api::ApiConfig| {
        docmill_api::bind(config, api.pipeline.clone(), None, api.health.clone(), &api.lifecycle).await
    };
    assert!(bind(&config).await.err().unwrap().to_string().contains("docmill keys create"));
    config.first_key = Some(Secret("hunter2".into()));
    let refused = format!("{:#}", bind(&config).await.err().unwrap());
    insta::assert_snapshot!(refused, @"api.first_key cannot be used: it is no API key: one is `dmk_` and 64 hex digits, as `echo dmk_$(openssl rand -hex 32)` makes one");
    config.first_key = Some(Secret(ApiKeySecret::generate().reveal().into()));
    let bound = bind(&config).await.unwrap();
    assert!(bound.address.port() > 0);
    drop(bound);
    api.pipeline.catalog.set_tenant(&TenantId::default_tenant(), Limits::default()).await.unwrap();
    tokio::time::timeout(PATIENCE, api.stop()).await.unwrap();
}
