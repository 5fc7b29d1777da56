//! Whether a ring has proved what it runs: on the pins, Synced and Healthy for long enough, the queries answered well, a document
//! converted at every site. A ring that fails is reverted by commit.

use std::{collections::BTreeMap, thread, time::Duration};

use jiff::Timestamp;

use crate::{
    Exit,
    cli::{GateArgs, Global},
    cluster::Cluster,
    document,
    git::Git,
    output::Output,
    prometheus,
    rings::{Ring, Rings},
    rollback,
    site::{self, App, Site},
    version::{Gate, Pins, VersionFile},
};

/// What a gate is judged with.
pub(crate) struct Judge<'a> {
    pub(crate) global: &'a Global,
    pub(crate) git: &'a Git,
    pub(crate) rings: &'a Rings,
    pub(crate) hub: &'a Cluster,
    pub(crate) output: &'a Output,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Passed,
    /// It may pass later, or there is nothing to judge: no reason to revert.
    NotYet(Vec<String>),
    Failed(Vec<String>),
}

/// How a ring is at one moment.
struct Look {
    live: Vec<Site>,
    problems: Vec<String>,
    since: Option<Timestamp>,
}

pub(crate) fn run(args: &GateArgs, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let git = Git::open(global)?;
    let rings = Rings::read(&git, global)?;
    let hub = Cluster::new(global);
    let judge = Judge { global, git: &git, rings: &rings, hub: &hub, output };
    let (ring, _) = rings.find(&args.ring)?;
    if args.dry_run {
        let verdict = judge.judge(ring, false)?;
        return judge.tell(ring, &verdict);
    }
    judge.hold(ring, None)
}

