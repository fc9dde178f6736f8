# SPDX-License-Identifier: Apache-2.0
"""The stacks: how each is started as a server and as a client. README.md says what all of them do."""
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.case import Context, Failure, need
from harness.env import CACHE, SUITE, node_of, tool
from harness.process import Process, free_port, run
from http2.plan import Outcome, Wish

HERE = SUITE / "http2"
BUILT = CACHE / "http2"
JAVA = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{BUILT}/java/classes:{BUILT}/java/lib/*", "Bed"]
PYTHON = BUILT / "venv" / "bin" / "python"


@dataclass(frozen=True)
class Stack:
    language: str
    command: tuple
    made: str  # the name of what `prepare` has made
    environment: tuple = ()

    def available(self):
        need(tool(str(self.command[0])), f"{self.command[0]} is not there: run tests/integration/prepare")
        need((BUILT / f"{self.made}.made").exists(), f"{self.made} is not built: run tests/integration/prepare")

    @property
    def env(self) -> dict:
        return {"GOMAXPROCS": "4", "PYTHONDONTWRITEBYTECODE": "1", **dict(self.environment)}


def node():
    """Debian 12's calls a libnghttp2 whose functions have no instruction at their beginning that a probe is cheap at."""
    said = subprocess.run([tool("node"), "--version"], capture_output=True, text=True, check=True).stdout if tool("node") else "v0"
    return node_of(22) if node_of(22).exists() and int(said[1:].split(".")[0]) < 20 else "node"


NODE = node()


def python(program):
    return Stack("python", (PYTHON, HERE / "grpc_python" / program), "grpcio", (("PYTHONPATH", str(BUILT / "python")),))


def cpp(mode):
    return Stack("c++", (BUILT / "bin" / "grpc_cpp", mode), "grpc_cpp")


GRPC = {
    "grpc-go": Stack("go", (BUILT / "bin" / "grpc_go",), "grpc_go"),
    "grpc-c++-sync": cpp("sync"),
    "grpc-c++-callback": cpp("callback"),
    "grpc-c++-queue": cpp("queue"),  # as a server only
    "grpc-java": Stack("java", tuple(JAVA), "grpc_java"),
    "grpcio": python("bed_sync.py"),
    "grpcio-aio": python("bed_aio.py"),
    "grpc-js": Stack("node", (NODE, HERE / "grpc_js" / "bed.js"), "grpc_js", (("NODE_PATH", str(BUILT / "node" / "node_modules")),)),
    "tonic": Stack("rust", (BUILT / "bin" / "tonic_bed",), "tonic"),
}
GRPC_CLIENTS = {name: stack for name, stack in GRPC.items() if name != "grpc-c++-queue"}
PLAIN = {
    "go-h2c": Stack("go", (BUILT / "bin" / "h2c",), "h2c"),
    "go-x-net": Stack("go", (BUILT / "bin" / "x_net",), "x_net"),
    "node-http2": Stack("node", (NODE, HERE / "plain" / "http2.js"), "grpc_js"),
}
ALL = {**GRPC, **PLAIN}


def may_give_up(*names: str) -> bool:
    """gRPC 1.51 for C++ sends RST_STREAM for a stream whose HEADERS it has never sent if the call is given up early. Netty and Rust's h2 end the
    connection then (PROTOCOL_ERROR), traced or not: between these no call is given up."""
    return not (any("c++" in name for name in names) and any(name in ("grpc-java", "tonic") for name in names))


@dataclass
class Server:
    process: Process
    port: int

    @property
    def pid(self) -> int:
        return self.process.pid


def by_tls(certificate) -> dict:
    """For the environment of both ends: grpc-go and gRPC for C++ then speak TLS."""
    return {"BED_CERTIFICATE": str(certificate.certificate), "BED_KEY": str(certificate.key)} if certificate else {}


def serve(ctx: Context, name: str, next_port: int = 0, how: str = "sequence", paths=(), tls=None) -> Server:
    """`paths`: those that will be called, for the one stack that must know them before."""
    stack, port = ALL[name], free_port()
    stack.available()
    file = ctx.dir(name) / "paths"
    file.write_text("".join(path + "\n" for path in paths if not path.startswith("/bed.Bed/")))
    process = Process(ctx, name, [*stack.command, "serve", port, next_port, how], env={**stack.env, **by_tls(tls), "BED_PATHS": str(file)})
    process.wait_port(port, limit=30)
    return Server(process, port)


def client(ctx: Context, name: str, port: int, plan: list[Wish], concurrency: int) -> tuple[list, Path]:
    """A command, and the plan, which it reads from standard input."""
    ALL[name].available()
    file = ctx.dir(name) / "plan"
    file.write_text("".join(wish.line() + "\n" for wish in plan))
    return [*ALL[name].command, "call", port, concurrency], file


def client_command(ctx: Context, name: str, port: int, plan: list[Wish], concurrency: int) -> list:
    """The same as one command, of a shell."""
    command, file = client(ctx, name, port, plan, concurrency)
    words = " ".join(f"'{word}'" for word in command)
    return ["sh", "-c", f"exec {words} < '{file}'"]


def read(text: str, plan: list[Wish]) -> list[Outcome]:
    """What a client wrote, in the order of the plan."""
    outcomes = sorted((Outcome.parse(line) for line in text.splitlines() if line.count("\t") == 7), key=lambda o: o.index)
    if [o.index for o in outcomes] != list(range(len(plan))):
        odd = [line for line in text.splitlines() if line.count("\t") != 7]
        raise Failure(f"the client told of {len(outcomes)} of {len(plan)} calls; its other lines: {odd[:5]}; its end: {text[-300:]}")
    return outcomes


def call(ctx: Context, name: str, port: int, plan: list[Wish], concurrency: int, limit: float = 120) -> list[Outcome]:
    done = run(ctx, client_command(ctx, name, port, plan, concurrency), limit=limit, env=ALL[name].env)
    return read(done.stdout, plan)
