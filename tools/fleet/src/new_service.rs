//! A new service: the files that bring it into every ring.

use std::fs;

use anyhow::{Context as _, ensure};

use crate::{
    Exit,
    cli::{Global, NewServiceArgs},
    git::Git,
    output::Output,
    rings::Rings,
    version,
};

const BOOTSTRAP: &str = "argocd/bootstrap/values.yaml";

pub(crate) fn run(args: &NewServiceArgs, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let git = Git::open(global)?;
    let rings = Rings::read(&git, global)?;
    let name = args.name.as_str();
    let folder = format!("argocd/services/{name}");
    ensure!(!global.repo.join(&folder).exists(), "{folder} is there already");

    let values = fs::read_to_string(global.repo.join(BOOTSTRAP)).with_context(|| BOOTSTRAP)?;
    let (before, after) = values.split_once("\nservices:\n").with_context(|| format!("{BOOTSTRAP} has no line \"services:\""))?;
    let mut files = vec![
        (BOOTSTRAP.to_owned(), format!("{before}\nservices:\n  - name: {name}\n{after}")),
        (format!("{folder}/service.yaml"), service(args)),
    ];
    for ring in rings.all.iter().filter(|ring| ring.tag.is_none()) {
        // As docmill's: whatever follows a branch there follows it here, and windows are the ring's.
        let like = git.show(&git.commit(&rings.branch)?, &version::path("docmill", &ring.name))?;
        files.push((version::path(name, &ring.name), versions(&like, name)));
    }
    for (path, text) in files {
        let file = global.repo.join(&path);
        fs::create_dir_all(file.parent().context("a file without a folder")?)?;
        fs::write(&file, text).with_context(|| format!("cannot write {path}"))?;
        output.step("new-service", &path)?;
    }
    output.step("new-service", "look at scripts/argocd-test, then commit")?;
    Ok(Exit::Done)
}

fn service(args: &NewServiceArgs) -> String {
    let NewServiceArgs { name, image, port } = args;
    format!(
        "# {name}, wherever it runs: values of helm/microservice, whose README lists them.
release:
  chart: helm/microservice
  presets: []
  digests: {{{name}: image.digest}}
values:
  image: {{repository: {image}}}
  ports: {{http: {port}}}
  service: {{enabled: true}}
"
    )
}

/// docmill's version file with another service's one program, and a gate without what is docmill's own.
fn versions(like: &str, name: &str) -> String {
    let mut text = String::new();
    let mut skipping = false;
    for line in like.lines() {
        if line == "  images:" {
            text.push_str(&format!("  images:\n    {name}: \"\"\n"));
        }
        if line == "  images:" || line == "  queries:" {
            skipping = true;
        } else if !line.starts_with("    ") {
            skipping = false;
        }
        if !skipping {
            text.push_str(&line.replace("document: true", "document: false").replace("of helm/docmill", "of helm/microservice"));
            text.push('\n');
        }
    }
    text
}
