//! The operations port: `/metrics`, `/livez`, `/readyz`, `/details` and what the program publishes under `/v1`, apart from the port that
//! clients reach.
//!
//! It has no authentication, so it listens on loopback unless told otherwise, and it answers until the process ends: while draining,
//! `/readyz` says so.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::Server,
    web::{self, Data, Path},
};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::{health::Health, telemetry::Telemetry};

/// The section `ops` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpsConfig {
    /// Whether there is an operations port.
    pub enabled: bool,
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
}

impl Default for OpsConfig {
    fn default() -> Self {
        Self { enabled: true, listen: SocketAddr::from(([127, 0, 0, 1], 9464)) }
    }
}

/// The operations port, bound and ready to be run.
pub struct Ops {
    /// Where it listens.
    pub address: SocketAddr,
    server: Server,
}

impl Ops {
    /// Serves; the process's end ends it, so it belongs among the lifecycle's companions.
    pub async fn run(self) -> anyhow::Result<()> {
        Ok(self.server.await?)
    }
}

/// Binds the operations port, if there is to be one. Requests wait until it is [run](Ops::run).
pub fn bind(config: &OpsConfig, telemetry: &Telemetry, health: &Health) -> anyhow::Result<Option<Ops>> {
    if !config.enabled {
        return Ok(None);
    }
    let state = (Data::new(telemetry.clone()), Data::new(health.clone()));
    let app = move || {
        App::new()
            .app_data(state.0.clone())
            .app_data(state.1.clone())
            .route("/metrics", web::get().to(metrics))
            .route("/livez", web::get().to(async || "ok"))
            .route("/readyz", web::get().to(readyz))
            .route("/details", web::get().to(details))
            .route("/v1/{report}", web::get().to(report))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .disable_signals()
        .bind(config.listen)
        .with_context(|| format!("cannot listen on {} (ops.listen)", config.listen))?;
    let address = server.addrs()[0];
    tracing::info!(%address, "operations port listens");
    Ok(Some(Ops { address, server: server.run() }))
}

/// Whether the process whose port this is says that it is ready; what a container's health check asks. Takes 2 s at most.
pub fn is_ready(address: SocketAddr) -> io::Result<bool> {
    let patience = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(status.ends_with(b" 200"))
}

async fn metrics(telemetry: Data<Telemetry>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(telemetry.render())
}

async fn readyz(health: Data<Health>) -> HttpResponse {
    match health.unready() {
        None => HttpResponse::Ok().body("ready"),
        Some(reason) => HttpResponse::ServiceUnavailable().body(reason),
    }
}

async fn details(health: Data<Health>) -> HttpResponse {
    HttpResponse::Ok().json(health.details())
}

async fn report(health: Data<Health>, name: Path<String>) -> HttpResponse {
    match health.report_of(&name).await {
        None => HttpResponse::NotFound().body(format!("this process publishes no {name}, or not yet")),
        Some(Ok(report)) => HttpResponse::Ok().json(report),
        Some(Err(error)) => HttpResponse::ServiceUnavailable().body(crate::explain(&error)),
    }
}
