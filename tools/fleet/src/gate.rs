//! Whether a ring has proved what it runs: on the pins, Synced and Healthy for long enough, the queries answered well, a document
//! converted at every site. A ring that fails is reverted by commit.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

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

/// The revision at which an Application was seen that Argo CD could not compare, by the Application's name.
///
/// At its next look Argo CD (3.5) takes the comparison that it remembers, of the revision before, for one of this revision, and calls it
/// Synced. So that word counts again only once a sync has brought the revision there. What lies between two looks is not seen, and a single
/// look (`--dry-run`) has nothing to remember: a gate is to be waiting when the pins change, as `promote --gate` is.
#[derive(Default)]
struct Doubts(BTreeMap<String, String>);

impl Doubts {
    /// What keeps an Application that is called Synced from being believed.
    fn about(&mut self, app: &App) -> Option<String> {
        if app.incomparable {
            self.0.insert(app.name.clone(), app.revision.clone());
        }
        let doubted = self.0.get(&app.name) == Some(&app.revision) && app.applied != app.revision;
        doubted.then(|| {
            format!("{} could not be compared at {:.12}, and no sync has brought that there since", app.name, app.revision)
        })
    }
}

/// How a ring is at one moment.
#[derive(Default)]
struct Look {
    live: Vec<Site>,
    problems: Vec<String>,
    /// Those of them that are of sites which had their time to arrive, and were heard of after it.
    late: Vec<String>,
    /// Sites that are not judged, and why.
    left_out: Vec<(String, String)>,
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
        let mut left_out = BTreeSet::new();
        let mut arrived = false;
        let mut doubts = Doubts::default();
        let (file, live, since) = loop {
            self.patiently(wait, || self.git.fetch())?;
            let file = self.rings.version(self.git, ring)?;
            let sites = self.patiently(wait, || site::all(self.hub))?;
            let look = self.look(ring, &file, sites, began + file.gate.arrive, &mut doubts)?;
            for (site, why) in look.left_out {
                if left_out.insert(site.clone()) {
                    self.output.at(&step, &site, &format!("left out: {why}"))?;
                }
            }
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
                if wait && degraded {
                    return Ok(Verdict::Failed(look.problems));
                }
                if wait && !look.late.is_empty() {
                    return Ok(Verdict::Failed(look.late));
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
        let (mut failed, unanswered) = self.queries(&file.gate);
        failed.extend(self.documents(ring, &file.gate, &live, since)?);
        Ok(match (failed.is_empty(), unanswered.is_empty()) {
            (false, _) => Verdict::Failed(failed),
            (true, false) => Verdict::NotYet(unanswered),
            (true, true) => Verdict::Passed,
        })
    }

    /// While waiting, git or the hub may be away for some minutes: a gate of a day must outlive that.
    fn patiently<T>(&self, wait: bool, look: impl Fn() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let until = Timestamp::now() + SignedDuration::from_mins(5);
        loop {
            match look() {
                Err(error) if wait && Timestamp::now() < until => {
                    self.output.step("gate", &format!("tried again: {error:#}"))?;
                    thread::sleep(Duration::from_secs(self.global.poll));
                }
                ended => return ended,
            }
        }
    }

    /// The sites of a ring that can be judged, and what keeps them from having arrived. A site that is not heard of after `arrived_by` has not
    /// been seen to fail: it is waited for until it is left out.
    fn look(
        &self,
        ring: &Ring,
        file: &VersionFile,
        sites: Vec<Site>,
        arrived_by: Timestamp,
        doubts: &mut Doubts,
    ) -> anyhow::Result<Look> {
        let mut look = Look::default();
        let now = Timestamp::now();
        let concerned = |site: &Site| site.ring() == ring.name && self.rings.clusters.selects(&site.labels);
        for site in sites.into_iter().filter(concerned) {
            if let Some(since) = site.silent_since().filter(|&since| now > since + file.gate.skip) {
                look.left_out.push((site.name, format!("not heard of since {since:.0}")));
            } else if site.paused {
                look.left_out.push((site.name, "paused".to_owned()));
            } else {
                let problems =
                    self.problems(&site, &file.pins, doubts)?.into_iter().map(|problem| format!("{}: {problem}", site.name));
                let problems: Vec<String> = problems.collect();
                if site.as_of().is_some_and(|then| then > arrived_by) {
                    look.late.extend_from_slice(&problems);
                }
                look.problems.extend(problems);
                let since = site.apps.iter().filter(|app| app.service == self.rings.service).filter_map(|app| app.since).max();
                look.since = look.since.max(since);
                look.live.push(site);
            }
        }
        Ok(look)
    }

    fn problems(&self, site: &Site, pins: &Pins, doubts: &mut Doubts) -> anyhow::Result<Vec<String>> {
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
            let doubt = doubts.about(app);
            if app.stale {
                // Other values of the same chart: the revision alone does not tell.
                problems.push(format!("{} has not been looked at since it was changed", app.name));
            } else if app.sync != "Synced" || app.health != "Healthy" {
                let why = if app.message.is_empty() { String::new() } else { format!(" ({})", app.message) };
                problems.push(format!("{} is {} and {}{why}", app.name, word(&app.sync), word(&app.health)));
            } else {
                problems.extend(doubt);
            }
        }
        Ok(problems)
    }

