# SPDX-License-Identifier: Apache-2.0
"""The cases of the torture test: the bed by itself, then with `clew trace --inject` beside it."""
import random
import signal
import subprocess
import time

from bed import Bed
from harness import case, env, spans
from harness.case import Failure, check
from harness.tracer import Clew

AXES = {
    "traffic": "plain body looks-like chunked big-head own-context empty-lines lf-only mixed expect expect-refused upgrade upgrade-refused "
               "upgrade-early connect connect-refused random-bytes tls-hello redis http2 rtsp",
    "writer": "whole pieces bytes split awkward writev sendmsg sendmmsg more cork sendfile splice zerocopy zerocopy-late any-writer",
    "other": "ipv6 unix nonblocking tiny slow threads fork dup shutdown in-flight reset pipelined",
    "pair": "upgrade-early+pipelined+awkward upgrade-early+pipelined+any-writer upgrade-early+any-writer upgrade-early+sendfile own-context+awkward own-context+sendmsg zerocopy+big-head "
            "looks-like+awkward chunked+awkward+tiny expect+split+nonblocking looks-like+sendfile+tiny connect+pipelined+awkward",
}
# Of these, nearly all must be injected: else nothing has been tested.
SIMPLE = {"plain", "body", "looks-like", "chunked", "whole", "ipv6", "nonblocking", "dup", "shutdown"}
SIMPLE_SHARE = 0.9
ABSENT_SHARE = {"awkward": 0.01, "sendmsg": 0.1}  # injected requests without a span; of hundreds of iovecs some are not read
# Kept alive for hundreds of requests, so that clew comes and goes in the middle; no slow ones, for the longest wait counts.
LASTING = "mix,long,usual-reading,one-thread,close"


def wish(options) -> list:
    return [] if options.control else ["--inject"]


def injecting(ctx, bed, options, **more) -> Clew:
    return Clew(ctx, *wish(options), "--pid", bed.pid, checked=False, **more).ready()


def figures(server: dict) -> str:
    return (f"{server['requests']} requests, {server['injected']} injected, {server['left_alone']} left alone, "
            f"{server['forbidden']} forbidden, {server['corrupted']} corrupted")


def demand(bed, client, server):
    problems = bed.problems(client, server)
    check(not problems, "; ".join(problems))


def none_injected(server):
    check(server["injected"] == 0, f"{server['injected']} lines from nowhere")


def some_injected(options, server, where):
    if options.control:
        none_injected(server)
    else:
        check(server["injected"] > 0, f"nothing was injected {where}")


def self_check(ctx, programs, options):
    rounds = {"quick": 100, "default": 300, "full": 3000}[options.mode]
    done = subprocess.run([programs / "torture_self_check", "--rounds", str(rounds)], capture_output=True, text=True, timeout=env.seconds(400))
    check(done.returncode == 0, done.stdout[-800:])
    ctx.note(done.stdout.splitlines()[-1] + f" kinds of damage and soundness, {rounds} streams each")


def damage_on_the_wire(ctx, programs, options):
    bed = Bed(ctx, programs)
    client, server = bed.run(options.seed, requests=1000, variant="mix,close,usual-reading", evil=True, threads=16)
    damaged = (client["connections"] + 3) // 4
    check(server["corrupted"] == damaged, f"{damaged} connections were damaged, {server['corrupted']} found; again: {bed.line}")
    ctx.note(f"{damaged} of {damaged} found")


def untraced(ctx, programs, options):
    bed = Bed(ctx, programs, client="asking_client")
    client, server = bed.run(options.seed, requests={"quick": 4000, "default": 10_000, "full": 50_000}[options.mode], threads=64, limit=300)
    demand(bed, client, server)
    none_injected(server)
    ctx.note(f"{figures(server)}, longest wait {client['longest_wait_us'] / 1000:.0f} ms")


def each_alone(axis):
    def run(ctx, programs, options):
        requests = {"quick": 300, "default": 1500, "full": 5000}[options.mode]
        bed, wrong, rows = Bed(ctx, programs), [], []
        clew = injecting(ctx, bed, options, file=False)
        for name in AXES[axis].split():
            client, server = bed.run(options.seed, requests=requests, variant=name.replace("+", ","), threads=16, limit=200)
            problems = bed.problems(client, server)
            able = server["injected"] + server["left_alone"]
            share = server["injected"] / able if able else 0
            if name in SIMPLE and share < SIMPLE_SHARE and not options.control:
                problems.append(f"only {server['injected']} of {able} injected")
            if name == "unix":
                able = 0
            rows.append(f"{name} {server['injected']}/{able}")
            wrong += [f"{name}: {p}" for p in problems]
        clew.stop()
        ctx.note("injected of those that may be: " + ", ".join(rows))
        check(not wrong, f"{len(wrong)} problems: " + "; ".join(wrong[:8]) + " | " + ", ".join(rows))
    return run


