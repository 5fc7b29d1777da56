//! A server of a test's own.

use std::{sync::Arc, time::Duration};

use docmill_api::ApiConfig;
use docmill_blob::BlobConfig;
use docmill_catalog::{
    CatalogConfig, PostgresConfig, Settled,
    claims::{Claim, Disposition, Manifest},
    keys::NewKey,
};
use docmill_domain::{
    ApiKey, ApiKeySecret, Extraction, Failure, FailureCode, Format, JobId, Scope, TenantId,
    extraction::{Engine, Page, SCHEMA_VERSION, Warning},
    options::Secret,
};
use docmill_pipeline::{Pipeline, PipelineConfig};
use docmill_queue::QueueConfig;
use docmill_runtime::{
    health::Health,
    lifecycle::{Lifecycle, LifecycleConfig},
};
use docmill_testbed::Postgres;
use futures_util::{StreamExt, stream};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};

/// Longer than anything that works takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

fn fresh_database() -> PostgresConfig {
    let server = Postgres::shared();
    PostgresConfig {
        host: server.host().into(),
        port: server.port(),
        database: server.create_database(),
        user: server.user().into(),
        password: Some(Secret(server.password().into())),
        ..PostgresConfig::default()
    }
}

pub(crate) struct TestApi {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) health: Health,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) folder: TempDir,
    stores: (CatalogConfig, BlobConfig),
    client: Client,
    served: JoinHandle<anyhow::Result<()>>,
}

impl TestApi {
    pub(crate) async fn start(on: Database) -> Self {
        Self::with(on, |_, _| {}).await
    }

    pub(crate) async fn with(on: Database, change: impl FnOnce(&mut ApiConfig, &mut PipelineConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = ApiConfig { listen: ([127, 0, 0, 1], 0).into(), ..ApiConfig::default() };
        let mut promises = PipelineConfig { max_upload_mib: 1, ..PipelineConfig::default() };
        change(&mut config, &mut promises);
        let catalog = match on {
            Database::Sqlite => CatalogConfig::Sqlite { folder: folder.path().join("catalog") },
            Database::Postgres => CatalogConfig::Postgres(Box::new(fresh_database())),
        };
        let blob = BlobConfig::File { folder: folder.path().join("blobs") };
        let pipeline = Pipeline::open(&catalog, &blob, &QueueConfig::default(), promises).await.unwrap();
        let lifecycle = Lifecycle::without_signals(&LifecycleConfig::default());
        let health = Health::new(lifecycle.soft.clone());
        health.set_migrated();
        let api = docmill_api::bind(&config, pipeline.clone(), None, health.clone(), &lifecycle).await.unwrap();
        let address = api.address;
        let served = tokio::spawn(api.run());
        Self { address, pipeline, health, lifecycle, folder, stores: (catalog, blob), client: Client::new(), served }
    }

    /// As another process over the same catalog and store would have it, with connections of its own.
    pub(crate) async fn another_pipeline(&self, promises: PipelineConfig) -> Arc<Pipeline> {
        Pipeline::open(&self.stores.0, &self.stores.1, &QueueConfig::default(), promises).await.unwrap()
    }

    /// Drains, and waits until the last request has been answered.
    pub(crate) async fn stop(self) {
        self.lifecycle.soft.cancel();
        timeout(PATIENCE, self.served).await.expect("the server drains").unwrap().unwrap();
        self.lifecycle.tracker.close();
        timeout(PATIENCE, self.lifecycle.tracker.wait()).await.expect("no task is left");
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address)).header("x-request-id", "test")
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// A key of this tenant, which is made if it is not there.
    pub(crate) async fn key(&self, tenant: &str, scopes: &[Scope]) -> (ApiKey, String) {
        let tenant: TenantId = tenant.parse().unwrap();
        self.pipeline.catalog.ensure_tenant(&tenant).await.unwrap();
        let new = NewKey { tenant, name: "a test's".into(), scopes: scopes.into(), lifetime: None };
        let secret = ApiKeySecret::generate();
        (self.pipeline.catalog.ensure_key(&new, &secret).await.unwrap(), secret.reveal().into())
    }

