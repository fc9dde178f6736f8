# SPDX-License-Identifier: Apache-2.0
"""The truth of a plan against spans: each call exactly once at each end, none invented, fields, sizes and times right."""
from collections import defaultdict

from harness import truth
from harness.case import Failure
from harness.spans import CLIENT, SERVER, Span
from http2.plan import CODES, Outcome, Wish


def of_number(n: int) -> int:
    """Bytes of a varint."""
    return max(1, (n.bit_length() + 6) // 7)


def of_text(length: int) -> int:
    """Bytes of a field with a text or bytes; an empty one is left out."""
    return 1 + of_number(length) + length if length else 0


def ask_bytes(wish: Wish) -> int:
    """An Ask in its frame of gRPC: five bytes before the message."""
    numbers = [wish.answers, wish.size, wish.status, wish.delay]
    return 5 + of_text(len(wish.path)) + sum(1 + of_number(n) for n in numbers if n) + of_text(wish.size)


def told_bytes(wish: Wish, asked: int, traces: list) -> int:
    return 5 + of_text(len(wish.path)) + 1 + of_number(asked) + sum(of_text(len(t)) for t in traces) + of_text(wish.size)


def sizes(wish: Wish, outcome: Outcome) -> tuple[int, int] | tuple[None, None]:
    """Bytes of all messages, asked and answered: with them, how many there were. Not known of a call that was given up."""
    if wish.given_up:
        return None, None
    asked = wish.send if wish.kind == "collect" else 1
    answers = [told_bytes(wish, i + 1 if wish.kind == "talk" else asked, outcome.traces) for i in range(wish.received)]
    return wish.send * ask_bytes(wish), sum(answers)


def statuses(wish: Wish) -> set:
    """What the span's status may be. Either end of a call that is given up may have been first."""
    return {CODES[code] for code in wish.codes}


def differences(plan: list[Wish], outcomes: list[Outcome], spans: list[Span], kind: int, pids: set) -> list[str]:
    mine, wanted = defaultdict(list), defaultdict(list)
    problems, late = truth.Problems(), []
    for span in spans:
        if span.kind == kind:
            mine[span.path].append(span)
    for wish, outcome in zip(plan, outcomes):
        wanted[wish.path].append((wish, outcome))
    for path, found in mine.items():
        if path not in wanted:
            problems.add("invented", str(found[0]), len(found))
    for path, calls in wanted.items():
        found = mine[path]
        if len(found) > len(calls):
            problems.add("twice", str(found[0]), len(found) - len(calls))
        elif len(found) < len(calls):
            gone = sum(wish.given_up for wish, _ in calls)  # one that was given up before a byte of it left
            if len(calls) - len(found) > gone:
                problems.add("missing", f"{calls[0][0].line()}", len(calls) - len(found) - gone)
        if len(calls) == 1 and found:
            fields(*calls[0], found[0], problems, pids)
            if kind != SERVER or not calls[0][0].given_up:  # a server need not hear at once that its client has given up
                late.append(truth.overrun(truth.Request("", path, 0, 0, 0, calls[0][1].start, calls[0][1].end), found[0]))
        elif found:
            alike(calls, found, problems, pids)
    truth.times(late, problems)
    return problems.lines()


def fields(wish: Wish, outcome: Outcome, span: Span, problems, pids: set):
    a = span.attributes
    asked, told = sizes(wish, outcome)

    def same(what, want, got):
        if want is not None and got not in want:
            problems.add(f"wrong {what}", f"{span}: {got!r}, should be {' or '.join(map(repr, want))} ({wish.line()})")

    same("rpc.system.name", ("grpc",), a.get("rpc.system.name"))
    same("status", statuses(wish) if not wish.given_up or "rpc.response.status_code" in a else None, a.get("rpc.response.status_code"))
    same("request size", None if asked is None else (asked,), a.get("http.request.body.size"))
    same("response size", None if told is None else (told,), a.get("http.response.body.size", 0))
    same("process", pids, span.pid)
    if span.incomplete and not wish.given_up:
        problems.add("incomplete", f"{span}")


def alike(calls, found: list[Span], problems, pids: set):
    """Calls of one path cannot be told apart: as many of each status and size must be there."""
    def rest(of):
        left = defaultdict(int)
        for key in of:
            left[key] += 1
        return left
    wished = rest((CODES[wish.status], *sizes(wish, outcome)) for wish, outcome in calls if not wish.given_up)
    seen = rest((s.attributes.get("rpc.response.status_code"), s.attributes.get("http.request.body.size"), s.attributes.get("http.response.body.size", 0)) for s in found)
    for key, n in wished.items():
        if seen[key] < n:
            problems.add("missing with this status and sizes", f"{calls[0][0].path} {key}", n - seen[key])
    for span in found:
        if span.pid not in pids:
            problems.add("wrong process", str(span))
        if span.incomplete and not any(wish.given_up for wish, _ in calls):
            problems.add("incomplete", str(span))


def expect(plan, outcomes, spans, kind, pids, summary=""):
    found = differences(plan, outcomes, spans, kind, set(pids))
    if found:
        name = "SERVER" if kind == SERVER else "CLIENT"
        raise Failure(f"{len(plan)} calls, {sum(s.kind == kind for s in spans)} {name} spans [{summary}]: " + "; ".join(found[:6]))


def both_ends(plan: list[Wish], spans: list[Span]):
    """What was given up may have left no byte on the connection, but then neither end has a span of it."""
    for wish in plan:
        if wish.given_up and wish.path.startswith("/l"):
            kinds = sorted(s.kind for s in spans if s.path == wish.path)
            if kinds not in ([], [SERVER, CLIENT]):
                raise Failure(f"{wish.line()}: spans of the kinds {kinds}")


def requests(plan: list[Wish], outcomes: list[Outcome]) -> list[truth.Request]:
    """Plain HTTP/2, as the harness's own comparison wants it."""
    return [truth.Request("POST" if wish.send else "GET", wish.path, None if wish.given_up else wish.status, None if wish.given_up else wish.send * wish.size,
                          None if wish.given_up else wish.size, o.start, o.end, version="2", optional=wish.given_up) for wish, o in zip(plan, outcomes)]
