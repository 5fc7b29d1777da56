//! The API as a program: HTTP and the chores, over one catalog, store and broker.

use std::{io::Write, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use docmill_api::ApiConfig;
use docmill_blob::BlobConfig;
use docmill_catalog::CatalogConfig;
use docmill_pipeline::{Pipeline, PipelineConfig};
use docmill_queue::QueueConfig;
use docmill_runtime::{
    config::{Sources, key_value, load},
    health::Health,
    lifecycle::{Lifecycle, LifecycleConfig},
    ops::{self, OpsConfig},
    telemetry::{self, TelemetryConfig},
};
use serde::{Deserialize, Serialize};

/// docmill's API.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration file; `./docmill.toml` if there is one.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Address and port to listen on (api.listen).
    #[arg(long, global = true)]
    listen: Option<SocketAddr>,
    /// One setting, as `--set pipeline.max_attempts=5`.
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Ask the API that listens at api.listen whether it is ready; exit 0 if it is, else 1.
    Health,
    /// Print the API's description, which docs/openapi.json is a copy of.
    Openapi,
}

#[derive(Default, Serialize, Deserialize)]
struct Settings {
    catalog: CatalogConfig,
    blob: BlobConfig,
    queue: QueueConfig,
    pipeline: PipelineConfig,
    api: ApiConfig,
    ops: OpsConfig,
    telemetry: TelemetryConfig,
    lifecycle: LifecycleConfig,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            // A configuration that cannot be used is told before there are logs.
            let _ = writeln!(std::io::stderr(), "error: {}", docmill_runtime::explain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if let Some(Command::Openapi) = arguments.command {
        std::io::stdout().write_all(docmill_api::openapi::json().as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut flags = arguments.set;
    flags.extend(arguments.listen.map(|address| ("api.listen".to_owned(), address.to_string())));
    let settings: Settings = load(&Sources::of_process(arguments.config, flags)?)?.config;
    if let Some(Command::Health) = arguments.command {
        let ready = tokio::task::spawn_blocking(move || ops::is_ready(settings.api.listen)).await?;
        return Ok(ready.map_or(ExitCode::FAILURE, |ready| if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE }));
    }
    serve(settings).await?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    let telemetry = telemetry::init(&settings.telemetry, "docmill-api", env!("CARGO_PKG_VERSION"))?;
    let lifecycle = Lifecycle::new(&settings.lifecycle)?;
    let health = Health::new(lifecycle.soft.clone());
    if let Some(ops) = ops::bind(&settings.ops, &telemetry, &health)? {
        lifecycle.companion("the operations port", ops.run());
    }
    let opening = Pipeline::open(&settings.catalog, &settings.blob, &settings.queue, settings.pipeline);
    let Some(pipeline) = lifecycle.unless_ended(opening).await.transpose()? else {
        telemetry.shutdown().await;
        return Ok(());
    };
    health.set_migrated();
    if matches!(settings.queue, QueueConfig::Memory { .. }) {
        tracing::warn!(
            "queue.kind is memory, so nothing outside this process hears of a job, and no worker is in it; `docmill up` has both"
        );
    }
    lifecycle.companion("the checks of dependencies", health.clone().watch(pipeline.checks()));
    let site = docmill_api::open_site(&settings.api, &settings.blob).await?;
    let api = docmill_api::bind(&settings.api, pipeline.clone(), site, health, &lifecycle).await?;
    lifecycle.essential("the API", api.run());
    let (chores, stop) = (pipeline.clone(), lifecycle.soft.clone());
    lifecycle.essential("the chores", async move {
        chores.run_chores(&stop).await;
        Ok(())
    });
    let ended = lifecycle.run_until_signalled().await;
    pipeline.catalog.close().await;
    telemetry.shutdown().await;
    ended
}
