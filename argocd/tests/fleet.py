"""The fleet that fleet-test makes: its repository, its two sites, and docmill-fleet as a person would use it."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

from rig import ROOT, Repository

# What a run with `sabotage` breaks: where, and how. Of each of these words a check must turn red, and none without them.
SABOTAGE = {
    "healing": (("argocd/cluster/templates/_application.tpl", "selfHeal: true", "selfHeal: false"),
                ("cloud: a deleted workload is back", "edge: a deleted workload is back", "cloud: drift by hand is healed", "edge: drift by hand is healed",
                 "resumed it heals then")),
    "pause": (("argocd/cluster/templates/_application.tpl", "{{- if not $paused }}", "{{- if true }}"), ("no longer automated",)),
    "deletion": (("argocd/bootstrap/applicationset.yaml", "applicationsSync: create-update, preserveResourcesOnDeletion: true", "preserveResourcesOnDeletion: false"),
                 ("ApplicationSets deleted: Applications are still there", "a version file deleted: Applications are still there",
                  "a label removed: Applications are still there")),
}

PORT_OF_GIT = 29418
POLL_SECONDS = 3
RINGS = ("dev", "qa", "staging", "pilot", "prod")
LABELS = {"cloud": {"env": "staging", "ring": "staging", "provider": "eks", "class": "cloud"},
          "edge": {"env": "prod", "ring": "pilot", "provider": "k3s", "class": "edge"}}

# What this test's clusters do not have: controllers of routes, metrics, KEDA, Prometheus' operator. Clients come by a node's port.
SITE = """\
values:
  api: {hpa: {enabled: false}, service: {type: NodePort}, resources: {requests: {cpu: 20m}}}
  worker: {keda: {enabled: false}, resources: {requests: {cpu: 20m}}}
  monitor: {kind: none}
  network: {clients: []}
  route: {ingress: {enabled: false}, httpRoute: {enabled: false}, gateway: {create: false}}
"""
# In place of what Terraform makes in a cloud, and says in the cluster's annotation.
GROUND = {
    "config": {"catalog": {"host": "docmill-rw.postgres.svc", "database": "docmill", "user": "docmill"},
               "blob": {"bucket": "docmill", "endpoint": "http://seaweedfs-all-in-one.seaweedfs.svc:8333", "region": "us-east-1", "path_style": True},
               "queue": {"kind": "nats", "url": "nats://nats.nats.svc:4222"}},
    "provision": {"mode": "apply"},
    "secrets": {"existingSecret": "docmill", "keys": ["api.first_key", "catalog.password", "blob.access_key_id", "blob.secret_access_key"]},
}


# Each site's metrics, as that site's own Prometheus would send them to one of all sites.
SCRAPED = """\
global: {scrape_interval: 2s}
scrape_configs:
  - job_name: docmill
    static_configs:
