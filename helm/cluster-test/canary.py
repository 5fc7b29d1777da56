"""A canary that is judged by a document: a good version is promoted, one that answers wrongly is not."""

from rig import API, RELEASE, Failed, get, kubectl, told

TEXT = """
docmill = client.Docmill(*argv)
document = docmill.upload(f'canary-{time.time_ns()}', b'served', wait=60)['document_id']
print(json.dumps(docmill.text(document).strip()))"""


def rollout():
    return get("rollout", "-n", RELEASE, "docmill-api")["status"]


def healthy():
    return rollout().get("phase") == "Healthy"


def aborted():
    return rollout().get("abort") is True and analyses()[-1][1] == "Failed"


def analyses():
    return sorted((run["metadata"]["creationTimestamp"], run["status"]["phase"]) for run in get("analysisrun", "-n", RELEASE)["items"])


def verdict():
    """What the Job of the newest analysis said."""
    newest = max(get("analysisrun", "-n", RELEASE)["items"], key=lambda run: run["metadata"]["creationTimestamp"])
    return kubectl("logs", "-n", RELEASE, f"job/{newest['status']['metricResults'][0]['measurements'][-1]['metadata']['job-name']}")


def image():
    return {pod["spec"]["containers"][0]["image"] for pod in get("pods", "-n", RELEASE, "-l", "app.kubernetes.io/component=api")["items"]}


def stage(checks, helm, key):
    if not kubectl("get", "crd", "rollouts.argoproj.io", "--ignore-not-found"):
        checks.left_out("the canary Rollout", "the cluster has no Argo Rollouts")
        return
    canary = ["--set", "api.kind=Rollout,api.rollout.weights={50}"]
    helm.upgrade(*canary, wait=0)
    checks.check("API as a Rollout: the first version is healthy", lambda: healthy() and rollout()["readyReplicas"] == 2, within=180)
    helm.upgrade(*canary, "--set", "image.tag=v2", wait=0)
    checks.check("a good version is promoted by its document", lambda: healthy() and image() == {"docmill/docmill-api:v2"}, within=300)
    checks.check("its analysis was a success", lambda: [phase for _, phase in analyses()][-1:] == ["Successful"] or Failed(analyses()))
    helm.upgrade(*canary, "--set", "image.tag=v2,api.image.repository=docmill-test/wrong-api", wait=0)
    checks.check("a version that answers wrongly is aborted", lambda: aborted() or Failed(analyses()), within=300)
    checks.check("because its document came out wrong", lambda: "the text that came out is not the one that went in" in verdict() or Failed(verdict()))
    checks.check("the version before goes on serving, alone", lambda: image() == {"docmill/docmill-api:v2"}, within=180)
    checks.check("and reads documents", lambda: all(told(TEXT, API, key) == "served" for _ in range(3)))
    checks.figures["canary"] = {"analyses": [phase for _, phase in analyses()]}
    helm.upgrade()
