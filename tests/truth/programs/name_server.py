# SPDX-License-Identifier: Apache-2.0
"""Any name is at 127.0.0.1, for a second; answered up to 10 ms later. usage: name_server.py PORT"""
import random
import socket
import sys
import threading
import time

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", int(sys.argv[1])))
print("listens", flush=True)


def answer(question: bytes, peer: tuple) -> None:
    time.sleep(random.random() / 100)
    end = 12
    while question[end]:
        end += question[end] + 1
    address = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1"
    server.sendto(question[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question[12:end + 5] + address, peer)


while True:
    threading.Thread(target=answer, args=server.recvfrom(2000), daemon=True).start()
