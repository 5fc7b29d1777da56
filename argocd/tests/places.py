"""Where fleet-test runs: on two clusters that are given, or on a testbed in a folder beside the clone.

Either way a place is two clusters, a hub and an edge, each with Argo CD core of its own in the namespace argocd, and this:

  address       at which this machine (or what `prefix` enters) is reached by both clusters: git and the light cluster listen there
  prefix        words before every command that must run where the hub's, or the edge's, API server is reached
  cut, mend     take the edge's network away, and give it back; None where that cannot be done
  preloaded     what was there before the clock ran
"""

import concurrent.futures
import os
import pathlib
import shlex
import shutil
import subprocess

from rig import ROOT, Kube

TESTBED = pathlib.Path(os.environ.get("FLEET_TEST_TESTBED", ROOT.parent / "shared/tools/testbed"))


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))[:200]}: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout.strip()


def again(*words, tries=4, **more):
    """What is harmless to run twice, on a machine that may be too busy for one of its time-outs."""
    for left in reversed(range(tries)):
        try:
            return run(*words, **more)
        except RuntimeError:
            if not left:
                raise


def at_once(step):
    """The same for both clusters."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(step, ("cloud", "edge")))


class Given:
    """Two KUBECONFIGs. FLEET_TEST_ADDRESS must be an address of this machine that pods reach."""

    poll = os.environ.get("FLEET_TEST_POLL", "not known")

    def __init__(self, hub, edge, kubectl):
        if "FLEET_TEST_ADDRESS" not in os.environ:
            raise SystemExit("fleet-test: FLEET_TEST_ADDRESS is not set: an address of this machine that both clusters reach")
        self.address = os.environ["FLEET_TEST_ADDRESS"]
        prefix = {name: shlex.split(os.environ.get(f"FLEET_TEST_{name}_EXEC", "")) for name in ("HUB", "EDGE")}
        self.hub = Kube(kubectl, pathlib.Path(hub).resolve(), prefix["HUB"])
        self.edge = Kube(kubectl, pathlib.Path(edge).resolve(), prefix["EDGE"])
        self.preloaded = "what the clusters were given"
        self.cut, self.mend = (self.command(f"FLEET_TEST_{name}") for name in ("CUT", "MEND"))

    @staticmethod
    def command(name):
        text = os.environ.get(name)
        return (lambda: run("sh", "-c", text)) if text else None

    def prepare(self, archives):
        """FLEET_TEST_LOAD is called with an archive and a kubeconfig; without it, the images are on the nodes already."""
        if loader := os.environ.get("FLEET_TEST_LOAD"):
            for kube in (self.hub, self.edge):
                for archive in archives():
                    run(*shlex.split(loader), archive, kube.kubeconfig)
            self.preloaded = "images"

    def end(self):
        """What was given stays; what the test made goes."""
        for kube in (self.hub, self.edge):
            for words in (("application.argoproj.io", "root", "-n", "argocd"), ("applicationsets.argoproj.io", "-n", "argocd", "-l", "docmill.io/service"),
                          ("applications.argoproj.io", "-n", "argocd", "-l", "docmill.io/site"), ("secrets", "-n", "argocd", "-l", "docmill.io/site"),
                          ("appprojects.argoproj.io", "-n", "argocd", "bootstrap", "clusters", "namespaces", "crds", "platform", "servers", "services"),
                          ("validatingadmissionpolicies,validatingadmissionpolicybindings", "docmill-images-are-pinned", "docmill-pods-hold-no-token"),
                          ("priorityclasses", "docmill-docmill-api", "docmill-docmill-worker"),
                          ("namespaces", "docmill", "postgres", "nats", "seaweedfs", "docmill-fleet")):
                kube("delete", "--ignore-not-found", "--timeout=60s", *words, check=False)


class Testbed:
    """Two clusters of real containers on this machine, each node in namespaces of its own, and Argo CD's programs beside each."""

    poll = "10s"
    preloaded = "images, on both nodes"

    def __init__(self, folder):
        self.state = folder / "testbed"
        os.environ.setdefault("TB_PREFIX", "fleet")
        os.environ.setdefault("TB_NET", "10.93")
        os.environ["TB_STATE"] = str(self.state)
        self.kubectl = shutil.which("kubectl", path=os.environ.get("TB_BIN", "/var/tmp/testbed/bin"))
        if not self.kubectl:
            raise SystemExit(f"fleet-test: run {TESTBED}/build first")
        self.hub, self.edge = (Kube(self.kubectl, self.state / name / "kubeconfig", [str(TESTBED / "in"), name]) for name in ("cloud", "edge"))

    def argo(self):
        def start(name):
            # Where a program asks for the cluster that it runs in, it is given this.
            home = self.state / name / "argo/.kube"
            home.mkdir(parents=True)
            (home / "config").symlink_to(self.state / name / "kubeconfig")
            again(TESTBED / "argo", name, env={
                **os.environ, "TB_ARGO_POLL": self.poll,
                # What argocd/bootstrap says in argocd-cmd-params-cm; a process outside pods reads it from here.
                "ARGOCD_APPLICATION_CONTROLLER_SYNC_TIMEOUT": "900",
                "ARGOCD_APPLICATION_CONTROLLER_SELF_HEAL_BACKOFF_CAP_SECONDS": "30",
                # Nothing is asked of the internet: charts of others are refused at once.
                "HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9",
                "NO_PROXY": f"127.0.0.1,localhost,.svc,{os.environ['TB_NET']}.0.0/16"})
        at_once(start)

    def of(self, name, key):
        return dict(line.split("=", 1) for line in (self.state / name / "env").read_text().split())[key]

    def prepare(self, archives):
        at_once(lambda name: again(TESTBED / "up", name))
        self.address = self.of("cloud", "IP")
        files = archives()
        at_once(lambda name: [run(TESTBED / "load", archive, name) for archive in files])
        self.argo()

    def link(self, state):
        run("ip", "-n", f"{os.environ['TB_PREFIX']}-hub", "link", "set", f"c{self.of('edge', 'N')}", state)

    def cut(self):
        self.link("down")

    def mend(self):
        self.link("up")
        # Where the route to its pods went with the link.
        run("ip", "-n", f"{os.environ['TB_PREFIX']}-hub", "route", "replace", self.of("edge", "POD"), "via", self.of("edge", "IP"))

    def end(self):
        for name in ("edge", "cloud"):
            run(TESTBED / "down", name)

