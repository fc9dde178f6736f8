# SPDX-License-Identifier: Apache-2.0
"""asyncio: each request /h/ID asks the next server for /l/ID, after a pause that differs; /leaf/ID asks nobody. usage: python_asyncio.py PORT NEXT_PORT"""
import asyncio
import random
import sys

port, following = int(sys.argv[1]), int(sys.argv[2])


async def ask(path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", following)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: next\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n\r\n")[2]


async def serve(reader, writer):
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            break
        path, body = head.split()[1].decode(), b""
        await asyncio.sleep(random.random() / 500)
        if not path.startswith("/leaf/"):
            body = await ask(path.replace("/h/", "/l/", 1))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


asyncio.run(main())
