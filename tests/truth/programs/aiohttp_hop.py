# SPDX-License-Identifier: Apache-2.0
"""aiohttp, server and client: each request /h/ID asks the next server for /l/ID/1 and /l/ID/2. usage: aiohttp_hop.py PORT NEXT_PORT"""
import asyncio
import random
import sys

import aiohttp
from aiohttp import web

port, following = sys.argv[1:]


async def hop(request):
    async def ask(which):
        await asyncio.sleep(random.random() / 500)
        async with request.app["session"].get(f"http://127.0.0.1:{following}/l/{request.match_info['name']}/{which}") as response:
            return await response.text()
    answers = [await ask(1), *await asyncio.gather(ask(2), ask(3))]
    return web.Response(text="".join(answers))


async def session(app):
    app["session"] = aiohttp.ClientSession()
    yield
    await app["session"].close()

app = web.Application()
app.router.add_get("/h/{name}", hop)
app.cleanup_ctx.append(session)
web.run_app(app, host="127.0.0.1", port=int(port), print=None, backlog=2048)
