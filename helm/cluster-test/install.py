"""Servers and docmill from nothing; what a container may not do; what remains when all is taken away."""

import base64
import json
import secrets
import time
import typing

from rig import API, CLIENT, EDGE, HERE, RELEASE, SERVERS, Failed, Helm, get, inside, kubectl, pods, ready, told

RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


def namespaces(*names):
    for name in names:
        kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}))


def secret(namespace, name, **values):
    kubectl("apply", "-f", "-", text=json.dumps({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
        "data": {key.replace("__", "."): base64.b64encode(value.encode()).decode() for key, value in values.items()}}))


def servers(checks):
    """Namespaces, secrets, the servers and the client; the API key."""
    word, key = secrets.token_hex(16), f"dmk_{secrets.token_hex(32)}"
    namespaces(RELEASE, SERVERS, CLIENT)
    secret(RELEASE, "docmill", catalog__password=word, blob__access_key_id="docmill", blob__secret_access_key=word, api__first_key=key)
    secret(RELEASE, "docmill-smoke", **{"api-key": key})
    files = {name: (HERE / name).read_text() for name in ("client.py", "load.py")}
    kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "client", "namespace": CLIENT}, "data": files}))
    manifests = (HERE / "servers.yaml").read_text().replace("@NODE@", checks.nodes[0]).replace("@SECRET@", word)
    checks.check("PostgreSQL, SeaweedFS and NATS are ready, in a namespace of their own", lambda: kubectl("apply", "-f", "-", text=manifests) and all(
        kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod", "--all", "--timeout=180s") for namespace in (SERVERS, CLIENT)))
    return key


def first_document(helm, key, *words):
    """From nothing to the first text, in seconds: helm without waiting, then whoever calls first is served."""
    began = time.time()
    helm.upgrade(*words, wait=0)
    applied = time.time() - began
    name = inside("""
docmill, until = client.Docmill(argv[0], argv[1]), time.time() + 240
while True:
    try:
        receipt = docmill.upload(f'first-{time.time_ns()}', b'The first document.', wait=60, within=65)
        assert docmill.text(receipt['document_id']).strip() == 'The first document.'
        break
    except (client.Failed, AssertionError) as error:
        if time.time() > until: raise
        time.sleep(0.2)
print(receipt['document_id'])""", API, key)
    return {"document": name, "seconds": round(time.time() - began, 1), "of_which_helm": round(applied, 1)}


def stage(checks, helm, key):
    def install():
        checks.figures["first_document"] = first_document(helm, key)
        return checks.figures["first_document"]

    converted = checks.check("install from nothing to the first converted document, images preloaded", install)
    if converted:
        print(f"      first converted document after {converted['seconds']} s")
    checks.check("every pod of the release becomes ready", lambda: helm.upgrade(wait=240) and all(
        ready(pod) for name in ("api", "worker") for pod in pods(name)))
    checks.check("helm test sends a document", lambda: "Phase:          Succeeded" in helm("test", "docmill", "--timeout", "180s"))
    confined(checks)


def confined(checks):
    """What a container cannot do."""
    refused = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "refused", "namespace": RELEASE},
               "spec": {"containers": [{"name": "it", "image": "docker.io/docmill-test/tools:v1", "securityContext": {"privileged": True}}]}}

    def privileged():
        try:
            kubectl("apply", "--dry-run=server", "-f", "-", text=json.dumps(refused))
        except RuntimeError as error:
            return 'violates PodSecurity "restricted' in str(error)
        return False

    checks.check("the namespace enforces the restricted Pod Security Standard, and the release runs in it", privileged)
    for component in ("api", "worker"):
        pod = pods(component)[0]["metadata"]["name"]

        def shell(pod=pod):
            for program in ("sh", "/bin/sh", "/bin/bash", "/busybox/sh"):
                try:
                    kubectl("exec", "-n", RELEASE, pod, "--", program, "-c", "true")
                    return Failed(program)
                except RuntimeError as error:
                    assert "no such file" in str(error) or "not found" in str(error), error
            return True

        checks.check(f"{component}: there is no shell in the container", shell)
        debugger = attach(pod, component)
        writes = """
import os
said = {}
for path in ('/probe', '/usr/local/bin/probe', '/etc/docmill/probe', '/run/secrets/docmill/probe', '/tmp/probe'):
    try:
        open('/proc/1/root' + path, 'w').close(); os.unlink('/proc/1/root' + path); said[path] = 'written'
    except OSError as error: said[path] = error.strerror
try: os.setuid(0); said['root'] = 'became root'
except OSError as error: said['root'] = error.strerror
status = dict(line.split(':', 1) for line in open('/proc/1/status'))
print(json.dumps(said | {name: status[name].strip() for name in ('Uid', 'CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp')}))"""

        def confinement(pod=pod, debugger=debugger):
            said = json.loads(kubectl("exec", "-n", RELEASE, pod, "-c", debugger, "--", "python3", "-c", "import json" + writes))
            checks.figures.setdefault("confinement", {})[component] = said
            held = all("ead-only" in said[path] for path in said if path.startswith("/") and path != "/tmp/probe") and said["/tmp/probe"] == "written"
            held = held and said["Uid"].split() == ["65532"] * 4 and int(said["CapEff"], 16) == int(said["CapBnd"], 16) == 0
            return (held and said["root"] != "became root" and said["NoNewPrivs"] == "1" and said["Seccomp"] == "2") or Failed(said)

        checks.check(f"{component}: from inside the container, a write to / is refused, and to /tmp it is not; no user but 65532, no capability", confinement)


