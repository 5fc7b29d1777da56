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

/// How Argo CD begins what it says of a revision that it could not compare.
const INCOMPARABLE: &str = "Failed to compare desired state to live state";

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
    /// Whether what is said here is of the Application as it was before it was changed last.
    #[serde(default)]
    pub(crate) stale: bool,
    /// The commit that a sync brought there last, and all of it.
    #[serde(default)]
    pub(crate) applied: String,
    /// Whether Argo CD failed to compare this revision with what is there, for another reason than the network.
    #[serde(default)]
    pub(crate) incomparable: bool,
    /// Since when Argo CD does not reach the cluster, as far as it says so.
    #[serde(default)]
    pub(crate) unreachable: Option<Timestamp>,
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
        self.reported.or_else(|| self.apps.iter().filter_map(|app| app.unreachable).min())
    }

    /// The moment of which its state tells; none where Argo CD only has what it saw before it lost the cluster.
    pub(crate) fn as_of(&self) -> Option<Timestamp> {
        self.reported.or_else(|| self.silent_since().is_none().then(Timestamp::now))
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
    let conditions = || app["status"]["conditions"].as_array().into_iter().flatten();
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
        stale: app.pointer("/status/sync/comparedTo/source").map(filled) != app.pointer("/spec/source").map(filled),
        applied: if phase == "Succeeded" { text("/status/operationState/syncResult/revision") } else { String::new() },
        incomparable: conditions().any(|condition| {
            unreachable(condition).is_none() && condition["message"].as_str().is_some_and(|said| said.starts_with(INCOMPARABLE))
        }),
        unreachable: conditions().find_map(unreachable),
    }
}

/// A value without what is empty in it, which Argo CD leaves out where it notes what it has compared.
fn filled(value: &Value) -> Value {
    let empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), filled(value)));
            Value::Object(fields.filter(|(_, value)| !empty(value)).collect())
        }
        Value::Array(items) => items.iter().map(filled).collect(),
        _ => value.clone(),
    }
}

/// Since when a condition of an Application says that its cluster does not answer. Argo CD keeps what it saw of a cluster that is gone, and
/// notices where it asks the cluster itself: for what it does not know, and for what the API server would make of a new version.
fn unreachable(condition: &Value) -> Option<Timestamp> {
    const OF_THE_NETWORK: [&str; 7] = [
        "dial tcp",
        "connection refused",
        "connection reset",
        "i/o timeout",
        "no route to host",
        "TLS handshake timeout",
        "context deadline exceeded",
    ];
    let message = condition["message"].as_str()?;
    let of_the_network = || OF_THE_NETWORK.iter().any(|words| message.contains(words));
    // A webhook of the cluster that is not reached has the API server's word for it, which was.
    let silent = message.starts_with("Failed to load live state")
        || (message.starts_with(INCOMPARABLE) && of_the_network() && !message.contains("failed calling webhook"));
    silent.then(|| condition["lastTransitionTime"].as_str()?.parse().ok()).flatten()
}

/// The pins among the values that the ApplicationSet gave.
fn pins_of(values: &str) -> Option<Pins> {
    #[derive(Deserialize)]
    struct Values {
        pins: Pins,
    }
    yaml_serde::from_str::<Values>(values).ok().map(|values| values.pins)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cluster_that_does_not_answer_is_told_from_a_version_that_is_bad() {
        let silent =
            |message: &str| unreachable(&json!({"message": message, "lastTransitionTime": "2026-11-21T10:00:00Z"})).is_some();
        let compare = "Failed to compare desired state to live state: error calculating server side diff: serverSideDiff error: error running \
                       server side apply in dryrun mode for resource ConfigMap/note: ";
        assert!(silent(&format!(
            "{compare}Patch \"https://10.0.0.1:6443/api/v1\": dial tcp 10.0.0.1:6443: connect: connection refused"
        )));
        assert!(silent("Failed to load live state: failed to get cluster info for \"https://10.0.0.1:6443\""));
        assert!(!silent(&format!("{compare}ConfigMap \"note\" is invalid: data[no key/]: Invalid value")));
        assert!(!silent(&format!(
            "{compare}failed calling webhook \"a.example\": Post \"https://a\": dial tcp 10.1.0.1:443: connection refused"
        )));
        // Git, which is not the site.
        assert!(!silent("Failed to load target state: failed to list refs: dial tcp 10.0.0.9:9418: connect: connection refused"));
    }

    #[test]
    fn what_was_said_before_a_change_is_stale() {
        let app = |compared: &str| {
            let told = json!({"targetRevision": "v1", "helm": {"values": "new", "valueFiles": []}});
            let seen = json!({"targetRevision": "v1", "helm": {"values": compared}});
            app_of(&json!({"spec": {"source": told}, "status": {"sync": {"comparedTo": {"source": seen}}}}))
        };
        assert!(app("old").stale && !app("new").stale);
        assert!(app_of(&json!({"spec": {"source": {}}})).stale, "never looked at");
    }
}
