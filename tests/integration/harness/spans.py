# SPDX-License-Identifier: Apache-2.0
"""Spans as read from OTLP/JSON lines, and what must hold for every one of them (OpenTelemetry semantic conventions v1.44)."""
import json
import re
from dataclasses import dataclass

SERVER, CLIENT = 2, 3
CLEW_ATTRIBUTES = {"clew.parent.evidence", "clew.parent.confidence", "clew.injected", "clew.incomplete"}
EVIDENCE = {"header", "tcp_option", "connection", "execution", "causal", "inferred"}
NAMESPACES = ("http.", "url.", "server.", "client.", "network.", "user_agent.", "error.type", "tls.")
RPC_NAMESPACES = ("rpc.", "http.request.body.size", "http.response.body.size", "server.", "network.peer.", "error.type", "tls.")
SERVERS_FAULTS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
RESOURCE_NAMESPACES = ("service.", "process.", "host.", "container.", "k8s.", "telemetry.", "os.", "deployment.")
TYPES = {
    "http.request.method": str, "http.request.method_original": str, "http.response.status_code": int, "url.path": str,
    "url.scheme": str, "url.query": str, "url.full": str, "server.address": str, "server.port": int, "client.address": str,
    "client.port": int, "network.peer.address": str, "network.peer.port": int, "network.protocol.version": str,
    "network.protocol.name": str, "tls.protocol.version": str, "user_agent.original": str, "error.type": str, "http.request.body.size": int,
    "http.response.body.size": int, "clew.incomplete": list, "clew.parent.evidence": str, "clew.parent.confidence": float,
    "clew.injected": bool, "service.name": str, "service.instance.id": str, "process.pid": int, "telemetry.distro.name": str,
    "rpc.system.name": str, "rpc.method": str, "rpc.response.status_code": str, "host.name": str, "process.executable.path": str, "process.executable.name": str,
}
METHODS = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "QUERY"}


@dataclass(slots=True)
class Span:
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start: int
    end: int
    status: int
    attributes: dict
    resource: dict
    scope: str
    trace_state: str = ""

    @property
    def path(self) -> str:
        """The path of the request, of a server span as well as of a client span."""
        if "url.path" in self.attributes:
            return self.attributes["url.path"]
        if "rpc.method" in self.attributes:
            return "/" + self.attributes["rpc.method"]
        full = self.attributes.get("url.full", "")
        match = re.match(r"[a-z][a-z0-9+.-]*://[^/?#]*([^?#]*)", full)
        return (match.group(1) if match else full).split("?")[0]

    @property
    def is_rpc(self) -> bool:
        return "rpc.system.name" in self.attributes

    @property
    def incomplete(self) -> list:
        return self.attributes.get("clew.incomplete", [])

    @property
    def pid(self) -> int:
        return self.resource.get("process.pid", 0)

    def __str__(self):
        a = self.attributes
        method, status = (a.get("rpc.system.name"), a.get("rpc.response.status_code")) if self.is_rpc else (a.get("http.request.method"), a.get("http.response.status_code"))
        return (f"{'SERVER' if self.kind == SERVER else 'CLIENT' if self.kind == CLIENT else self.kind} {method} {self.path[:80]} {status} pid={self.pid}"
                + (f" incomplete={self.incomplete}" if self.incomplete else ""))


def value(v: dict):
    kind, content = next(iter(v.items()), ("stringValue", None))
    if kind == "intValue":
        return int(content)
    if kind == "doubleValue":
        return float(content)
    if kind == "arrayValue":
        return [value(x) for x in content.get("values", [])]
    return content


def attributes(pairs) -> dict:
    out = {}
    for pair in pairs or []:
        if pair["key"] in out:
            raise ValueError(f"attribute {pair['key']} twice")
        out[pair["key"]] = value(pair.get("value", {}))
    return out


def parse(text: str) -> list[Span]:
    """Every line must be a whole ExportTraceServiceRequest; a last line without its newline is an error too."""
    spans = []
    if text and not text.endswith("\n"):
        raise ValueError("the file ends in the middle of a line")
    for number, line in enumerate(text.splitlines(), 1):
        try:
            request = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"line {number} is not JSON: {error}") from None
        for resource_spans in request["resourceSpans"]:
            resource = attributes(resource_spans.get("resource", {}).get("attributes"))
            for scope_spans in resource_spans["scopeSpans"]:
                scope = scope_spans.get("scope", {}).get("name", "")
                for s in scope_spans["spans"]:
                    spans.append(Span(s["traceId"], s["spanId"], s.get("parentSpanId", ""), s["name"], s["kind"],
                                      int(s["startTimeUnixNano"]), int(s["endTimeUnixNano"]), s.get("status", {}).get("code", 0),
                                      attributes(s.get("attributes")), resource, scope, s.get("traceState", "")))
    return spans


