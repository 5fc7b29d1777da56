"""Versions from ring to ring, by commits and by a tag; bad ones, which stay in their ring; ten registrations of a light cluster."""

import re
import sys
import threading
import time

from fleet import RINGS, wait
from rig import ROOT, Kube, state
from sites import OK, app, register

# A version that ...: the change that makes it, in a file of the repository.
BAD = {
    "crash-loops": ("argocd/services/docmill/env/staging.yaml", 'values: {worker: {env: {DOCMILL_NO_SUCH__SETTING: "1"}}}\n'),
    "is up but converts nothing": ("argocd/services/docmill/env/staging.yaml", "values: {api: {env: {DOCMILL_PIPELINE__LIMITS__BYTES_A_DAY: \"1\"}}}\n"),
    "cannot be applied": ("helm/docmill/templates/config.yaml", '  "no key/": ""\n'),
    "cannot be compared": ("helm/docmill/templates/config.yaml", "  number: 5\n"),
}


class Reports:
    """The edge tells the hub how it does, as its timer would; it has done so lately when this begins."""

    def __init__(self, fleet):
        self.fleet, self.stop = fleet, threading.Event()

    def __enter__(self):
        self.report()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stop.wait(3):
            self.report()

    def report(self):
        self.fleet("report", "--server", self.fleet.url(self.fleet.edge), kube=self.fleet.edge)

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def by_commit(fleet):
    """From staging to the pilot by a commit, with gates, and back."""
    checks, git, hub, edge = fleet.checks, fleet.git, fleet.hub, fleet.edge
    git.pull()
    git.edit("argocd/services/docmill/service.yaml", ("values:\n", "values:\n  config: {pipeline: {max_attempts: 7}}\n"))
    commit = git.commit("A good version")

    def has(kube):
        return "max_attempts = 7" in fleet.config(kube)
    began = time.time()
    fleet.bring("docmill", "staging", commit)
    fleet.expect("what staging has not proved yet is refused to the pilot", 3, "promote", "pilot", commit, says="has not proved")
    checks.check("a commit brings a version to staging", lambda: has(hub) and state(app(hub, "cloud-docmill")) == OK and fleet.ready(hub), within=180)
    checks.fact("seconds from push to staging on the new version", round(time.time() - began, 1))
    checks.check("and not to the pilot", lambda: not has(edge), within=0)
    if fleet.prometheus_url:
        asked(fleet)
    began = time.time()
    with Reports(fleet):
        fleet.expect("staging to pilot by commit: both gates pass, with a document at each", 0, "promote", "pilot", commit, "--gate", says="gate pilot: passed")
    checks.fact("seconds of a promotion with both gates", round(time.time() - began, 1))
    checks.check("the edge runs it", lambda: has(edge) and fleet.ready(edge), within=60)
    git.pull()
    checks.check("the version file's comments stay", lambda: "# of this test" in (git.clone / "argocd/versions/docmill/pilot.yaml").read_text(), within=0)
    began = time.time()
    fleet.expect("the pilot is rolled back by a commit", 0, "rollback", "pilot", says="revert pilot: back to")
    checks.check("the edge is back", lambda: not has(edge) and state(app(edge, "edge-docmill")) == OK and fleet.ready(edge), within=180)
    checks.fact("seconds from a rollback to the old version at the edge", round(time.time() - began, 1))
    checks.check("staging is not", lambda: has(hub), within=0)


def asked(fleet):
    """The queries of staging's version file are asked, and what they answer counts."""
    git, path = fleet.git, "argocd/versions/docmill/staging.yaml"
    fleet.expect("without a Prometheus a gate does not pass, and reverts nothing", 3, "gate", "staging", says="not passed yet", prometheus=False)
    fleet.expect("its queries are answered well", 0, "gate", "staging", "--dry-run", says="passed", within=60)
    for within, bound, name in ((0, '">= 2"', "a bound that no share can meet fails the gate"), (60, '">= 0.99"', "with its own bound it passes again")):
        git.pull()
        old = '">= 0.99"' if within == 0 else '">= 2"'
        git.edit(path, (f"pass: {old}", f"pass: {bound}"))
        git.commit(f"A bound of {bound}")
        if within == 0:
            fleet.expect(name, 3, "gate", "staging", "--dry-run", says="must be >= 2")
        else:
            fleet.expect(name, 0, "gate", "staging", "--dry-run", says="passed", within=60)


