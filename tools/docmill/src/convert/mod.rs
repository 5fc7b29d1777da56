//! `docmill convert`: documents in, text out, without a server. The parsers run in children of their own, as in a worker.

mod one;
mod plan;
mod report;

use std::{sync::Arc, thread, time::Instant};

use docmill_extract::Extractors;
use docmill_runtime::telemetry;
use futures_util::{StreamExt as _, stream};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use self::{one::Converter, plan::Plan, report::Report};
use crate::{
    cli::{ConvertArgs, Global},
    config,
    exit::Exit,
    output::Output,
};

pub(crate) fn run(args: ConvertArgs, global: &Global, output: &mut Output) -> anyhow::Result<Exit> {
    let plan = Plan::new(&args, output.json)?;
    let loaded = config::load(global, Vec::new())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // What goes wrong is reported document by document; the logs are for whoever asks for them.
        if config::is_set(&loaded, "telemetry.log") {
            telemetry::init_logs(&loaded.config.telemetry)?;
        }
        let extractors = Extractors::new(&loaded.config.extract)?;
        let ended = tokio::select! {
            ended = convert(plan, args, &extractors, output) => ended,
            signal = tokio::signal::ctrl_c() => signal.map(|()| Exit::Interrupted).map_err(Into::into),
        };
        extractors.shutdown().await;
        ended
    })
}

async fn convert(plan: Plan, args: ConvertArgs, extractors: &Extractors, output: &mut Output) -> anyhow::Result<Exit> {
    let children = args.jobs.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from);
    let converter = Arc::new(Converter {
        extractors: extractors.clone(),
        children: Semaphore::new(children),
        to: args.to,
        password: args.password.password.clone(),
        force: args.force,
    });
    let mut report = Report::new(&plan, output);
    let began = Instant::now();
    // While a child reads, the next document is opened and the last one's result written, so that no child ever waits.
    let mut ended = stream::iter(plan.documents)
        .map(|document| {
            let converter = converter.clone();
            AbortOnDropHandle::new(tokio::spawn(async move { converter.convert(document).await }))
        })
        .buffer_unordered(children * 2 + 1);
    while let Some(converted) = ended.next().await {
        report.add(converted??, output)?;
    }
    let engines = if report.saw_fallback() { extractors.engines().await.warning } else { None };
    Ok(report.finish(engines.as_deref(), began.elapsed(), output))
}
