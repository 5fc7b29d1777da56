//! `docmill up`: a whole docmill in one process, over SQLite and files in one folder.

mod ready;

use std::{path::PathBuf, process::Stdio};

use anyhow::Context as _;
use docmill_api::ApiConfig;
use docmill_blob::BlobConfig;
use docmill_catalog::{Catalog, CatalogConfig, keys::NewKey};
use docmill_domain::{
    TenantId,
    api_key::{ApiKeySecret, Scope},
};
use docmill_extract::Extractors;
use docmill_pipeline::Pipeline;
use docmill_runtime::{config::Loaded, health::Health, lifecycle::Lifecycle, ops, telemetry};

use self::ready::Ready;
use crate::{
    VERSION,
    cli::{Global, UpArgs},
    config::{self, Config},
    exit::Exit,
    output::Output,
};

pub(crate) fn run(args: UpArgs, global: &Global, output: &mut Output) -> anyhow::Result<Exit> {
    // With documents in a bucket, only the record and the scratch files are in the folder.
    let files = matches!(config::load(global, Vec::new())?.config.blob, BlobConfig::File { .. });
    let mut loaded = config::load(global, flags(&args, files))?;
    if ready::is_for_a_person(&loaded.config.telemetry) && !config::is_set(&loaded, "telemetry.log") {
        // Someone watches: what goes well is not worth their while.
        loaded.config.telemetry.log = "warn".into();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(loaded, args.open, output))?;
    Ok(Exit::Done)
}

/// What the command's own options set; `files` says whether documents are files.
fn flags(args: &UpArgs, files: bool) -> Vec<(String, String)> {
    let mut flags = Vec::new();
    let mut set = |key: &str, value: String| flags.push((key.to_owned(), value));
    if let Some(data) = &args.data {
        let below = |name: &str| data.join(name).display().to_string();
        set("catalog.folder", data.display().to_string());
        if files {
            set("blob.folder", below("blobs"));
        }
        set("pipeline.scratch", below("scratch"));
    }
    if let Some(listen) = args.listen {
        set("api.listen", listen.to_string());
    }
    if let Some(listen) = args.ops_listen {
        set("ops.listen", listen.to_string());
    }
    flags
}

async fn serve(loaded: Loaded<Config>, open: bool, output: &mut Output) -> anyhow::Result<()> {
    let mut config = loaded.config;
    let telemetry = telemetry::init(&config.telemetry, "docmill", VERSION)?;
    let lifecycle = Lifecycle::new(&config.lifecycle).context("cannot listen for signals")?;
    let health = Health::new(lifecycle.soft.clone());
    let extractors = Extractors::new(&config.extract)?;
    let CatalogConfig::Sqlite { folder } = &config.catalog else {
        anyhow::bail!(
            "`docmill up` keeps everything in one folder, and catalog.kind is not sqlite; for a server, start docmill-api and docmill-worker"
        );
    };
    // On the same disk as everything else: the system's folder for temporary files may be memory.
    let scratch = config.pipeline.scratch.get_or_insert_with(|| folder.join("scratch")).clone();
    let folder = folder.clone();
    let pipeline = Pipeline::open(&config.catalog, &config.blob, &config.queue, config.pipeline).await?;
    std::fs::create_dir_all(&scratch)
        .with_context(|| format!("cannot make the folder {} (pipeline.scratch)", scratch.display()))?;
    health.set_migrated();

    let key = first_key(&config.api, &pipeline.catalog).await?;
    let site = docmill_api::open_site(&config.api, &config.blob).await?;
    let api = docmill_api::bind(&config.api, pipeline.clone(), site, health.clone(), &lifecycle).await?;
    let ops = ops::bind(&config.ops, &telemetry, &health)?;
    let mut ready = Ready {
        api: api.address,
        ops: ops.as_ref().map(|ops| ops.address),
        data: absolute(folder),
        key,
        pdf: None,
        warning: None,
    };
    if let Some(ops) = ops {
        lifecycle.companion("operations port", ops.run());
    }
    lifecycle.companion("checks of dependencies", health.clone().watch(pipeline.checks()));
    lifecycle.essential("API", api.run());
    docmill_worker::start(&config.worker, &pipeline, &extractors, &lifecycle);

    let engines = docmill_worker::warm(&extractors, &health).await;
    ready.pdf = engines.pdf.map(|engine| format!("{} {}", engine.name, engine.version));
    ready.warning = engines.warning;
    ready.tell(output)?;
    if open {
        browse(&ready.url());
    }

    let ended = lifecycle.run_until_signalled().await;
    extractors.shutdown().await;
    pipeline.catalog.close().await;
    telemetry.shutdown().await;
    ended
}

/// The key that is made at the first start on an address that other machines can reach, where docmill asks for one. It is told once: the
/// catalog knows its hash alone.
async fn first_key(config: &ApiConfig, catalog: &Catalog) -> anyhow::Result<Option<ApiKeySecret>> {
    if config.listen.ip().is_loopback() || config.first_key.is_some() || catalog.has_keys().await? {
        return Ok(None);
    }
    let secret = ApiKeySecret::generate();
    let first =
        NewKey { tenant: TenantId::default_tenant(), name: "first start".into(), scopes: Scope::ALL.into(), lifetime: None };
    catalog.ensure_key(&first, &secret).await?;
    Ok(Some(secret))
}

fn absolute(folder: PathBuf) -> PathBuf {
    folder.canonicalize().unwrap_or(folder)
}

/// Shows the page in whatever browser the system prefers.
fn browse(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = tokio::process::Command::new(program);
    if let Err(error) = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
        tracing::warn!(%error, program, url, "no browser could be opened; open the address yourself");
    }
}