    /// What the queries' answers say against a ring; and which have no answer, which says nothing against it.
    fn queries(&self, gate: &Gate) -> (Vec<String>, Vec<String>) {
        let (mut failed, mut unanswered) = (Vec::new(), Vec::new());
        for query in &gate.queries {
            let name = &query.name;
            let Some(address) = &self.global.prometheus else {
                unanswered.push(format!("query {name}: no Prometheus is named; give --prometheus"));
                continue;
            };
            match prometheus::query(address, &query.query) {
                // Shares of nothing are no number.
                Ok(samples) if samples.iter().all(|(_, value)| value.is_nan()) => {
                    unanswered.push(format!("query {name}: no data"))
                }
                Ok(samples) => failed.extend(
                    samples
                        .iter()
                        .filter(|(_, value)| !query.pass.holds(*value))
                        .map(|(labels, value)| format!("query {name}: {value} {labels}, must be {}", query.pass)),
                ),
                Err(error) => unanswered.push(format!("query {name}: {error:#}")),
            }
        }
        (failed, unanswered)
    }

    /// Every site converts a document. Those that report send theirs themselves, so theirs is waited for as long as for arriving; one that is
    /// no longer heard of is left out.
    fn documents(&self, ring: &Ring, gate: &Gate, live: &[Site], since: Timestamp) -> anyhow::Result<Vec<String>> {
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
                    None => match site.silent_since() {
                        Some(heard) if heard > until => {
                            reasons.push(format!("{name}: has reported no document since {since:.0}"));
                        }
                        Some(heard) if Timestamp::now() > heard + gate.skip => {
                            let message = format!("left out: not heard of since {heard:.0}");
                            self.output.at(&format!("gate {}", ring.name), &name, &message)?;
                        }
                        _ => drop(waiting.insert(name, site)),
                    },
                }
            }
            if !waiting.is_empty() {
                thread::sleep(Duration::from_secs(self.global.poll));
                let sites = self.patiently(true, || site::all(self.hub))?;
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_could_not_be_compared_is_synced_only_once_a_sync_has_brought_it_there() {
        let app = |sync: &str, revision: &str, applied: &str| -> App {
            let value = json!({"name": "a-docmill", "service": "docmill", "target": "", "revision": revision, "sync": sync, "health": "Healthy",
                "drift": [], "message": "", "applied": applied, "incomparable": sync == "Unknown"});
            serde_json::from_value(value).unwrap()
        };
        let mut doubts = Doubts::default();
        assert_eq!(doubts.about(&app("Synced", "new", "old")), None, "a revision that changed nothing needs no sync");
        assert!(doubts.about(&app("Unknown", "new", "old")).is_some());
        assert!(doubts.about(&app("Synced", "new", "old")).is_some(), "the comparison of the revision before");
        assert_eq!(doubts.about(&app("Synced", "newer", "old")), None, "another revision");
        assert_eq!(doubts.about(&app("Synced", "new", "new")), None);
    }
}
