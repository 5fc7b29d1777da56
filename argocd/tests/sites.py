"""The two full clusters: from a label to a document, drift, deletions, Git away, the edge cut off."""

import json
import time

from fleet import GROUND, LABELS, POLL_SECONDS
from rig import ROOT, Kube, state

OK = ("Synced", "Healthy")


def app(kube, name):
    return kube.get("applications.argoproj.io", "-n", "argocd", name)


def both(fleet):
    return (("cloud", fleet.hub), ("edge", fleet.edge))


def register(kube, site, labels, server="https://kubernetes.default.svc", config=None, annotations=None, own=None):
    """The Secret of docs/guides/new-cluster.md."""
    labels = {f"docmill.io/{name}": value for name, value in {"site": site, **labels}.items()}
    kube.apply({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": f"cluster-{site}", "namespace": "argocd", "annotations": annotations or {},
                             "labels": {"argocd.argoproj.io/secret-type": "cluster", **labels, **(own or {})}},
                "stringData": {"name": site, "server": server, "config": json.dumps(config or {})}})


def arrive(fleet):
    """From a label, and from an enrolment, to a document."""
    checks, hub, edge = fleet.checks, fleet.hub, fleet.edge
    for _, kube in both(fleet):
        fleet.servers(kube)
    checks.fact("starting point", "two clusters with Argo CD, the root applied and Synced; PostgreSQL, NATS, SeaweedFS and the first secrets there; nothing of docmill")
    checks.fact("preloaded", fleet.place.preloaded)
    checks.fact("polling interval", f"Applications {fleet.place.poll}, version files {POLL_SECONDS} s")
    root = str(fleet.git.clone / "argocd/root.yaml")
    for name, kube in both(fleet):
        kube("apply", "--server-side", "-f", root)
        checks.check(f"{name}: the root is Synced", lambda: state(app(kube, "root")) == OK, within=120)
    clocks = {"cloud": time.time()}
    register(hub, "cloud", LABELS["cloud"], annotations={"docmill.io/values": json.dumps(GROUND)})
    arrived(fleet, "cloud", hub, clocks)
    hub("annotate", "secret", "-n", "argocd", "cluster-cloud", f"docmill.io/url={fleet.url(hub)}")

    clocks["edge"] = time.time()
    code, invitation = fleet("enrol", "edge")
    checks.check("edge: the hub enrols it", lambda: code == 0 and json.loads(invitation)["site"] == "edge", within=0)
    token = fleet.folder / "edge.json"
    token.write_text(invitation)
    labels = [word for name, value in LABELS["edge"].items() for word in ("--label", f"{name}={value}")]
    fleet.expect("edge: it joins by a token", 0, "join", "--token", token, *labels, kube=edge)
    fleet.expect("edge: the token works once", 1, "join", "--token", token, *labels, kube=edge, within=15)
    fleet.expect("edge: it is enrolled once", 1, "enrol", "edge", says="is enrolled already")
    checks.check("edge: what it reports with may do nothing else", lambda: allowed(fleet) == [], within=0)
    arrived(fleet, "edge", edge, clocks)
    fleet.expect("edge: it reports", 0, "report", "--server", fleet.url(edge), kube=edge, within=30)
    fleet.expect("the hub's status shows both", 0, "status", says="edge ")
    fleet.expect("the hub's status says that the cloud is well", 0, "status", "staging", says="Healthy")
    fleet.watch()
    checks.check("cloud: it reads a PDF", lambda: fleet.reads(hub, ROOT / "compose/test/mill.pdf", "The mill grinds"), within=30)
    checks.check("edge: it reads a PDF", lambda: fleet.reads(edge, ROOT / "compose/test/mill.pdf", "The mill grinds"), within=30)


def allowed(fleet):
    """What the edge's credential at the hub may do, of what it must not."""
    text = fleet.edge("get", "secret", "-n", "argocd", "docmill-fleet-hub", "-o", "go-template={{.data.kubeconfig | base64decode}}")
    file = fleet.folder / "site.kubeconfig"
    file.write_text(text)
    site = Kube(fleet.edge.kubectl, file, fleet.edge.prefix)
    taken = []
    for words in (("get", "secrets", "-A"), ("get", "configmaps", "-n", "docmill-fleet"), ("get", "configmap", "-n", "docmill-fleet", "site-edge"),
                  ("create", "configmap", "-n", "docmill-fleet", "site-other"), ("delete", "configmap", "-n", "docmill-fleet", "site-edge"),
                  ("create", "token", "-n", "docmill-fleet", "enrol-edge"), ("get", "applications.argoproj.io", "-A"), ("get", "pods", "-n", "docmill")):
        try:
            site(*words)
            taken.append(words)
        except RuntimeError as error:
            if "forbidden" not in str(error).lower():
                raise
    return taken


