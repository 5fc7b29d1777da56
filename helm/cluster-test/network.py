"""NetworkPolicies: what docmill needs passes under default deny (every other stage runs so), and what it does not need is refused."""

import json

from install import attach
from rig import CLIENT, RELEASE, SERVERS, Failed, get, kubectl, pods, reaches


def address(namespace, pod):
    return get("pod", "-n", namespace, pod)["status"]["podIP"]


def enforced():
    """Whether anything enforces NetworkPolicies here: one that denies all, on a pod that was reached before."""
    target = address(SERVERS, "nats")
    assert reaches(CLIENT, "client", target, 4222)
    deny = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "deny", "namespace": CLIENT},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}}
    kubectl("apply", "-f", "-", text=json.dumps(deny))
    try:
        return any(not reaches(CLIENT, "client", target, 4222) for _ in range(5))
    finally:
        kubectl("delete", "networkpolicy", "-n", CLIENT, "deny")


def stage(checks, helm, key):
    if not checks.figures["network_policy"]["enforced"]:
        checks.left_out("refused connections", "no engine enforces NetworkPolicies here")
        return
    api, worker = pods("api")[0]["metadata"]["name"], pods("worker")[0]["metadata"]["name"]
    within = {"api": (RELEASE, api, attach(api, "api")), "worker": (RELEASE, worker, attach(worker, "worker")),
              "the client": (CLIENT, "client", None), "a stranger": (SERVERS, "nats", None)}
    for component in ("smoke", "provision"):
        within[component] = (RELEASE, stand_in(component), None)
    kubernetes = get("service", "-n", "default", "kubernetes")["spec"]["clusterIP"]
    to = {"api:8080": (address(RELEASE, api), 8080), "api:9464": (address(RELEASE, api), 9464), "worker:9464": (address(RELEASE, worker), 9464),
          "PostgreSQL": (address(SERVERS, "postgres"), 5432), "SeaweedFS": (address(SERVERS, "store"), 8333), "NATS": (address(SERVERS, "nats"), 4222),
          "NATS' other port": (address(SERVERS, "nats"), 8222), "the Kubernetes API": (kubernetes, 443)}

    def connection(source, target):
        namespace, pod, container = within[source]
        return reaches(namespace, pod, *to[target], container=container)

    servers = ("PostgreSQL", "SeaweedFS", "NATS")
    needed = [(source, target) for source in ("api", "worker", "provision") for target in servers] + [
        ("smoke", "api:8080"), ("the client", "api:8080"), ("the client", "api:9464"), ("the client", "worker:9464"), ("a stranger", "PostgreSQL"),
        ("a stranger", "NATS' other port"), ("a stranger", "the Kubernetes API")]
    unneeded = [("api", "worker:9464"), ("api", "NATS' other port"), ("api", "the Kubernetes API"), ("worker", "api:8080"), ("worker", "api:9464"),
                ("worker", "NATS' other port"), ("worker", "the Kubernetes API"), ("provision", "api:8080"), ("provision", "the Kubernetes API"),
                ("smoke", "api:9464"), ("smoke", "PostgreSQL"), ("smoke", "the Kubernetes API"), ("a stranger", "api:8080"), ("a stranger", "api:9464"),
                ("a stranger", "worker:9464")]
    checks.check(f"{len(needed)} connections that are needed, or show that somebody listens, pass", lambda: all_are(True, needed, connection), within=20)
    checks.check(f"{len(unneeded)} connections that nobody needs are refused, by {checks.figures['network_policy']['engine']}",
                 lambda: all_are(False, unneeded, connection), within=20)
    checks.figures["network_policy"] |= {"passed": needed, "refused": unneeded}
    for component in ("smoke", "provision"):
        kubectl("delete", "pod", "-n", RELEASE, within[component][1], "--wait=false")


def all_are(expected, connections, connection):
    wrong = [f"{source} to {target}" for source, target in connections if connection(source, target) != expected]
    return not wrong or Failed(wrong)


def stand_in(component):
    """A pod with the labels of a component whose own pods end at once."""
    name = f"{component}-stand-in"
    spec = get("pod", "-n", SERVERS, "nats")["spec"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": RELEASE, "labels": {
        "app.kubernetes.io/name": "docmill", "app.kubernetes.io/instance": "docmill", "app.kubernetes.io/component": component}},
        "spec": {"automountServiceAccountToken": False, "securityContext": spec["securityContext"], "terminationGracePeriodSeconds": 1, "containers": [{
            "name": "it", "image": "docker.io/docmill-test/tools:v1", "command": ["python3", "-c", "import time; time.sleep(1e6)"],
            "securityContext": spec["containers"][0]["securityContext"]}]}}
    kubectl("apply", "-f", "-", text=json.dumps(pod))
    kubectl("wait", "-n", RELEASE, "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    return name
