"""load.py ADDRESS KEY NAME THREADS [SLOW]: uploads documents one after another until standard input ends, reads every one back, and prints JSON.

Each thread's documents are small texts, every fifth a PDF, and where SLOW is not 0 every seventh a PDF of that many pages. Every tenth is
sent twice under one key. Lost is what was accepted and never came out as it went in; doubled is a name with two documents.
"""

import json
import sys
import threading
import time

import client


def work(docmill, name, thread, slow, stop, accepted):
    n = 0
    while not stop.is_set():
        n += 1
        key = f"{name}-{thread}-{n}"
        if slow and n % 7 == 0:
            pages = [f"{key} page {page}" for page in range(slow)]
        else:
            pages = [f"{key} under load"]
        if n % 5 == 0 or len(pages) > 1:
            body, kind = b"".join(client.pdf(*pages)), "application/pdf"
        else:
            body, kind = pages[0].encode(), "text/plain"
        for again in (False, True):
            try:
                receipt = docmill.upload(key, body, kind)
            except client.Failed:
                # It may have been taken: the key finds out.
                time.sleep(0.5)
                continue
            first = accepted.setdefault(key, (receipt["document_id"], receipt["job_id"], pages))
            if first[0] != receipt["document_id"]:
                docmill.failures.append(f"{key}: {receipt['document_id']} is another document than {first[0]}")
            if n % 10 or again:
                break
        try:
            docmill.call("GET", "/v1/documents?limit=5")
        except client.Failed:
            pass  # counted
        stop.wait(0.2)


def read_back(docmill, accepted):
    """Names that did not come out as they went in, and how many attempts the jobs took."""
    lost, attempts = [], {}
    for key, (document, job, pages) in accepted.items():
        for _ in range(5):
            try:
                told = docmill.ended(job)
                came = docmill.text(document)
                break
            except client.Failed as error:
                told, came = {"state": str(error), "attempts": 0}, ""
                time.sleep(1)
        if told["state"] != "succeeded" or came.split() != " ".join(pages).split():
            lost.append(f"{key}: {told['state']} {came[:80]!r}")
        attempts[told["attempts"]] = attempts.get(told["attempts"], 0) + 1
    return lost, attempts


def main(address, key, name, threads, slow="0"):
    docmill, stop, accepted, began = client.Docmill(address, key), threading.Event(), {}, time.time()
    workers = [threading.Thread(target=work, args=(docmill, name, n, int(slow), stop, accepted)) for n in range(int(threads))]
    for worker in workers:
        worker.start()
    print("begun", flush=True)
    sys.stdin.read()
    stop.set()
    for worker in workers:
        worker.join()
    requests, failures, seconds = docmill.requests, list(docmill.failures), time.time() - began
    lost, attempts = read_back(docmill, accepted)
    names = docmill.listed()
    doubled = [key for key in accepted if names.get(key, 0) > 1]
    lost += [f"{key}: not in the list" for key in accepted if key not in names]
    print(json.dumps({"seconds": round(seconds, 1), "requests": requests, "failed": len(failures), "failures": failures[:10], "documents": len(accepted),
                      "lost": len(lost), "losses": lost[:10], "doubled": len(doubled), "attempts": attempts, "slowest_seconds": round(docmill.slowest, 1)}))


main(*sys.argv[1:])
