"""Workers that die in the middle of a document, and a document that wants all memory there is."""

import json

from install import attach
from rig import API, RELEASE, Failed, inside, kubectl, pods, restarts, told

BEGIN = """
docmill = client.Docmill(argv[0], argv[1])
jobs = []
for n in range(int(argv[2])):
    pages = [f'killed {argv[3]} {n} page {page}' for page in range(40000)]
    receipt = docmill.upload(f'killed-{argv[3]}-{n}', b''.join(client.pdf(*pages)), 'application/pdf')
    jobs.append([receipt['document_id'], receipt['job_id']])
until = time.time() + 60
while not all(docmill.json('GET', f'/v1/jobs/{job}')['state'] == 'running' for _, job in jobs[:int(argv[4])]):
    assert time.time() < until, 'nothing runs'
    time.sleep(0.1)
print(json.dumps(jobs))"""

END = """
docmill = client.Docmill(argv[0], argv[1])
ends = []
for n, (document, job) in enumerate(json.loads(argv[2])):
    end = docmill.ended(job)
    right = docmill.text(document).split() == ' '.join(f'killed {argv[3]} {n} page {page}' for page in range(40000)).split()
    ends.append([end['state'], end['attempts'], right])
print(json.dumps(ends))"""

# What the kernel counted of the program's own container.
OOM = """
import json
for path in ('/proc/1/root/sys/fs/cgroup/memory.events', '/proc/1/root/sys/fs/cgroup/memory/memory.oom_control'):
    try: print(json.dumps(dict(line.split() for line in open(path))['oom_kill'])); break
    except FileNotFoundError: pass"""


def stage(checks, helm, key):
    killed(checks, key)
    hoarding(checks, key)


def killed(checks, key):
    jobs = told(BEGIN, API, key, "4", "pods", "2")
    names = [pod["metadata"]["name"] for pod in pods("worker")]
    checks.check(f"{len(names)} worker pods are killed, each in the middle of a document of 40,000 pages",
                 lambda: kubectl("delete", "pod", "-n", RELEASE, *names, "--grace-period=0", "--force"))

    def ended():
        ends = told(END, API, key, json.dumps(jobs), "pods")
        checks.figures["killed"] = {"documents": len(ends), "attempts": [attempts for _, attempts, _ in ends]}
        return (all(state == "succeeded" and right for state, _, right in ends) and max(attempts for _, attempts, _ in ends) > 1) or Failed(ends)

    checks.check("others take the documents over, and every one comes out right", ended)


def hoarding(checks, key):
    names = [pod["metadata"]["name"] for pod in pods("worker")]
    probes = {name: attach(name, "worker") for name in names}

    def ends():
        end = told("docmill = client.Docmill(*argv)\nreceipt = docmill.upload(f'hoard-{time.time_ns()}', client.hoard(), 'text/html')\n"
                   "print(json.dumps(docmill.ended(receipt['job_id'])))", API, key)
        checks.figures["hoard"] = {"state": end["state"], "code": (end.get("failure") or {}).get("code"), "attempts": end["attempts"]}
        return checks.figures["hoard"]["code"] == "memory_limit" or Failed(end)

    checks.check("a page whose tree needs more memory than a document may have: its child dies by its own limit (memory_limit)", ends)

    def counted():
        counts = {name: int(json.loads(kubectl("exec", "-n", RELEASE, name, "-c", probe, "--", "python3", "-c", OOM))) for name, probe in probes.items()}
        checks.figures["oom_kills"] = {"cgroup": counts, "ends": restarts()}
        same = [pod["metadata"]["name"] for pod in pods("worker") if pod["status"]["containerStatuses"][0]["restartCount"] == 0]
        return (set(counts.values()) == {0} and "OOMKilled" not in restarts() and set(same) == set(names)) or Failed([counts, restarts(), same])

    checks.check("the kernel killed nothing in the workers' containers, and none was started again", counted)
    checks.check("the next document is read", lambda: inside("docmill = client.Docmill(*argv)\nr = docmill.upload(f'after-{time.time_ns()}', b'after', wait=60)\n"
                                                             "print(docmill.text(r['document_id']))", API, key) == "after")
