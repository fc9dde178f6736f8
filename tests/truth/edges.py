# SPDX-License-Identifier: Apache-2.0
"""Edges of one kind: how many parents are right, missing, wrong, and by which evidence."""
import collections


class Edges:
    def __init__(self):
        self.right = self.missing = self.wrong = 0
        self.evidence = collections.Counter()
        self.example = ""

    def judge(self, child, parent) -> bool:
        if not child.parent_id:
            self.missing += 1
            return False
        self.evidence[child.attributes.get("clew.parent.evidence")] += 1
        right = parent is not None and child.parent_id == parent.span_id and child.trace_id == parent.trace_id
        if right:
            self.right += 1
        else:
            self.wrong += 1
            self.example = self.example or f"{child} has the parent {child.parent_id}, should have {parent}"
        return right

    def share(self):
        return self.right / max(1, self.right + self.missing + self.wrong)

    def __str__(self):
        evidence = ", ".join(f"{k} {v}" for k, v in self.evidence.most_common())
        return f"{self.right:6} right {self.missing:5} missing {self.wrong:4} wrong   {evidence}"
