# SPDX-License-Identifier: Apache-2.0
"""One end of a scripted conversation. Usage: peer.py SCRIPT.json; then "go" (server) or "go PORT" (client) on stdin; ends when stdin does.

The script: {"role": server|client, "address": host or unix:PATH or unix:@NAME, "threads": [[step…]…]}; the steps of one thread happen in order.
A step is [connection, verb, {options}]; a connection is opened or accepted when it is first named.
  send data form piece pause_ms | recv size|until|eof form chunk | shut | close | rst | sleep ms | nodelay | wait event | tell event
  pause (says "paused" and goes on at the next line of stdin)
"""
import json
import os
import socket
import struct
import sys
import threading
import time

from calls import RECEIVERS, SENDERS

script = json.load(open(sys.argv[1]))
address = script["address"]
is_server = script["role"] == "server"
connections, buffered = {}, {}
events = {}
lock = threading.Lock()
listener, target = None, None


def family():
    return socket.AF_UNIX if address.startswith("unix:") else socket.AF_INET6 if ":" in address else socket.AF_INET


def unix_name():
    name = address[5:]
    return "\0" + name[1:] if name.startswith("@") else name


def connection(name):
    with lock:
        if name not in connections:
            if is_server:
                connections[name] = listener.accept()[0]
            else:
                s = socket.socket(family(), socket.SOCK_STREAM)
                s.connect(target)
                connections[name] = s
            buffered[name] = b""
        return connections[name]


def send(s, _name, data, form="send", piece=0, pause_ms=0):
    data = data.encode("latin-1")
    step = piece or len(data)
    while data:
        data = data[SENDERS[form](s, data[:step]):]
        if pause_ms and data:
            time.sleep(pause_ms / 1000)


def recv(s, name, size=None, until=None, eof=False, form="recv", chunk=65536):
    """Until so many bytes, that text, or the end; what came too much is kept for the next recv."""
    have = buffered[name]
    while True:
        end = size if size is not None else have.find(until.encode()) + len(until) if until and until.encode() in have else None
        if not eof and end is not None and len(have) >= end:
            buffered[name] = have[end:]
            return
        want = min(chunk, size - len(have)) if size is not None and form in ("waitall",) else chunk
        try:
            part = RECEIVERS[form](s, want)
        except ConnectionResetError:
            part = b""
        if not part:
            if eof:
                return
            raise EOFError(f"{script['role']}: the peer closed while {size or until!r} was awaited, had {have[:80]!r}")
        have += part


def rst(s, _name):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def pause(_s, _name):
    print("paused", flush=True)
    sys.stdin.readline()


VERBS = {
    "send": send, "recv": recv, "rst": rst, "pause": pause,
    "shut": lambda s, _n: s.shutdown(socket.SHUT_WR),
    "close": lambda s, _n: s.close(),
    "sleep": lambda _s, _n, ms: time.sleep(ms / 1000),
    "nodelay": lambda s, _n: s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) if s.family != socket.AF_UNIX else None,
    "wait": lambda _s, _n, event: events[event].wait(60),
    "tell": lambda _s, _n, event: events[event].set(),
}


def play(steps, failures):
    try:
        for name, verb, options in steps:
            VERBS[verb](connection(name), name, **options)
    except Exception as error:
        failures.append(f"{type(error).__name__}: {error}")


def main():
    global listener, target
    for steps in script["threads"]:
        for _, verb, options in steps:
            if verb in ("wait", "tell"):
                events[options["event"]] = threading.Event()
    port = 0
    if is_server:
        listener = socket.socket(family(), socket.SOCK_STREAM)
        listener.bind(unix_name() if family() == socket.AF_UNIX else (address, 0))
        listener.listen(64)
        port = 0 if family() == socket.AF_UNIX else listener.getsockname()[1]
    print("port", port, flush=True)
    word = sys.stdin.readline().split()
    target = unix_name() if family() == socket.AF_UNIX else (address, int(word[1]) if len(word) > 1 else 0)
    start, failures = time.time_ns(), []
    threads = [threading.Thread(target=play, args=(steps, failures)) for steps in script["threads"][1:]]
    for t in threads:
        t.start()
    play(script["threads"][0], failures)  # the first one on the main thread
    for t in threads:
        t.join()
    print("done", json.dumps({"start": start, "end": time.time_ns(), "failures": failures}), flush=True)
    for s in connections.values():
        s.close()
    sys.stdin.read()
    os._exit(0)


main()
