"""Another team's container as a service of the platform: the microservice chart, and values."""

import pathlib

from rig import HERE, RELEASE, Helm, inside

GET = "import urllib.request\nprint(urllib.request.urlopen(argv[0], timeout=5).read().decode())"


def stage(checks, helm, key):
    files = Helm(pathlib.Path(checks.chart).with_name("microservice"), RELEASE, (), HERE / "service.yaml", name="files")
    checks.check("the microservice chart: another container becomes a service", lambda: files.upgrade(wait=120))
    # A pod that is ready is reached through its Service once every node has heard of it.
    checks.check("it is served where its values let clients in", lambda: inside(GET, f"http://files.{RELEASE}.svc:8080/hello.txt") == "Hello from another team.",
                 within=30)
    checks.check("and is taken away", lambda: files("uninstall", "files", "--wait", "--timeout", "120s"))