def attach(pod, component, namespace=RELEASE):
    """A container with a Python beside the program, in its network and among its processes; its name."""
    name = f"probe-{int(time.time())}"
    kubectl("debug", "-n", namespace, pod, "--image=docker.io/docmill-test/tools:v1", "--image-pull-policy=IfNotPresent",
            f"--container={name}", f"--target={component}", "--profile=restricted", "--attach=false", "--quiet", "--", "python3", "-c", "import time; time.sleep(1e6)")
    until = time.time() + 60
    while time.time() < until:
        states = get("pod", "-n", namespace, pod)["status"].get("ephemeralContainerStatuses", [])
        if any(state["name"] == name and "running" in state["state"] for state in states):
            return name
        time.sleep(0.3)
    raise RuntimeError(f"{name} does not start in {pod}: {states}")


def left(namespace):
    """Everything in a namespace that the test or the cluster itself did not put there."""
    kinds = kubectl("api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
    derived = ("events", "endpoints", "endpointslices", "leases")
    kinds = [kind for kind in kinds if kind.split(".")[0] not in derived and not kind.endswith("metrics.k8s.io")]
    items = get(",".join(kinds), "-n", namespace)["items"]
    names = {f"{item['kind']}/{item['metadata']['name']}" for item in items}
    return sorted(names - {"ServiceAccount/default", "ConfigMap/kube-root-ca.crt", "Secret/docmill", "Secret/docmill-smoke"})


def uninstall(checks, helm):
    checks.check("helm uninstall", lambda: helm("uninstall", "docmill", "--wait", "--timeout", "180s"))
    checks.check("it leaves nothing but the Secrets that were made by hand", lambda: not left(RELEASE) or Failed(left(RELEASE)), within=60)


def embedded(checks):
    """The all-in-one: no server but itself, and a volume that outlives it."""
    key = f"dmk_{secrets.token_hex(32)}"
    namespaces(EDGE)
    secret(EDGE, "docmill", api__first_key=key)
    secret(EDGE, "docmill-smoke", **{"api-key": key})
    # Other stages drain nodes; this one's requests are open meanwhile.
    node = f"embedded.nodeSelector.kubernetes\\.io/hostname={checks.nodes[0]}"
    edge = Helm(checks.chart, EDGE, ("dev",), HERE / "edge.yaml", ["--set", node])
    address = f"http://docmill-embedded.{EDGE}.svc:8080"

    def install():
        began = time.time()
        edge.upgrade()
        document = told("docmill = client.Docmill(*argv)\nreceipt = docmill.upload('edge', b'At the edge.', wait=60)\n"
                        "print(json.dumps([receipt['document_id'], docmill.text(receipt['document_id']).strip()]))", address, key)
        checks.figures["first_document_embedded"] = {"seconds": round(time.time() - began, 1)}
        return document[1] == "At the edge." and document[0]

    document = checks.check("the all-in-one: install from nothing to the first converted document", install)
    checks.check("the all-in-one: helm test", lambda: "Phase:          Succeeded" in edge("test", "docmill", "--timeout", "180s"))
    return Edge(edge, key, address, document)


class Edge(typing.NamedTuple):
    """The all-in-one, its first document with it."""

    helm: Helm
    key: str
    address: str
    document: str


def uninstall_embedded(checks, edge):
    checks.check("the all-in-one: helm uninstall", lambda: edge.helm("uninstall", "docmill", "--wait", "--timeout", "180s"))
    checks.check("the all-in-one: it leaves its volume, and nothing else but Secrets",
                 lambda: left(EDGE) == ["PersistentVolumeClaim/data-docmill-embedded-0"] or Failed(left(EDGE)), within=60)

    def again():
        edge.helm.upgrade()
        return told("print(json.dumps(client.Docmill(*argv[:2]).text(argv[2]).strip()))", edge.address, edge.key, edge.document) == "At the edge."

    # A pod that is ready is reached through its Service once every node has heard of it.
    checks.check("the all-in-one: installed again, it has its documents", again, within=30)


def cleanup():
    """Takes away all that the test made."""
    for release, namespace in (("docmill", EDGE), ("docmill", RELEASE)):
        if kubectl("get", "namespace", namespace, "--ignore-not-found"):
            Helm("", namespace)("uninstall", release, "--ignore-not-found", "--wait", "--timeout", "120s", check=False)
    kubectl("delete", "namespace", RELEASE, SERVERS, CLIENT, EDGE, "--ignore-not-found", "--timeout=180s")
