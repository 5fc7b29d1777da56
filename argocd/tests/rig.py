"""What the tests of argocd/ share: checks with a ledger, kubectl, a repository, and programs that end with the test."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def tools(*names):
    """Paths of tools, which scripts/kubernetes-tools fetches or builds first."""
    done = subprocess.run([ROOT / "scripts/kubernetes-tools", *names], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.split()


class Checks:
    """Runs checks one after another, prints a line for each, and keeps them for the ledger."""

    def __init__(self):
        self.rows, self.facts, self.began = [], {}, time.time()

    def stage(self, name):
        print(f"== {name} (after {round(time.time() - self.began)} s)", flush=True)

    def fact(self, name, value):
        """Something measured, or that figures must be read with."""
        self.facts[name] = value
        print(f"      {name}: {value}", flush=True)

    def check(self, name, probe, within=60, every=0.3):
        """Waits until probe() gives something true, for at most `within` seconds; what it raises counts as not yet."""
        began, last = time.time(), None
        while True:
            try:
                value = probe()
                if value:
                    return self.row(name, True, began, "" if value is True else str(value)[:300])
                last = f"still {value!r}"
            except Exception as error:  # noqa: BLE001 whatever it is, the check has not passed yet
                last = f"{type(error).__name__}: {error}"
            if time.time() - began > within:
                return self.row(name, False, began, (last or "")[:600])
            time.sleep(every)

    def stays(self, name, probe, seconds, every=1):
        """That probe() gives something true at every look, for so long."""
        began = time.time()
        while True:
            try:
                value, detail = probe(), ""
            except Exception as error:  # noqa: BLE001 whatever it is, it did not stay
                value, detail = False, f"{type(error).__name__}: {error}"
            if not value or time.time() - began >= seconds:
                return self.row(name, bool(value), began, detail[:600] or f"no longer after {round(time.time() - began, 1)} s")
            time.sleep(every)

    def row(self, name, passed, began, detail):
        seconds = round(time.time() - began, 1)
        self.rows.append({"check": name, "passed": passed, "seconds": seconds, "detail": detail})
        print(f"{'ok   ' if passed else 'FAIL '} {name} ({seconds} s){'' if passed or not detail else ': ' + detail}", flush=True)
        return passed

    def ledger(self, path):
        failed = sum(not row["passed"] for row in self.rows)
        ledger = {"began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.began)), "seconds": round(time.time() - self.began),
                  "passed": len(self.rows) - failed, "failed": failed, "facts": self.facts, "checks": self.rows}
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(ledger, indent=1) + "\n")
        print(f"ledger: {path}")
        print(f"{len(self.rows) - failed} passed, {failed} failed")
        return failed == 0


class Kube:
    """kubectl for one cluster."""

    def __init__(self, kubectl, kubeconfig, prefix=()):
        self.kubectl, self.kubeconfig, self.prefix = kubectl, kubeconfig, list(prefix)

    def __call__(self, *words, text=None, check=True):
        command = [*self.prefix, self.kubectl, "--kubeconfig", self.kubeconfig, "--request-timeout=60s", *words]
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        if check and done.returncode:
            raise RuntimeError(f"kubectl {' '.join(words)[:200]}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def get(self, *words):
        return json.loads(self("get", *words, "-o", "json"))

    def apply(self, objects, *words):
        items = objects if isinstance(objects, list) else [objects]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        return self("apply", "--server-side", "--force-conflicts", "-f", "-", *words, text=text)


def state(app):
    """sync and health of an Application."""
    status = app.get("status", {})
    return status.get("sync", {}).get("status"), status.get("health", {}).get("status")


class Repository:
    """A bare repository with a commit's argocd/ and helm/, and a clone to commit from."""

    def __init__(self, folder, url, commit):
        self.bare, self.clone = pathlib.Path(folder) / "git/fleet.git", pathlib.Path(folder) / "clone"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", self.bare], check=True)
        subprocess.run(["git", "init", "-q", "-b", "main", self.clone], check=True)
        for key, value in {"user.name": "fleet test", "user.email": "fleet@example.com", "gc.auto": "0"}.items():
            self.git("config", key, value)
        self.git("remote", "add", "origin", str(self.bare))
        files = subprocess.run(["git", "archive", commit, "argocd", "helm"], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
        subprocess.run(["tar", "-C", self.clone, "-x"], input=files, check=True)
        root = self.clone / "argocd/root.yaml"
        lines = root.read_text().splitlines(keepends=True)
        places = [at for at, line in enumerate(lines) if line.lstrip().startswith("repoURL:")]
        assert len(places) == 1, "the repository's address stands in one place"
        lines[places[0]] = f"    repoURL: {url}\n"
        root.write_text("".join(lines))

    def git(self, *words):
        done = subprocess.run(["git", "-C", self.clone, *words], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"git {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def commit(self, message):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        self.git("push", "-q", "origin", "main")
        return self.git("rev-parse", "HEAD")

    def pull(self):
        self.git("pull", "-q", "--rebase", "origin", "main")

    def edit(self, path, *pairs):
        file = self.clone / path
        text = file.read_text()
        for old, new in pairs:
            assert old in text, f"{path} holds no {old!r}"
            text = text.replace(old, new)
        file.write_text(text)

    def write(self, path, text):
        (self.clone / path).parent.mkdir(parents=True, exist_ok=True)
        (self.clone / path).write_text(text)


class Processes:
    """Programs that end with the test, however it ends."""

    def __init__(self, logs):
        self.logs, self.running = pathlib.Path(logs), {}
        self.logs.mkdir(parents=True, exist_ok=True)

    def start(self, name, command, env=None, prefix=()):
        log = open(self.logs / f"{name}.log", "ab")
        # setpriv has the kernel end the program when this test, or what started it for the test elsewhere, dies.
        self.running[name] = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *prefix, *map(str, command)], stdin=subprocess.DEVNULL, stdout=log,
                                              stderr=log, env={**os.environ, **(env or {})}, start_new_session=True)

    def stop(self, name):
        process = self.running.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def end(self):
        for name in list(self.running):
            self.stop(name)


@contextlib.contextmanager
def workspace(keep=None):
    """A folder for everything, and the programs in it; both gone afterwards."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="docmill-fleet-"))
    processes = Processes(folder / "logs")
    try:
        yield folder, processes
    finally:
        processes.end()
        if keep:
            shutil.copytree(processes.logs, keep, dirs_exist_ok=True, ignore=shutil.ignore_patterns("tmp", "bin", "plugin"))
        shutil.rmtree(folder, ignore_errors=True)
