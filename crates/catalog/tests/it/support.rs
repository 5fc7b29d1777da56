//! A fresh catalog, and documents in it.

use std::time::Duration;

use docmill_catalog::{
    Catalog, CatalogConfig, Settled,
    claims::{Claim, Disposition, Manifest},
    intents::{Acceptance, Intent, NewIntent, Opened},
};
use docmill_domain::{Failure, FailureCode, Format, Job, JobId, Options, TenantId};
use tempfile::TempDir;

pub(crate) const LEASE: Duration = Duration::from_secs(30);

pub(crate) struct Fresh {
    pub(crate) catalog: Catalog,
    pub(crate) folder: TempDir,
}

pub(crate) async fn open() -> Fresh {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&CatalogConfig::Sqlite { folder: folder.path().into() }).await.unwrap();
    Fresh { catalog, folder }
}

pub(crate) fn tenant() -> TenantId {
    TenantId::default_tenant()
}

pub(crate) fn upload(key: Option<&str>) -> NewIntent {
    NewIntent { tenant: tenant(), idempotency_key: key.map(Into::into), fingerprint: "same".into() }
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
    }
}

impl Fresh {
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
        assert_eq!(self.catalog.accept(&intent, &acceptance).await.unwrap(), Settled::Applied);
        self.job(acceptance.job).await
    }

    pub(crate) async fn job(&self, id: JobId) -> Job {
        self.catalog.job(&tenant(), id).await.unwrap().unwrap()
    }

    pub(crate) async fn claim(&self, job: JobId, lease: Duration) -> Option<Claim> {
        self.catalog.claim(&tenant(), job, "worker", lease).await.unwrap()
    }

    /// The outcome of finishing with a result.
    pub(crate) async fn finish_done(&self, claim: &Claim, partial: bool) -> Settled {
        let manifest = Manifest {
            key: claim.result_key.clone(),
            size: 1,
            sha256: format!("result of {}", claim.token),
            engine: "test 1".into(),
            schema: 1,
        };
        self.catalog.finish(claim, &Disposition::Done { manifest, partial, warnings: vec![], pages: 1 }).await.unwrap()
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
