//! `docmill queue status`: what waits, as the catalog knows it and as the broker does.

use docmill_catalog::{Catalog, stats::Backlog};
use docmill_queue::{Depth, QueueConfig};
use serde::Serialize;

use crate::{cli::Global, config, exit::Exit, output::Output};

/// One lane.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    catalog: Backlog,
    /// None of a broker that cannot be asked.
    broker: Option<Depth>,
}

pub(crate) async fn status(global: &Global, output: &mut Output) -> anyhow::Result<Exit> {
    let config = config::load(global, Vec::new())?.config;
    let catalog = Catalog::open(&config.catalog).await?;
    // What a queue in another process's memory holds, only that process knows.
    let queue = match config.queue {
        QueueConfig::Memory { .. } => None,
        _ => Some(docmill_queue::open(&config.queue).await?),
    };
    let mut lines = Vec::new();
    let mut away = None;
    for backlog in catalog.backlog().await? {
        let mut broker = None;
        if let Some(queue) = &queue {
            match queue.depth(backlog.lane).await {
                Ok(depth) => broker = Some(depth),
                // What the catalog knows is shown all the same.
                Err(error) => away = Some(error),
            }
        }
        lines.push(Line { catalog: backlog, broker });
    }
    let dead_letters = catalog.dead_letters().await?;
    catalog.close().await;
    if output.json {
        for line in &lines {
            output.json_line(line)?;
        }
        output.json_line(&serde_json::json!({ "dead_letters": dead_letters }))?;
    } else {
        output.table(["LANE", "DUE", "OLDEST", "RUNNING", "AT THE BROKER", "IN FLIGHT", "SET ASIDE"], lines.iter().map(row))?;
        output.line(format_args!("dead letters: {dead_letters}"))?;
    }
    away.map_or(Ok(Exit::Done), |error| Err(error.into()))
}

fn row(Line { catalog, broker }: &Line) -> [String; 7] {
    let told = |of: fn(&Depth) -> u64| broker.as_ref().map_or_else(|| "-".into(), |depth| of(depth).to_string());
    [
        catalog.lane.as_str().into(),
        catalog.due.to_string(),
        format!("{} s", catalog.oldest_due_micros / 1_000_000),
        catalog.running.to_string(),
        told(|depth| depth.waiting),
        told(|depth| depth.in_flight),
        told(|depth| depth.set_aside),
    ]
}
