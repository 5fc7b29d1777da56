//! Every cluster in a line: version, health, drift, due jobs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    Exit,
    cli::{Global, StatusArgs},
    cluster::Cluster,
    output::Output,
    prometheus,
    site::{self, Site},
};

#[derive(Serialize)]
struct Row {
    site: String,
    ring: String,
    env: String,
    class: String,
    /// Revision of the service's chart (of the platform's, the values), and the commit that this is there.
    version: Option<String>,
    commit: Option<String>,
    sync: String,
    health: String,
    drift: Vec<String>,
    paused: bool,
    due: Option<u64>,
    reported: Option<Timestamp>,
    message: Option<String>,
}

pub(crate) fn run(args: &StatusArgs, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let mut due = BTreeMap::new();
    if let Some(address) = &global.prometheus {
        for (labels, value) in prometheus::query(address, "sum by (site) (max by (site, lane) (docmill_jobs_due))")? {
            if let Some(site) = labels["site"].as_str() {
                due.insert(site.to_owned(), value as u64);
            }
        }
    }
    let head = ["SITE", "RING", "ENV", "CLASS", "VERSION", "SYNC", "HEALTH", "DRIFT", "DUE", "NOTE"];
    output.plain(&line(head.map(str::to_owned)))?;
    for site in site::all(&Cluster::new(global))? {
        if args.ring.as_ref().is_none_or(|ring| site.ring() == ring) {
            let row = row(&site, &global.service, &due);
            output.either(&row, || line(cells(&row)))?;
        }
    }
    Ok(Exit::Done)
}

fn row(site: &Site, service: &str, due: &BTreeMap<String, u64>) -> Row {
    let (maker, made) = site.of(service);
    let main = made.iter().find(|app| app.component.as_deref() == Some(service)).copied().or(maker);
    let all = || made.iter().copied().chain(maker);
    // The worst of all Applications: the one that is not as it should be.
    let sync = all().map(|app| app.sync.as_str()).find(|&sync| sync != "Synced");
    let health = all().map(|app| app.health.as_str()).find(|&health| health != "Healthy");
    let fine = |good: &str| if main.is_some() { good.to_owned() } else { "absent".to_owned() };
    Row {
        site: site.name.clone(),
        ring: site.ring().to_owned(),
        env: site.label("env").to_owned(),
        class: site.label("class").to_owned(),
        version: main.map(|app| app.target.clone()),
        commit: main.map(|app| app.revision.clone()),
        sync: sync.map_or_else(|| fine("Synced"), str::to_owned),
        health: health.map_or_else(|| fine("Healthy"), str::to_owned),
        drift: all().flat_map(|app| app.drift.iter().map(move |it| format!("{}: {it}", app.name))).collect(),
        paused: site.paused,
        due: due.get(&site.name).copied().or(site.due),
        reported: site.reported,
        message: all().find(|app| !app.message.is_empty()).map(|app| format!("{}: {}", app.name, app.message)),
    }
}

fn cells(row: &Row) -> [String; 10] {
    let short = |revision: &String| if revision.len() == 40 { revision[..12].to_owned() } else { revision.clone() };
    let or_dash = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned());
    let notes = [
        row.paused.then(|| "paused".to_owned()),
        row.reported.map(|at| format!("reported {at:.0}")),
        row.message.as_ref().map(|text| text.lines().next().unwrap_or_default().chars().take(120).collect()),
    ];
    [
        row.site.clone(),
        row.ring.clone(),
        row.env.clone(),
        row.class.clone(),
        or_dash(row.version.as_ref().map(short)),
        or_dash(Some(row.sync.clone())),
        or_dash(Some(row.health.clone())),
        row.drift.len().to_string(),
        or_dash(row.due.map(|count| count.to_string())),
        or_dash(Some(notes.into_iter().flatten().collect::<Vec<_>>().join("; "))),
    ]
}

fn line(cells: [String; 10]) -> String {
    let widths = [16, 8, 8, 6, 14, 10, 12, 5, 6, 0];
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    padded.collect::<Vec<_>>().join(" ").trim_end().to_owned()
}
