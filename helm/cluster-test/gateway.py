"""The way in through Traefik, as K3s has it: slow uploads, long streams and long answers, by Ingress and by HTTPRoute."""

import json

from rig import EDGE, get, inside, kubectl, start
from scaling import has

HOSTS = {"ingress": "ingress.docmill.test", "route": "route.docmill.test"}

# A GiB at a speed that takes three minutes, sent without its length being known to the client's library.
UPLOAD = """
import hashlib, http.client, threading
address, key, host, seconds, padding = argv[0], argv[1], argv[2], float(argv[3]), int(argv[4])
docmill = client.Docmill(address, key, host)
size = sum(map(len, client.pdf('By and by.', padding=padding)))
began, sent, digest = time.time(), 0, hashlib.sha256()
connection = http.client.HTTPConnection(docmill.address, docmill.port, timeout=300)
connection.putrequest('POST', '/v1/documents?name=slow', skip_host=True)
for name, value in {**docmill.headers, 'Content-Type': 'application/pdf', 'Content-Length': str(size), 'Idempotency-Key': f'slow-{host}-{began}'}.items():
    connection.putheader(name, value)
connection.endheaders()
for piece in client.pdf('By and by.', padding=padding):
    digest.update(piece)
    try:
        connection.send(piece)
    except OSError as error:
        # Whoever closed it may have said why.
        answer = connection.getresponse()
        raise AssertionError(f'{error} after {sent} bytes and {time.time() - began:.0f} s: {answer.status} {answer.read()[:300]}') from error
    sent += len(piece)
    time.sleep(max(0, began + sent / size * seconds - time.time()))
answer = connection.getresponse()
body = answer.read()
assert answer.status == 202, (answer.status, body)
took, receipt = time.time() - began, json.loads(body)
assert receipt['sha256'] == digest.hexdigest() and receipt['size'] == size, receipt
end = docmill.ended(receipt['job_id'], 600)
assert end['state'] == 'succeeded' and docmill.text(receipt['document_id']).strip() == 'By and by.', end
print(json.dumps({'bytes': size, 'seconds': round(took, 1)}))"""

STREAM = """
import http.client
address, key, host, seconds = argv[0], argv[1], argv[2], float(argv[3])
docmill = client.Docmill(address, key, host)
document = docmill.upload(f'stream-{host}-{time.time()}', b'stream', wait=60)['document_id']
connection = http.client.HTTPConnection(docmill.address, docmill.port, timeout=60)
connection.request('GET', f'/v1/documents/{document}/events', headers=docmill.headers)
answer, began, beats, events = connection.getresponse(), time.time(), 0, []
assert answer.status == 200, answer.status
def hear(line):
    global beats
    beats += line == b':\\n'
    if line.startswith(b'event:'): events.append(line.split()[1].decode())
while time.time() - began < seconds:
    line = answer.readline()
    assert line, f'closed after {time.time() - began:.0f} s'
    hear(line)
docmill.call('DELETE', f'/v1/documents/{document}', expect=(200, 202, 204))
while line := answer.readline():
    hear(line)
assert events[-1] == 'document.deleted', events
# One each 15 s; some are allowed to come late.
assert beats >= seconds / 20, beats
print(json.dumps({'open_seconds': round(time.time() - began), 'heartbeats': beats, 'events': events}))"""

# A job that waits for a later attempt: whoever asks for its end waits as long as the API lets them.
WAIT = """
docmill = client.Docmill(argv[0], argv[1], argv[2])
job = docmill.upload(f'wait-{argv[2]}-{time.time()}', client.hoard(), 'text/html')['job_id']
began = time.time()
answer, content = docmill.call('GET', f'/v1/jobs/{job}', headers={'Prefer': 'wait=60'})
took = time.time() - began
assert took > 59 and answer.headers['Preference-Applied'] == 'wait=60' and json.loads(content)['state'] in ('queued', 'running'), (took, content)
print(json.dumps({'seconds': round(took, 1)}))"""


class Background:
    """The three, each way, from the client's pod, while other stages run."""

    def __init__(self, checks, key, address):
        self.checks, self.running = checks, {}
        for way, host in HOSTS.items():
            self.running[f"{way}: an upload of 1 GiB that takes three minutes"] = start(UPLOAD, address, key, host, "180", str(1 << 30))
            self.running[f"{way}: a stream of events open for ten minutes"] = start(STREAM, address, key, host, "600")
            self.running[f"{way}: an answer that waits for a minute (Prefer: wait)"] = start(WAIT, address, key, host)

    def end(self):
        for name, process in self.running.items():
            def told(process=process, name=name):
                out, errors = process.communicate(timeout=1500)
                if process.returncode:
                    raise RuntimeError(errors[-600:])
                self.checks.figures.setdefault("ways_in", {})[name] = json.loads(out.splitlines()[-1])
                return out

            self.checks.check(name, told)


def begin(checks, edge):
    """Opens both ways to the all-in-one; None where no controller of the kind runs."""
    classes = {item["metadata"]["name"] for item in get("ingressclass")["items"]}
    if not has("gateway.networking.k8s.io/v1") or "traefik" not in classes:
        checks.left_out("the ways in", "the cluster has no Traefik with the Gateway API")
        return None
    words = ["--set", f"route.httpRoute.enabled=true,route.httpRoute.hostnames={{{HOSTS['route']}}},route.gateway.create=true,route.gateway.className=traefik",
             "--set", f"route.ingress.enabled=true,route.ingress.className=traefik,route.ingress.hosts={{{HOSTS['ingress']}}}"]
    checks.check("HTTPRoute, Gateway and Ingress of the all-in-one", lambda: edge.helm.upgrade(*words))
    accepted = "{.status.parents[0].conditions[?(@.type=='Accepted')].status}"
    checks.check("the HTTPRoute is accepted", lambda: kubectl("get", "httproute", "-n", EDGE, "docmill-embedded", "-o", f"jsonpath={accepted}") == "True", within=60)
    service = next(item for item in get("services", "-A")["items"] if item["metadata"]["name"] == "traefik")
    address = f"http://traefik.{service['metadata']['namespace']}.svc"
    for way, host in HOSTS.items():
        checks.check(f"{way}: the API answers", lambda host=host: inside("client.Docmill(*argv).call('GET', '/v1/documents?limit=1')", address, edge.key, host) == "", within=60)
    return Background(checks, edge.key, address)
