# SPDX-License-Identifier: Apache-2.0
"""PORT DOWNSTREAM: a program whose requests another thread answers than the one that reads them; after three it executes one that serves each
in the thread that waits for it, and asks DOWNSTREAM for it."""
import http.client
import os
import socket
import sys
import threading

port, downstream = int(sys.argv[1]), int(sys.argv[2])
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
listener = socket.create_server(("127.0.0.1", port))


def next_request():
    while True:
        connection, _ = listener.accept()
        if connection.recv(65536):
            return connection
        connection.close()


def answer(connection):
    connection.sendall(ANSWER)
    connection.close()


if len(sys.argv) == 3:
    for _ in range(3):
        connection = next_request()
        other = threading.Thread(target=answer, args=(connection,))
        other.start()
        other.join()
    listener.close()
    os.execv(sys.executable, [sys.executable, *sys.argv, "second"])
while True:
    connection = next_request()
    below = http.client.HTTPConnection("127.0.0.1", downstream)
    below.request("GET", "/below")
    below.getresponse().read()
    below.close()
    answer(connection)
