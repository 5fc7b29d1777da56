//! How a site that runs its own Argo CD meets the hub: it pulls from git, and tells the hub how it does. Its credential there can write
//! one ConfigMap, its own, and renew itself. It gets it by a token that works once.
//!
//! On the hub, all of it lies in the namespace `docmill-fleet`: for a site X the ServiceAccount and ConfigMap `site-X`, and, until it has
//! joined, `enrol-X`: an account whose token is bound to a Secret, which joining deletes; with the Secret gone the API server takes
//! the token no more.

use std::{collections::BTreeMap, fs, io::Write as _};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Exit,
    cli::{EnrolArgs, Global, JoinArgs},
    cluster::Cluster,
    output::Output,
    site::Site,
};

const NAMESPACE: &str = "docmill-fleet";
/// The Secret at a site by which it reports: a kubeconfig.
const CREDENTIAL: &str = "docmill-fleet-hub";

/// What a site joins with.
#[derive(Serialize, Deserialize)]
struct Invitation {
    site: String,
    hub: String,
    /// PEM, in base64.
    ca: Option<String>,
    token: String,
}

pub(crate) fn enrol(args: &EnrolArgs, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let hub = Cluster::new(global);
    let site = args.site.as_str();
    if is_enrolled(&hub, site)? {
        bail!("{site} is enrolled already; `retire` it first, or choose another name");
    }
    hub.kubectl(&["apply", "--server-side", "--force-conflicts", "--filename=-"], Some(&objects(site).to_string()))?;
    let seconds = format!("--duration={}s", args.valid.as_secs());
    let account = format!("enrol-{site}");
    let bound = format!("--bound-object-name={account}");
    let words = ["create", "token", &account, "--namespace", NAMESPACE, "--bound-object-kind=Secret", &bound, &seconds];
    let token = hub.kubectl(&words, None)?;
    let view: Value = serde_json::from_str(&hub.kubectl(&["config", "view", "--minify", "--raw", "--output=json"], None)?)?;
    let cluster = &view["clusters"][0]["cluster"];
    let address = args.hub.clone().or_else(|| cluster["server"].as_str().map(str::to_owned));
    let invitation = Invitation {
        site: site.to_owned(),
        hub: address.context("kubectl names no server; give --hub")?,
        ca: cluster["certificate-authority-data"].as_str().map(str::to_owned),
        token,
    };
    // The one thing that this command prints is what the site needs, so that it can be piped there.
    output.either(&invitation, || serde_json::to_string(&invitation).unwrap_or_default())?;
    Ok(Exit::Done)
}

/// What the hub holds for a site.
fn objects(site: &str) -> Value {
    let (own, guest) = (format!("site-{site}"), format!("enrol-{site}"));
    let meta = |name: &str| json!({"name": name, "namespace": NAMESPACE, "labels": {"docmill.io/site": site}});
    let role = |name: &str, rules: Value| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta(name), "rules": rules});
    let binding = |name: &str| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta(name),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}]})
    };
    let account = |name: &str| json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta(name), "automountServiceAccountToken": false});
    let renew = json!({"apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": [own], "verbs": ["create"]});
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        account(&own),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(&own)},
        role(&own, json!([
            {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [own], "verbs": ["patch"]},
            renew,
        ])),
        binding(&own),
        account(&guest),
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta(&guest)},
        role(&guest, json!([
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [guest], "verbs": ["delete"]},
            renew,
        ])),
        binding(&guest),
    ]})
}

pub(crate) fn join(args: &JoinArgs, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let text = fs::read_to_string(&args.token).with_context(|| format!("cannot read {}", args.token.display()))?;
    let invitation: Invitation = serde_json::from_str(&text).context("this is not what `docmill-fleet enrol` printed")?;
    let site = invitation.site.as_str();
    let here = Cluster::new(global);
    here.kubectl(&["get", "namespace", &here.namespace], None).context("Argo CD must be installed first")?;

    let folder = tempfile::tempdir()?;
    let guest = folder.path().join("guest");
    fs::write(&guest, kubeconfig(&invitation.hub, invitation.ca.as_deref(), &invitation.token))?;
    let hub = Cluster::at(guest, NAMESPACE);
    let token =
        renew(&hub, site, args.valid.as_secs()).context("the hub does not take the token: it works once, and not for ever")?;
    hub.kubectl(&["delete", "secret", &format!("enrol-{site}"), "--namespace", NAMESPACE], None)
        .context("the token was used by somebody else meanwhile: retire this site on the hub, and enrol it anew")?;
    store(&here, &invitation.hub, invitation.ca.as_deref(), &token)?;
    output.at("join", site, "may report to the hub, and nothing else")?;

    let mut labels: BTreeMap<&str, &str> = args.label.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    labels.extend([("docmill.io/site", site), ("argocd.argoproj.io/secret-type", "cluster")]);
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": format!("cluster-{site}"), "namespace": here.namespace, "labels": labels},
        "stringData": {"name": site, "server": "https://kubernetes.default.svc", "config": "{}"}});
    here.kubectl(&["apply", "--server-side", "--force-conflicts", "--filename=-"], Some(&secret.to_string()))?;
    output.at("join", site, "its cluster is registered with its own Argo CD")?;
    Ok(Exit::Done)
}

