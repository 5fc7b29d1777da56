//! What a process says about itself: ready or not, and how its dependencies do.
//!
//! Ready means migrated and not draining. A dependency that is down does not make a process unready: a 202 can be given while the
//! broker is away, and taking every replica out of service at once would help nobody. It is told as a detail and as a metric, by
//! whoever knows ([`Health::report`]) or by looking every few seconds ([`Health::watch`]).

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Seconds apart. Some brokers charge for being asked.
const LOOKS: Duration = Duration::from_secs(10);
/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a dependency answers; if not, why.
pub type Check = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// The registry; clones share it.
#[derive(Clone)]
pub struct Health {
    draining: CancellationToken,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    migrated: AtomicBool,
    dependencies: RwLock<BTreeMap<&'static str, Status>>,
    reports: RwLock<BTreeMap<&'static str, Report>>,
}

/// Something that a process counts when it is asked, as JSON.
type Report = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = anyhow::Result<Value>> + Send>> + Send + Sync>;

/// How a dependency does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", content = "reason", rename_all = "snake_case")]
pub enum Status {
    /// As it should.
    Ok,
    /// Not, or not fully, for this reason.
    Degraded(String),
}

/// Everything the registry knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Details {
    /// Whether traffic should come here.
    pub ready: bool,
    /// Whether the catalog's schema is the one this program needs.
    pub migrated: bool,
    /// Whether the process is finishing what it has and takes nothing new.
    pub draining: bool,
    /// What the process depends on, by name.
    pub dependencies: BTreeMap<&'static str, Status>,
}

impl Health {
    /// A registry of a process that drains once `draining` is cancelled: the lifecycle's soft token.
    pub fn new(draining: CancellationToken) -> Self {
        Self { draining, shared: Arc::default() }
    }

    /// Says that the catalog's schema is the one this program needs.
    pub fn set_migrated(&self) {
        self.shared.migrated.store(true, Ordering::Release);
    }

    /// Says how a dependency does; also the gauge `docmill_dependency_up`.
    pub fn report(&self, dependency: &'static str, status: Status) {
        metrics::gauge!("docmill_dependency_up", "dependency" => dependency).set(if status == Status::Ok { 1.0 } else { 0.0 });
        let mut dependencies = self.shared.dependencies.write().unwrap_or_else(PoisonError::into_inner);
        let before = dependencies.insert(dependency, status.clone());
        // An error is logged at its boundary; here only that things changed.
        match status {
            Status::Degraded(reason) if !matches!(before, Some(Status::Degraded(_))) => {
                tracing::warn!(dependency, reason, "dependency degraded");
            }
            Status::Ok if matches!(before, Some(Status::Degraded(_))) => tracing::info!(dependency, "dependency recovered"),
            _ => {}
        }
    }

    /// Looks after dependencies, each by itself, and reports how they do. Ends only with the process, so it belongs among the
    /// lifecycle's companions.
    pub async fn watch(self, checks: impl IntoIterator<Item = (&'static str, Check)>) -> anyhow::Result<()> {
        self.watch_every(LOOKS, PATIENCE, checks).await
    }

    async fn watch_every(
        self,
        looks: Duration,
        patience: Duration,
        checks: impl IntoIterator<Item = (&'static str, Check)>,
    ) -> anyhow::Result<()> {
        let look = |(name, check)| self.clone().look(looks, patience, name, check);
        let mut watched: JoinSet<()> = checks.into_iter().map(look).collect();
        match watched.join_next().await {
            Some(Err(panic)) => Err(panic.into()),
            _ => anyhow::bail!("there is nothing to look after"),
        }
    }

    async fn look(self, looks: Duration, patience: Duration, dependency: &'static str, check: Check) {
        loop {
            let status = match timeout(patience, check()).await {
                Ok(Ok(())) => Status::Ok,
                Ok(Err(reason)) => Status::Degraded(reason),
                Err(_) => Status::Degraded(format!("no answer within {patience:?}")),
            };
            self.report(dependency, status);
            sleep(looks).await;
        }
    }

    /// Has the operations port answer `GET /v1/{name}` with what `report` counts each time.
    pub fn publish<F>(&self, name: &'static str, report: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = anyhow::Result<Value>> + Send + 'static,
    {
        let report: Report = Arc::new(move || Box::pin(report()));
        self.shared.reports.write().unwrap_or_else(PoisonError::into_inner).insert(name, report);
    }

    /// What the report of this name counts now, if there is one.
    pub(crate) async fn report_of(&self, name: &str) -> Option<anyhow::Result<Value>> {
        let report = self.shared.reports.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()?;
        Some(report().await)
    }

    /// Why traffic should not come here, if it should not.
    pub fn unready(&self) -> Option<&'static str> {
        if self.draining.is_cancelled() {
            Some("draining")
        } else if !self.shared.migrated.load(Ordering::Acquire) {
            Some("the catalog is not migrated yet")
        } else {
            None
        }
    }

    /// Everything the registry knows.
    pub fn details(&self) -> Details {
        Details {
            ready: self.unready().is_none(),
            migrated: self.shared.migrated.load(Ordering::Acquire),
            draining: self.draining.is_cancelled(),
            dependencies: self.shared.dependencies.read().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dependency_is_looked_after_and_never_waited_for() {
        let health = Health::new(CancellationToken::new());
        health.set_migrated();
        let broken = Arc::new(AtomicBool::new(false));
        let seen = broken.clone();
        let queue: Check = Box::new(move || {
            let answer = if seen.load(Ordering::Acquire) { Err("connection refused".into()) } else { Ok(()) };
            Box::pin(async { answer })
        });
        let blob: Check = Box::new(|| Box::pin(std::future::pending()));
        let (looks, patience) = (Duration::from_millis(20), Duration::from_millis(50));
        let watching = tokio::spawn(health.clone().watch_every(looks, patience, [("queue", queue), ("blob", blob)]));
        let until = async |expected: [(&'static str, Status); 2]| {
            let met = async {
                while health.details().dependencies != expected.clone().into() {
                    sleep(Duration::from_millis(5)).await;
                }
            };
            assert!(timeout(Duration::from_secs(10), met).await.is_ok(), "{:?}", health.details());
        };
        let silent = Status::Degraded("no answer within 50ms".into());
        until([("blob", silent.clone()), ("queue", Status::Ok)]).await;
        broken.store(true, Ordering::Release);
        until([("blob", silent), ("queue", Status::Degraded("connection refused".into()))]).await;
        assert_eq!(health.unready(), None);
        assert!(!watching.is_finished());
        watching.abort();
    }

    #[test]
    fn ready_is_migrated_and_not_draining_whatever_the_dependencies() {
        let soft = CancellationToken::new();
        let health = Health::new(soft.clone());
        assert_eq!(health.unready(), Some("the catalog is not migrated yet"));
        health.set_migrated();
        health.report("queue", Status::Degraded("connection refused".into()));
        assert_eq!(health.unready(), None);
        soft.cancel();
        assert_eq!(health.unready(), Some("draining"));
        let json = serde_json::to_value(health.details()).unwrap();
        assert_eq!(json["dependencies"]["queue"], serde_json::json!({"status": "degraded", "reason": "connection refused"}));
    }
}
