//! `docmill sweep`: what is overdue, done or only shown.

use docmill_pipeline::{Pipeline, chores::Swept};
use docmill_queue::QueueConfig;

use crate::{
    cli::{Global, SweepArgs},
    config,
    exit::Exit,
    output::Output,
};

pub(crate) fn run(args: SweepArgs, global: &Global, output: &mut Output) -> anyhow::Result<Exit> {
    let config = config::load(global, Vec::new())?.config;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // Nothing is rung from here: what is due goes to the outbox, from which the servers' relays ring.
        let pipeline = Pipeline::open(&config.catalog, &config.blob, &QueueConfig::default(), config.pipeline).await?;
        let swept = if args.dry_run { pipeline.overdue().await? } else { sweep(&pipeline).await? };
        pipeline.catalog.close().await;
        if output.json {
            output.json_line(&swept)?;
        } else {
            let shown = serde_json::to_value(swept)?;
            let rows = shown.as_object().into_iter().flatten().map(|(what, count)| [what.replace('_', " "), count.to_string()]);
            output.table(["WHAT", if args.dry_run { "OVERDUE" } else { "DONE" }], rows)?;
        }
        Ok(Exit::Done)
    })
}

/// Rounds until one finds nothing more to do.
async fn sweep(pipeline: &Pipeline) -> anyhow::Result<Swept> {
    let mut done = Swept::default();
    loop {
        let round = pipeline.sweep().await?;
        if round == Swept::default() {
            return Ok(done);
        }
        done += round;
    }
}
