//! HTTP over the pipeline: API v1, its documentation, and a page that takes a dropped file.
//!
//! ```text
//! request ─▶ observe (request id, trace, metrics, problem+json) ─▶ auth (key, scope) ─▶ routes ─▶ handlers ─▶ pipeline
//! ```
//!
//! [`bind`] takes the port, [`Api::run`] serves until the lifecycle drains. Handlers hold no state of their own: whatever a client was
//! promised stands in the catalog. Uploads run in tasks of the program's own runtime, so that a client that goes away never stops one
//! between two steps. Nothing here installs anything global: telemetry and signals are the program's.

mod auth;
mod config;
mod content;
mod disposition;
mod documents;
mod error;
mod events;
mod jobs;
mod keys;
mod observe;
pub mod openapi;
mod original;
mod page;
mod prefer;
mod result;
mod routes;
mod search;
mod spans;
mod system;
mod upload;
mod usage;
mod www;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev::Server, middleware::from_fn, web::Data};
use anyhow::Context as _;
use docmill_blob::Site;
use docmill_catalog::keys::NewKey;
use docmill_domain::{ApiKeySecret, Job, JobId, Scope, TenantId};
use docmill_pipeline::Pipeline;
use docmill_runtime::{health::Health, lifecycle::Lifecycle};
use tokio::{runtime::Handle, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    config::ApiConfig,
    www::{WwwConfig, open_site},
};

/// How long a connection is read, and what comes thrown away, after an answer to a request that was not read to its end: closed at
/// once, the answer could be lost on its way to a client that is still sending.
const LINGER: Duration = Duration::from_secs(5);
/// Past the lifecycle's grace time, which ends the server in any case.
const SHUTDOWN_SECONDS: u64 = 3600;

/// What handlers share.
pub(crate) struct ApiState {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) health: Health,
    pub(crate) config: ApiConfig,
    pub(crate) keys: auth::Keys,
    /// The static site, where there is one.
    pub(crate) site: Option<Site>,
    /// One permit an upload.
    pub(crate) uploads: Arc<Semaphore>,
    /// Cancelled: take nothing new, let nobody wait.
    pub(crate) draining: CancellationToken,
    tasks: TaskTracker,
    /// The program's runtime. A handler's own ends with the server's thread.
    runtime: Handle,
}

impl ApiState {
    /// Starts a task that outlives the request, and that draining waits for.
    pub(crate) fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
        self.tasks.spawn_on(task, &self.runtime)
    }

    /// The job, once it has ended, `patience` has run out or the process drains.
    pub(crate) async fn wait(&self, tenant: &TenantId, job: JobId, patience: Duration) -> Result<Job, docmill_pipeline::Error> {
        tokio::select! {
            job = self.pipeline.wait(tenant, job, patience) => job,
            () = self.draining.cancelled() => self.pipeline.job(tenant, job).await,
        }
    }
}

/// The API, bound and ready to be run.
pub struct Api {
    /// Where it listens.
    pub address: SocketAddr,
    server: Server,
    hard: CancellationToken,
}

/// Binds the API's port; requests wait until it is [run](Api::run). Needs a tokio runtime, which uploads then run in. Makes the key of
/// `api.first_key` if the catalog does not know it, and without any key refuses an address that other machines can reach.
pub async fn bind(
    config: &ApiConfig,
    pipeline: Arc<Pipeline>,
    site: Option<Site>,
    health: Health,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Api> {
    if let Some(first) = &config.first_key {
        let secret: ApiKeySecret = first.0.parse().context("api.first_key cannot be used")?;
        let tenant = TenantId::default_tenant();
        let first = NewKey { tenant, name: "api.first_key".into(), scopes: Scope::ALL.into(), lifetime: None };
        pipeline.catalog.ensure_key(&first, &secret).await?;
    }
    let keys = auth::Keys::default();
    anyhow::ensure!(
        config.listen.ip().is_loopback() || keys.look(&pipeline.catalog).await?,
        "api.listen is {}, which other machines may reach; without API keys docmill listens on loopback only: make a key with \
         `docmill keys create`, or give the first one by api.first_key, or use 127.0.0.1 or [::1]",
        config.listen
    );
    // Requests will wait for what other processes do.
    pipeline.catalog.follow();
    observe::describe();
    let counted = pipeline.clone();
    health.publish("backlog", move || {
        let counted = counted.clone();
        async move { Ok(serde_json::to_value(counted.backlog().await?)?) }
    });
    let state = Data::new(ApiState {
        pipeline,
        health,
        config: config.clone(),
        keys,
        site,
        uploads: Arc::new(Semaphore::new(config.max_uploads)),
        draining: lifecycle.soft.clone(),
        tasks: lifecycle.tracker.clone(),
        runtime: Handle::current(),
    });
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let app = move || App::new().app_data(state.clone()).wrap(from_fn(observe::observe)).configure(routes::register);
    let (soft, drain) = (lifecycle.soft.clone(), Duration::from_secs(config.drain_seconds));
    let told_to_stop = async move {
        soft.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    let server = HttpServer::new(app)
        .workers(workers)
        .max_connections(config.max_connections.div_ceil(workers))
        .client_disconnect_timeout(LINGER)
        .shutdown_signal(told_to_stop)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .bind(config.listen)
        .with_context(|| format!("cannot listen on {} (api.listen)", config.listen))?;
    let address = server.addrs()[0];
    tracing::info!(%address, "the API listens");
    Ok(Api { address, server: server.run(), hard: lifecycle.hard.clone() })
}

impl Api {
    /// Serves until the lifecycle's soft token is cancelled and every request has been answered, or its hard token is.
    pub async fn run(self) -> anyhow::Result<()> {
        tokio::select! {
            served = self.server => Ok(served?),
            () = self.hard.cancelled() => Ok(()),
        }
    }
}
