//! Logs to standard error, by `tracing`; metrics, by `metrics`, kept for Prometheus to scrape; traces, by OpenTelemetry, exported where
//! its standard variables say.
//!
//! Histograms have explicit buckets by the unit that their names end in: `_seconds` and `_bytes`.

mod export;
mod logs;
mod traces;

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};

use self::traces::Traces;
pub use self::{logs::init_logs, traces::TRACE_TARGET};

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

/// What the process tells of itself; clones share it.
#[derive(Clone)]
pub struct Telemetry {
    metrics: PrometheusHandle,
    traces: Option<Traces>,
}

impl Telemetry {
    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.metrics.render()
    }

    /// Exports the spans that wait, as far as that can be done within 2 seconds. The last that a process does; spans that end later are
    /// dropped.
    pub async fn shutdown(&self) {
        if let Some(traces) = &self.traces {
            traces.shutdown().await;
        }
    }
}

/// Starts logs, metrics and traces of the process. Needs a tokio runtime, which must outlive it; only the first call of a process does anything, so that services
/// started in one program share it.
pub fn init(config: &TelemetryConfig, program: &'static str, version: &'static str) -> anyhow::Result<Telemetry> {
    static STARTED: Mutex<Option<Telemetry>> = Mutex::new(None);
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(telemetry) = &*started {
        return Ok(telemetry.clone());
    }
    let traces = Traces::of_process(program, version)?;
    logs::init(config, traces.as_ref())?;
    if let Some(traces) = &traces {
        traces.announce();
    }
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
    export::describe();
    let telemetry = Telemetry { metrics, traces };
    let upkeep = telemetry.metrics.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    Ok(started.insert(telemetry).clone())
}
