# SPDX-License-Identifier: Apache-2.0
"""Python requests: one Session, and calls without one. Writes the truth like load.cc. Usage: requests_client.py PORT REQUESTS THREADS [CA: then over TLS]"""
import sys
import threading
import time

import requests

port, count, threads = map(int, sys.argv[1:4])
ca = sys.argv[4] if len(sys.argv) > 4 else True
base = f"http://127.0.0.1:{port}" if ca is True else f"https://localhost:{port}"
lock = threading.Lock()


def one(session, number):
    method, body = ("POST", b"p" * (1 + number % 900)) if number % 4 == 1 else ("GET", b"")
    path = f"/req/{number}/s{404 if number % 4 == 3 else 200}/b{number * 37 % 4000}"
    start = time.time_ns()
    response = session.request(method, f"{base}{path}?token=hush", data=body or None, verify=ca)
    got = len(response.content)
    line = f"{method}\t{path}\t{response.status_code}\t{len(body)}\t{got}\t{start}\t{time.time_ns()}\t0\t0\t-\n"
    with lock:
        sys.stdout.write(line)


def work(first):
    session = requests.Session() if first % 2 == 0 else requests
    for number in range(first, count, threads):
        one(session, number)


pool = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
[t.start() for t in pool]
[t.join() for t in pool]
