//! The one configuration of everything that this program can be.

use docmill_api::ApiConfig;
use docmill_blob::BlobConfig;
use docmill_catalog::CatalogConfig;
use docmill_extract::ExtractConfig;
use docmill_pipeline::PipelineConfig;
use docmill_queue::QueueConfig;
use docmill_runtime::{
    config::{self, ConfigError, Loaded, Origin, Sources},
    lifecycle::LifecycleConfig,
    ops::OpsConfig,
    telemetry::TelemetryConfig,
};
use docmill_worker::WorkerConfig;
use serde::{Deserialize, Serialize};

use crate::{cli::Global, exit::Exit, output::Output};

/// Every section there is.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) catalog: CatalogConfig,
    pub(crate) blob: BlobConfig,
    pub(crate) queue: QueueConfig,
    pub(crate) extract: ExtractConfig,
    pub(crate) pipeline: PipelineConfig,
    pub(crate) api: ApiConfig,
    pub(crate) worker: WorkerConfig,
    pub(crate) ops: OpsConfig,
    pub(crate) telemetry: TelemetryConfig,
    pub(crate) lifecycle: LifecycleConfig,
}

/// Resolves the configuration; `flags` are what a command's own options say, and `--set` wins over them.
pub(crate) fn load(global: &Global, flags: Vec<(String, String)>) -> Result<Loaded<Config>, ConfigError> {
    let flags = flags.into_iter().chain(global.set.iter().cloned()).collect();
    config::load(&Sources::of_process(global.config.clone(), flags)?)
}

/// Whether someone set this key.
pub(crate) fn is_set(loaded: &Loaded<Config>, key: &str) -> bool {
    loaded.settings.iter().any(|setting| setting.key == key && setting.origin != Origin::Default)
}

/// `docmill config`: every setting and where its value comes from.
pub(crate) fn show(global: &Global, output: &mut Output) -> anyhow::Result<Exit> {
    let settings = load(global, Vec::new())?.settings;
    if output.json {
        for setting in &settings {
            output.json_line(setting)?;
        }
    } else {
        let rows = settings.iter().map(|setting| [setting.key.clone(), setting.value.clone(), setting.origin.to_string()]);
        output.table(["KEY", "VALUE", "FROM"], rows)?;
    }
    Ok(Exit::Done)
}