impl Judge<'_> {
    /// Waits for a ring's verdict, and reverts the ring if it failed; to `fallback`, where it never ran anything else.
    pub(crate) fn hold(&self, ring: &Ring, fallback: Option<&Pins>) -> anyhow::Result<Exit> {
        let verdict = self.judge(ring, true)?;
        if let Verdict::Failed(reasons) = &verdict {
            rollback::restore(self.git, self.rings, ring, None, fallback, &reasons.join("\n"), self.output)?;
        }
        self.tell(ring, &verdict)
    }

    fn tell(&self, ring: &Ring, verdict: &Verdict) -> anyhow::Result<Exit> {
        let step = format!("gate {}", ring.name);
        match verdict {
            Verdict::Passed => {
                self.output.step(&step, "passed")?;
                Ok(Exit::Done)
            }
            Verdict::NotYet(reasons) | Verdict::Failed(reasons) => {
                for reason in reasons {
                    self.output.step(&step, reason)?;
                }
                self.output.step(&step, if matches!(verdict, Verdict::NotYet(_)) { "not passed yet" } else { "failed" })?;
                Ok(Exit::Refused)
            }
        }
    }

    /// Judges a ring by its version file. `wait`: until it has passed or failed; otherwise as it is now.
    pub(crate) fn judge(&self, ring: &Ring, wait: bool) -> anyhow::Result<Verdict> {
        let began = Timestamp::now();
        let step = format!("gate {}", ring.name);
        let mut said = String::new();
        let mut arrived = false;
        let (file, live, since) = loop {
            self.git.fetch()?;
            let file = self.rings.version(self.git, ring)?;
            let look = self.look(ring, &file)?;
            if look.live.is_empty() {
                return Ok(Verdict::NotYet(vec!["no site of it can be judged".to_owned()]));
            }
            let now = Timestamp::now();
            let until = look.since.unwrap_or(began) + file.gate.bake;
            let message = if look.problems.is_empty() {
                if now >= until {
                    break (file, look.live, look.since.unwrap_or(began));
                }
                arrived = true;
                format!(
                    "{} sites are on {}, Synced and Healthy; must stay so until {until:.0}",
                    look.live.len(),
                    file.pins.values
                )
            } else {
                // What had arrived and is no longer well does not get the time to arrive again.
                let degraded = arrived && look.problems.iter().any(|problem| problem.contains("Degraded"));
                if wait && (degraded || now > began + file.gate.arrive) {
                    return Ok(Verdict::Failed(look.problems));
                }
                look.problems.join("; ")
            };
            if !wait {
                return Ok(Verdict::NotYet(vec![message]));
            }
            if message != said {
                self.output.step(&step, &message)?;
                said = message;
            }
            thread::sleep(Duration::from_secs(self.global.poll));
        };
        let mut reasons = self.queries(&file.gate)?;
        reasons.extend(self.documents(&file.gate, &live, since)?);
        Ok(if reasons.is_empty() { Verdict::Passed } else { Verdict::Failed(reasons) })
    }

    /// The sites of a ring that can be judged, and what keeps them from having arrived.
    fn look(&self, ring: &Ring, file: &VersionFile) -> anyhow::Result<Look> {
        let mut look = Look { live: Vec::new(), problems: Vec::new(), since: None };
        let step = format!("gate {}", ring.name);
        let concerned = |site: &Site| site.ring() == ring.name && self.rings.clusters.selects(&site.labels);
        for site in site::all(self.hub)?.into_iter().filter(concerned) {
            let silent = site.silent_since().filter(|&since| Timestamp::now() > since + file.gate.skip);
            if let Some(since) = silent {
                self.output.at(&step, &site.name, &format!("left out: not heard of since {since:.0}"))?;
            } else if site.paused {
                self.output.at(&step, &site.name, "left out: paused")?;
            } else {
                look.problems
                    .extend(self.problems(&site, &file.pins)?.into_iter().map(|problem| format!("{}: {problem}", site.name)));
                let since = site.apps.iter().filter(|app| app.service == self.rings.service).filter_map(|app| app.since).max();
                look.since = look.since.max(since);
                look.live.push(site);
            }
        }
        Ok(look)
    }

    fn problems(&self, site: &Site, pins: &Pins) -> anyhow::Result<Vec<String>> {
        let service = self.rings.service.as_str();
        let (maker, made) = site.of(service);
        let Some(maker) = maker else { return Ok(vec![format!("Argo CD has made no Application {service}.{} yet", site.name)]) };
        if maker.pins.as_ref() != Some(pins) {
            return Ok(vec![format!("{} has not got the pins yet", maker.name)]);
        }
        let (chart_folders, values_folders) = self.rings.folders();
        let on = |app: &App, revision: &str, folders: &[String]| -> anyhow::Result<Option<String>> {
            let wanted = self.git.commit(revision)?;
            let there = !app.revision.is_empty() && self.git.same(&app.revision, &wanted, folders);
            Ok((!there).then(|| format!("{} is at {:.12} rather than {wanted:.12}", app.name, app.revision)))
        };
        let mut problems: Vec<String> = on(maker, &pins.values, &values_folders)?.into_iter().collect();
        if let Some(chart) = &pins.chart {
            match made.iter().find(|app| app.component.as_deref() == Some(service)) {
                Some(app) => problems.extend(on(app, chart, &chart_folders)?),
                None => problems.push(format!("{} has made no Application of {service} yet", maker.name)),
            }
        }
        for app in made.into_iter().chain([maker]) {
            if app.sync != "Synced" || app.health != "Healthy" {
                let why = if app.message.is_empty() { String::new() } else { format!(" ({})", app.message) };
                problems.push(format!("{} is {} and {}{why}", app.name, word(&app.sync), word(&app.health)));
            }
        }
        Ok(problems)
    }

    fn queries(&self, gate: &Gate) -> anyhow::Result<Vec<String>> {
        let mut reasons = Vec::new();
        for query in &gate.queries {
            let Some(address) = &self.global.prometheus else {
                reasons.push(format!("query {}: no Prometheus is named; give --prometheus", query.name));
                continue;
            };
            match prometheus::query(address, &query.query) {
                Ok(samples) if samples.is_empty() => reasons.push(format!("query {}: no data", query.name)),
                Ok(samples) => reasons.extend(
                    samples
                        .iter()
                        .filter(|(_, value)| !query.pass.holds(*value))
                        .map(|(labels, value)| format!("query {}: {value} {labels}, must be {}", query.name, query.pass)),
                ),
                Err(error) => reasons.push(format!("query {}: {error:#}", query.name)),
            }
        }
        Ok(reasons)
    }

    /// Every site converts a document. Those that report send theirs themselves, so theirs is waited for as long as for arriving.
    fn documents(&self, gate: &Gate, live: &[Site], since: Timestamp) -> anyhow::Result<Vec<String>> {
        if !gate.document {
            return Ok(Vec::new());
        }
        let until = Timestamp::now() + gate.arrive;
        let mut waiting: BTreeMap<String, Site> = live.iter().map(|site| (site.name.clone(), site.clone())).collect();
        let mut reasons = Vec::new();
        while !waiting.is_empty() {
            for (name, site) in std::mem::take(&mut waiting) {
                match document::at(self.global, &site, since) {
                    Some(document) if document.converted => self.output.at("document", &name, "converted")?,
                    Some(document) => reasons.push(format!("{name}: converted no document: {}", document.message)),
                    None if Timestamp::now() > until => {
                        reasons.push(format!("{name}: has reported no document since {since:.0}"));
                    }
                    None => drop(waiting.insert(name, site)),
                }
            }
            if !waiting.is_empty() {
                thread::sleep(Duration::from_secs(self.global.poll));
                let sites = site::all(self.hub)?;
                waiting = sites
                    .into_iter()
                    .filter(|site| waiting.contains_key(&site.name))
                    .map(|site| (site.name.clone(), site))
                    .collect();
            }
        }
        Ok(reasons)
    }
}

/// What Argo CD has said nothing of yet.
fn word(status: &str) -> &str {
    if status.is_empty() { "not looked at yet" } else { status }
}