/// A kubeconfig with one cluster and one token.
fn kubeconfig(server: &str, ca: Option<&str>, token: &str) -> String {
    let trust = ca.map_or_else(|| json!({"server": server}), |ca| json!({"server": server, "certificate-authority-data": ca}));
    json!({"apiVersion": "v1", "kind": "Config", "current-context": "hub",
        "clusters": [{"name": "hub", "cluster": trust}], "users": [{"name": "site", "user": {"token": token}}],
        "contexts": [{"name": "hub", "context": {"cluster": "hub", "user": "site", "namespace": NAMESPACE}}]})
    .to_string()
}

fn renew(hub: &Cluster, site: &str, seconds: i64) -> anyhow::Result<String> {
    hub.kubectl(&["create", "token", &format!("site-{site}"), "--namespace", NAMESPACE, &format!("--duration={seconds}s")], None)
}

fn store(here: &Cluster, hub: &str, ca: Option<&str>, token: &str) -> anyhow::Result<()> {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": CREDENTIAL, "namespace": here.namespace},
        "stringData": {"kubeconfig": kubeconfig(hub, ca, token)}});
    here.kubectl(&["apply", "--server-side", "--force-conflicts", "--filename=-"], Some(&secret.to_string())).map(drop)
}

/// Writes a site's report to the hub, and renews the credential on the way: for a year, or as long as the hub grants.
pub(crate) fn send(here: &Cluster, report: &Site) -> anyhow::Result<()> {
    let path = "--output=go-template={{.data.kubeconfig | base64decode}}";
    let text =
        here.kubectl(&["get", "secret", CREDENTIAL, "--namespace", &here.namespace, path], None).context("join the hub first")?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("kubeconfig");
    fs::write(&file, &text)?;
    let hub = Cluster::at(file, NAMESPACE);
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": format!("site-{}", report.name), "namespace": NAMESPACE},
        "data": {"report": serde_json::to_string(report)?}});
    // Not `kubectl patch`, which first reads what a site has no leave to read; without the validation for which megabytes would cross a line
    // that may be thin; and as a manager of its own, or the label that enrolling gave the map would be taken off.
    let words = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=docmill-fleet-report",
        "--validate=false",
        "--filename=-",
    ];
    hub.kubectl(&words, Some(&map.to_string()))?;
    let config: Value = serde_json::from_str(&text)?;
    let cluster = &config["clusters"][0]["cluster"];
    let token = renew(&hub, &report.name, 365 * 24 * 3600)?;
    store(here, cluster["server"].as_str().unwrap_or_default(), cluster["certificate-authority-data"].as_str(), &token)
}

/// What sites have reported. One that has joined but not reported yet is not among them, nor one whose report is none.
pub(crate) fn reports(hub: &Cluster) -> anyhow::Result<Vec<Site>> {
    let list = hub.get(&["configmaps", "--namespace", NAMESPACE, "--selector=docmill.io/site"])?;
    let texts = list["items"].as_array().into_iter().flatten().filter_map(|map| Some((map, map["data"]["report"].as_str()?)));
    let read = texts.map(|(map, text)| read(map["metadata"]["name"].as_str().unwrap_or_default(), text));
    // What one site writes must not keep the others from being looked at.
    Ok(read.filter_map(|report| report.inspect_err(warn).ok()).collect())
}

/// A site can write what it likes into its own map, its labels too, but not give it another name.
fn read(map: &str, text: &str) -> anyhow::Result<Site> {
    let report: Site = serde_json::from_str(text).with_context(|| format!("the report in {map}"))?;
    if map != format!("site-{}", report.name) {
        bail!("the report in {map} claims to be of {}", report.name);
    }
    Ok(report)
}

fn warn(error: &anyhow::Error) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "left out: {error:#}");
}

pub(crate) fn is_enrolled(hub: &Cluster, site: &str) -> anyhow::Result<bool> {
    let words = ["serviceaccounts", "--namespace", NAMESPACE, &format!("--field-selector=metadata.name=site-{site}")];
    Ok(hub.get(&words)?["items"].as_array().is_some_and(|items| !items.is_empty()))
}

/// Takes everything away that the hub holds for a site.
pub(crate) fn revoke(hub: &Cluster, site: &str) -> anyhow::Result<()> {
    let kinds = "serviceaccounts,configmaps,secrets,roles,rolebindings";
    hub.kubectl(&["delete", kinds, "--namespace", NAMESPACE, &format!("--selector=docmill.io/site={site}")], None).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_speaks_for_itself_alone() {
        let report = r#"{"name": "b", "labels": {}, "url": null, "paused": false, "apps": [], "due": null, "reported": null, "document": null}"#;
        assert_eq!(read("site-b", report).unwrap().name, "b");
        assert_eq!(read("site-a", report).unwrap_err().to_string(), "the report in site-a claims to be of b");
        assert_eq!(read("site-a", "{").unwrap_err().to_string(), "the report in site-a");
    }
}
