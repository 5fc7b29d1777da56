//! Back to what a ring ran before, by a commit. Rings that follow a tag have it moved back.

use anyhow::{Context as _, bail};

use crate::{
    Exit,
    cli::{Global, RollbackArgs},
    git::Git,
    output::Output,
    rings::{Ring, Rings},
    version::{self, Pins},
};

pub(crate) fn run(args: &RollbackArgs, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let git = Git::open(global)?;
    let rings = Rings::read(&git, global)?;
    let (ring, _) = rings.find(&args.ring)?;
    restore(&git, &rings, ring, args.to.as_deref(), None, "Rolled back by hand.", output)?;
    Ok(Exit::Done)
}

/// Brings back the pins of commit `to`, or the last other ones; `fallback` where there were never others. `why` becomes part of the
/// commit's message. Windows do not hold a revert back.
pub(crate) fn restore(
    git: &Git,
    rings: &Rings,
    ring: &Ring,
    to: Option<&str>,
    fallback: Option<&Pins>,
    why: &str,
    output: &Output,
) -> anyhow::Result<()> {
    let step = format!("revert {}", ring.name);
    if let Some(tag) = &ring.tag {
        let now = git.commit(tag)?;
        let was = match to {
            Some(to) => git.commit(to)?,
            None => {
                let message = git.tag_message(tag)?;
                let was = message.lines().find_map(|line| line.strip_prefix("was ").map(str::to_owned));
                was.with_context(|| format!("tag {tag} does not say where it stood before; name a commit by --to"))?
            }
        };
        git.retag(tag, &was, &format!("Revert ring {}\n\n{why}\n\nwas {now}\n", ring.name))?;
        return output.step(&step, &format!("tag {tag} moved back from {now:.12} to {was:.12}"));
    }
    let path = version::path(&rings.service, &ring.name);
    let pins = match to {
        Some(to) => version::read(git, &git.commit(to)?, &rings.service, &ring.name)?.pins,
        None => earlier(git, rings, ring, &path)?
            .or_else(|| fallback.cloned())
            .with_context(|| format!("ring {} never ran anything else; name a commit by --to", ring.name))?,
    };
    let revision = pins.chart.as_ref().unwrap_or(&pins.values);
    let message = format!("Revert ring {} of {} to {revision}\n\n{why}\n", ring.name, rings.service);
    let commit = git.change(&rings.branch, &rings.branch, &path, &message, |text| version::with_pins(text, &pins))?;
    output.step(&step, &format!("back to {revision} by commit {commit:.12} on {}", rings.branch))
}

/// The pins that stood in a ring's file before those of now. Versions of the file that cannot be read are passed over.
fn earlier(git: &Git, rings: &Rings, ring: &Ring, path: &str) -> anyhow::Result<Option<Pins>> {
    let commits = git.history(&rings.branch, path)?;
    let Some(latest) = commits.first() else { bail!("there is no {path}") };
    let now = version::read(git, latest, &rings.service, &ring.name)?.pins;
    let others = commits[1..].iter().filter_map(|commit| version::read(git, commit, &rings.service, &ring.name).ok());
    Ok(others.map(|file| file.pins).find(|pins| *pins != now))
}
