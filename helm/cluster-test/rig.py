"""What the stages of the cluster test share: checks with their seconds, kubectl and helm, docmill as it is called from the cluster."""

import contextlib
import json
import os
import pathlib
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RELEASE, SERVERS, CLIENT, EDGE = "docmill-test", "docmill-test-servers", "docmill-test-client", "docmill-test-edge"
API = f"http://docmill-api.{RELEASE}.svc:8080"


class Checks:
    """Runs checks, prints a line for each, and keeps them for the ledger."""

    def __init__(self):
        self.rows, self.out, self.figures, self.began = [], [], {}, time.time()

    def check(self, name, probe, within=0, every=0.5):
        """Waits until probe() gives something true, for at most `within` seconds; what it raises counts as not yet."""
        began = time.time()
        while True:
            try:
                value = probe()
                why = f"still {value!r}"
            except Exception as error:  # noqa: BLE001 whatever it is, the check has not passed
                value, why = False, f"{type(error).__name__}: {error}"
            if value or time.time() - began > within:
                break
            time.sleep(every)
        seconds = round(time.time() - began, 1)
        self.rows.append({"check": name, "passed": bool(value), "seconds": seconds} | ({} if value else {"why": why[-900:]}))
        print(f"{'ok  ' if value else 'FAIL'}  {name} ({seconds} s)", flush=True)
        if not value:
            print("      " + why[-900:].replace("\n", "\n      "), flush=True)
        return value

    def left_out(self, what, why):
        self.out.append(f"{what}: {why}")
        print(f"left out: {what}, because {why}", flush=True)

    @property
    def failed(self):
        return sum(not row["passed"] for row in self.rows)


def run(*words, text=None, check=True, within=600):
    done = subprocess.run([str(word) for word in words], input=text, capture_output=True, text=True, timeout=within)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(str(word) for word in words)[:160]}: {(done.stderr or done.stdout).strip()[-700:]}")
    return done.stdout


def kubectl(*words, **options):
    return run(os.environ["KUBECTL"], *words, **options)


def get(*words):
    return json.loads(kubectl("get", *words, "-o", "json"))


def pods(component, namespace=RELEASE):
    """The pods of one component that are not on their way out."""
    found = get("pods", "-n", namespace, "-l", f"app.kubernetes.io/name=docmill,app.kubernetes.io/component={component}")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def ready(pod):
    return any(part["type"] == "Ready" and part["status"] == "True" for part in pod["status"].get("conditions", []))


def restarts(namespace=RELEASE):
    """Containers' ends by what ended them."""
    ends = {}
    for pod in get("pods", "-n", namespace)["items"]:
        for container in pod["status"].get("containerStatuses", []):
            for state in (container["lastState"], container["state"]):
                if "terminated" in state:
                    ends[state["terminated"]["reason"]] = ends.get(state["terminated"]["reason"], 0) + 1
    return ends


class Helm:
    """One release of a chart, with the values of the test."""

    def __init__(self, chart, namespace=RELEASE, presets=("qa",), values=HERE / "release.yaml", words=(), name="docmill"):
        self.chart, self.namespace, self.name = chart, namespace, name
        self.files = [word for preset in presets for word in ("--values", ROOT / f"helm/docmill/values-{preset}.yaml")] + ["--values", values, *words]

    def __call__(self, *words, **options):
        return run(os.environ["HELM"], "--namespace", self.namespace, *words, **options)

    def upgrade(self, *words, wait=300, **options):
        """Installs, or upgrades to exactly these values."""
        waiting = ["--wait", "--timeout", f"{wait}s"] if wait else []
        return self("upgrade", "--install", self.name, self.chart, *self.files, *waiting, *words, within=wait + 120, **options)


def client(*words):
    """Python in the client's pod."""
    return subprocess.Popen([os.environ["KUBECTL"], "exec", "-i", "-n", CLIENT, "client", "--", "python3", *words],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def start(program, *words):
    """A program that runs there; `client` is imported, `argv` holds the words."""
    return client("-c", f"import json, sys, time, client\nargv = sys.argv[1:]\n{program}", *words)


def inside(program, *words, within=900):
    """What it prints."""
    process = start(program, *words)
    try:
        out, errors = process.communicate(timeout=within)
    finally:
        process.kill()
    if process.returncode:
        raise RuntimeError(errors.strip()[-700:])
    return out.strip()


def told(program, *words, **options):
    """The last line of it, as JSON."""
    return json.loads(inside(program, *words, **options).splitlines()[-1])


def reaches(namespace, pod, address, port, container=None):
    """Whether a connection from a pod is taken there."""
    program = ("import socket, sys\ntry:\n    socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).close(); print('reached')\n"
               "except OSError as error: print('refused', error)")
    words = ["-c", container] if container else []
    return kubectl("exec", "-n", namespace, pod, *words, "--", "python3", "-c", program, address, str(port)).startswith("reached")


@contextlib.contextmanager
def load(checks, name, key, threads=3, slow=0, may_fail=False):
    """Has the client upload and read for as long as the block runs, then counts. What it told is yielded, once the block has ended."""
    process = client("-u", "/test/load.py", API, key, f"{name.replace(' ', '-')}-{int(time.time())}", str(threads), str(slow))
    told = {}
    try:
        assert process.stdout.readline().strip() == "begun", process.stderr.read()
        time.sleep(3)
        yield told
        time.sleep(3)
        out, errors = process.communicate("", timeout=900)
        told.update(json.loads(out.splitlines()[-1]) if process.returncode == 0 else {"error": errors[-500:]})
    finally:
        process.kill()
    checks.figures.setdefault("loads", {})[name] = told
    what = f"{name}: {told.get('documents')} documents, {told.get('requests')} requests in {told.get('seconds')} s"
    if may_fail:
        checks.check(f"{what}; none lost, none doubled", lambda: told["lost"] == told["doubled"] == 0 < told["documents"] or Failed(told))
    else:
        checks.check(f"{what}; none failed, none lost, none doubled",
                     lambda: told["failed"] == told["lost"] == told["doubled"] == 0 < told["documents"] or Failed(told))


class Failed:
    """What a check found instead; false, and tells what."""

    def __init__(self, what):
        self.what = what

    def __bool__(self):
        return False

    def __repr__(self):
        return json.dumps(self.what)[:900]
