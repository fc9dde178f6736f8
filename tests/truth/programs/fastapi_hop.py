# SPDX-License-Identifier: Apache-2.0
"""FastAPI on uvicorn: each request /h/ID asks the next server for /l/ID/1, /l/ID/2 … (chain: /l/1~ID, /l/2~ID)

usage: fastapi_hop.py PORT NEXT_PORT LOOP CLIENT PATTERN [CERTIFICATE KEY] (then over TLS, both ways)    LOOP: asyncio uvloop    CLIENT: httpx aiohttp    PATTERN: sync, and see `patterns`
"""
import asyncio
import contextlib
import random
import ssl
import sys
import urllib.request

import aiohttp
import fastapi
import httpx
import uvicorn

port, following, loop, client, pattern, *files = sys.argv[1:]
base = f"{'https' if files else 'http'}://127.0.0.1:{following}"
trust = ssl.create_default_context(cafile=files[0]) if files else True
state = {}


async def ask(path: str) -> str:
    if client == "httpx":
        return (await state["client"].get(base + path)).text
    async with state["client"].get(base + path) as response:
        return await response.text()


async def sequence(path):
    return [await ask(path + "/1"), await ask(path + "/2")]


async def chain(path):
    return await asyncio.gather(*(ask(path.replace("/l/", f"/l/{i}~")) for i in (1, 2)))


async def gather(path):
    return await asyncio.gather(*(ask(f"{path}/{i}") for i in range(1, 4)))


async def sleep(path):
    await asyncio.sleep(random.random() / 200)
    first = await ask(path + "/1")
    await asyncio.sleep(random.random() / 200)
    return [first, await ask(path + "/2")]


async def threads(path):
    def blocking(which):
        with urllib.request.urlopen(base + path + which) as response:
            return response.read().decode()
    return await asyncio.gather(asyncio.to_thread(blocking, "/1"), asyncio.to_thread(blocking, "/2"))


async def background(path):
    """Some of the work is done when the answer has gone: it has no parent."""
    async def later():
        await asyncio.sleep(random.random() / 100)
        await ask(path.replace("/l/", "/x/") + "/1")
    state.setdefault("tasks", set()).add(asyncio.create_task(later()))
    return [await ask(path + "/1")]

patterns = {"chain": chain, "sequence": sequence, "gather": gather, "pool10": sequence, "sleep": sleep, "to_thread": threads, "background": background}


@contextlib.asynccontextmanager
async def lifespan(_):
    connections = 10 if pattern == "pool10" else 100
    if client == "httpx":
        state["client"] = httpx.AsyncClient(verify=trust, limits=httpx.Limits(max_connections=connections), timeout=30)
    else:
        state["client"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections, ssl=trust))
    yield

app = fastapi.FastAPI(lifespan=lifespan)


async def hop(name: str):
    return {"asked": len(await patterns[pattern]("/l/" + name))}


def hop_that_blocks(name: str):
    """The framework runs it in a thread of its pool."""
    with urllib.request.urlopen(f"{base}/l/{name}/1") as response:
        return {"asked": len(response.read())}

for route in ("/h/{name}", "/l/{name}"):
    app.get(route)(hop_that_blocks if pattern == "sync" else hop)
uvicorn.run(app, host="127.0.0.1", port=int(port), loop=loop, log_level="warning", backlog=2048,
            **(dict(ssl_certfile=files[0], ssl_keyfile=files[1]) if files else {}))
