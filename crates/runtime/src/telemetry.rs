//! Logs to standard error, by `tracing`; metrics, by `metrics`, kept for Prometheus to scrape.
//!
//! Histograms have explicit buckets by the unit that their names end in: `_seconds` and `_bytes`.

use std::{
    io::{self, IsTerminal},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// From a doorbell's few milliseconds to the hour of a large scanned book.
const SECONDS: [f64; 16] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];
/// From a note to the largest upload, in powers of eight.
const BYTES: [f64; 9] =
    [1024.0, 8192.0, 65_536.0, 524_288.0, 4_194_304.0, 33_554_432.0, 268_435_456.0, 2_147_483_648.0, 17_179_869_184.0];

/// How often the histograms' raw samples are folded, so that a process that nobody scrapes does not grow.
const UPKEEP: Duration = Duration::from_secs(5);

/// The section `telemetry` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// What is logged: a level, or `tracing-subscriber`'s filter directives such as `info,docmill_worker=debug`.
    pub log: String,
    /// How lines look.
    pub format: LogFormat,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { log: "info,actix_server=warn".into(), format: LogFormat::Auto }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For a person.
    Text,
    /// One JSON object a line, with the fields of the spans it happened in.
    Json,
    /// Text on a terminal, else JSON.
    Auto,
}

/// Renders the metrics; clones share them.
#[derive(Clone)]
pub struct Telemetry {
    metrics: PrometheusHandle,
}

impl Telemetry {
    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.metrics.render()
    }
}

/// Starts logs and metrics of the process. Needs a tokio runtime; only the first call of a process does anything, so that services
/// started in one program share it.
pub fn init(config: &TelemetryConfig, program: &'static str, version: &'static str) -> anyhow::Result<Telemetry> {
    static STARTED: Mutex<Option<Telemetry>> = Mutex::new(None);
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(telemetry) = &*started {
        return Ok(telemetry.clone());
    }
    init_logs(config)?;
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_bytes".into()), &BYTES))
        .and_then(PrometheusBuilder::install_recorder)
        .context("cannot start metrics")?;
    metrics::describe_gauge!("docmill_build_info", "The program and its version; always 1.");
    metrics::gauge!("docmill_build_info", "program" => program, "version" => version).set(1.0);
    metrics::describe_gauge!("process_start_time_seconds", "When the process started, in seconds since the Unix epoch.");
    metrics::gauge!("process_start_time_seconds")
        .set(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());
    metrics::describe_gauge!("docmill_dependency_up", "Whether a dependency works (1) or is degraded (0).");
    let telemetry = Telemetry { metrics };
    let upkeep = telemetry.metrics.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    Ok(started.insert(telemetry).clone())
}

/// Starts the logs alone, for a command that ends soon.
pub fn init_logs(config: &TelemetryConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log)
        .with_context(|| format!("telemetry.log takes a level or filter directives, but is `{}`", config.log))?;
    let terminal = io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match config.format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Auto if !terminal => builder.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Text | LogFormat::Auto => builder.with_ansi(terminal).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logs: {error}"))
}
