"""Pods that come with the load and go with it: the API by its processors, the workers by the jobs that are due and running."""

import json
import time

from rig import API, RELEASE, Failed, get, kubectl, start, told

# The autoscaler has set the number of pods, which Helm takes back only if told to.
UNSCALED = "--force-conflicts"

# Ends with its standard input.
BUSY = """
import os, threading
docmill = client.Docmill(argv[0], argv[1])
def call():
    while True:
        try: docmill.call('GET', '/v1/documents?limit=100')
        except client.Failed: pass
for _ in range(8): threading.Thread(target=call, daemon=True).start()
sys.stdin.read()
os._exit(0)"""

QUEUE = """
docmill = client.Docmill(argv[0], argv[1])
jobs = []
for n in range(int(argv[2])):
    pages = [f'scaled {argv[3]} {n} page {page}' for page in range(20000)]
    jobs.append(docmill.upload(f'scaled-{argv[3]}-{n}', b''.join(client.pdf(*pages)), 'application/pdf')['job_id'])
print(json.dumps(jobs))"""

ATTEMPTS = """
docmill = client.Docmill(*argv[:2])
ends = [docmill.ended(job) for job in json.loads(argv[2])]
print(json.dumps([[end['state'], end['attempts']] for end in ends]))"""


def has(group):
    return group in kubectl("api-versions").split()


def replicas(name):
    return get("deployment", "-n", RELEASE, name)["status"].get("readyReplicas", 0)


def wanted():
    return get("deployment", "-n", RELEASE, "docmill-worker")["spec"]["replicas"]


def stage(checks, helm, key):
    if has("metrics.k8s.io/v1beta1"):
        by_processor(checks, helm, key)
    else:
        checks.left_out("API 1 → N → 1 by HPA", "the cluster has no metrics-server")
    if has("keda.sh/v1alpha1"):
        by_work(checks, helm, key)
    else:
        checks.left_out("workers 0 → N → 0 by KEDA", "the cluster has no KEDA")
    helm.upgrade(UNSCALED)


def by_processor(checks, helm, key):
    helm.upgrade("--set", "api.hpa.enabled=true,api.hpa.minReplicas=1,api.hpa.maxReplicas=3,api.hpa.scaleDownSeconds=15")
    checks.check("API: one pod without load", lambda: replicas("docmill-api") == 1, within=240)
    process = start(BUSY, API, key)
    try:
        checks.check("API: 1 → 3 under load, by HPA", lambda: replicas("docmill-api") == 3, within=300)
    finally:
        process.communicate()
    checks.check("API: 3 → 1 without it", lambda: replicas("docmill-api") == 1, within=300)


def by_work(checks, helm, key):
    settings = {"enabled": "true", "minReplicas": 0, "maxReplicas": 4, "pollingSeconds": 3, "cooldownSeconds": 10, "fallbackReplicas": 0}
    helm.upgrade(UNSCALED, "--set", ",".join(f"worker.keda.{key}={value}" for key, value in settings.items()), wait=0)
    checks.check("workers: none without work, by KEDA", lambda: wanted() == 0, within=180)
    jobs, most = told(QUEUE, API, key, "12", str(int(time.time()))), 0

    def several():
        nonlocal most
        most = max(most, wanted())
        return most >= 3

    checks.check("workers: 0 → 3 or more with 12 documents due", several, within=180)

    def undisturbed():
        ends = told(ATTEMPTS, API, key, json.dumps(jobs))
        checks.figures["scaled"] = {"most_workers": most, "documents": len(ends), "attempts": [attempts for _, attempts in ends]}
        return all(end == ["succeeded", 1] for end in ends) or Failed(ends)

    checks.check("every document was read at the first attempt: scaling handed none back", undisturbed)
    checks.check("workers: back to 0", lambda: wanted() == 0 == replicas("docmill-worker"), within=240)
