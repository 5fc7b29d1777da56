//! The rings and their order, from the values of `argocd/bootstrap`.

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::{
    cli::Global,
    git::Git,
    selector::Selector,
    version::{self, Pins, VersionFile},
};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ring {
    pub(crate) name: String,
    /// The tag that it follows, where promotion moves a tag; and the ring whose version file it reads there.
    pub(crate) tag: Option<String>,
    pub(crate) like: Option<String>,
}

#[derive(Deserialize)]
struct Bootstrap {
    rings: Option<Vec<Ring>>,
    services: Option<Vec<Service>>,
    versions: Option<String>,
}

#[derive(Deserialize)]
struct Service {
    name: String,
    #[serde(default)]
    clusters: Selector,
}

#[derive(Deserialize)]
struct Root {
    spec: RootSpec,
}
#[derive(Deserialize)]
struct RootSpec {
    source: Option<RootSource>,
}
#[derive(Deserialize)]
struct RootSource {
    #[serde(default)]
    helm: RootHelm,
}
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RootHelm {
    #[serde(default)]
    value_files: Vec<String>,
}

/// The rings of one service, as the repository says now.
#[derive(Clone)]
pub(crate) struct Rings {
    pub(crate) service: String,
    /// Which of a ring's clusters run it.
    pub(crate) clusters: Selector,
    /// The branch whose version files count.
    pub(crate) branch: String,
    pub(crate) all: Vec<Ring>,
}

const ROOT: &str = "argocd/root.yaml";

impl Rings {
    /// Reads them from the branch that the root Application reads, with the value files that it names.
    pub(crate) fn read(git: &Git, global: &Global) -> anyhow::Result<Self> {
        let head = git.commit(&global.branch)?;
        let mut files = vec!["values.yaml".to_owned()];
        // Two documents: the project, and the Application that has a source.
        for document in git.show(&head, ROOT)?.split("\n---\n") {
            let root: Root = yaml_serde::from_str(document).context(ROOT)?;
            files.extend(root.spec.source.map(|source| source.helm.value_files).unwrap_or_default());
        }
        let (mut all, mut services, mut branch) = (None, None, None);
        for file in files {
            let path = format!("argocd/bootstrap/{file}");
            let values: Bootstrap = yaml_serde::from_str(&git.show(&head, &path)?).context(path)?;
            all = values.rings.or(all);
            services = values.services.or(services);
            branch = values.versions.or(branch);
        }
        let all = all.context("argocd/bootstrap/values.yaml names no rings")?;
        // The platform is in every cluster, and stands in no list.
        let own = services.into_iter().flatten().find(|service| service.name == global.service);
        Ok(Self {
            service: global.service.clone(),
            clusters: own.map(|service| service.clusters).unwrap_or_default(),
            branch: branch.context("argocd/bootstrap/values.yaml names no versions")?,
            all,
        })
    }

    /// A ring, and the one before it.
    pub(crate) fn find(&self, name: &str) -> anyhow::Result<(&Ring, Option<&Ring>)> {
        let Some(at) = self.all.iter().position(|ring| ring.name == name) else {
            let names: Vec<&str> = self.all.iter().map(|ring| ring.name.as_str()).collect();
            bail!("there is no ring {name}; there are {}", names.join(", "));
        };
        Ok((&self.all[at], at.checked_sub(1).map(|before| &self.all[before])))
    }

    /// What a ring's version file says, with the pins that its Applications get.
    pub(crate) fn version(&self, git: &Git, ring: &Ring) -> anyhow::Result<VersionFile> {
        let at = git.commit(ring.tag.as_deref().unwrap_or(&self.branch))?;
        let mut file = version::read(git, &at, &self.service, ring.like.as_ref().unwrap_or(&ring.name))?;
        if let Some(tag) = &ring.tag {
            file.pins =
                Pins { chart: file.pins.chart.as_ref().map(|_| tag.clone()), values: tag.clone(), images: file.pins.images };
        }
        Ok(file)
    }

    /// The folders that `pins.chart` and `pins.values` stand for: two commits that hold the same in them are the same version.
    pub(crate) fn folders(&self) -> (Vec<String>, Vec<String>) {
        let values = vec!["argocd/cluster".to_owned(), format!("argocd/services/{}", self.service)];
        if self.service == "platform" {
            return (Vec::new(), [values, vec!["argocd/policies".to_owned()]].concat());
        }
        (vec!["helm".to_owned()], [values, vec!["argocd/namespace".to_owned()]].concat())
    }
}
