# SPDX-License-Identifier: Apache-2.0
"""Runs inside a fresh network namespace: records loopback with dumpcap while curl talks to a small HTTP server. Prints what was asked as JSON."""
import http.server
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PORT = 8080
# One capture per link layer: name → arguments of dumpcap.
CAPTURES = {
    "ethernet.pcapng": ["-i", "lo"],
    "cooked.pcapng": ["-i", "any", "-y", "LINUX_SLL"],
    "cooked2.pcapng": ["-i", "any", "-y", "LINUX_SLL2"],
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = self.path.split("?")[0].split("/")  # /bytes/<count>, /status/<code>, /chunked
        status = int(parts[2]) if parts[1] == "status" else 200
        body = b"x" * int(parts[2]) if parts[1] == "bytes" else b"done\n"
        if status in (204, 304):
            body = b""
        self.send_response(status)
        if parts[1] == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"one", b"three"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            return
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = answer

    def log_message(self, *_):
        pass


class Server6(http.server.ThreadingHTTPServer):
    address_family = 10  # AF_INET6


def requests():
    """(connection's curl options, method, path, status); neighbours with equal options share a connection."""
    plan = []
    for n in range(30):
        plan.append(((), "GET", f"/bytes/{n * 37}", 200))
    for status in (200, 201, 204, 301, 304, 400, 404, 500, 503):
        plan.append((("-4",), "GET", f"/status/{status}", status))
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        plan.append((("-6",), method, f"/bytes/{len(method)}", 200))
    plan += [(("-6",), "HEAD", "/bytes/5000", 200), (("-6",), "GET", "/chunked", 200), (("-6",), "GET", "/bytes/3", 200)]
    for n in range(10):
        plan.append((("--http1.0", "-H", f"N: {n}"), "GET", f"/bytes/{n}", 200))
    plan.append((("-H", "big: 1"), "GET", "/bytes/400000", 200))
    plan.append((("-H", "big: 1"), "GET", "/bytes/7", 200))
    plan.append((("-H", "body: 1"), "POST", "/bytes/11", 200))
    return plan


def ask(plan):
    group = []
    for i, (options, method, path, _) in enumerate(plan):
        host = "[::1]" if "-6" in options else "127.0.0.1"
        one = ["-s", "-o", "/dev/null", *options, f"http://{host}:{PORT}{path}"]
        if method == "HEAD":
            one.append("-I")
        elif method in ("POST", "PUT"):
            one += ["-X", method, "-H", "Expect:", "--data-binary", "y" * (100_000 if "body: 1" in options else 20)]
        else:
            one += ["-X", method]
        group += (["--next"] if group else []) + one
        if i + 1 == len(plan) or plan[i + 1][0] != options:
            subprocess.run(["curl", *group], check=True, timeout=60)
            group = []


def main(folder: Path):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for server in (http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler), Server6(("::1", PORT), Handler)):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    recorders = [subprocess.Popen(["dumpcap", "-q", *arguments, "-B", "16", "-w", folder / name], stderr=open(folder / (name + ".log"), "w"))
                 for name, arguments in CAPTURES.items()]
    deadline = time.monotonic() + 20
    while not all((folder / name).exists() and (folder / name).stat().st_size > 0 for name in CAPTURES):
        if time.monotonic() > deadline:
            sys.exit("dumpcap does not start: " + " ".join((folder / (n + ".log")).read_text() for n in CAPTURES))
        time.sleep(0.05)
    time.sleep(0.5)
    plan = requests()
    ask(plan)
    time.sleep(1.5)  # dumpcap takes packets from the kernel in batches
    for recorder in recorders:
        recorder.send_signal(signal.SIGINT)
        recorder.wait(20)
    json.dump([[method, path, status] for _, method, path, status in plan], sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
