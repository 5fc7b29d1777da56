//! A version from ring to ring.

use anyhow::bail;
use jiff::Timestamp;

use crate::{
    Exit,
    cli::{Global, PromoteArgs},
    cluster::Cluster,
    gate::{Judge, Verdict},
    git::Git,
    output::Output,
    rings::{Ring, Rings},
    version::{self, Pins},
};

pub(crate) fn run(args: &PromoteArgs, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let git = Git::open(global)?;
    let rings = Rings::read(&git, global)?;
    let hub = Cluster::new(global);
    let judge = Judge { global, git: &git, rings: &rings, hub: &hub, output };
    let (ring, before) = rings.find(&args.ring)?;
    let commit = git.commit(&args.version)?;
    let step = format!("promote {}", ring.name);

    let now = rings.version(&git, ring)?;
    if let Some(window) = now.window.as_ref().filter(|window| !window.is_open(Timestamp::now()) && !args.outside_window) {
        bail!("ring {} changes only on {window}; wait, or say --outside-window", ring.name);
    }
    let mut images = now.pins.images.clone();
    if let Some(before) = before {
        let proved = rings.version(&git, before)?.pins;
        runs(&git, &rings, before, &proved, &args.version, &commit)?;
        if args.gate {
            if judge.hold(before, Some(&now.pins))? == Exit::Refused {
                return Ok(Exit::Refused);
            }
        } else if let Verdict::NotYet(reasons) | Verdict::Failed(reasons) = judge.judge(before, false)? {
            for reason in reasons {
                output.step(&step, &format!("ring {}: {reason}", before.name))?;
            }
            output.step(&step, &format!("refused: ring {} has not proved {} yet", before.name, args.version))?;
            return Ok(Exit::Refused);
        }
        images = proved.images;
    }
    write(args, &git, &rings, ring, &now.pins, &commit, images, output)?;
    if args.gate { judge.hold(ring, None) } else { Ok(Exit::Done) }
}

/// That the ring before is told to run what is to be promoted: the same content, whatever the revisions are called.
fn runs(git: &Git, rings: &Rings, before: &Ring, pins: &Pins, version: &str, commit: &str) -> anyhow::Result<()> {
    let (chart, values) = rings.folders();
    let chart_too = pins.chart.as_ref().map(|revision| git.commit(revision)).transpose()?;
    if !git.same(&git.commit(&pins.values)?, commit, &values) || chart_too.is_some_and(|there| !git.same(&there, commit, &chart))
    {
        let there = pins.chart.as_ref().unwrap_or(&pins.values);
        bail!("ring {} runs {there}, not {version}; promote that there first", before.name);
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "one call; each is another thing")]
fn write(
    args: &PromoteArgs,
    git: &Git,
    rings: &Rings,
    ring: &Ring,
    old: &Pins,
    commit: &str,
    images: std::collections::BTreeMap<String, String>,
    output: &Output,
) -> anyhow::Result<()> {
    let step = format!("promote {}", ring.name);
    if let Some(tag) = &ring.tag {
        let was = git.commit(tag)?;
        git.retag(tag, commit, &format!("Promote {} to ring {}\n\nwas {was}\n", args.version, ring.name))?;
        return output.step(&step, &format!("tag {tag} moved from {was:.12} to {commit:.12}"));
    }
    // A branch would go on moving without anybody promoting it.
    let revision = if git.is_tag(&args.version) { args.version.clone() } else { commit.to_owned() };
    let pins = Pins { chart: old.chart.as_ref().map(|_| revision.clone()), values: revision.clone(), images };
    let outside = if args.outside_window { "\n\nOutside the ring's window, as said on the command line." } else { "" };
    let message = format!("Promote {} {} to ring {}{outside}\n", rings.service, args.version, ring.name);
    let landing = args.land || args.gate;
    let onto = if landing { rings.branch.clone() } else { format!("promote/{}-{}", rings.service, ring.name) };
    let path = version::path(&rings.service, &ring.name);
    let made = git.change(&rings.branch, &onto, &path, &message, |text| version::with_pins(text, &pins))?;
    let next = if landing { String::new() } else { format!("; review and merge it into {}", rings.branch) };
    output.step(&step, &format!("{revision} committed as {made:.12} on {onto}{next}"))
}
