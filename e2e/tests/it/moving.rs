//! Everything moved: from the embedded docmill to PostgreSQL and S3, and back, by archives. No document is lost or repeated, none that was
//! deleted returns, and what was waiting goes on.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use docmill_e2e::{
    client::{Promise, Upload, result, settled, submit},
    cluster::Cluster,
    docmill::{BRISK, Docmill, program},
    servers::{BrokerKind, Servers},
};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a command of `docmill` with these settings.
fn docmill(settings: &[(String, String)], words: &[&str], folder: &Path) -> Output {
    Command::new(program("docmill")).args(words).arg(folder).envs(BRISK).envs(settings.iter().cloned()).output().unwrap()
}

#[track_caller]
fn well(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// What must be the same wherever the documents are: the promise, how the job ended, and its result.
async fn look(http: &Client, api: &str, upload: &Upload) -> (Promise, Value, Option<Value>) {
    let promise = submit(http, api, upload).await.unwrap();
    let job = settled(http, api, &promise.job, PATIENCE).await.unwrap();
    let shown = match job["state"].as_str() {
        Some("succeeded" | "partial") => Some(result(http, api, &promise.document).await.unwrap()),
        _ => None,
    };
    (promise, json!([job["state"], job["attempts"], job["failure"], job["created_at"], job["finished_at"]]), shown)
}

async fn look_at_all(http: &Client, api: &str, uploads: &[Upload]) -> BTreeMap<String, (Promise, Value, Option<Value>)> {
    let mut all = BTreeMap::new();
    for upload in uploads {
        all.insert(upload.key.clone(), look(http, api, upload).await);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_embedded_to_a_cluster_and_back() {
    let (data, archives) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let http = Client::new();
    let ended = [
        Upload::text("text", "a text that was read before the move\n"),
        Upload::mock("pages", &json!({"pages": 3, "text": "p"})),
        Upload::mock("partial", &json!({"pages": 0})),
        Upload::mock("dead-letter", &json!({"pages": 0, "then": "abort"})),
        Upload { key: "damaged".into(), name: "damaged.pdf".into(), body: docmill_fixtures::damaged_pdf() },
    ];
    let embedded = Docmill::start(data.path()).unwrap();
    let before = look_at_all(&http, &embedded.api, &ended).await;
    let deleted = submit(&http, &embedded.api, &Upload::text("deleted", "nobody shall see this again\n")).await.unwrap();
    settled(&http, &embedded.api, &deleted.job, PATIENCE).await.unwrap();
    http.delete(format!("{}/v1/documents/{}", embedded.api, deleted.document)).send().await.unwrap().error_for_status().unwrap();
    // Running when it stops: handed back, or killed with its claim.
    let waiting = Upload::mock("waiting", &json!({"pages": 20, "ms_per_page": 100, "text": "w"}));
    let promised = submit(&http, &embedded.api, &waiting).await.unwrap();
    let taken = docmill(&[], &["backup", "--data", &data.path().display().to_string()], &archives.path().join("too-early"));
    assert!(!taken.status.success());
    let complaint = String::from_utf8(taken.stderr).unwrap();
    assert!(complaint.contains("is in use by process"), "{complaint}");
    embedded.kill();

    let archive = archives.path().join("embedded");
    let manifest = well(&docmill(&[], &["export", "--json", "--data", &data.path().display().to_string()], &archive));
    assert!(manifest["blobs"].as_u64().unwrap() >= 8, "{manifest}");
    well(&docmill(&[], &["verify"], &archive));

    let servers = Servers::start(BrokerKind::Nats).await.unwrap();
    let settings = servers.settings();
    well(&docmill(&settings, &["import"], &archive));
    let again = docmill(&settings, &["import"], &archive);
    assert!(!again.status.success());
    let complaint = String::from_utf8(again.stderr).unwrap();
    assert!(complaint.contains("already holds documents"), "{complaint}");

    let mut cluster = Cluster::over(servers);
    cluster.add_api(&[]).await.unwrap();
    cluster.add_worker(&[]).await.unwrap();
    let api = cluster.urls()[0].clone();
    assert_eq!(look_at_all(&http, &api, &ended).await, before, "all as it was");
    let (promise, end, shown) = look(&http, &api, &waiting).await;
    assert_eq!((&promise, &end[0]), (&promised, &json!("succeeded")), "what waited went on");
    let gone =
        async |api: &str| http.get(format!("{api}/v1/documents/{}/original", deleted.document)).send().await.unwrap().status();
    assert_eq!(gone(&api).await, StatusCode::GONE);
    assert_eq!(cluster.servers.orphans(PATIENCE).await.unwrap(), Vec::<String>::new());

    // Back again, out of the running cluster.
    let backup = archives.path().join("cluster");
    well(&docmill(&cluster.settings, &["backup"], &backup));
    cluster.stop().await.unwrap();
    let anew = tempfile::tempdir().unwrap();
    well(&docmill(&[], &["restore", "--data", &anew.path().display().to_string()], &backup));
    let embedded = Docmill::start(anew.path()).unwrap();
    assert_eq!(look_at_all(&http, &embedded.api, &ended).await, before, "and as it was once more");
    assert_eq!(look(&http, &embedded.api, &waiting).await, (promise, end, shown));
    assert_eq!(gone(&embedded.api).await, StatusCode::GONE);
    assert!(embedded.stop().unwrap().success());
    crate::kill::check_remains(anew.path(), 0).await.unwrap();

    // An archive that someone has touched is not taken.
    let object =
        std::fs::read_dir(archive.join("blobs")).unwrap().flatten().flat_map(|shard| std::fs::read_dir(shard.path()).unwrap());
    let object = object.flatten().find(|file| file.metadata().unwrap().len() > 10).unwrap().path();
    std::fs::write(&object, b"something else altogether").unwrap();
    let altered = docmill(&[], &["verify"], &archive);
    assert!(!altered.status.success());
    let complaint = String::from_utf8(altered.stderr).unwrap();
    assert!(complaint.contains("is altered"), "{complaint}");
}