def bad_versions(fleet):
    """They stay in their ring, and are reverted by themselves."""
    checks, git, hub, edge = fleet.checks, fleet.git, fleet.hub, fleet.edge
    at_edge = app(edge, "edge-docmill")["spec"]["source"]["targetRevision"]
    git.pull()
    git.edit("argocd/versions/docmill/staging.yaml", ("arrive: 3m", "arrive: 90s"))
    git.commit("Less patience in staging")
    for name, (path, text) in BAD.items():
        git.pull()
        before = (git.clone / path).read_text()
        after = before.replace("\ndata:\n", "\ndata:\n" + text, 1) if path.endswith("config.yaml") else before + text
        assert after != before, path
        git.write(path, after)
        commit = git.commit(f"A version that {name}")
        good = fleet.pins("docmill", "staging")["chart"]
        began = time.time()
        fleet.bring("docmill", "staging", commit)
        fleet.expect(f"a version that {name}: refused to the pilot, and reverted in staging", 3, "promote", "pilot", commit, "--gate", says="revert staging: back to")
        git.pull()
        checks.check(f"a version that {name}: the revert is a commit that says why", lambda: re.fullmatch("fleet\ncloud: .+", git.git("log", "-1", "--format=%an%n%b"), re.S), within=0)
        checks.check(f"a version that {name}: staging is well again", lambda: app(hub, "cloud-docmill")["spec"]["source"]["targetRevision"] == good
                     and state(app(hub, "cloud-docmill")) == OK and fleet.ready(hub), within=240)
        checks.check(f"a version that {name}: staging converts again", lambda: fleet.converts(hub), within=60)
        checks.fact(f"a version that {name}: seconds from promotion to well again", round(time.time() - began, 1))
        checks.check(f"a version that {name}: the pilot never had it", lambda: app(edge, "edge-docmill")["spec"]["source"]["targetRevision"] == at_edge
                     and fleet.ready(edge), within=0)
        git.write(path, before)
        git.commit(f"Mend what {name}")