def mixed(ctx, programs, options):
    bed = Bed(ctx, programs)
    clew = injecting(ctx, bed, options, file=False)
    began = time.monotonic()
    requests = options.requests or {"quick": 6000, "default": 40_000, "full": 1_000_000}[options.mode]
    client, server = bed.run(options.seed, requests=requests, threads=64, limit=3000)
    clew.stop()
    demand(bed, client, server)
    some_injected(options, server, "at all")
    ctx.note(f"{figures(server)}; {client['requests'] / (time.monotonic() - began):.0f} requests/s, longest wait {client['longest_wait_us'] / 1000:.0f} ms, "
             f"{client['zerocopy_ids']} zerocopy ids")


def asking(ctx, programs, options):
    """FIONREAD must give what the peer has sent. Some kernels answer wrongly for sockets that are injected into; then they must not be."""
    bed = Bed(ctx, programs, client="asking_client")
    clew = injecting(ctx, bed, options, file=False)
    requests = {"quick": 1500, "default": 5000, "full": 50_000}[options.mode]
    for variant in ("fionread", "mix,fionread"):
        client, server = bed.run(options.seed, requests=requests, variant=variant, threads=32, limit=300)
        demand(bed, client, server)
        check(client["fionread_checks"] > 0, "nothing was asked")
        ctx.note(f"{figures(server)}, asked {client['fionread_checks']} times")
    clew.stop()


def processes(ctx, programs, options):
    bed = Bed(ctx, programs)
    clew = injecting(ctx, bed, options, file=False)
    client, server = bed.run(options.seed + 1, requests={"quick": 3000, "default": 10_000, "full": 100_000}[options.mode], processes=3, threads=12,
                             limit=1000)
    clew.stop()
    demand(bed, client, server)
    some_injected(options, server, "into the requests of later children")
    ctx.note(figures(server))


def joined(ctx, programs, options):
    """clew comes when all connections are open and busy, and goes by SIGINT while they are; more than once."""
    bed = Bed(ctx, programs)
    bed.start(options.seed + 2, variant=LASTING, threads=24, limit=400)
    for _ in range({"quick": 1, "default": 3, "full": 20}[options.mode]):
        time.sleep(0.3)
        clew = injecting(ctx, bed, options, file=False)
        time.sleep(1.2)
        clew.stop()
    bed.client.popen.send_signal(signal.SIGTERM)
    client, server = bed.finish()
    demand(bed, client, server)
    some_injected(options, server, "into connections that were open before")
    ctx.note(figures(server))


def compare(spans_of, log_lines):
    """Each line of the server's log beside the client span with its path: right, left alone and so said, without a span, wrong."""
    of_path = {s.path: s for s in spans_of if s.kind == spans.CLIENT and s.path.startswith("/t/")}
    right, untouched, absent, wrong = 0, 0, 0, []
    for line in log_lines:
        path, trace_id, parent_id = line.split()
        span = of_path.get(path)
        said = span.attributes.get("clew.injected") if span else None
        if span is None:
            absent += trace_id != "-"
        elif trace_id == "-":
            untouched += 1
            if said:
                wrong.append(f"{path} was left alone, its span says injected")
        elif (span.trace_id, span.span_id, said) != (trace_id, parent_id, True):
            wrong.append(f"{path} carries {trace_id} {parent_id}, its span is {span.trace_id} {span.span_id}, injected: {said}")
        else:
            right += 1
    decoys = [s for s in spans_of if "/decoy/" in s.path]
    wrong += [f"a span of a body's bytes says injected: {s}" for s in decoys if s.attributes.get("clew.injected")]
    return right, untouched, absent, len(decoys), wrong


