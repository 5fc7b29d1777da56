//! `docmill-provision`: makes what a configuration names (bucket, queues, database, seed files), or checks what another tool made.
//!
//! Each thing is a [`Resource`](resource::Resource): looked at, compared with what it should be, made where it differs, and looked at
//! again. Nothing is remembered between two runs: what is there is the state, so a run that was killed is finished by the next one.

mod cli;
mod config;
mod confirm;
mod database;
mod engine;
mod first_key;
mod inventory;
mod plan;
mod queue;
mod resource;
mod s3;
mod sqs;

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{CommandFactory as _, Parser as _};
use docmill_runtime::{
    config::{Sources, load},
    telemetry::{self, TelemetryConfig},
};
use serde_json::json;

use crate::{
    cli::{Cli, Command, Destroy},
    config::Config,
    engine::Engine,
    plan::{Plan, Step},
};

/// Something is not as the configuration says.
const DRIFT: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // clap's own 2 would be read as drift.
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match run(cli).await {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {}", docmill_runtime::explain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Plan => {
            show(&engine(&cli).await?.plan().await?, cli.json)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check => {
            let plan = engine(&cli).await?.plan().await?;
            show(&plan, cli.json)?;
            Ok(if plan.has_drift() { ExitCode::from(DRIFT) } else { ExitCode::SUCCESS })
        }
        Command::Apply { yes } => apply(&engine(&cli).await?, yes, cli.json).await,
        Command::Destroy(ref how) => destroy(&engine(&cli).await?, how, cli.json).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "docmill-provision", &mut script);
            io::stdout().write_all(&script)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What the configuration names, ready to be looked at.
async fn engine(cli: &Cli) -> anyhow::Result<Engine> {
    let config: Config = load(&Sources::of_process(cli.config.clone(), cli.set.clone())?)?.config;
    let mut logs = config.telemetry.clone();
    if logs.log == TelemetryConfig::default().log {
        // What is waited for, and warnings; but what the brokers' clients log as errors is in the sentence that the run ends with.
        logs.log = "warn,docmill_provision=info,lapin=off,async_nats=off".into();
    }
    telemetry::init_logs(&logs)?;
    anyhow::ensure!(
        !(cli.json && config.provision.first_key_to.as_deref() == Some(Path::new("-"))),
        "the first API key would stand in the midst of JSON; let provision.first_key_to name a file"
    );
    Ok(Engine {
        resources: inventory::resources(&config).await?,
        check_only: config.provision.check_only.clone(),
        patience: Duration::from_secs(config.provision.deadline_seconds),
        began: Instant::now(),
    })
}

async fn apply(engine: &Engine, yes: bool, as_json: bool) -> anyhow::Result<ExitCode> {
    let plan = engine.plan().await?;
    let foreign = plan.resources.iter().any(|step| step.check_only && step.is_drift());
    if plan.work() == 0 {
        show(&plan, as_json)?;
    } else {
        if !as_json || !yes {
            show(&plan, false)?;
        }
        if !yes {
            confirm::agreed(&format!("do {} of these?", plan.work()))?;
        }
        let done = engine.apply(|step| said(step, as_json)).await?;
        if as_json {
            show(&done, true)?;
        }
    }
    engine.make_hidden().await?;
    Ok(if foreign { ExitCode::from(DRIFT) } else { ExitCode::SUCCESS })
}

async fn destroy(engine: &Engine, how: &Destroy, as_json: bool) -> anyhow::Result<ExitCode> {
    let plan = engine.plan_removal(how.destroy_data).await?;
    show(&plan, as_json)?;
    if plan.work() == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    confirm::typed(&engine.names_to_type(&plan), &how.confirm)?;
    if !how.yes {
        confirm::agreed(&format!("remove {} of these for good?", plan.work()))?;
    }
    engine.remove(&plan, |step| said(step, as_json)).await?;
    Ok(ExitCode::SUCCESS)
}

/// Tells of a step as it ends; JSON comes as a whole.
fn said(step: &Step, as_json: bool) {
    if as_json || !step.is_work() {
        return;
    }
    let _ = writeln!(io::stdout(), "done: {}", step.resource);
}

fn show(plan: &Plan, as_json: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if as_json {
        let counts = json!({"work": plan.work(), "drift": plan.has_drift()});
        writeln!(out, "{}", serde_json::to_string_pretty(&json!({"resources": plan.resources, "summary": counts}))?)?;
    } else {
        write!(out, "{plan}")?;
    }
    Ok(())
}
