#!/usr/bin/env python3
"""run.py CHART PRELOADED LEDGER STAGE…: the stages of the cluster test, on the cluster of KUBECONFIG. scripts/cluster-test calls it."""

import json
import os
import pathlib
import sys
import time

import canary
import gateway
import install
import kills
import network
import scaling
import schema
import service
import upgrades
from rig import ROOT, Checks, Helm, get, run

# Each takes the checks, the release and its API key, and leaves the release as it found it.
STAGES = {"upgrades": upgrades.stage, "kills": kills.stage, "network": network.stage, "scaling": scaling.stage, "canary": canary.stage, "service": service.stage, "schema": schema.stage,
          "uninstall": lambda checks, helm, key: install.uninstall(checks, helm)}


def schedulable():
    """Nodes that take any pod."""
    return [node["metadata"]["name"] for node in get("nodes")["items"]
            if not node["spec"].get("unschedulable") and not any(taint["effect"] != "PreferNoSchedule" for taint in node["spec"].get("taints", []))]


def main(chart, preloaded, ledger, *wanted):
    wanted = wanted or (*STAGES, "ways")
    if unknown := set(wanted) - {*STAGES, "ways", "install"}:
        sys.exit(f"cluster-test: there is no stage {', '.join(unknown)}")
    checks = Checks()
    checks.chart, checks.nodes = chart, schedulable()
    version = json.loads(run(os.environ["KUBECTL"], "version", "-o", "json"))["serverVersion"]["gitVersion"]
    cluster = {"id": get("namespace", "kube-system")["metadata"]["uid"], "version": version, "nodes": len(checks.nodes)}
    # As it was when the run began.
    tree = {"commit": run("git", "-C", ROOT, "rev-parse", "HEAD").strip(),
            "uncommitted": run("git", "-C", ROOT, "status", "--porcelain", "--", "helm", "scripts").splitlines()}
    helm, ok = Helm(chart), False
    try:
        install.cleanup()
        key = install.servers(checks)
        checks.figures["network_policy"] = {"enforced": network.enforced(), "engine": os.environ["CLUSTER_TEST_ENGINE"]}
        install.stage(checks, helm, key)
        ways = None
        if "ways" in wanted:
            print("== ways", flush=True)
            edge = install.embedded(checks)
            ways = gateway.begin(checks, edge)
        for name, stage in STAGES.items():
            if name in wanted:
                print(f"== {name}", flush=True)
                stage(checks, helm, key)
        if "ways" in wanted:
            print("== ways, which were open meanwhile", flush=True)
            if ways:
                ways.end()
            install.uninstall_embedded(checks, edge)
        ok = True
    finally:
        if not os.environ.get("CLUSTER_TEST_KEEP"):
            install.cleanup()
        loads = checks.figures.get("loads", {}).values()
        told = {**tree, "cluster": cluster,
                "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(checks.began)), "seconds": round(time.time() - checks.began), "finished": ok,
                "passed": len(checks.rows) - checks.failed, "failed": checks.failed, "left_out": checks.out, "preloaded": json.loads(preloaded),
                "documents": sum(load.get("documents", 0) for load in loads), "lost": sum(load.get("lost", 0) for load in loads),
                "doubled": sum(load.get("doubled", 0) for load in loads), "figures": checks.figures, "checks": checks.rows}
        pathlib.Path(ledger).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(ledger).write_text(json.dumps(told, indent=1) + "\n")
    print(f"\n{told['seconds']:6d} s  in all; ledger: {ledger}\n\n{told['passed']} passed, {told['failed']} failed")
    return 1 if told["failed"] or not ok else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
