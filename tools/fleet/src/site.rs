//! What is known of one site: its Applications as Argo CD sees them, on the hub or in the site's own report.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    cluster::{Cluster, PAUSED},
    enrol,
    version::Pins,
};

/// One Application, as far as it matters here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct App {
    pub(crate) name: String,
    pub(crate) service: String,
    /// What it is of: a service, its namespace, one of the platform's apps; none for the Application that makes these.
    pub(crate) component: Option<String>,
    /// Revision that it is told to be on, and the commit that this was when last looked at.
    pub(crate) target: String,
    pub(crate) revision: String,
    pub(crate) sync: String,
    pub(crate) health: String,
    /// Objects that are not as the repository says.
    pub(crate) drift: Vec<String>,
    /// Since when it is as it is.
    pub(crate) since: Option<Timestamp>,
    /// What is wrong, in Argo CD's words.
    pub(crate) message: String,
    /// The pins that the ApplicationSet passed on.
    pub(crate) pins: Option<Pins>,
}

/// Whether a document was converted at the site, when it last tried itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Document {
    pub(crate) converted: bool,
    pub(crate) message: String,
    pub(crate) at: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Site {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    /// Where clients reach its API: the annotation docmill.io/url of its Secret.
    pub(crate) url: Option<String>,
    pub(crate) paused: bool,
    pub(crate) apps: Vec<App>,
    pub(crate) due: Option<u64>,
    /// When a site that runs its own Argo CD said so; none for those that the hub pushes to.
    pub(crate) reported: Option<Timestamp>,
    pub(crate) document: Option<Document>,
}

impl Site {
    pub(crate) fn ring(&self) -> &str {
        self.label("ring")
    }

    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels.get(&format!("docmill.io/{name}")).map_or("", String::as_str)
    }

    /// The Application that makes a service's others, and those.
    pub(crate) fn of<'a>(&'a self, service: &'a str) -> (Option<&'a App>, Vec<&'a App>) {
        let (made, maker): (Vec<&App>, Vec<&App>) =
            self.apps.iter().filter(|app| app.service == service).partition(|app| app.component.is_some());
        (maker.into_iter().next(), made)
    }

    /// Since when nothing is known of it: its last report, or when Argo CD lost the cluster.
    pub(crate) fn silent_since(&self) -> Option<Timestamp> {
        // Argo CD's words for a cluster that does not answer; manifests that cannot be rendered are unknown too, but heard of.
        let unknown = |app: &App| app.message.starts_with("Failed to load live state").then_some(app.since).flatten();
        self.reported.or_else(|| self.apps.iter().filter_map(unknown).min())
    }
}

/// Every site that is registered here, or reports here.
pub(crate) fn all(hub: &Cluster) -> anyhow::Result<Vec<Site>> {
    let mut sites = here(hub)?;
    sites.extend(enrol::reports(hub)?.into_iter().filter(|report| report.reported.is_some()));
    sites.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sites)
}

/// The sites registered with this Argo CD.
pub(crate) fn here(cluster: &Cluster) -> anyhow::Result<Vec<Site>> {
    let list = cluster.get(&["applications.argoproj.io", "--namespace", &cluster.namespace])?;
    let apps: Vec<&Value> = list["items"].as_array().into_iter().flatten().collect();
    let sites = cluster.registered()?.into_iter().filter_map(|metadata| {
        let labels: BTreeMap<String, String> = serde_json::from_value(metadata["labels"].clone()).ok()?;
        let name = labels.get("docmill.io/site")?.clone();
        let annotation = |key: &str| metadata["annotations"][key].as_str().map(str::to_owned);
        let own = |app: &&&Value| app["metadata"]["labels"]["docmill.io/site"] == name.as_str();
        Some(Site {
            url: annotation("docmill.io/url"),
            paused: annotation(PAUSED).as_deref() == Some("true"),
            apps: apps.iter().filter(own).map(|app| app_of(app)).collect(),
            labels: labels.into_iter().filter(|(label, _)| !label.starts_with("argocd.argoproj.io/")).collect(),
            due: None,
            reported: None,
            document: None,
            name,
        })
    });
    Ok(sites.collect())
}

fn app_of(app: &Value) -> App {
    let text = |pointer: &str| app.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let time = |pointer: &str| app.pointer(pointer).and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    let label = |name: &str| app["metadata"]["labels"][name].as_str().map(str::to_owned);
    let drift = app["status"]["resources"].as_array().into_iter().flatten().filter(|it| it["status"] == "OutOfSync");
    let phase = text("/status/operationState/phase");
    let message = [
        text("/status/conditions/0/message"),
        if matches!(phase.as_str(), "Failed" | "Error" | "Running") {
            text("/status/operationState/message")
        } else {
            String::new()
        },
        text("/status/health/message"),
    ];
    App {
        name: text("/metadata/name"),
        service: label("docmill.io/service").unwrap_or_default(),
        component: label("docmill.io/component"),
        target: text("/spec/source/targetRevision"),
        revision: text("/status/sync/revision"),
        sync: text("/status/sync/status"),
        health: text("/status/health/status"),
        drift: drift
            .map(|it| format!("{} {}", it["kind"].as_str().unwrap_or_default(), it["name"].as_str().unwrap_or_default()))
            .collect(),
        since: [
            time("/status/operationState/finishedAt"),
            time("/status/health/lastTransitionTime"),
            time("/status/conditions/0/lastTransitionTime"),
        ]
        .into_iter()
        .flatten()
        .max(),
        message: message.into_iter().find(|text| !text.is_empty()).unwrap_or_default().chars().take(300).collect(),
        pins: pins_of(&text("/spec/source/helm/values")),
    }
}

/// The pins among the values that the ApplicationSet gave.
fn pins_of(values: &str) -> Option<Pins> {
    #[derive(Deserialize)]
    struct Values {
        pins: Pins,
    }
    yaml_serde::from_str::<Values>(values).ok().map(|values| values.pins)
}
