# SPDX-License-Identifier: Apache-2.0
"""aiohttp, server and client: each request /h/ID asks the next server for /l/ID/1 and /l/ID/2.

usage: aiohttp_hop.py PORT NEXT_PORT LOOP PATTERN [CERTIFICATE KEY] (then over TLS, both ways)    LOOP: asyncio uvloop    PATTERN: tasks, queue (workers that were there before ask)
"""
import asyncio
import random
import ssl
import sys

import aiohttp
from aiohttp import web

port, following, loop, pattern, *files = sys.argv[1:]
base = f"{'https' if files else 'http'}://127.0.0.1:{following}"
trust = ssl.create_default_context(cafile=files[0]) if files else True


async def ask(app, name, which):
    await asyncio.sleep(random.random() / 500)
    async with app["session"].get(f"{base}/l/{name}/{which}") as response:
        return await response.text()


async def worker(app):
    while True:
        name, which, answer = await app["queue"].get()
        answer.set_result(await ask(app, name, which))


async def hop(request):
    app, name = request.app, request.match_info["name"]
    if pattern == "tasks":
        answers = [await ask(app, name, 1), *await asyncio.gather(ask(app, name, 2), ask(app, name, 3))]
    else:
        waiting = [asyncio.get_running_loop().create_future() for _ in range(3)]
        for i, answer in enumerate(waiting, 1):
            app["queue"].put_nowait((name, i, answer))
        answers = await asyncio.gather(*waiting)
    return web.Response(text="".join(answers))


async def session(app):
    app["session"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100, ssl=trust))
    app["queue"] = asyncio.Queue()
    workers = [asyncio.create_task(worker(app)) for _ in range(8)]
    yield
    for one in workers:
        one.cancel()
    await app["session"].close()


def context():
    if not files:
        return None
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(*files)
    return made


app = web.Application()
app.router.add_get("/h/{name}", hop)
app.cleanup_ctx.append(session)
if loop == "uvloop":
    import uvloop
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
web.run_app(app, host="127.0.0.1", port=int(port), print=None, backlog=2048, ssl_context=context(), loop=asyncio.new_event_loop())