def arrived(fleet, name, kube, clocks):
    checks = fleet.checks
    checks.check(f"{name}: Synced and Healthy", lambda: state(app(kube, f"{name}-docmill")) == OK, within=300)
    checks.check(f"{name}: a document is converted", lambda: fleet.converts(kube), within=120)
    seconds = round(time.time() - clocks[name], 1)
    checks.fact(f"{name}: seconds from {'label' if name == 'cloud' else 'enrolment'} to document", seconds)
    checks.check(f"{name}: in less than five minutes", lambda: seconds < 300, within=0)
    checks.check(f"{name}: the policies are there", lambda: len(kube.get("validatingadmissionpolicies")["items"]) >= 2, within=30)


def heal(fleet):
    checks, hub, edge = fleet.checks, fleet.hub, fleet.edge
    for name, kube in both(fleet):
        deleted(fleet, kube, f"{name}: a deleted workload is back and ready within a minute")
        fleet.spoil(kube)
        checks.check(f"{name}: drift by hand is healed", lambda: not fleet.spoilt(kube), within=60)
    # Argo CD puts off what it has to heal again and again.
    for time_ in ("a third", "a fourth", "a fifth") if not fleet.sabotaged else ():
        deleted(fleet, edge, f"edge: healed {time_} time, it is back and ready within a minute")
    fleet.expect("cloud: paused", 0, "pause", "cloud")
    checks.check("cloud: its Application is no longer automated", lambda: "automated" not in app(hub, "cloud-docmill")["spec"]["syncPolicy"], within=30)
    fleet.spoil(hub)

    def looked(name):
        return app(hub, name)["status"].get("reconciledAt", "")
    for _ in range(2):
        # One look of Argo CD at what makes the Application, and at the Application.
        seen = {name: looked(name) for name in ("docmill.cloud", "cloud-docmill")}
        time.sleep(1.1)
        for name in seen:
            hub("annotate", "applications.argoproj.io", "-n", "argocd", name, "argocd.argoproj.io/refresh=normal", "--overwrite")
        checks.check("cloud: Argo CD has looked again", lambda: all(looked(name) > at for name, at in seen.items()), within=60)
    checks.stays("cloud: paused it survives two reconciles, and stays as it is", lambda: fleet.spoilt(hub), 5)
    checks.check("cloud: status shows pause and drift", lambda: fleet.row("cloud")["paused"]
                 and "cloud-docmill: ConfigMap docmill-config" in fleet.row("cloud")["drift"], within=20)
    fleet.expect("cloud: status says so in plain lines too", 0, "status", "staging", says="paused")
    if fleet.prometheus_url:
        checks.check("cloud: status counts the jobs that are due", lambda: fleet.row("cloud")["due"] == 0, within=30)
    fleet.expect("cloud: resumed", 0, "pause", "cloud", "--resume")
    checks.check("cloud: resumed it heals then", lambda: not fleet.spoilt(hub), within=60)
    if fleet.sabotaged:
        for name, kube in both(fleet):
            fleet.repair(name, kube)


def deleted(fleet, kube, name):
    old = fleet.deployment(kube, "worker")["metadata"]["uid"]
    kube("delete", "deployment", "-n", "docmill", "docmill-worker", "--wait=false")
    fleet.checks.check(name, lambda: fleet.deployment(kube, "worker")["metadata"]["uid"] != old and fleet.ready(kube), within=60)


def git_away(fleet):
    checks, hub, edge = fleet.checks, fleet.hub, fleet.edge
    fleet.processes.stop("git")
    checks.stays("Git away: both sites are ready", lambda: fleet.ready(hub) and fleet.ready(edge), 12)
    checks.check("Git away: both convert documents", lambda: fleet.converts(hub) and fleet.converts(edge), within=30)
    for name, kube in both(fleet):
        fleet.spoil(kube)
        checks.check(f"Git away: the {name} still heals", lambda: not fleet.spoilt(kube), within=60)
    fleet.serve_git()
    # A set that could not read its version files looks at them again after three minutes, and until then it is Degraded, and the root with it.
    checks.check("Git back: the hub compares again", lambda: state(app(hub, "root")) == OK and not app(hub, "root")["status"].get("conditions"), within=240)


def pods(kube):
    found = kube.get("pods", "-n", "docmill", "-l", "app.kubernetes.io/name=docmill")["items"]
    return {it["metadata"]["uid"] for it in found if it["status"]["phase"] == "Running" and "deletionTimestamp" not in it["metadata"]}


def same_pods(fleet):
    """Whether the pods of now are there and ready, whenever that is asked."""
    before = {name: pods(kube) for name, kube in both(fleet)}
    return lambda: all(before[name] <= pods(kube) and fleet.ready(kube) for name, kube in both(fleet))


