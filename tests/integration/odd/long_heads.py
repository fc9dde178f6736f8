# SPDX-License-Identifier: Apache-2.0
"""Requests of many fields, and of heads about 4, 8 and 16 KiB: to each PORT the same, a line "PORT fields|bytes NUMBER STATUS" for each.

usage: long_heads.py PORT...
"""
import socket
import sys


def status(port: int, fields: int, size: int) -> str:
    lines = ["GET /r/long HTTP/1.1", "Host: a", "Connection: close", *(f"x{i}: v" for i in range(fields - 2))]
    head = "\r\n".join(lines)
    if size:
        head += "\r\nx-long: "
        head += "v" * (size - len(head) - 4)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall((head + "\r\n\r\n").encode())
        answer = b""
        try:
            while more := connection.recv(65536):
                answer += more
        except ConnectionResetError:
            pass
    return answer[9:12].decode() or "none"


for port in map(int, sys.argv[1:]):
    for n in (2, 30, 60, 63, 64, 90, *range(97, 104), 127, 128, 129):
        print(port, "fields", n, status(port, n, 0), flush=True)
    for limit in (4096, 8192, 16384):
        for n in range(limit - 400, limit + 80, 16):
            print(port, "bytes", n, status(port, 12, n), flush=True)
