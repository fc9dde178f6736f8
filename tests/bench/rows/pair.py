# SPDX-License-Identifier: Apache-2.0
"""What a single send+recv pair costs: traced, not traced while another process is, and an unrelated system call."""
import statistics
import subprocess

from measure import SERVER_CORE, Bench, Broken, Clew, between, compiled, noise, pinned, spawn


def turns(child: subprocess.Popen, what: str, seconds: float) -> float:
    """ns per turn."""
    child.stdin.write(f"{what} {seconds}\n".encode())
    child.stdin.flush()
    line = child.stdout.readline()
    if not line:
        raise Broken("the pair program has ended")
    return float(line)


def measure(bench: Bench):
    child = spawn(bench, *pinned(SERVER_CORE, compiled("pair")), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    other = spawn(bench, "sleep", "3600")
    kinds = ("foreign", "body", "getpid")
    seconds = bench.choose(0.2, 0.4)

    def once():
        return {kind: turns(child, kind, seconds / 2 if kind == "getpid" else seconds) for kind in kinds}

    once()  # warm
    plain, traced, beside = [once()], [], []
    for _ in range(bench.choose(6, 20)):
        clew = Clew(bench, [child.pid], file=False)
        traced.append(once())
        clew.stop()
        plain.append(once())
        clew = Clew(bench, [other.pid], file=False)
        beside.append(once())
        clew.stop()
        plain.append(once())

    def series(kind):
        return [p[kind] for p in plain]

    def added(samples, first, kind):
        """Each traced value less the mean of the untraced ones before and after it."""
        return [s[kind] - between(series(kind), 2 * i + first) for i, s in enumerate(samples)]

    middle = statistics.median
    for kind, name in (("foreign", "traced, bytes that are no HTTP"), ("body", "traced, inside a body")):
        bench.add("pair", f"send+recv of 200 B, {name}", "µs", [ns / 1e3 for ns in added(traced, 0, kind)], 0.8, noise=noise(series(kind)) / 1e3,
                  note=f"untraced {middle(series(kind)) / 1e3:.2f} µs")
    base = middle(series("foreign"))
    bench.add("pair", "send+recv of 200 B, another process traced", "%", [100 * ns / base for ns in added(beside, 1, "foreign")], 0.5,
              noise=100 * noise(series("foreign")) / base, note=f"two untraced differ by {100 * noise(series('foreign')) / base:.1f} %")
    bench.add("pair", "getpid, in any process", "ns", added(traced, 0, "getpid") + added(beside, 1, "getpid"), 0, noise=noise(series("getpid")),
              note=f"untraced {middle(series('getpid')):.0f} ns; two untraced differ by {noise(series('getpid')):.1f} ns")


def measure_heads(bench: Bench):
    """Requests and responses between two sockets of one thread, both ends traced."""
    child = spawn(bench, *pinned(SERVER_CORE, compiled("pair")), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    seconds = bench.choose(0.3, 0.5)
    kinds = {"head": ((), None), "context": (("--inject",), 2.5), "injected": (("--inject",), 4)}
    names = {"head": "its head seen", "context": "context read and carried", "injected": "a context injected, read and carried"}

    def once(kind):
        return turns(child, "head" if kind == "injected" else kind, seconds)

    plain, traced = {}, {}
    for kind, (options, _) in kinds.items():
        once(kind)  # warm
        plain[kind], traced[kind] = [once(kind)], []
        for _ in range(bench.choose(5, 15)):
            clew = Clew(bench, [child.pid], *options, file=False)
            traced[kind].append(once(kind))
            clew.stop()
            plain[kind].append(once(kind))
    for kind, (_, figure) in kinds.items():
        added = [(t - between(plain[kind], i)) / 1e3 for i, t in enumerate(traced[kind])]
        bench.add("heads", f"send+recv of a head, {names[kind]}", "µs", added, figure, noise=noise(plain[kind]) / 1e3,
                  note=f"untraced {statistics.median(plain[kind]) / 1e3:.2f} µs; mean of a request and its response")


GROUPS = {"pair": measure, "heads": measure_heads}
