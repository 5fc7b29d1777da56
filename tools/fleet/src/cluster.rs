//! A cluster with Argo CD in it, by kubectl: the hub, or a site that runs its own.

use std::{path::PathBuf, process::Command};

use anyhow::Context as _;
use serde_json::Value;

use crate::{Exit, cli::Global, output::Output, program};

/// The annotation of a cluster's Secret that has its Applications compared, but not synchronised.
pub(crate) const PAUSED: &str = "docmill.io/paused";

pub(crate) struct Cluster {
    pub(crate) namespace: String,
    kubeconfig: Option<PathBuf>,
}

impl Cluster {
    /// The cluster that kubectl speaks to.
    pub(crate) fn new(global: &Global) -> Self {
        Self { namespace: global.namespace.clone(), kubeconfig: None }
    }

    /// Another one, by a kubeconfig.
    pub(crate) fn at(kubeconfig: PathBuf, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), kubeconfig: Some(kubeconfig) }
    }

    pub(crate) fn kubectl(&self, words: &[&str], input: Option<&str>) -> anyhow::Result<String> {
        let mut command = Command::new("kubectl");
        if let Some(file) = &self.kubeconfig {
            command.arg("--kubeconfig").arg(file);
        }
        // A cluster that is gone must not hang what waits for others.
        program::run(command.arg("--request-timeout=20s").args(words), input)
    }

    /// What `kubectl get` gives, as JSON.
    pub(crate) fn get(&self, words: &[&str]) -> anyhow::Result<Value> {
        let text = self.kubectl(&[&["get", "--output=json"][..], words].concat(), None)?;
        serde_json::from_str(&text).context("kubectl wrote no JSON")
    }

    /// The metadata of the registered clusters' Secrets; what they hold is not asked for.
    pub(crate) fn registered(&self) -> anyhow::Result<Vec<Value>> {
        let selector = "--selector=argocd.argoproj.io/secret-type=cluster";
        let words =
            ["get", "secrets", "--namespace", &self.namespace, selector, "--output=jsonpath-as-json={.items[*].metadata}"];
        Ok(serde_json::from_str(&self.kubectl(&words, None)?)?)
    }

    /// The Secret by which a site is registered here.
    pub(crate) fn secret_of(&self, site: &str) -> anyhow::Result<String> {
        let all = self.registered()?;
        let found = all.iter().find(|metadata| metadata["labels"]["docmill.io/site"] == site);
        let name = found.and_then(|metadata| metadata["name"].as_str());
        Ok(name
            .with_context(|| {
                let known: Vec<&str> = all.iter().filter_map(|metadata| metadata["labels"]["docmill.io/site"].as_str()).collect();
                let at = "a site that runs its own Argo CD is told there, with its kubeconfig";
                format!("no cluster registered here has the label docmill.io/site={site}; there are {}; {at}", known.join(", "))
            })?
            .to_owned())
    }

    pub(crate) fn pause(&self, site: &str, pause: bool, output: &Output) -> anyhow::Result<Exit> {
        let secret = self.secret_of(site)?;
        let word = if pause { format!("{PAUSED}=true") } else { format!("{PAUSED}-") };
        self.kubectl(&["annotate", "secret", &secret, "--namespace", &self.namespace, "--overwrite", &word], None)?;
        let message = if pause { "its Applications are compared, but no longer synchronised" } else { "synchronised again" };
        output.at(if pause { "pause" } else { "resume" }, site, message)?;
        Ok(Exit::Done)
    }
}
