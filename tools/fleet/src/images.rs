//! Everything that a fleet pulls: images and charts, to be mirrored where there is no internet.

use std::{collections::BTreeSet, io::Write as _, process::Command};

use anyhow::Context as _;
use serde::Serialize;
use yaml_serde::Value;

use crate::{
    Exit,
    cli::{Global, ImagesArgs},
    git::Git,
    output::Output,
    program,
    rings::Rings,
    version::Pins,
};

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Item {
    Image {
        reference: String,
        of: String,
    },
    Chart {
        repository: String,
        name: String,
        version: String,
    },
    Git {
        repository: String,
        path: String,
        revision: String,
    },
    /// A chart whose images are not known, and why.
    Unknown {
        of: String,
        message: String,
    },
}

pub(crate) fn run(args: &ImagesArgs, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let git = Git::open(global)?;
    let rings = Rings::read(&git, global)?;
    let ring = args.ring.as_ref().or(rings.all.last().map(|ring| &ring.name)).context("there is no ring")?;
    let mut items = BTreeSet::new();
    for service in services(&git, &rings)? {
        let of = Rings { service: service.clone(), ..rings.clone() };
        let pins = of.version(&git, of.find(ring)?.0)?.pins;
        if service == "platform" {
            platform(&git, &pins, args.charts_only, &mut items)?;
        } else {
            own(&git, &service, &pins, &mut items)?;
        }
    }
    for item in &items {
        output.either(item, || match item {
            Item::Image { reference, .. } => format!("image  {reference}"),
            Item::Chart { repository, name, version } => format!("chart  {name} {version} {repository}"),
            Item::Git { repository, path, revision } => format!("git    {repository} {path} {revision}"),
            Item::Unknown { of, message } => format!("unknown images of {of}: {message}"),
        })?;
    }
    let unknown = items.iter().any(|item| matches!(item, Item::Unknown { .. }));
    Ok(if unknown { Exit::Refused } else { Exit::Done })
}

/// The services with version files, and the platform.
fn services(git: &Git, rings: &Rings) -> anyhow::Result<BTreeSet<String>> {
    let files = git.list(&git.commit(&rings.branch)?, "argocd/versions")?;
    Ok(files.iter().filter_map(|path| path.split('/').nth(2)).map(str::to_owned).collect())
}

/// The images of a chart of this repository: every `repository` among its values, with the digest that the ring pins.
fn own(git: &Git, service: &str, pins: &Pins, items: &mut BTreeSet<Item>) -> anyhow::Result<()> {
    let values_at = git.commit(&pins.values)?;
    let settings: Value = yaml_serde::from_str(&git.show(&values_at, &format!("argocd/services/{service}/service.yaml"))?)?;
    let release = &settings["release"];
    let chart = release["chart"].as_str().context("release.chart is missing")?;
    let chart_at = git.commit(pins.chart.as_ref().unwrap_or(&pins.values))?;
    let mut values: Value = yaml_serde::from_str(&git.show(&chart_at, &format!("{chart}/values.yaml"))?)?;
    overlay(&mut values, &settings["values"]);
    let about: Value = yaml_serde::from_str(&git.show(&chart_at, &format!("{chart}/Chart.yaml"))?)?;
    let tag = values["image"]["tag"].as_str().filter(|tag| !tag.is_empty()).or(about["appVersion"].as_str()).unwrap_or_default();
    let registry =
        values["global"]["imageRegistry"].as_str().filter(|it| !it.is_empty()).or(values["image"]["registry"].as_str());
    let registry = registry.filter(|it| !it.is_empty()).map(|it| format!("{it}/")).unwrap_or_default();
    let digest_at = |key: &str| {
        let program = release["digests"].as_mapping()?.iter().find(|(_, at)| at.as_str() == Some(key))?.0.as_str()?;
        pins.images.get(program).filter(|digest| !digest.is_empty())
    };
    let sections = values.as_mapping().into_iter().flatten().filter_map(|(name, section)| Some((name.as_str()?, section)));
    for (name, section) in sections {
        let image = if name == "image" { section } else { &section["image"] };
        if let Some(repository) = image["repository"].as_str() {
            let key = if name == "image" { "image.digest".to_owned() } else { format!("{name}.image.digest") };
            let pinned = digest_at(&key).map_or_else(|| format!(":{tag}"), |digest| format!("@{digest}"));
            items.insert(Item::Image { reference: format!("{registry}{repository}{pinned}"), of: service.to_owned() });
        }
    }
    Ok(())
}

fn overlay(values: &mut Value, over: &Value) {
    match (values, over) {
        (Value::Mapping(values), Value::Mapping(over)) => {
            for (key, value) in over {
                overlay(values.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (values, over) => *values = over.clone(),
    }
}

fn platform(git: &Git, pins: &Pins, charts_only: bool, items: &mut BTreeSet<Item>) -> anyhow::Result<()> {
    let at = git.commit(&pins.values)?;
    for path in git.list(&at, "argocd/cluster/apps")? {
        let app: Value = yaml_serde::from_str(&git.show(&at, &path)?).with_context(|| path.clone())?;
        let source = &app["source"];
        let text = |key: &str| source[key].as_str().unwrap_or_default().to_owned();
        let (repository, revision) = (text("repoURL"), text("targetRevision"));
        if repository.is_empty() {
            continue; // of this repository, which is mirrored anyway
        }
        let Some(name) = source["chart"].as_str() else {
            items.insert(Item::Git { repository, path: text("path"), revision });
            continue;
        };
        if !charts_only {
            match rendered(&repository, name, &revision, &app["values"]) {
                Ok(manifests) => items.extend(images(&manifests).map(|reference| Item::Image { reference, of: name.to_owned() })),
                Err(error) => drop(items.insert(Item::Unknown { of: name.to_owned(), message: format!("{error:#}") })),
            }
        }
        items.insert(Item::Chart { repository, name: name.to_owned(), version: revision });
    }
    Ok(())
}

/// What helm makes of a chart that it fetches.
fn rendered(repository: &str, name: &str, version: &str, values: &Value) -> anyhow::Result<String> {
    let mut file = tempfile::NamedTempFile::new()?;
    write!(file, "{}", yaml_serde::to_string(values)?)?;
    let mut helm = Command::new("helm");
    helm.args(["template", name, name, "--repo", repository, "--version", version, "--values"]).arg(file.path());
    program::run(&mut helm, None)
}

/// The images among manifests: the value of every key `image` that is a word.
fn images(manifests: &str) -> impl Iterator<Item = String> + '_ {
    let values = manifests.lines().filter_map(|line| line.trim_start().trim_start_matches("- ").strip_prefix("image:"));
    values
        .map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
        .filter(|image| !image.is_empty() && !image.contains(' '))
}