def against_spans(ctx, programs, options):
    """What sendfile and splice send is not read for spans, and behind a hole a body may be taken for a request: figures only, then."""
    requests = {"quick": 400, "default": 2000, "full": 10_000}[options.mode]
    for number, writer in enumerate(("awkward", "sendmsg", "any-writer")):
        bed = Bed(ctx, programs, log=True)
        clew = injecting(ctx, bed, options)
        client, server = bed.run(options.seed + 3 + number, requests=requests, threads=8, limit=300,
                                 variant=f"mix,{writer},usual-buffers,usual-reading,one-thread,close")
        demand(bed, client, server)
        time.sleep(1.2)
        result = clew.stop()
        right, untouched, absent, decoys, wrong = compare(result.spans, bed.log.read_text().splitlines())
        text = (f"{writer}: {right} lines are those of their spans, {untouched} spans of requests left alone, {absent} lines without a span, "
                f"{decoys} spans of bytes of bodies")
        ctx.note(text)
        check(not wrong, f"{len(wrong)} wrong: " + "; ".join(wrong[:3]) + f"; {text}; again: {bed.line}")
        check(right > 0 or options.control, f"no injected request has a span; {text}")
        if writer in ABSENT_SHARE:
            check(decoys == 0 and absent <= (right + absent) * ABSENT_SHARE[writer], f"{text}; {result.summary()}; again: {bed.line}")


def kernel_tls(ctx, programs, options):
    with open("/proc/sys/net/ipv4/tcp_available_ulp") as f:
        available = "tls" in f.read().split()
    bed = Bed(ctx, programs)
    bed.start(options.seed, ktls=True)
    without = bed.client.hear(20)
    clew = injecting(ctx, bed, options, file=False)
    bed.start(options.seed, ktls=True)
    beside = bed.client.hear(20)
    clew.stop()
    check(without == beside, f"errno of TCP_ULP, TLS_TX: {without} without clew, {beside} beside it")
    case.need(available, f"this kernel has no TLS (CONFIG_TLS); setsockopt fails alike with and without clew: {without}")
    ctx.note(f"errno {without} with and without")


def killed_once(bed, options, pause_s: float) -> float:
    """Starts clew, kills it some time after it was ready. Returns how long it took to be ready."""
    began = time.monotonic()
    clew = subprocess.Popen([str(env.CLEW), "trace", *wish(options), "--pid", str(bed.pid), "--console=line"], stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True)
    said = []
    try:
        for raw in clew.stderr:
            said.append(raw.decode(errors="replace").strip())
            if said[-1] == "clew: ready":
                took = time.monotonic() - began
                time.sleep(pause_s)
                return took
        raise Failure(f"clew was not ready: {' | '.join(said[-4:])}")
    finally:
        clew.kill()
        clew.wait(10)
        clew.stderr.close()


def killed(ctx, programs, options):
    times = options.kill or {"quick": 8, "default": 60, "full": 1000}[options.mode]
    bed, moment = Bed(ctx, programs), random.Random(options.seed)
    bed.start(options.seed + 4, variant=LASTING, threads=16, limit=400)
    time.sleep(0.3)
    ready = []
    began = time.monotonic()
    for i in range(times):
        ready.append(killed_once(bed, options, moment.uniform(0.005, 0.150)))
        if options.mode == "full" and i % 50 == 49:
            print(f"      killed {i + 1} times, {(time.monotonic() - began) / (i + 1):.2f} s each", flush=True)
    bed.client.popen.send_signal(signal.SIGTERM)
    client, server = bed.finish()
    ready.sort()
    text = (f"killed {times} times, ready after {ready[len(ready) // 2] * 1000:.0f} ms (median); {figures(server)}, "
            f"longest wait {client['longest_wait_us'] / 1000:.0f} ms")
    demand(bed, client, server)
    check(client["longest_wait_us"] < env.seconds(1) * 1e6, f"a request took {client['longest_wait_us'] / 1000:.0f} ms: {client['longest_wait']}; {text}")
    some_injected(options, server, f"before it was killed: {text}")
    ctx.note(text)


# name, what it does, does it need --inject
ALL = [
    ("verifier-finds-damage", self_check, False),
    ("server-finds-damage", damage_on_the_wire, False),
    ("untraced", untraced, False),
    *((f"each-{axis}-alone", each_alone(axis), True) for axis in AXES),
    ("mixed", mixed, True),
    ("asks-what-is-readable", asking, True),
    ("processes", processes, True),
    ("joined-and-left", joined, True),
    ("spans-agree", against_spans, True),
    ("kernel-tls", kernel_tls, True),
    ("killed", killed, True),
]