def violations(spans: list[Span], replay: bool = False) -> list[str]:
    """What breaks the conventions or INTERFACE.md on any span, whatever the traffic was."""
    out, seen = [], set()
    for s in spans:
        found = []
        if not re.fullmatch(r"[0-9a-f]{32}", s.trace_id) or int(s.trace_id, 16) == 0:
            found.append(f"trace id {s.trace_id!r}")
        if not re.fullmatch(r"[0-9a-f]{16}", s.span_id) or int(s.span_id, 16) == 0:
            found.append(f"span id {s.span_id!r}")
        if s.span_id in seen:
            found.append(f"span id {s.span_id} used twice")
        seen.add(s.span_id)
        if s.end < s.start:
            found.append(f"ends {s.start - s.end} ns before it starts")
        if s.kind not in (SERVER, CLIENT):
            found.append(f"kind {s.kind}")
        found += of_attributes(s) + of_resource(s, replay)
        out += [f"{s}: {text}" for text in found]
    return out


def of_attributes(s: Span) -> list[str]:
    a, out = s.attributes, []
    for key, v in list(a.items()) + list(s.resource.items()):
        wanted = TYPES.get(key)
        if wanted and (not isinstance(v, wanted) or (wanted is int and isinstance(v, bool))):
            out.append(f"{key} is {v!r}, not {wanted.__name__}")
    for key in a:
        if key.startswith("clew."):
            if key not in CLEW_ATTRIBUTES:
                out.append(f"{key} is not an attribute of INTERFACE.md")
        elif not key.startswith(RPC_NAMESPACES if "rpc.system.name" in a else NAMESPACES):
            out.append(f"{key} is not an attribute of {'RPC' if 'rpc.system.name' in a else 'HTTP'} spans")
    if ("clew.parent.evidence" in a) != bool(s.parent_id):
        out.append("clew.parent.evidence and a parent must come together")
    if a.get("clew.parent.evidence", "header") not in EVIDENCE:
        out.append(f"evidence {a['clew.parent.evidence']!r}")
    if "clew.incomplete" in a and not a["clew.incomplete"]:
        out.append("clew.incomplete is empty")
    return out + (of_call(s) if "rpc.system.name" in a else of_http(s))


def of_call(s: Span) -> list[str]:
    a, out = s.attributes, []
    method, code = a.get("rpc.method"), a.get("rpc.response.status_code")
    if s.name != (method if method and method != "_OTHER" else a["rpc.system.name"]):
        out.append(f"name {s.name!r} with the method {method!r}")
    if "server.address" not in a:
        out.append("server.address is missing")
    if a["rpc.system.name"] == "grpc" and code is not None:
        bad = code in SERVERS_FAULTS if s.kind == SERVER else code != "OK"
        if (s.status == 2) != bad or (a.get("error.type") == code) != bad:
            out.append(f"status of the span is {s.status}, error.type {a.get('error.type')!r} for {code}")
    return out


def of_http(s: Span) -> list[str]:
    a, out = s.attributes, []
    required = ["http.request.method"] + (["url.path", "url.scheme"] if s.kind == SERVER else ["url.full", "server.address"])
    for key in required:
        if key not in a and "attached_mid_stream" not in s.incomplete:
            out.append(f"{key} is missing")
    method = a.get("http.request.method")
    if method == "_OTHER":
        if "http.request.method_original" not in a or s.name != "HTTP":
            out.append(f"method _OTHER with name {s.name!r} and original {a.get('http.request.method_original')!r}")
    elif method is None:
        pass  # not known
    elif method not in METHODS:
        out.append(f"method {method!r} is neither known nor _OTHER")
    elif s.name != method:
        out.append(f"name {s.name!r}, not {method!r}")
    return out + of_status(s)


def of_status(s: Span) -> list[str]:
    code, error = s.attributes.get("http.response.status_code"), s.attributes.get("error.type")
    if code is None:
        return []
    bad = code >= (500 if s.kind == SERVER else 400)
    out = []
    if bad and s.status != 2:
        out.append(f"status of the span is {s.status} for {code}")
    if bad and error is None:
        out.append(f"error.type is missing for {code}")
    if not bad and error is None and s.status != 0:
        out.append(f"status of the span is {s.status} for {code} without an error")
    return out


def of_resource(s: Span, replay: bool) -> list[str]:
    out = []
    for key in ["service.name", "telemetry.distro.name"] + ([] if replay else ["process.pid", "service.instance.id"]):
        if not s.resource.get(key):
            out.append(f"resource: {key} is missing")
    if s.resource.get("telemetry.distro.name", "clew") != "clew":
        out.append(f"resource: telemetry.distro.name is {s.resource['telemetry.distro.name']!r}")
    out += [f"resource: {key} is not expected" for key in s.resource if not key.startswith(RESOURCE_NAMESPACES)]
    return out
