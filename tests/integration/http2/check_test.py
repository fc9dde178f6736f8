# SPDX-License-Identifier: Apache-2.0
"""Tests of the comparison itself: every kind of wrong span must be noticed. Run: python3 -m unittest discover -s tests/integration -p '*_test.py' -t tests/integration"""
import unittest

from harness import truth
from harness.spans import CLIENT, SERVER, Span
from http2 import check, plan
from http2.plan import Outcome, Wish


def outcome_of(index: int, wish: Wish) -> Outcome:
    return Outcome(index, wish.codes[0], wish.send, wish.received, 10**18, 10**18 + 10**6, [], "")


def span_of(wish: Wish, outcome: Outcome, **change) -> Span:
    asked, told = check.sizes(wish, outcome)
    attributes = {"rpc.system.name": "grpc", "rpc.method": wish.path[1:], "rpc.response.status_code": plan.CODES[outcome.code],
                  "http.request.body.size": asked, "http.response.body.size": told, **change.pop("attributes", {})}
    fields = {"kind": SERVER, "start": outcome.start + 10, "end": outcome.end - 10, "resource": {"process.pid": 7}, **change}
    return Span("t", "s", "", wish.path[1:], status=0, attributes=attributes, scope="", **fields)


PLAN = plan.mixed(40, given_up=False)
OUTCOMES = [outcome_of(i, wish) for i, wish in enumerate(PLAN)]


def compare(spans, wishes=PLAN, outcomes=OUTCOMES):
    return "; ".join(check.differences(wishes, outcomes, spans, SERVER, {7}))


class Check(unittest.TestCase):
    def spans(self, first=None, **change):
        """All as they should be, but the first."""
        return ([first] if first else [span_of(PLAN[0], OUTCOMES[0], **change)]) + [span_of(w, o) for w, o in zip(PLAN[1:], OUTCOMES[1:])]

    def test_spans_as_the_truth_says_are_right(self):
        self.assertEqual(compare(self.spans()), "")

    def test_missing_invented_and_doubled_spans_are_named(self):
        self.assertIn("missing", compare(self.spans()[1:]))
        self.assertIn("invented", compare([*self.spans(), span_of(Wish("/l/other"), OUTCOMES[0])]))
        self.assertIn("twice", compare([*self.spans(), self.spans()[5]]))
        self.assertIn("missing", compare(self.spans(kind=CLIENT)))

    def test_wrong_fields_are_named(self):
        for attributes in ({"rpc.response.status_code": "ABORTED"}, {"http.request.body.size": 1}, {"http.response.body.size": 1}, {"rpc.system.name": "connectrpc"},
                           {"clew.incomplete": ["bytes_lost"]}):
            self.assertNotEqual(compare(self.spans(attributes=attributes)), "", attributes)
        self.assertIn("process", compare(self.spans(resource={"process.pid": 8})))

    def test_a_message_more_or_less_is_noticed_by_the_size(self):
        i = next(i for i, w in enumerate(PLAN) if w.kind == "talk" and w.send > 1)
        spans = self.spans()
        spans[i].attributes["http.request.body.size"] -= check.ask_bytes(PLAN[i])
        self.assertIn("wrong request size", compare(spans))

    def test_a_span_outside_of_its_call_is_noticed(self):
        self.assertIn("outside", compare(self.spans(end=10**18 + 2 * int(truth.WORST_NS))))

    def test_calls_of_one_path_are_counted_by_status_and_size(self):
        wishes = plan.mixed(40, fixed=True, given_up=False)
        outcomes = [outcome_of(i, w) for i, w in enumerate(wishes)]
        spans = [span_of(w, o) for w, o in zip(wishes, outcomes)]
        self.assertEqual(compare(spans, wishes, outcomes), "")
        spans[3].attributes["http.request.body.size"] += 1
        self.assertIn("missing with", compare(spans, wishes, outcomes))

    def test_a_call_that_one_end_alone_has_seen_is_noticed(self):
        wish = Wish("/l/t1", delay=1000, cancel=25)
        with self.assertRaises(Exception):
            check.both_ends([wish], [span_of(wish, outcome_of(0, wish))])

    def test_a_bed_that_does_not_do_as_planned_is_noticed(self):
        self.assertEqual(plan.untrue(PLAN, OUTCOMES), [])
        OUTCOMES[0].trouble, saved = "answer-of-/l/t9", OUTCOMES[0].trouble
        self.assertNotEqual(plan.untrue(PLAN, OUTCOMES), [])
        OUTCOMES[0].trouble = saved


class Contexts(unittest.TestCase):
    def wrong(self, metadata: str, traces: list, n: int = 1):
        wishes = [Wish(f"/l/t{i}", metadata=metadata) for i in range(n)]
        return plan.wrong_contexts(wishes, [Outcome(i, 0, 1, 1, 1, 2, list(traces), "") for i in range(n)])

    def test_one_of_its_own_or_one_that_was_given_is_right(self):
        self.assertEqual(self.wrong("-", [plan.own_context(1)]), [])
        self.assertEqual(self.wrong(f"traceparent={plan.own_context(1)}", [plan.own_context(1)]), [])
        self.assertEqual(self.wrong("b3=1-2-1", []), [])

    def test_none_two_or_another_are_wrong(self):
        self.assertNotEqual(self.wrong("-", []), [])
        self.assertNotEqual(self.wrong("-", [plan.own_context(1), plan.own_context(2)]), [])
        self.assertNotEqual(self.wrong("-", ["00-0-0-01"]), [])
        self.assertNotEqual(self.wrong(f"traceparent={plan.own_context(1)}", [plan.own_context(2)]), [])
        self.assertNotEqual(self.wrong(f"traceparent={plan.own_context(1)}", [plan.own_context(1), plan.own_context(2)]), [])
        self.assertNotEqual(self.wrong("b3=1-2-1", [plan.own_context(1)]), [])
        self.assertNotEqual(self.wrong("-", [plan.own_context(1)], n=2), [])


if __name__ == "__main__":
    unittest.main()
