# SPDX-License-Identifier: Apache-2.0
"""grpcio with asyncio, as a server and as a client of the bed; ../README.md says what they do.

usage: bed_aio.py serve PORT NEXT_PORT HOW | bed_aio.py call PORT CONCURRENCY < PLAN
"""
import asyncio
import sys

import grpc
import wire

CODES = {code.value[0]: code for code in grpc.StatusCode}


class Handlers(grpc.GenericRpcHandler):
    """Every path, by its kind."""

    def __init__(self, channel, how):
        self.channel, self.how = channel, how

    def service(self, details):
        kind = wire.kind_of(details.method)
        traces, path = wire.traces_of(details.invocation_metadata), details.method
        make = getattr(grpc, wire.KINDS[kind] + "_rpc_method_handler")
        if kind in ("spread", "talk"):
            async def behaviour(request, context):
                async for told in getattr(self, kind)(path, traces, request, context):
                    yield told
        else:
            async def behaviour(request, context):
                return await getattr(self, kind)(path, traces, request, context)
        return make(behaviour, wire.ASK.FromString, wire.TOLD.SerializeToString)

    async def begin(self, path, traces, ask):
        await asyncio.sleep(ask.delay_ms / 1000)
        if path.startswith("/h"):
            calls = [(wire.callable_of(self.channel, onward), wire.ASK(id=onward, parent=path)) for onward in wire.onward_paths(path)]
            if self.how == "parallel":
                async def one(call, ask):
                    await call(ask)
                await asyncio.gather(*(one(call, ask) for call, ask in calls))
            else:
                for call, onward in calls:
                    await call(onward)
        return wire.Served(path, traces, ask)

    async def end(self, call, context):
        if call.first.status:
            await context.abort(CODES[call.first.status], call.details)

    async def unary(self, path, traces, ask, context):
        call = await self.begin(path, traces, ask)
        await self.end(call, context)
        return call.told()

    async def spread(self, path, traces, ask, context):
        call = await self.begin(path, traces, ask)
        for _ in range(ask.answers):
            yield call.told()
        await self.end(call, context)

    async def collect(self, path, traces, asks, context):
        call = await self.begin(path, traces, await anext(aiter(asks)))
        async for _ in asks:
            call.asked += 1
        await self.end(call, context)
        return call.told()

    async def talk(self, path, traces, asks, context):
        call = None
        async for ask in asks:
            if call:
                call.asked += 1
            else:
                call = await self.begin(path, traces, ask)
            yield call.told()
        await self.end(call, context)


async def serve(port, next_port, how):
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{next_port}") if next_port != "0" else None
    if channel:
        await channel.channel_ready()
    server = grpc.aio.server(handlers=[Handlers(channel, how)])
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


async def one(channel, outcome):
    wish, turn = outcome.wish, asyncio.Semaphore(1)
    talks = wire.kind_of(wish.path) == "talk"

    async def asks():
        for _ in range(wish.send):
            if talks:
                await turn.acquire()  # the next only after an answer
            outcome.sent += 1
            yield wish.ask()

    if not wish.streams:
        outcome.sent = 1
    call = wire.callable_of(channel, wish.path)(asks() if wish.streams else wish.ask(), timeout=wish.deadline / 1000 or None,
                                                metadata=wish.metadata or None)
    if wish.cancel:
        asyncio.get_running_loop().call_later(wish.cancel / 1000, call.cancel)
    if wire.kind_of(wish.path) in ("unary", "collect"):
        outcome.take(await call)
        return
    async for told in call:
        outcome.take(told)
        turn.release()


async def call_all(port, concurrency):
    wishes = [wire.Wish.parse(line) for line in sys.stdin]
    lines = [""] * len(wishes)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        async def worker(first):
            for index in range(first, len(wishes), concurrency):
                outcome, code, details = wire.Outcome(index, wishes[index]), 0, ""
                try:
                    await one(channel, outcome)
                except grpc.aio.AioRpcError as error:
                    code, details = error.code().value[0], error.details()
                except asyncio.CancelledError:
                    code = 1
                lines[index] = outcome.line(code, details)
        await asyncio.gather(*map(worker, range(concurrency)))
    print("\n".join(lines))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(*sys.argv[2:5]))
    else:
        asyncio.run(call_all(sys.argv[2], int(sys.argv[3])))
