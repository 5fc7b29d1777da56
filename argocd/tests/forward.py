"""forward.py ADDRESS PORT COUNT FILE: COUNT addresses of one server on this host's loopback, each a port of its own at ADDRESS, listed in FILE;
those that FILE lists, where it is there already.
"""

import contextlib
import os
import pathlib
import socket
import sys
import threading


def copy(a, b):
    with contextlib.suppress(OSError):
        while data := a.recv(65536):
            b.sendall(data)
    for end in (a, b):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def serve(listener, port):
    while True:
        here, _ = listener.accept()
        try:
            there = socket.create_connection(("127.0.0.1", port))
        except OSError:
            here.close()
            continue
        for pair in ((here, there), (there, here)):
            threading.Thread(target=copy, args=pair, daemon=True).start()


address, port, count, file = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4])
known = file.read_text().split() if file.exists() else [0] * count
listeners = [socket.create_server((address, int(port))) for port in known]
for listener in listeners:
    threading.Thread(target=serve, args=(listener, port), daemon=True).start()
part = file.with_suffix(".part")
part.write_text("\n".join(str(listener.getsockname()[1]) for listener in listeners))
os.replace(part, file)
threading.Event().wait()
