# SPDX-License-Identifier: Apache-2.0
"""Tests of the checker itself: every kind of wrong span must be noticed. Run: python3 -m unittest discover -s tests/integration -p '*_test.py' -t tests/integration"""
import json
import unittest

from harness import spans, truth
from harness.spans import SERVER


def attribute(key, v):
    kind = "boolValue" if isinstance(v, bool) else "intValue" if isinstance(v, int) else "stringValue"
    return {"key": key, "value": {kind: str(v) if kind == "intValue" else v}}


def line(n: int, **change) -> str:
    a = {"http.request.method": "GET", "url.path": f"/r/{n}", "url.scheme": "http", "http.response.status_code": 200,
         "http.response.body.size": 5, **change.pop("attributes", {})}
    span = {"traceId": f"{n + 1:032x}", "spanId": f"{n + 1:016x}", "name": "GET", "kind": SERVER, "startTimeUnixNano": str(10**18 + n),
            "endTimeUnixNano": str(10**18 + n + 1000), "attributes": [attribute(k, v) for k, v in a.items() if v is not None], **change}
    resource = {"service.name": "x", "service.instance.id": "i", "process.pid": 7, "telemetry.distro.name": "clew"}
    return json.dumps({"resourceSpans": [{"resource": {"attributes": [attribute(k, v) for k, v in resource.items()]},
                                          "scopeSpans": [{"scope": {"name": "clew"}, "spans": [span]}]}]}) + "\n"


def seen(n: int) -> truth.Request:
    return truth.Request("GET", f"/r/{n}", 200, 0, 5, 10**18 + n - 100, 10**18 + n + 2000)


def compare(lines, requests, **more):
    return "; ".join(truth.differences(requests, spans.parse("".join(lines)), SERVER, **more))


class Checker(unittest.TestCase):
    def test_equal_truth_and_spans_give_no_difference(self):
        self.assertEqual(compare([line(n) for n in range(5)], [seen(n) for n in range(5)]), "")

    def test_missing_invented_and_doubled_spans_are_named(self):
        self.assertIn("missing", compare([line(0)], [seen(0), seen(1)]))
        self.assertIn("invented", compare([line(0), line(1)], [seen(0)]))
        self.assertIn("twice", compare([line(0), line(0)], [seen(0)]))

    def test_a_span_of_the_other_kind_does_not_count(self):
        self.assertIn("missing", compare([line(0, kind=spans.CLIENT)], [seen(0)]))

    def test_an_optional_request_may_be_missing(self):
        r = seen(0)
        r.optional = True
        self.assertEqual(compare([], [r]), "")

    def test_wrong_fields_are_named(self):
        for change in ({"http.request.method": "PUT"}, {"http.response.status_code": 404}, {"http.response.body.size": 4},
                       {"http.response.body.size": None}, {"http.request.body.size": 1}):
            self.assertIn("wrong", compare([line(0, attributes=change)], [seen(0)]), change)

    def test_the_wrong_process_is_noticed(self):
        self.assertIn("wrong process", compare([line(0)], [seen(0)], pids={8, 9}))
        self.assertEqual(compare([line(0)], [seen(0)], pids={7}), "")

    def test_a_span_longer_than_the_client_saw_is_noticed(self):
        late = str(10**18 + int(2 * truth.WORST_NS))
        self.assertIn("outside", compare([line(0, endTimeUnixNano=late)], [seen(0)]))
        self.assertIn("outside", compare([line(0, startTimeUnixNano="1")], [seen(0)]))

    def test_many_small_overruns_are_noticed_and_few_are_not(self):
        late = [line(n, endTimeUnixNano=str(10**18 + n + int(2 * truth.USUAL_NS))) for n in range(20)]
        self.assertIn("a little outside", compare(late, [seen(n) for n in range(20)]))
        self.assertEqual(compare(late[:1] + [line(n) for n in range(1, 20)], [seen(n) for n in range(20)]), "")


class Conventions(unittest.TestCase):
    def broken(self, **change):
        return "; ".join(spans.violations(spans.parse(line(0, **change))))

    def test_a_right_span_breaks_nothing(self):
        self.assertEqual(self.broken(), "")

    def test_each_violation_is_named(self):
        for change, text in (({"spanId": "0" * 16}, "span id"), ({"traceId": "12"}, "trace id"), ({"kind": 1}, "kind"),
                             ({"endTimeUnixNano": "5"}, "before it starts"), ({"attributes": {"clew.extra": "x"}}, "INTERFACE"),
                             ({"attributes": {"url.path": None}}, "missing"), ({"attributes": {"server.port": "80"}}, "not int"),
                             ({"attributes": {"http.response.status_code": 500}}, "error.type"), ({"name": "GET /r/0"}, "name"),
                             ({"parentSpanId": "0" * 15 + "1"}, "evidence"), ({"attributes": {"http.request.method": "FOO"}}, "_OTHER")):
            self.assertIn(text, self.broken(**change), change)

    def test_a_span_id_may_not_come_twice(self):
        self.assertIn("twice", "; ".join(spans.violations(spans.parse(line(0) + line(0)))))

    def test_half_a_line_is_malformed(self):
        with self.assertRaises(ValueError):
            spans.parse(line(0) + line(1)[:40])
        with self.assertRaises(ValueError):
            spans.parse(line(0)[:40] + "\n")

    def test_the_path_of_a_client_span_comes_from_the_url(self):
        for url, path in (("http://h:1/a/b?q#f", "/a/b"), ("http://h", ""), ("http://[::1]:8/x", "/x")):
            s = spans.Span("", "", "", "", 3, 0, 0, 0, {"url.full": url}, {}, "")
            self.assertEqual(s.path, path)


if __name__ == "__main__":
    unittest.main()
