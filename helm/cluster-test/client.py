"""What calls docmill, from a pod in the cluster: requests that are counted, documents that are remembered, sockets that are tried."""

import hashlib
import http.client
import json
import socket
import threading
import time
import urllib.parse


class Failed(Exception):
    """The server did not answer, or not as it should."""


def resolved(name, within=60):
    until = time.time() + within
    while True:
        try:
            return socket.gethostbyname(name)
        except OSError:
            if time.time() > until:
                raise
            time.sleep(0.5)


class Docmill:
    """One docmill. A connection for each request, so that each goes where the Service sends it; nothing is tried again."""

    def __init__(self, address, key, host=None):
        url = urllib.parse.urlsplit(address)
        # Looked up once: it is docmill that is tested, and not the cluster's DNS.
        self.address, self.port = resolved(url.hostname), url.port or 80
        self.headers = {"Authorization": f"Bearer {key}"} | ({"Host": host} if host else {})
        self.requests, self.failures, self.slowest, self.lock = 0, [], 0.0, threading.Lock()

    def call(self, method, path, body=None, headers=None, expect=(200, 202), within=90):
        began = time.time()
        try:
            connection = http.client.HTTPConnection(self.address, self.port, timeout=within)
            try:
                connection.request(method, path, body, self.headers | (headers or {}))
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
            if answer.status not in expect:
                raise Failed(f"{answer.status} {content[:200]!r}")
        except (OSError, http.client.HTTPException, Failed) as error:
            with self.lock:
                self.failures.append(f"{time.strftime('%H:%M:%S')} {method} {path[:60]}: {type(error).__name__} {error}")
            raise Failed(f"{method} {path}: {error}") from error
        finally:
            with self.lock:
                self.requests += 1
                self.slowest = max(self.slowest, time.time() - began)
        return answer, content

    def json(self, method, path, *words, **options):
        return json.loads(self.call(method, path, *words, **options)[1])

    def upload(self, name, body, kind="text/plain", wait=None, **options):
        """The receipt of a document, which its name makes repeatable."""
        headers = {"Content-Type": kind, "Idempotency-Key": name} | ({"Prefer": f"wait={wait}"} if wait else {})
        return self.json("POST", f"/v1/documents?name={name}", body, headers, **options)

    def ended(self, job, within=300):
        """The job in its final state."""
        until = time.time() + within
        while True:
            told = self.json("GET", f"/v1/jobs/{job}", headers={"Prefer": "wait=20"})
            if told["state"] not in ("queued", "running") or time.time() > until:
                return told

    def text(self, document):
        return self.call("GET", f"/v1/documents/{document}/result", headers={"Accept": "text/plain"})[1].decode()

    def listed(self):
        """How many documents there are of each name."""
        names, cursor = {}, ""
        while True:
            page = self.json("GET", f"/v1/documents?limit=100{cursor}")
            for document in page["documents"]:
                names[document["name"]] = names.get(document["name"], 0) + 1
            if not page.get("next_cursor"):
                return names
            cursor = "&cursor=" + urllib.parse.quote(page["next_cursor"])


def pdf(*pages, padding=0):
    """A PDF with a line of text on each page, as a generator of pieces; `padding` bytes of it are a stream that nothing refers to."""
    at, places = 0, []

    def piece(text):
        nonlocal at
        at += len(text)
        return text

    yield piece(b"%PDF-1.4\n")
    objects = [b"<</Type/Catalog/Pages 2 0 R>>",
               b"<</Type/Pages/Kids[" + b" ".join(b"%d 0 R" % (4 + 2 * n) for n in range(len(pages))) + b"]/Count %d>>" % len(pages),
               b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    for n, text in enumerate(pages):
        drawn = b"BT /F 12 Tf 40 720 Td (%s) Tj ET" % text.encode()
        objects += [b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F 3 0 R>>>>/Contents %d 0 R>>" % (5 + 2 * n),
                    b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn)]
    for n, content in enumerate(objects, 1):
        places.append(at)
        yield piece(b"%d 0 obj%s endobj\n" % (n, content))
    if padding:
        places.append(at)
        yield piece(b"%d 0 obj<</Length %d>>stream\n" % (len(places), padding))
        block = hashlib.sha512(b"padding").digest() * 1024
        for start in range(0, padding, len(block)):
            yield piece(block[:min(len(block), padding - start)])
        yield piece(b"\nendstream endobj\n")
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    yield b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, table, len(places) + 1, at)


def hoard():
    """A web page whose tree needs more memory than an extraction of the test may have."""
    return b"<html><body>" + b"".join(b"<p>paragraph <b>%d</b> of a page without end</p>" % n for n in range(400_000)) + b"</body></html>"
