//! `docmill health`: what a container's health check asks.

use anyhow::Context as _;
use docmill_runtime::ops;

use crate::{cli::Global, config, exit::Exit};

/// Asks the operations port, so it answers for whatever the API's address is.
pub(crate) fn run(global: &Global) -> anyhow::Result<Exit> {
    let listen = config::load(global, Vec::new())?.config.ops.listen;
    let ready = ops::is_ready(listen).with_context(|| format!("no docmill answers at {listen} (ops.listen)"))?;
    anyhow::ensure!(ready, "the docmill at {listen} is not ready");
    Ok(Exit::Done)
}