def rings(fleet, apiserver):
    """Ten registrations of one light cluster, each by an address of its own: five rings with two sites each."""
    checks, git, hub, processes = fleet.checks, fleet.git, fleet.hub, fleet.processes
    processes.start("light", [apiserver, fleet.folder / "light"], prefix=hub.prefix)
    kubeconfig = fleet.folder / "light/kubeconfig"
    light = Kube(hub.kubectl, kubeconfig, hub.prefix)
    checks.check("the light cluster starts", lambda: kubeconfig.exists() and light("get", "--raw", "/readyz") == "ok", within=90)
    text = kubeconfig.read_text()
    token, behind = re.search('token: "([^"]+)"', text).group(1), re.search(r"127\.0\.0\.1:(\d+)", text).group(1)

    def forward(name, count):
        command = [sys.executable, ROOT / "argocd/tests/forward.py", fleet.place.address, behind, count, fleet.folder / name]
        processes.start(name, command, prefix=hub.prefix)
        wait(lambda: (fleet.folder / name).exists(), 30)
        return (fleet.folder / name).read_text().split()
    # The way to the fourth, light-3 in qa, is one of its own, which can be taken away.
    own, others = forward("forward-3", 1), forward("forward", 9)
    ports = others[:3] + own + others[3:]
    checks.check("ten addresses lead to it", lambda: len(set(ports)) == 10, within=0)
    began = time.time()
    for number, port in enumerate(ports):
        ring = RINGS[number // 2]
        register(hub, f"light-{number}", {"env": "prod" if ring == "pilot" else ring, "ring": ring, "provider": "k3s", "class": "edge"}, own={"light": "true"},
                 server=f"https://{fleet.place.address}:{port}", config={"bearerToken": token, "tlsClientConfig": {"insecure": True}})

    def notes():
        return [light.get("configmap", "-n", f"notes-{number}", "note")["data"]["note"] for number in range(10)]
    checks.check("ten registrations run it", lambda: notes() == ["one"] * 10, within=240)
    checks.fact("seconds from ten labels to ten workloads", round(time.time() - began, 1))
    git.pull()
    fleet.note("note: two")
    commit = git.commit("Another note")
    fleet.expect("dev gets it, by a commit", 0, "promote", "dev", commit, "--land", service="notes")
    began = time.time()
    for at, ring in enumerate(RINGS[1:], 1):
        more = ()
        if ring == "prod":
            fleet.expect("outside its window a ring gets nothing", 1, "promote", ring, commit, "--gate", service="notes", says="prod changes only on")
            more = ("--outside-window",)
        fleet.expect(f"{RINGS[at - 1]} has proved it, {ring} gets it", 0, "promote", ring, commit, "--gate", *more, service="notes", says=f"gate {ring}: passed")
        checks.check(f"no ring after {ring} has it", lambda: notes() == ["two"] * 2 * (at + 1) + ["one"] * 2 * (4 - at), within=10)
    checks.fact("seconds from dev to prod by four gates", round(time.time() - began, 1))
    fleet.expect("prod is rolled back by a commit", 0, "rollback", "prod", service="notes")
    checks.check("prod is back, the others are not", lambda: notes() == ["two"] * 8 + ["one"] * 2, within=90)
    unreachable(fleet, light, notes, forward)
    git.pull()
    fleet.note('"no key/": ""')
    bad = git.commit("A note that cannot be applied")
    fleet.expect("dev gets a bad one", 0, "promote", "dev", bad, "--land", service="notes")
    git.pull()
    # What cannot be applied is not waited for as long as for what is slow.
    git.edit("argocd/versions/notes/dev.yaml", ("arrive: 3m", "arrive: 20s"))
    git.commit("Less patience in dev")
    fleet.expect("it stays in dev, and is reverted there", 3, "promote", "qa", bad, "--gate", service="notes", says="revert dev: back to")
    checks.check("dev is well again, and no other ring noticed", lambda: notes() == ["three"] * 4 + ["two"] * 4 + ["one"] * 2
                 and all(state(app(hub, f"light-{number}-notes")) == OK for number in range(10)), within=180)


    fleet.expect("a light site is retired", 0, "retire", "light-9", "--yes", service="notes", says="what runs there goes on")
    checks.check("it is not in the fleet any more", lambda: not fleet.row("light-9")
                 and not hub.get("applications.argoproj.io", "-n", "argocd", "-l", "docmill.io/site=light-9")["items"], within=30)
    checks.stays("what ran there does", lambda: notes()[9] == "one", 5)


def unreachable(fleet, light, notes, forward):
    """One of qa's two sites cannot be reached: the ring is not held up for longer than gate.skip, and the site gets the version when it is back."""
    checks, git = fleet.checks, fleet.git
    git.pull()
    fleet.note("note: three")
    commit = git.commit("A third note")
    fleet.expect("dev gets a third", 0, "promote", "dev", commit, "--land", service="notes")
    fleet.processes.stop("forward-3")
    began = time.time()
    fleet.expect("a site that cannot be reached is left out, and named", 0, "promote", "qa", commit, "--gate", service="notes",
                 says="gate qa: light-3: left out: not heard of since")
    checks.fact("seconds of a promotion with a site that cannot be reached", round(time.time() - began, 1))
    checks.check("the ring's other site has it", lambda: notes()[:5] == ["three"] * 3 + ["two"] * 2, within=0)
    forward("forward-3", 1)
    began = time.time()
    checks.check("reached again, it gets it by itself", lambda: notes()[3] == "three" and state(app(fleet.hub, "light-3-notes")) == OK, within=180)
    checks.fact("seconds from reached again to the version that was missed", round(time.time() - began, 1))


def by_retag(fleet):
    """Teams that promote by moving a tag: the edge follows `prod`, with staging's version file as it was there."""
    checks, git, edge = fleet.checks, fleet.git, fleet.edge
    git.pull()
    first = git.git("rev-parse", "v1^{commit}")
    git.git("tag", "-a", "-m", "x", "prod", first)
    git.git("push", "-q", "origin", "refs/tags/prod")
    git.write("argocd/bootstrap/values-retag.yaml", "rings:\n  - name: staging\n  - {name: pilot, tag: prod, like: staging}\n")
    git.edit("argocd/root.yaml", ("      parameters:\n", "      valueFiles: [values-retag.yaml]\n      parameters:\n"))
    git.commit("Promote by retagging")
    edge("apply", "--server-side", "--force-conflicts", "-f", str(git.clone / "argocd/root.yaml"))

    def at(commit):
        it = app(edge, "edge-docmill")
        return it["spec"]["source"]["targetRevision"] == "prod" and it["status"]["sync"]["revision"] == commit and state(it) == OK and fleet.ready(edge)
    checks.check("retag: the edge follows the tag", lambda: at(first), within=180)
    git.pull()
    git.edit("argocd/services/docmill/class/edge.yaml", ("  config:\n", "  config:\n    extract: {time_limit_seconds: 299}\n"))
    head = git.commit("A version for the edge")
    fleet.bring("docmill", "staging", head)
    began = time.time()
    fleet.expect("retag: promoted by moving the tag", 0, "promote", "pilot", head, "--land", says="tag prod moved", within=180)
    checks.fact("seconds until staging had proved what the tag was moved to", round(time.time() - began, 1))
    began = time.time()
    checks.check("retag: the edge has it", lambda: at(head) and "time_limit_seconds = 299" in fleet.config(edge), within=180)
    checks.fact("seconds from a moved tag to the new version at the edge", round(time.time() - began, 1))
    fleet.expect("retag: rolled back by moving it back", 0, "rollback", "pilot", says="moved back")
    checks.check("retag: the edge is back", lambda: at(first) and "time_limit_seconds = 299" not in fleet.config(edge), within=180)
