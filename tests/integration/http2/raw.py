# SPDX-License-Identifier: Apache-2.0
"""A client of HTTP/2 whose bytes a seed decides, and a server that makes the same bytes again: nothing may differ but one well-formed
`traceparent` at the end of a header block that may have one. Run as a program, it is the client: raw.py PORT FIRST_SEED CONNECTIONS."""
import random
import re
import select
import socket
import sys
import threading
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 4, 6, 8, 9
END_STREAM, END_HEADERS, PADDED, PRIORITY = 1, 4, 8, 32
ADDED = re.compile(rb"\x00\x0btraceparent\x37(00-([0-9a-f]{32})-([0-9a-f]{16})-0[01])", re.DOTALL)
ADDED_BYTES = 69
MANY_FIELDS = 61  # and three more: servers may not take another
NAMES = [b"x-a", b"user-agent", b"traceparents", b"x-b3", b"tracestate"]
CONTEXTS = [b"traceparent", b"b3", b"x-b3-traceid", b"uber-trace-id", b"x-amzn-trace-id", b"x-datadog-trace-id"]


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def integer(pattern, bits, value):
    mask = (1 << bits) - 1
    if value < mask:
        return bytes([pattern | value])
    out, value = [pattern | mask], value - mask
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


class Encoder:
    """Fields in any form. The table is never full: after 40 entries nothing is added."""

    def __init__(self, dice):
        self.dice, self.table = dice, []

    def field(self, name, value):
        if (name, value) in self.table and self.dice.random() < 0.7:
            return integer(0x80, 7, 62 + self.table.index((name, value)))
        names = [entry[0] for entry in self.table]
        index = 62 + names.index(name) if name in names and self.dice.random() < 0.7 else 0
        grows = len(self.table) < 40 and len(value) < 40 and self.dice.random() < 0.4
        out = integer(0x40, 6, index) if grows else integer(self.dice.choice((0, 0x10)), 4, index)
        if not index:
            out += integer(0, 7, len(name)) + name
        if grows:
            self.table.insert(0, (name, value))
        return out + integer(0, 7, len(value)) + value


def frames(seed):
    """What a connection sends behind the preface: (frame, how many of its last bytes are padding, or None where nothing may be added)."""
    dice = random.Random(seed)
    encoder, large, pad = Encoder(dice), dice.random() < 0.5, dice.random() < 0.3
    yield frame(SETTINGS, 0, 0, b"\0\3\0\0\0\x64"), None
    for n in range(dice.choice((5, 60, 300))):
        stream = 2 * n + 1
        many = dice.random() < 0.03
        longest = 3000 if large and not many else 5
        fields = [(dice.choice(NAMES), bytes([dice.choice(b"vwxyz")]) * dice.choice((0, 1, 10, 10, 10, 200, longest))) for _ in range(MANY_FIELDS if many else dice.randint(0, 6))]
        own = dice.random() < 0.2
        if own:
            fields.insert(dice.randint(0, len(fields)), (dice.choice(CONTEXTS), b"00-%032x-%016x-01" % (seed + 1, dice.randint(1, 2))))
        block = b"\x82\x86\x84" + b"".join(encoder.field(*field) for field in fields)
        cuts = sorted(dice.randint(0, len(block)) for _ in range(dice.choice((0, 0, 0, 1, 2))))
        parts = [block[a:b] for a, b in zip([0, *cuts], [*cuts, len(block)])]
        for i, part in enumerate(parts):
            last, flags, payload, padding = i == len(parts) - 1, 0, part, 0
            flags |= END_HEADERS if last else 0
            if i == 0:
                if dice.random() < 0.2:
                    flags, payload = flags | PRIORITY, b"\0\0\0\0\x10" + payload
                if pad and dice.random() < 0.5:
                    padding = dice.randint(0, 200)
                    flags, payload = flags | PADDED, bytes([padding]) + payload + bytes(padding)
            yield frame(HEADERS if i == 0 else CONTINUATION, flags, stream, payload), padding if last and not own and not many else None
        for _ in range(dice.choice((0, 0, 1, 4 if large else 1))):
            yield frame(DATA, 0, stream, bytes([dice.randint(0, 255)]) * dice.choice((0, 1, 300, 16384 if large else 700))), None
        if dice.random() < 0.1:  # trailers
            yield frame(HEADERS, END_HEADERS | END_STREAM, stream, encoder.field(b"x-end", b"1") + encoder.field(dice.choice(CONTEXTS), b"late")), None
        if dice.random() < 0.2:
            yield frame(WINDOW_UPDATE, 0, 0, b"\0\0\1\0") + frame(PING, 0, 0, b"01234567"), None


