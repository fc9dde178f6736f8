# SPDX-License-Identifier: Apache-2.0
"""A chain of services: each asks the next one once or twice for each of its requests. /l/2~1~t5 is the second call that was made for /l/1~t5."""
import collections
import time

from edges import Edges
from harness import case, env
from harness.load import load
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from servers import python_http

WARM_UP = 24  # requests before those that count: connections, compilers, and pools that must have shown how they work


def measure(ctx, services, concurrency, requests):
    """`services`: (how it is started, calls per request), the first one first. Edges inside, edges between, share of whole traces."""
    back = python_http.start(ctx)
    port, pids = back.port, {back.pid}
    for start, _ in reversed(services):
        process, port = start(ctx, port)
        time.sleep(env.seconds(0.7))  # it listens before its workers are there
        pids |= process.tree()
    spans_each, level = 0, 1
    for _, calls in services:
        spans_each += level * (1 + calls)  # it as a server, and its calls
        level *= calls
    spans_each += level  # the last server

    clew = Clew(ctx, *(x for pid in sorted(pids) for x in ("--pid", pid))).ready()
    load(ctx, port, WARM_UP, concurrency=min(8, concurrency), prefix="/h/", tag="w")
    load(ctx, port, requests, concurrency=concurrency, prefix="/h/")
    clew.wait_spans(spans_each * (requests + WARM_UP), limit=5)
    return judge(clew.stop().spans, spans_each, requests)


def judge(spans, spans_each, requests):
    by_path = collections.defaultdict(dict)
    for span in spans:
        by_path[span.path][span.kind] = span
    inside, between = Edges(), Edges()
    seen, broken = collections.Counter(), set()
    for path, ends in by_path.items():
        name = path.split("/")[2].split("~")[-1]
        if name.startswith("w"):
            continue
        seen[name] += len(ends)
        if path.startswith("/h/"):
            continue
        asked_for = path.split("/")[2].split("~", 1)[1]
        parent = by_path.get(f"/l/{asked_for}" if "~" in asked_for else f"/h/{asked_for}", {}).get(SERVER)
        good = CLIENT in ends and inside.judge(ends[CLIENT], parent)
        good &= SERVER in ends and between.judge(ends[SERVER], ends.get(CLIENT))
        if not good:
            broken.add(name)
    case.check(len(seen) == requests, f"spans of {len(seen)} of {requests} requests")
    return inside, between, sum(seen[name] == spans_each for name in seen if name not in broken) / requests