    /// Uploads a text; the receipt.
    pub(crate) async fn upload(&self, text: &str) -> Value {
        let response = self
            .post("/v1/documents?name=a.txt")
            .header("content-type", "text/plain")
            .body(text.to_owned())
            .send()
            .await
            .unwrap();
        expect(response, 202).await
    }

    /// Sends bytes as they are; the answer.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect(bytes).await;
        answer(&mut stream).await
    }

    pub(crate) async fn connect(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    pub(crate) async fn claim(&self, job: &Value) -> Claim {
        self.claim_of(&TenantId::default_tenant(), job).await
    }

    async fn claim_of(&self, tenant: &TenantId, job: &Value) -> Claim {
        let job: JobId = job.as_str().unwrap().parse().unwrap();
        self.pipeline.catalog.claim(tenant, job, "test", Duration::from_secs(60)).await.unwrap().expect("the job can be claimed")
    }

    /// Ends the job as a worker would that extracted this.
    pub(crate) async fn succeed(&self, job: &Value, extraction: &Extraction) {
        self.succeed_of(&TenantId::default_tenant(), job, extraction).await;
    }

    /// The same, of a job of this tenant's.
    pub(crate) async fn succeed_of(&self, tenant: &TenantId, job: &Value, extraction: &Extraction) {
        let claim = self.claim_of(tenant, job).await;
        let json = serde_json::to_vec(extraction).unwrap();
        let written = self.pipeline.blobs.put(&claim.result_key, stream::iter([Ok(json.into())]).boxed()).await.unwrap();
        let manifest = Manifest {
            key: claim.result_key.clone(),
            size: written.size,
            sha256: written.sha256,
            engine: "test 1".into(),
            schema: SCHEMA_VERSION,
        };
        let partial = !extraction.warnings.is_empty();
        let done = Disposition::Done { manifest, partial, warnings: extraction.warnings.clone(), pages: 1, segments: None };
        assert_eq!(self.pipeline.catalog.finish(&claim, &done).await.unwrap(), Settled::Applied);
    }

    /// Ends the job as a worker would that could not read the document.
    pub(crate) async fn fail(&self, job: &Value, code: FailureCode) {
        let claim = self.claim(job).await;
        let failed = Disposition::Failed(Failure::new(code));
        assert_eq!(self.pipeline.catalog.finish(&claim, &failed).await.unwrap(), Settled::Applied);
    }

    /// Nothing of a refused upload is left: no document, and after a sweep no file.
    pub(crate) async fn assert_nothing_stored(&self) {
        let list = expect(self.get("/v1/documents").send().await.unwrap(), 200).await;
        assert_eq!(list["documents"], Value::Array(Vec::new()));
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            self.pipeline.sweep().await.unwrap();
            let left = files(&self.folder.path().join("blobs"));
            if left.is_empty() {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "left behind: {left:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The JSON of an answer that must have this status.
pub(crate) async fn expect(response: Response, status: u16) -> Value {
    let got = response.status().as_u16();
    let text = response.text().await.unwrap();
    assert_eq!(got, status, "{text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// The whole of one answer that tells its length.
pub(crate) async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    let mut piece = [0; 4096];
    loop {
        let read = timeout(PATIENCE, stream.read(&mut piece)).await.expect("the server answers").unwrap();
        answer.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        let complete = answer.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            length.is_some_and(|length| length.parse() == Ok(body.len()))
        });
        if complete || read == 0 {
            return answer;
        }
    }
}

pub(crate) fn extraction(markdown: &str, warnings: Vec<Warning>) -> Extraction {
    Extraction {
        schema_version: SCHEMA_VERSION,
        engine: Engine { name: "test".into(), version: "1".into() },
        format: Format::Txt,
        pages: vec![Page { number: 1, text: markdown.into(), width: None, height: None }],
        markdown: markdown.into(),
        tables: Vec::new(),
        metadata: Default::default(),
        warnings,
    }
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
