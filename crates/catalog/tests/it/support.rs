//! A fresh catalog, and documents in it.

use std::time::Duration;

use docmill_catalog::{
    Catalog, CatalogConfig, PostgresConfig, Settled,
    claims::{Claim, Disposition, Manifest},
    intents::{Acceptance, Intent, KEY_LIFETIME, NewIntent, Opened},
};
use docmill_domain::{Failure, FailureCode, Format, Job, JobId, Limits, Options, TenantId, options::Secret, search::Segment};
use docmill_testbed::Postgres;
use sqlx::AnyPool;
use tempfile::TempDir;

pub(crate) const LEASE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

pub(crate) struct Fresh {
    pub(crate) catalog: Catalog,
    /// Opens it again; on PostgreSQL also at the same time.
    pub(crate) config: CatalogConfig,
    url: String,
    _folder: Option<TempDir>,
}

pub(crate) async fn open(on: Database) -> Fresh {
    if on == Database::Postgres {
        return open_on(Postgres::shared()).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = CatalogConfig::Sqlite { folder: folder.path().into() };
    let url = format!("sqlite://{}/catalog.db", folder.path().display());
    Fresh { catalog: Catalog::open(&config).await.unwrap(), config, url, _folder: Some(folder) }
}

pub(crate) async fn open_on(server: &Postgres) -> Fresh {
    let database = server.create_database();
    let config = CatalogConfig::Postgres(Box::new(postgres(server, &database)));
    Fresh { catalog: Catalog::open(&config).await.unwrap(), config, url: server.url(&database), _folder: None }
}

pub(crate) fn postgres(server: &Postgres, database: &str) -> PostgresConfig {
    PostgresConfig {
        host: server.host().into(),
        port: server.port(),
        database: database.into(),
        user: server.user().into(),
        password: Some(Secret(server.password().into())),
        ..PostgresConfig::default()
    }
}

pub(crate) fn tenant() -> TenantId {
    TenantId::default_tenant()
}

pub(crate) fn upload(key: Option<&str>) -> NewIntent {
    let key = key.map(Into::into);
    NewIntent { tenant: tenant(), idempotency_key: key, key_lifetime: KEY_LIFETIME, fingerprint: "same".into() }
}

pub(crate) fn acceptance() -> Acceptance {
    Acceptance {
        job: JobId::new(),
        name: Some("a.txt".into()),
        declared_type: None,
        format: Format::Txt,
        size: 3,
        sha256: "abc".into(),
        options: Options::default(),
        warnings: "[]".into(),
        traceparent: Some("00-trace-span-01".into()),
        response: "{\"answer\":1}".into(),
        limits: Limits::default(),
        ring_cap: 0,
    }
}

impl Fresh {
    /// The database itself, as someone beside docmill sees it.
    pub(crate) async fn raw(&self) -> AnyPool {
        AnyPool::connect(&self.url).await.unwrap()
    }

    /// The same catalog, as another process has it.
    pub(crate) async fn again(&self) -> Catalog {
        Catalog::open(&self.config).await.unwrap()
    }

    pub(crate) async fn intent(&self, key: Option<&str>, lease: Duration) -> Intent {
        match self.catalog.open_intent(&upload(key), lease).await.unwrap() {
            Opened::New(intent) => intent,
            other => panic!("not a new intent: {other:?}"),
        }
    }

    /// An accepted document's job.
    pub(crate) async fn accepted(&self, options: Options) -> Job {
        let intent = self.intent(None, LEASE).await;
        let acceptance = Acceptance { options, ..acceptance() };
        assert_eq!(self.catalog.accept(&intent, &acceptance).await.unwrap().settled, Settled::Applied);
        self.job(acceptance.job).await
    }

    pub(crate) async fn job(&self, id: JobId) -> Job {
        self.catalog.job(&tenant(), id).await.unwrap().unwrap()
    }

    pub(crate) async fn claim(&self, job: JobId, lease: Duration) -> Option<Claim> {
        self.catalog.claim(&tenant(), job, "worker", lease).await.unwrap()
    }

    /// The outcome of finishing with a result that is left to the indexer.
    pub(crate) async fn finish_done(&self, claim: &Claim, partial: bool) -> Settled {
        self.finish(claim, partial, None).await
    }

    /// The outcome of finishing with a result, and what search is to find of it.
    pub(crate) async fn finish_found(&self, claim: &Claim, segments: Option<Vec<Segment>>) -> Settled {
        self.finish(claim, false, segments).await
    }

    async fn finish(&self, claim: &Claim, partial: bool, segments: Option<Vec<Segment>>) -> Settled {
        let manifest = Manifest {
            key: claim.result_key.clone(),
            size: 1,
            sha256: format!("result of {}", claim.token),
            engine: "test 1".into(),
            schema: 1,
        };
        self.catalog.finish(claim, &Disposition::Done { manifest, partial, warnings: vec![], pages: 1, segments }).await.unwrap()
    }

    pub(crate) async fn event_kinds(&self, job: &Job) -> Vec<&'static str> {
        let events = self.catalog.events_after(&tenant(), job.document_id, 0, 1000).await.unwrap();
        assert!(events.iter().enumerate().all(|(at, event)| event.seq == at as i64 + 1), "numbered without gaps: {events:?}");
        events.iter().map(|event| event.kind.as_str()).collect()
    }
}

pub(crate) fn crash() -> Failure {
    Failure::new(FailureCode::ExtractorCrashed)
}

/// Leases and due times have the clock's resolution of a millisecond.
pub(crate) async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(15)).await;
}

impl Fresh {
    /// Rows of the index, of whatever document.
    pub(crate) async fn segments(&self) -> i64 {
        let row: (i64,) = sqlx::query_as("SELECT count(*) FROM segments").fetch_one(&self.raw().await).await.unwrap();
        row.0
    }
}
