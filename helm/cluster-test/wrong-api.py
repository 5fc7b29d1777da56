"""A docmill-api that is alive and ready, takes every document, and answers with another one's text."""

import http.server
import json
import threading
import time

DOCUMENT, JOB = "doc_01a1ff85003c7694ac8342caa468fe4c", "job_01a1ff85003c7694ac8342caa468fe4d"
WRONG = b"This is not what the document says."


class Wrong(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        # Whatever is sent is read, or the client could not read the answer.
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while (size := int(self.rfile.readline().split(b";")[0], 16)):
                self.rfile.read(size + 2)
            self.rfile.readline()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        names = {"id": JOB, "job_id": JOB, "document_id": DOCUMENT}
        job = {**names, "state": "succeeded", "lane": "interactive", "attempts": 1, "progress": {"done": 1, "total": 1}, "dead_letter": False,
               "warnings": [], "created_at": "2026-01-01T00:00:00Z", "format": "txt", "size": 1, "sha256": "0" * 64}
        kind, body = "application/json", json.dumps({**job, "job": job}).encode()
        if self.path.split("?")[0].endswith("/result"):
            kind, body = "text/plain", WRONG
        self.send_response(202 if self.command == "POST" else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *words):
        pass


for port in (9464, 8080):
    threading.Thread(target=http.server.ThreadingHTTPServer(("0.0.0.0", port), Wrong).serve_forever).start()
while True:
    time.sleep(60)
