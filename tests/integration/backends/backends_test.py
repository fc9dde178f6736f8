# SPDX-License-Identifier: Apache-2.0
"""clew's exporters against real backends. Started by ./run, which sets CLEW_PROBE, CLEW_COLLECTOR and CLEW_JAEGER."""

import http.server
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPANS = 1000
SCHEMA = "https://opentelemetry.io/schemas/1.44.0"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


def listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def probe(*arguments, spans=SPANS, **variables):
    """Runs the probe; returns its counters as {name{labels}: value}."""
    environment = {"PATH": os.environ["PATH"], "OTEL_BSP_SCHEDULE_DELAY": "100", **variables}
    command = [os.environ["CLEW_PROBE"], "--spans", str(spans), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    counters = {}
    for line in done.stderr.splitlines():
        if line.startswith("clew_"):
            name, value = line.rsplit(" ", 1)
            counters[name] = int(value)
    return counters


def spans_of(path):
    """All spans of a file of OTLP/JSON lines with their resource and scope, in order of span id."""
    spans = []
    for line in pathlib.Path(path).read_text().splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                about = [resource["resource"], resource.get("schemaUrl"), scope["scope"], scope.get("schemaUrl")]
                spans += [(span["spanId"], span, about) for span in scope["spans"]]
    return sorted(spans, key=lambda entry: entry[0])


class Started(unittest.TestCase):
    """A directory for the test and programs that are stopped after it."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="clew-backends-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def start(self, port, *command, **variables):
        log = open(self.directory / "log", "ab")
        self.addCleanup(log.close)
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **variables})
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        wait_for(lambda: listening(port) or process.poll() is not None, f"start of {command[0]}", 60)
        self.assertIsNone(process.poll(), (self.directory / "log").read_text())
        return process


class Collector(Started):
    def setUp(self):
        super().setUp()
        self.grpc, self.http = free_port(), free_port()
        self.received = self.directory / "collector.json"
        config = {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{self.grpc}", "max_recv_msg_size_mib": 64},
                                                 "http": {"endpoint": f"127.0.0.1:{self.http}"}}}},
            "exporters": {"file": {"path": str(self.received), "flush_interval": "50ms"}, "debug": {}},
            "service": {"telemetry": {"metrics": {"level": "none"}},
                        "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["file", "debug"]}}},
        }
        path = self.directory / "collector.yaml"
        path.write_text(json.dumps(config))  # JSON is YAML
        self.start(self.http, os.environ["CLEW_COLLECTOR"], "--config", str(path))

    def compare(self, exporter, *arguments, **variables):
        mine = self.directory / "clew.json"
        counters = probe("--file", str(mine), *arguments, **variables)
        self.assertEqual(counters[f'clew_export_spans_total{{exporter="{exporter}",outcome="exported"}}'], SPANS)
        wait_for(lambda: self.received.exists() and self.received.read_text().count('"spanId":"') >= mine.read_text().count('"spanId":"'),
                 "spans in the collector's file")
        wanted = spans_of(mine)
        self.assertEqual(len(wanted), SPANS)
        self.assertEqual(spans_of(self.received), wanted)
        return mine

    def test_grpc(self):
        mine = self.compare("otlp_grpc", "--otlp", f"http://127.0.0.1:{self.grpc}", "grpc")
        # Same batches, same order: the collector's file is ours to the byte.
        self.assertEqual(self.received.read_text(), mine.read_text())

    def test_grpc_gzip(self):
        self.compare("otlp_grpc", "--otlp", f"http://127.0.0.1:{self.grpc}", "grpc", OTEL_EXPORTER_OTLP_COMPRESSION="gzip")

    def test_http_protobuf(self):
        self.compare("otlp_http", "--otlp", f"http://127.0.0.1:{self.http}", "http/protobuf")

    def test_http_protobuf_gzip(self):
        self.compare("otlp_http", "--otlp", f"http://127.0.0.1:{self.http}", "http/protobuf", OTEL_EXPORTER_OTLP_COMPRESSION="gzip")

    def test_http_json(self):
        self.compare("otlp_http", "--otlp", f"http://127.0.0.1:{self.http}", "http/json")

    def test_spans_keep_the_rules(self):
        mine = self.compare("otlp_http", "--otlp", f"http://127.0.0.1:{self.http}", "http/protobuf")
        for _, span, (resource, schema, scope, scope_schema) in spans_of(mine):
            self.assertGreater(int(span["endTimeUnixNano"]), int(span["startTimeUnixNano"]))
            self.assertRegex(span["traceId"], "^(?!0{32})[0-9a-f]{32}$")
            self.assertRegex(span["spanId"], "^(?!0{16})[0-9a-f]{16}$")
            self.assertIn(span["kind"], (2, 3))
            self.assertIn("service.name", [attribute["key"] for attribute in resource["attributes"]])
            self.assertEqual(scope["name"], "clew")
            self.assertTrue(scope["version"])
            self.assertEqual((schema, scope_schema), (SCHEMA, SCHEMA))


class IndependentDecoder(Started):
    """The bytes of OTLP/HTTP, read by the classes of PyPI's opentelemetry-proto."""

    def test_bytes_are_what_the_json_says(self):
        bodies = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        mine = self.directory / "clew.json"
        probe("--file", str(mine), "--otlp", f"http://127.0.0.1:{server.server_port}", "http/protobuf")

        def plain(value):
            kind = value.WhichOneof("value")
            if kind == "array_value":
                return {"arrayValue": {"values": [plain(item) for item in value.array_value.values]}}
            names = {"string_value": "stringValue", "int_value": "intValue", "double_value": "doubleValue", "bool_value": "boolValue"}
            content = getattr(value, kind)
            return {names[kind]: str(content) if kind == "int_value" else content}

        def attributes(container):
            return [{"key": item.key, "value": plain(item.value)} for item in container]

        decoded = []
        for body in bodies:
            request = ExportTraceServiceRequest.FromString(body)
            self.assertEqual(request.ByteSize(), len(body), "a field is unknown or padded")
            for resource in request.resource_spans:
                self.assertEqual(resource.schema_url, SCHEMA)
                for span in resource.scope_spans[0].spans:
                    json_span = {"traceId": span.trace_id.hex(), "spanId": span.span_id.hex(), "flags": span.flags, "name": span.name,
                                 "kind": span.kind, "startTimeUnixNano": str(span.start_time_unix_nano),
                                 "endTimeUnixNano": str(span.end_time_unix_nano), "attributes": attributes(span.attributes),
                                 "status": {"code": span.status.code} if span.status.code else {}}
                    if span.parent_span_id:
                        json_span["parentSpanId"] = span.parent_span_id.hex()
                    if span.trace_state:
                        json_span["traceState"] = span.trace_state
                    if span.links:
                        json_span["links"] = [{"traceId": link.trace_id.hex(), "spanId": link.span_id.hex(), "flags": link.flags,
                                               "traceState": link.trace_state, "attributes": attributes(link.attributes)}
                                              for link in span.links]
                    decoded.append((json_span["spanId"], json_span, attributes(resource.resource.attributes)))
        wanted = [(key, span, about[0]["attributes"]) for key, span, about in spans_of(mine)]
        self.assertEqual(sorted(decoded, key=lambda entry: entry[0]), wanted)


class Jaeger(Started):
    def setUp(self):
        super().setUp()
        self.grpc, self.http, self.query = free_port(), free_port(), free_port()
        ports = {"collector.otlp.grpc.host-port": self.grpc, "collector.otlp.http.host-port": self.http,
                 "query.http-server.host-port": self.query}
        others = ("admin.http.host-port", "collector.grpc-server.host-port", "collector.http-server.host-port",
                  "http-server.host-port", "processor.jaeger-binary.server-host-port",
                  "processor.jaeger-compact.server-host-port", "processor.zipkin-compact.server-host-port", "query.grpc-server.host-port")
        ports |= {name: free_port() for name in others}
        self.start(self.query, os.environ["CLEW_JAEGER"], "--collector.otlp.enabled=true",
                   *[f"--{name}=127.0.0.1:{port}" for name, port in ports.items()], SPAN_STORAGE_TYPE="memory")
        wait_for(lambda: listening(self.grpc) and listening(self.http), "Jaeger's receivers")

    def traces(self, trace_id):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.query}/api/traces/{trace_id}", timeout=5) as answer:
                return json.load(answer)["data"]
        except OSError:
            return []

    def look_up(self, *arguments):
        mine = self.directory / "clew.json"
        probe("--file", str(mine), *arguments, spans=50)
        by_trace = {}
        for _, span, (resource, *_) in spans_of(mine):
            by_trace.setdefault(span["traceId"], []).append((span, resource))
        self.assertEqual(len(by_trace), 10)
        for trace_id, wanted in by_trace.items():
            found = wait_for(lambda: (data := self.traces(trace_id)) and len(data[0]["spans"]) == len(wanted) and data[0],
                             f"trace {trace_id}")
            services = {process["serviceName"] for process in found["processes"].values()}
            self.assertEqual(services, {"frontend", "cart", "payments"})
            got = {span["spanID"]: span for span in found["spans"]}
            for span, _ in wanted:
                other = got[span["spanId"]]
                parents = [reference["spanID"] for reference in other["references"] if reference["refType"] == "CHILD_OF"]
                self.assertEqual(parents, [span["parentSpanId"]] if "parentSpanId" in span else [])
                self.assertEqual(other["operationName"], span["name"])
                self.assertEqual(other["startTime"], int(span["startTimeUnixNano"]) // 1000)
                tags = {tag["key"]: tag["value"] for tag in other["tags"]}
                self.assertEqual(tags["span.kind"], {2: "server", 3: "client"}[span["kind"]])
                self.assertEqual(tags.get("error", False), span["status"].get("code") == 2)

    def test_trace_over_grpc(self):
        self.look_up("--otlp", f"http://127.0.0.1:{self.grpc}", "grpc")

    def test_trace_over_http(self):
        self.look_up("--otlp", f"http://127.0.0.1:{self.http}", "http/protobuf")


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    failed, skipped = len(result.failures) + len(result.errors), len(result.skipped)
    print(f"{result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(failed > 0)
