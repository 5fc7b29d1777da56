//! `docmill-worker`: receives rings and works on the jobs that they announce, does the chores, and serves the operations port.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use docmill_blob::BlobConfig;
use docmill_catalog::CatalogConfig;
use docmill_extract::{ExtractConfig, Extractors};
use docmill_pipeline::{Pipeline, PipelineConfig};
use docmill_queue::{IntakeConfig, QueueConfig};
use docmill_runtime::{
    config::{self, Sources},
    health::Health,
    lifecycle::{Lifecycle, LifecycleConfig},
    ops::{self, OpsConfig},
    telemetry::{self, TelemetryConfig},
};
use docmill_worker::{WorkerConfig, intake};
use serde::{Deserialize, Serialize};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Works on the jobs of docmill's queue.
#[derive(Parser)]
#[command(name = "docmill-worker", version, max_term_width = 100)]
struct Cli {
    /// The configuration, a TOML file
    #[arg(long, global = true, value_name = "FILE", env = "DOCMILL_CONFIG")]
    config: Option<PathBuf>,
    /// Sets one value of the configuration, such as `worker.permits=4`
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = config::key_value)]
    set: Vec<(String, String)>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Asks the worker that runs with this configuration whether it is ready
    Health,
}

/// The sections that a worker needs.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    catalog: CatalogConfig,
    blob: BlobConfig,
    queue: QueueConfig,
    extract: ExtractConfig,
    pipeline: PipelineConfig,
    worker: WorkerConfig,
    intake: IntakeConfig,
    ops: OpsConfig,
    telemetry: TelemetryConfig,
    lifecycle: LifecycleConfig,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A configuration that cannot be used is told before there are logs.
            let _ = writeln!(io::stderr(), "error: {}", docmill_runtime::explain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let sources = Sources::of_process(cli.config, cli.set)?;
    let config: Config = config::load(&sources)?.config;
    match cli.command {
        Some(Command::Health) => {
            let listen = config.ops.listen;
            let ready = ops::is_ready(listen).with_context(|| format!("no worker answers at {listen} (ops.listen)"))?;
            anyhow::ensure!(ready, "the worker at {listen} is not ready");
            Ok(())
        }
        None => serve(config).await,
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let telemetry = telemetry::init(&config.telemetry, "docmill-worker", VERSION)?;
    let lifecycle = Lifecycle::new(&config.lifecycle).context("cannot listen for signals")?;
    let health = Health::new(lifecycle.soft.clone());
    if let Some(ops) = ops::bind(&config.ops, &telemetry, &health)? {
        lifecycle.companion("operations port", ops.run());
    }
    let extractors = Extractors::new(&config.extract)?;
    let opening = Pipeline::open(&config.catalog, &config.blob, &config.queue, config.pipeline);
    let Some(pipeline) = lifecycle.unless_ended(opening).await.transpose()? else {
        telemetry.shutdown().await;
        return Ok(());
    };
    health.set_migrated();
    lifecycle.companion("checks of dependencies", health.clone().watch(pipeline.checks()));
    intake::start(&config.intake, &config.blob, &pipeline, &lifecycle).await?;
    docmill_worker::start(&config.worker, &pipeline, &extractors, &lifecycle);
    docmill_worker::warm(&extractors, &health).await;

    let ended = lifecycle.run_until_signalled().await;
    extractors.shutdown().await;
    pipeline.catalog.close().await;
    telemetry.shutdown().await;
    ended
}