"""


def version_file(service, ring, pins, document=False, arrive="3m", window="", queries=""):
    text = f"# {service} in ring {ring}.\npins:\n" + "".join(f"  {key}: {value}  # of this test\n" for key, value in pins.items())
    if service == "docmill":
        text += '  images:\n    api: ""\n    worker: ""\n    provision: ""\n'
    return f"{text}{window}gate:\n  arrive: {arrive}\n  skip: 45s\n  bake: 5s\n  document: {str(document).lower()}\n{queries}"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Fleet:
    def __init__(self, folder, processes, place, checks, programs, commit, sabotaged):
        self.folder, self.processes, self.place, self.checks = folder, processes, place, checks
        self.hub, self.edge = place.hub, place.edge
        self.sabotaged = sabotaged
        self.docmill, self.program = programs / "docmill", programs / "docmill-fleet"
        self.git = Repository(folder, f"git://{place.address}:{PORT_OF_GIT}/fleet.git", commit)
        self.serve_git()
        self.key = "dmk_" + os.urandom(32).hex()
        (folder / "keys").mkdir()
        for name in LABELS:
            (folder / "keys" / name).write_text(self.key)
        self.clone = folder / "fleet-clone"
        # Of version files without it, the queries are left out.
        self.prometheus, self.prometheus_url = shutil.which(os.environ.get("FLEET_TEST_PROMETHEUS", "prometheus")), None

    def serve_git(self):
        self.processes.start("git", ["git", "daemon", "--reuseaddr", "--export-all", f"--base-path={self.git.bare.parent}",
                                     f"--listen={self.place.address}", f"--port={PORT_OF_GIT}"], prefix=self.hub.prefix)

    def write(self):
        """The first commits: the repository as it is, with this test's sites, and a service `notes` for the rings."""
        git = self.git
        for (path, old, new), _ in SABOTAGE.values() if self.sabotaged else ():
            git.edit(path, (old, new))
        git.edit("argocd/bootstrap/values.yaml", ("pollSeconds: 60", f"pollSeconds: {POLL_SECONDS}"),
                 ("  - name: docmill\n", '  - name: docmill\n    clusters: {matchExpressions: [{key: light, operator: DoesNotExist}]}\n'
                                         '  - name: notes\n    clusters: {matchLabels: {light: "true"}}\n'))
        apps = {path.stem: {"enabled": False} for path in (git.clone / "argocd/cluster/apps").glob("*.yaml")}
        for site in LABELS:
            git.write(f"argocd/services/docmill/sites/{site}.yaml", SITE)
            # Charts of other repositories cannot be had everywhere: of the platform there are the policies.
            git.write(f"argocd/services/platform/sites/{site}.yaml", json.dumps({"apps": {**apps, "policies": {"enabled": True}}}))
        for number in range(10):
            git.write(f"argocd/services/platform/sites/light-{number}.yaml", json.dumps({"apps": apps}))
            git.write(f"argocd/services/notes/sites/light-{number}.yaml", f"release: {{into: notes-{number}}}\n")
        git.write("argocd/services/notes/service.yaml", "release: {chart: helm/notes, presets: []}\n")
        git.write("helm/notes/Chart.yaml", "apiVersion: v2\nname: notes\nversion: 1.0.0\n")
        git.write("helm/notes/values.yaml", "global: {}\n")
        self.note("note: one")
        # Pinned by commit, as production is: with a branch or a tag, Argo CD asks Git which commit that is before it heals anything.
        first = git.commit("The fleet")
        for ring in RINGS:
            # The ring's own queries, where there is who answers them.
            own = (git.clone / f"argocd/versions/docmill/{ring}.yaml").read_text().partition("\n  queries:\n")
            queries = "".join(own[1:]).lstrip("\n") if self.prometheus else ""
            git.write(f"argocd/versions/docmill/{ring}.yaml", version_file("docmill", ring, {"chart": first, "values": first}, document=True, queries=queries))
            git.write(f"argocd/versions/platform/{ring}.yaml", version_file("platform", ring, {"values": first}))
            # A window in which no moment lies.
            never = 'window: {days: [mon], from: "00:00", to: "00:00", zone: UTC}\n' if ring == "prod" else ""
            git.write(f"argocd/versions/notes/{ring}.yaml", version_file("notes", ring, {"chart": first, "values": first}, window=never))
        git.commit("What the rings run")
        git.git("tag", "v1")
        git.git("push", "-q", "origin", "v1")
        subprocess.run(["git", "clone", "-q", git.bare, self.clone], check=True)

    def note(self, data):
        self.git.write("helm/notes/templates/note.yaml", f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: note}}\ndata: {{{data}}}\n")

    def servers(self, kube):
        """What a site has before docmill: the first secrets, and servers at the names that the platform gives them."""
        password, access, secret = os.urandom(24).hex(), os.urandom(10).hex(), os.urandom(24).hex()

        def of(namespace, name, data, kind="Opaque"):
            return {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": name, "namespace": namespace}, "stringData": data}
        identity = {"name": "docmill", "credentials": [{"accessKey": access, "secretKey": secret}], "actions": ["Admin", "Read", "Write", "List"]}
        kube.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("docmill", "postgres", "nats", "seaweedfs")])
        kube.apply([of("docmill", "docmill", {"api.first_key": self.key, "catalog.password": password, "blob.access_key_id": access, "blob.secret_access_key": secret}),
                    of("postgres", "docmill-postgres", {"username": "docmill", "password": password}, "kubernetes.io/basic-auth"),
                    of("seaweedfs", "seaweedfs-s3", {"seaweedfs_s3_config": json.dumps({"identities": [identity]})})])
        text = (ROOT / "argocd/tests/servers.yaml").read_text()
        for image in re.findall(r"^ *image: ([\w/]+:[\w.-]+)$", (ROOT / "docker-compose.yml").read_text(), re.M):
            text = text.replace(f"@{image.split(':')[0]}@", image)
        kube("apply", "--server-side", "-f", "-", text=text)
        for namespace, name in (("postgres", "docmill"), ("nats", "nats"), ("seaweedfs", "seaweedfs")):
            wait(lambda: kube.get("statefulset", "-n", namespace, name)["status"].get("readyReplicas"), 120)

    def watch(self):
        """A Prometheus that has the metrics of all sites, told apart by labels."""
        if not self.prometheus:
            self.checks.fact("left out", "the gates' queries and due jobs: there is no prometheus (FLEET_TEST_PROMETHEUS)")
            return
        text = SCRAPED
        for site, kube in (("cloud", self.hub), ("edge", self.edge)):
            selector = {"app.kubernetes.io/name": "docmill", "app.kubernetes.io/component": "api"}
            kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "metrics-of-this-test", "namespace": "docmill"},
                        "spec": {"type": "NodePort", "selector": selector, "ports": [{"name": "http", "port": 9464}]}})
            target = self.url(kube, "metrics-of-this-test").removeprefix("http://")
            text += f"      - {{targets: ['{target}'], labels: {{site: {site}, ring: {LABELS[site]['ring']}, namespace: docmill}}}}\n"
        config, address = self.folder / "prometheus.yaml", f"{self.place.address}:{free_port()}"
        config.write_text(text)
        self.processes.start("prometheus", [self.prometheus, "--config.file", config, "--storage.tsdb.path", self.folder / "prometheus",
                                            "--web.listen-address", address], prefix=self.hub.prefix)
        self.prometheus_url = f"http://{address}"

    # --- what a person types

    def __call__(self, *words, kube=None, service="docmill", prometheus=True):
        """docmill-fleet, against the hub unless told otherwise."""
        kube = kube or self.hub
        env = {"KUBECONFIG": str(kube.kubeconfig), "PATH": f"{pathlib.Path(kube.kubectl).parent}:{os.environ['PATH']}"}
        env |= {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in (("NAME", "fleet"), ("EMAIL", "fleet@example.com"))}
        command = [*kube.prefix, "env", *(f"{name}={value}" for name, value in env.items()), self.program, "--repo", self.clone, "--poll", "1",
                   "--service", service, "--smoke-program", self.docmill, "--api-keys", self.folder / "keys", *words]
        if self.prometheus_url and prometheus and kube is self.hub:
            command += ["--prometheus", self.prometheus_url]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def row(self, site):
        """What the hub's status says of a site, as JSON."""
        code, text = self("status", "--json")
        return next((row for row in map(json.loads, text.splitlines()) if row["site"] == site), None) if code == 0 else None

    def expect(self, name, code, *words, says="", within=0, **more):
        """That a command ends with this code, and says this."""
        def probe():
            ended = self(*words, **more)
            if ended[0] == code and says in ended[1]:
                return True
            raise RuntimeError(f"exit {ended[0]}: {ended[1][-500:]}")
        return self.checks.check(name, probe, within=within)

    # --- what is true of a site

    def url(self, kube, service="docmill-api"):
        port = next(port["nodePort"] for port in kube.get("service", "-n", "docmill", service)["spec"]["ports"] if port["name"] == "http")
        addresses = kube.get("nodes")["items"][0]["status"]["addresses"]
        return f"http://{next(it['address'] for it in addresses if it['type'] == 'InternalIP')}:{port}"

    def converts(self, kube):
        """Whether a document sent to the site comes back as its text."""
        command = [*kube.prefix, self.docmill, "smoke", "--server", self.url(kube), "--api-key-file", self.folder / "keys/edge", "--timeout", "30"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip() or done.stdout.strip())
        return True

    def reads(self, kube, file, text):
        """Whether the site reads a PDF."""
        url = self.url(kube)

        def call(*words):
            command = [*kube.prefix, "curl", "-sS", "--fail-with-body", "--max-time", "60", "-H", f"Authorization: Bearer {self.key}", *words]
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(done.stderr + done.stdout)
            return done.stdout
        document = json.loads(call("-H", "Prefer: wait=30", "-F", f"file=@{file}", f"{url}/v1/documents"))["document_id"]
        return text in call("-H", "Accept: text/plain", f"{url}/v1/documents/{document}/result")

    def deployment(self, kube, name):
        return kube.get("deployment", "-n", "docmill", f"docmill-{name}")

    def ready(self, kube):
        def one(name):
            it = self.deployment(kube, name)
            status = it["status"]
            return (it["spec"]["replicas"] == status.get("readyReplicas", 0) == status.get("updatedReplicas", 0) > 0
                    and status.get("observedGeneration") == it["metadata"]["generation"] and status.get("unavailableReplicas", 0) == 0)
        return one("api") and one("worker")

    def config(self, kube):
        return kube.get("configmap", "-n", "docmill", "docmill-config")["data"]["docmill.toml"]

    def spoil(self, kube):
        """Drift by hand, which pods do not notice: the file is read when they start."""
        kube("patch", "configmap", "-n", "docmill", "docmill-config", "--type=merge", "-p", '{"data": {"docmill.toml": "# by hand"}}')

    def spoilt(self, kube):
        return self.config(kube) == "# by hand"

    def repair(self, site, kube):
        """By hand, what a fleet with broken healing leaves: so that what follows is judged by itself."""
        kube("patch", "applications.argoproj.io", "-n", "argocd", f"{site}-docmill", "--type=merge", "-p",
             json.dumps({"operation": {"sync": {"syncOptions": ["ServerSideApply=true"]}}}))
        wait(lambda: not self.spoilt(kube) and self.ready(kube), 180)

    # --- what is in the repository

    def pins(self, service, ring):
        self.git.pull()
        lines = (self.git.clone / f"argocd/versions/{service}/{ring}.yaml").read_text().splitlines()
        return dict(line.split("#")[0].strip().split(": ") for line in lines if line.startswith(("  chart: ", "  values: ")))

    def bring(self, service, ring, commit):
        """Pins of a ring, changed by hand: how a version comes to the first of them."""
        pins = self.pins(service, ring)
        path = f"argocd/versions/{service}/{ring}.yaml"
        self.git.edit(path, *((f"  {key}: {value} ", f"  {key}: {commit} ") for key, value in pins.items()))
        self.git.commit(f"Bring {service} {commit[:12]} to {ring}")


def wait(probe, seconds):
    """For what is no check: that it becomes true."""
    end, last = time.time() + seconds, None
    while True:
        try:
            if probe():
                return
        except RuntimeError as error:  # not there yet
            last = error
        if time.time() > end:
            raise RuntimeError(f"what the test needs was not there within {seconds} s ({last})")
        time.sleep(0.5)
