"""New versions, old versions and drained nodes, while documents come in."""

import collections

from rig import RELEASE, Failed, get, kubectl, load, pods, ready


def runs(tag):
    """Whether every pod of API and worker is of that version, and ready."""
    found = [pod for name in ("api", "worker") for pod in pods(name)]
    images = {pod["spec"]["containers"][0]["image"].rsplit(":", 1)[1] for pod in found}
    return (images == {tag} and all(map(ready, found))) or Failed(sorted(images))


def revision(helm):
    return helm("history", "docmill", "-o", "json").count('"revision"')


def drained(checks):
    """The node, not that of the servers, with most of docmill's pods."""
    nodes = collections.Counter(pod["spec"]["nodeName"] for name in ("api", "worker") for pod in pods(name))
    return next((node for node, _ in nodes.most_common() if node != checks.nodes[0]), None)


def stage(checks, helm, key):
    # Documents of so many pages take a worker some seconds: each change meets some of them half-way.
    slow = 6000
    with load(checks, "rolling upgrade", key, slow=slow):
        checks.check("helm upgrade to another version", lambda: helm.upgrade("--set", "image.tag=v2"))
        checks.check("every pod is of that version", lambda: runs("v2"), within=180)
    with load(checks, "rollback", key, slow=slow):
        checks.check("helm rollback", lambda: helm("rollback", "docmill", str(revision(helm) - 1), "--wait", "--timeout", "300s"))
        checks.check("every pod is of the version before", lambda: runs("v1"), within=180)
    drain(checks, key, slow)
    with load(checks, "upgrade to an image that is not there", key):
        checks.check("helm upgrade to an image that is not there fails", lambda: fails(helm))
        checks.check("the old version's pods are ready throughout", lambda: all(
            sum(ready(pod) for pod in pods(name) if pod["spec"]["containers"][0]["image"].endswith(":v1")) >= 2 for name in ("api", "worker")))
    checks.check("helm rollback puts it right", lambda: helm("rollback", "docmill", str(revision(helm) - 1), "--wait", "--timeout", "300s") and runs("v1"))


def fails(helm):
    try:
        helm.upgrade("--set", "image.tag=missing", wait=45)
    except RuntimeError as error:
        return str(error)
    return False


def drain(checks, key, slow):
    if len(checks.nodes) < 2:
        checks.left_out("the drained node", "the cluster has one")
        return
    with load(checks, "node drain", key, slow=slow):
        node = drained(checks)
        held = [pod["metadata"]["name"] for name in ("api", "worker") for pod in pods(name) if pod["spec"]["nodeName"] == node]
        try:
            checks.check(f"kubectl drain of a node with {len(held)} of docmill's pods", lambda: held and kubectl(
                "drain", node, "--pod-selector=app.kubernetes.io/name=docmill", "--delete-emptydir-data", "--ignore-daemonsets", "--timeout=300s"))
            checks.check("they are replaced on other nodes", lambda: all(
                len(pods(name)) == 2 and all(ready(pod) and pod["spec"]["nodeName"] != node for pod in pods(name)) for name in ("api", "worker")), within=180)
        finally:
            kubectl("uncordon", node)
    checks.figures["drained_pods"] = len(held)
    checks.check("the PodDisruptionBudgets let one pod go at a time", lambda: all(
        budget["spec"]["maxUnavailable"] == 1 for budget in get("pdb", "-n", RELEASE)["items"]) and len(get("pdb", "-n", RELEASE)["items"]) == 2)
