# SPDX-License-Identifier: Apache-2.0
"""A client of HTTP/2 that floods a server, or breaks the rules. Every connection begins with a request for /first that is answered."""
import socket
import threading

from http2.raw import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PING, PREFACE, PRIORITY, SETTINGS, WINDOW_UPDATE, frame, integer

RST_STREAM, PUSH_PROMISE, GOAWAY, PRIORITY_FRAME = 3, 5, 7, 2
CANCEL = b"\0\0\0\x08"


def literal(name, value):
    """A field without indexing; `name`: its index in the static table, or its text."""
    begin = integer(0, 4, name) if isinstance(name, int) else b"\0" + integer(0, 7, len(name)) + name
    return begin + integer(0, 7, len(value)) + value


def request(stream, path=b"/attack", flags=END_STREAM | END_HEADERS):
    return frame(HEADERS, flags, stream, b"\x82\x86" + literal(1, b"h") + literal(4, path))


def numbers(count):
    return range(3, 3 + 2 * count, 2)


# What floods: name → pieces of bytes, each a send.
def floods(count):
    def in_tens(frames):
        frames = list(frames)
        return [b"".join(frames[at:at + 10]) for at in range(0, len(frames), 10)]

    entry = b"\x82\x86" + literal(1, b"h") + b"\x44" + integer(0, 7, 3900) + b"/attack".ljust(3900, b"a")
    block = entry + b"\x0f\x2b\x01u"  # and a user agent
    return {
        "resets": in_tens(request(n) + frame(RST_STREAM, 0, n, CANCEL) for n in numbers(count)),
        "settings": in_tens(frame(SETTINGS, 0, 0, b"\0\4\0\1\0\0") for _ in range(count)),
        "pings": in_tens(frame(PING, 0, 0, b"01234567") for _ in range(count)),
        "continuations": [request(3, flags=END_STREAM), *in_tens(frame(CONTINUATION, 0, 3, literal(b"x-flood", b"x" * 90)) for _ in range(count))],
        "empty-continuations": [request(3, flags=END_STREAM), *in_tens(frame(CONTINUATION, 0, 3) for _ in range(count))],
        "hpack-bomb": [frame(HEADERS, END_STREAM | END_HEADERS, 3, entry),
                       *(frame(HEADERS, END_STREAM | END_HEADERS, n, b"\x82\x86" + literal(1, b"h") + b"\xbe" * 4000) for n in numbers(count // 40 + 1)[1:])],
        # Each names a path of 3,900 bytes by one, and is over at once.
        "hpack-resets": [frame(HEADERS, END_STREAM | END_HEADERS, 3, entry),
                         *in_tens(frame(HEADERS, END_STREAM | END_HEADERS, n, b"\x82\x86\xbe") + frame(RST_STREAM, 0, n, CANCEL) for n in list(numbers(count))[1:])],
        "empty-data": [request(3, flags=END_HEADERS), *in_tens(frame(DATA, 0, 3) for _ in range(count))],
        "priorities": in_tens(frame(PRIORITY_FRAME, 0, n, b"\0\0\0\0\x10") for n in numbers(count)),
        "windows": in_tens(frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1") for _ in range(count)),
        "byte-by-byte": [bytes([b]) for b in frame(HEADERS, END_STREAM | END_HEADERS, 3, block)[:count]],
    }


# One frame that nobody may send.
ILLEGAL = {
    "data-without-stream": frame(DATA, 0, 0, b"x"),
    "headers-without-stream": frame(HEADERS, END_HEADERS, 0, b"\x82"),
    "settings-on-stream": frame(SETTINGS, 0, 3),
    "ping-on-stream": frame(PING, 0, 3, b"01234567"),
    "ping-too-short": frame(PING, 0, 0, b"0123"),
    "settings-cut": frame(SETTINGS, 0, 0, b"01234"),
    "reset-too-long": frame(RST_STREAM, 0, 1, b"01234"),
    "reset-of-nothing": frame(RST_STREAM, 0, 99, CANCEL),
    "window-update-of-nothing": frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0"),
    "goaway-too-short": frame(GOAWAY, 0, 0, b"0123"),
    "promise-of-a-client": frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2\x82"),
    "data-all-padding": frame(DATA, PADDED, 1, b"\x09zzz"),
    "headers-all-padding": frame(HEADERS, PADDED | END_HEADERS, 3, b"\x09\x82zz"),
    "headers-shorter-than-priority": frame(HEADERS, PRIORITY | END_HEADERS, 3, b"012"),
    "frame-too-large": frame(DATA, 0, 1, b"x" * 20_000),
    "continuation-of-nothing": frame(CONTINUATION, END_HEADERS, 3, b"\x82"),
    "block-interrupted": frame(HEADERS, 0, 3, b"\x82") + frame(PING, 0, 0, b"01234567"),
    "index-of-no-entry": frame(HEADERS, END_STREAM | END_HEADERS, 3, b"\x82\xff\x40"),
    "table-beyond-the-settings": frame(HEADERS, END_STREAM | END_HEADERS, 3, b"\x3f\xe1\xff\x7f\x82\x86\x84"),
    "number-of-the-servers": request(2),
    "number-again": request(1),
    "http1": b"GET /attack HTTP/1.1\r\nHost: h\r\n\r\n",
    "zeros": bytes(200),
    "text": b"The quick brown fox jumps over the lazy dog. " * 20,
}

# Beginnings that are none; without /first.
BROKEN_BEGINNINGS = [PREFACE[:3], PREFACE[:17], PREFACE[:23] + b"x", PREFACE + b"GET / HTTP/1.1\r\n\r\n", PREFACE + frame(SETTINGS, 0, 0, b"012"), bytes(300)]


def send(port, pieces, first=True):
    """Sends until the server has enough of it; True if /first was answered."""
    answered = not first
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if first:
            connection.sendall(PREFACE + frame(SETTINGS, 0, 0) + request(1, b"/first"))
            got = b""
            while not answered and (more := connection.recv(65536)):
                got += more
                answered = any(got[at + 3] == DATA and got[at + 4] & END_STREAM and got[at + 8] == 1 for at in starts(got))
        reader = threading.Thread(target=drain, args=(connection,))
        reader.start()
        try:
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was closed
        reader.join(10)
    return answered


def starts(data):
    """Where whole frames begin."""
    at = 0
    while at + 9 <= len(data) and at + 9 + int.from_bytes(data[at:at + 3], "big") <= len(data):
        yield at
        at += 9 + int.from_bytes(data[at:at + 3], "big")


def drain(connection):
    try:
        while connection.recv(65536):
            pass
    except OSError:
        pass