def send_all(connection, data, dice, patient):
    """In pieces of its own kind of size, by one call or by a vector, waiting in the call or beside it."""
    most = dice.choice((30, 1500, 20_000, 400_000))
    at = 0
    while at < len(data):
        piece = memoryview(data)[at:at + dice.randint(1, most)]
        if not patient:
            select.select([], [connection], [], 20)
        try:
            if dice.random() < 0.3:
                half = len(piece) // 2
                at += connection.sendmsg([piece[:half], piece[half:]])
            else:
                at += connection.send(piece)
        except BlockingIOError:
            pass


def client(port, seed):
    dice = random.Random(~seed)
    connection = socket.socket()
    if buffer := dice.choice((0, 0, 4608, 30_000)):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.connect(("127.0.0.1", port))
    connection.sendall(PREFACE)
    patient = dice.random() < 0.5
    connection.setblocking(patient)
    send_all(connection, b"".join(f for f, _ in frames(seed)), dice, patient)
    connection.setblocking(True)
    connection.settimeout(60)
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass
    connection.close()


class Reader:
    def __init__(self, connection, dice):
        self.connection, self.slow, self.buffer = connection, dice.random() < 0.3, b""
        self.dice = dice

    def take(self, n):
        while len(self.buffer) < n:
            if self.slow and self.dice.random() < 0.1:
                time.sleep(0.002)
            more = self.connection.recv(self.dice.choice((1000, 65536)))
            if not more:
                raise EOFError
            self.buffer += more
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out


def compare(connection, seed):
    """Reads a connection to its end. Returns (what is wrong or "", contexts that were added, requests that might have had one)."""
    reader, added, possible = Reader(connection, random.Random(seed ^ 0x5a5a)), [], 0
    try:
        if reader.take(len(PREFACE)) != PREFACE:
            return "the preface", added, possible
        connection.sendall(frame(SETTINGS, 0, 0))
        for number, (expected, padding) in enumerate(frames(seed)):
            possible += padding is not None
            got = reader.take(3)
            length, wanted = int.from_bytes(got, "big"), int.from_bytes(expected[:3], "big")
            if padding is None or length == wanted:
                got += reader.take(len(expected) - 3)
                if got != expected:
                    return f"frame {number} differs", added, possible
                continue
            if length != wanted + ADDED_BYTES:
                return f"frame {number} has {length} bytes instead of {wanted}", added, possible
            got += reader.take(6 + length)
            place = len(got) - padding - ADDED_BYTES
            found = ADDED.fullmatch(got[place:place + ADDED_BYTES])
            if not found or expected[:3] + got[3:place] + got[place + ADDED_BYTES:] != expected:
                return f"frame {number} is damaged", added, possible
            added.append(found[1].decode())
        try:
            reader.take(1)
            return "bytes behind the end", added, possible
        except EOFError:
            return "", added, possible
    except (EOFError, OSError) as e:
        return f"ended early ({e!r})", added, possible


def serve(listener, first_seed, connections, results):
    """One connection after the other, so that each has its seed; two are read at a time."""
    threads = []
    for n in range(connections):
        connection, _ = listener.accept()
        connection.settimeout(60)

        def one(connection=connection, seed=first_seed + n):
            results[seed] = compare(connection, seed)
            connection.close()

        threads.append(threading.Thread(target=one))
        threads[-1].start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    for seed_ in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):
        client(int(sys.argv[1]), seed_)