def deletions(fleet):
    """What describes a workload is deleted; the workload stays."""
    checks, hub, edge, git = fleet.checks, fleet.hub, fleet.edge, fleet.git
    same = same_pods(fleet)

    def there():
        return all(app(hub, name) for name in ("docmill.cloud", "cloud-docmill"))
    # The root would bring the sets back before anybody could see what their absence does.
    for _, kube in both(fleet):
        kube("patch", "applications.argoproj.io", "-n", "argocd", "root", "--type=merge", "-p", '{"spec": {"syncPolicy": {"automated": null}}}')
    hub("delete", "applicationsets.argoproj.io", "-n", "argocd", "docmill-staging", "platform-staging", "--timeout=60s")
    edge("delete", "applicationsets.argoproj.io", "-n", "argocd", "docmill-pilot", "--timeout=60s")
    checks.stays("ApplicationSets deleted: the same pods run on", same, 12)
    checks.check("ApplicationSets deleted: Applications are still there", lambda: there() and app(edge, "edge-docmill"), within=0)
    for _, kube in both(fleet):
        kube("apply", "--server-side", "--force-conflicts", "-f", str(fleet.git.clone / "argocd/root.yaml"))
    checks.check("the root makes them again", lambda: hub.get("applicationsets.argoproj.io", "-n", "argocd", "docmill-staging")
                 and edge.get("applicationsets.argoproj.io", "-n", "argocd", "docmill-pilot"), within=240)
    git.pull()
    path = "argocd/versions/docmill/staging.yaml"
    text = (git.clone / path).read_text()
    (git.clone / path).unlink()
    git.commit("Without a version file")
    # Argo CD looks at the version files every POLL_SECONDS.
    checks.stays("a version file deleted: the same pods run on", same, 12)
    checks.check("a version file deleted: Applications are still there", there, within=0)
    git.write(path, text)
    git.commit("The version file is back")
    hub("label", "secret", "-n", "argocd", "cluster-cloud", "docmill.io/ring-")
    checks.stays("a label removed: the same pods run on", same, 12)
    checks.check("a label removed: Applications are still there", there, within=0)
    hub("label", "secret", "-n", "argocd", "cluster-cloud", "docmill.io/ring=staging")
    checks.check("labelled again: Synced and Healthy", lambda: state(app(hub, "docmill.cloud")) == state(app(hub, "cloud-docmill")) == OK, within=120)


def cut_off(fleet):
    """The edge without the network: it serves and heals, is left out of gates, and catches up."""
    checks, edge, git = fleet.checks, fleet.edge, fleet.git
    if not fleet.place.cut:
        print("left out: the edge cut off, because FLEET_TEST_CUT is not set")
        return
    fleet.expect("edge: it reports before it is cut off", 0, "report", "--server", fleet.url(edge), kube=edge, within=30)
    fleet.place.cut()
    since = time.time()
    git.pull()
    path = "argocd/services/docmill/env/prod.yaml"
    git.write(path, (git.clone / path).read_text() + "values: {config: {pipeline: {lease_seconds: 31}}}\n")
    commit = git.commit("While the edge is away")
    fleet.bring("docmill", "pilot", commit)
    checks.check("cut off: the edge converts documents", lambda: fleet.converts(edge), within=60)
    edge("delete", "deployment", "-n", "docmill", "docmill-worker", "--wait=false")
    fleet.spoil(edge)
    checks.check("cut off: the edge heals", lambda: not fleet.spoilt(edge) and fleet.ready(edge), within=90)
    fleet.expect("cut off: it cannot report", 1, "report", kube=edge)
    time.sleep(max(0, 46 - (time.time() - since)))  # as long as gate.skip
    fleet.expect("cut off: the hub leaves it out, and names it", 3, "gate", "pilot", "--dry-run", says="edge: left out: not heard of since")
    fleet.place.mend()
    began = time.time()
    checks.check("back: it catches up with Git", lambda: "lease_seconds = 31" in fleet.config(edge) and state(app(edge, "edge-docmill")) == OK and fleet.ready(edge), within=300)  # Argo CD looks at version files again three minutes after it could not
    checks.fact("edge: seconds from the network's return to the new version", round(time.time() - began, 1))
    fleet.expect("back: it reports", 0, "report", "--server", fleet.url(edge), kube=edge, within=60)


def retire(fleet):
    """Sites leave the fleet; what runs there goes on running."""
    checks, hub, edge = fleet.checks, fleet.hub, fleet.edge
    same = same_pods(fleet)
    fleet.expect("retire: it first says what would be done", 0, "retire", "cloud", says="to be done; say --yes")
    checks.check("retire: and does nothing", lambda: fleet.row("cloud") and app(hub, "cloud-docmill"), within=0)
    for site in ("cloud", "edge"):
        fleet.expect(f"retire: {site}", 0, "retire", site, "--yes", says="what runs there goes on")
    checks.check("retired: the hub has no Application of the cloud", lambda: not hub.get("applications.argoproj.io", "-n", "argocd", "-l", "docmill.io/site=cloud")["items"], within=30)
    checks.check("retired: status knows neither", lambda: not fleet.row("cloud") and not fleet.row("edge"), within=0)
    fleet.expect("retired: the edge may not report any more", 1, "report", kube=edge, within=15)
    checks.stays("retired: the same pods run on", same, 12)
    checks.check("retired: both convert documents", lambda: fleet.converts(hub) and fleet.converts(edge), within=30)
