# SPDX-License-Identifier: Apache-2.0
"""The bed of HTTP/2 stacks by itself, without clew: every client against every server, each answer that of its own call."""
from harness.case import Skip, case, check
from http2 import plan, stacks


def against_all(ctx, server_name, clients, make, http=False):
    n = ctx.count(40, 160, 40)
    server = stacks.serve(ctx, server_name, paths=[wish.path for wish in make(n)])
    tried = []
    for name in clients:
        wishes = make(n, given_up=stacks.may_give_up(server_name, name))
        for concurrency in (1, 8, 64):
            try:
                outcomes = stacks.call(ctx, name, server.port, wishes, concurrency)
            except Skip as reason:
                ctx.note(str(reason))
                break
            wrong = plan.untrue(wishes, outcomes, http)
            check(not wrong, f"{name} against {server_name}, {concurrency} at a time: {'; '.join(wrong)}")
        else:
            tried.append(name)
    ctx.note(f"{len(tried)} clients")


for name in stacks.GRPC:
    @case(f"http2-bed/{name}", quick=False)
    def grpc(ctx, name=name):
        against_all(ctx, name, stacks.GRPC_CLIENTS, plan.mixed)

for name in stacks.PLAIN:
    @case(f"http2-bed/{name}", quick=False)
    def plain(ctx, name=name):
        against_all(ctx, name, stacks.PLAIN, plan.plain, http=True)
