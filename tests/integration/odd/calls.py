# SPDX-License-Identifier: Apache-2.0
"""One function per system call that can move bytes through a stream socket: send_<form>(socket, bytes) and recv_<form>(socket, size)."""
import ctypes
import os
import socket
import tempfile

libc = ctypes.CDLL(None, use_errno=True)


class IoVec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class MsgHdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.POINTER(IoVec)), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int)]


class MMsgHdr(ctypes.Structure):
    _fields_ = [("hdr", MsgHdr), ("length", ctypes.c_uint)]


def cut(data: bytes) -> list[bytes]:
    """Three uneven buffers, the second of one byte, so that a head lies across them."""
    if len(data) < 3:
        return [data]
    at = len(data) // 3
    return [data[:at], data[at:at + 1], data[at + 1:]]


def messages(buffers):
    """An mmsghdr array with two iovecs in each entry."""
    headers = (MMsgHdr * len(buffers))()
    keep = []
    for entry, buffer in zip(headers, buffers):
        half = len(buffer) // 2
        address = ctypes.addressof(buffer)
        vectors = (IoVec * 2)(IoVec(address, half), IoVec(address + half, len(buffer) - half))
        entry.hdr.iov, entry.hdr.iovlen = vectors, 2
        keep.append(vectors)
    return headers, keep


def call(function, *arguments) -> int:
    got = function(*arguments)
    if got < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return got


def send_write(s, data): return os.write(s.fileno(), data)
def send_send(s, data): return s.send(data)
def send_writev(s, data): return os.writev(s.fileno(), cut(data))
def send_pwritev2(s, data): return os.pwritev(s.fileno(), cut(data), -1)
def send_sendmsg(s, data): return s.sendmsg(cut(data))


def send_sendto(s, data):
    return call(libc.sendto, s.fileno(), data, len(data), 0, None, 0)


def send_sendmmsg(s, data):
    buffers = [ctypes.create_string_buffer(part, len(part)) for part in cut(data)]
    headers, _keep = messages(buffers)
    count = call(libc.sendmmsg, s.fileno(), headers, len(buffers), 0)
    return sum(h.length for h in headers[:count])


def send_sendfile(s, data):
    with tempfile.TemporaryFile() as f:
        f.write(data)
        f.flush()
        return os.sendfile(s.fileno(), f.fileno(), 0, len(data))


def send_splice(s, data):
    reader, writer = os.pipe()
    try:
        written = os.write(writer, data[:60000])
        return os.splice(reader, s.fileno(), written)
    finally:
        os.close(reader)
        os.close(writer)


def send_zerocopy(s, data):
    s.setsockopt(socket.SOL_SOCKET, 60, 1)  # SO_ZEROCOPY
    return s.send(data, 0x4000000)  # MSG_ZEROCOPY


def send_more(s, data):
    """MSG_MORE holds the first half back until the second is sent."""
    half = len(data) // 2
    if not half:
        return s.send(data)
    return s.send(data[:half], socket.MSG_MORE) + s.send(data[half:])


def recv_read(s, size): return os.read(s.fileno(), size)
def recv_recv(s, size): return s.recv(size)


def recv_recvfrom(s, size):
    return s.recvfrom(size)[0]


def into_buffers(size, function):
    parts = [bytearray(max(1, size // 3)), bytearray(1), bytearray(size)]
    got = function(parts)
    return b"".join(parts)[:got]


def recv_readv(s, size): return into_buffers(size, lambda parts: os.readv(s.fileno(), parts))
def recv_preadv2(s, size): return into_buffers(size, lambda parts: os.preadv(s.fileno(), parts, -1))
def recv_recvmsg(s, size): return into_buffers(size, lambda parts: s.recvmsg_into(parts)[0])


def recv_recvmmsg(s, size):
    s.setblocking(True)
    buffers = [ctypes.create_string_buffer(max(2, size // 2)) for _ in range(3)]
    headers, _keep = messages(buffers)
    count = call(libc.recvmmsg, s.fileno(), headers, len(buffers), 0x10000, None)  # MSG_WAITFORONE
    return b"".join(b.raw[:h.length] for b, h in zip(buffers, headers[:count]))


def recv_peek(s, size):
    """Looks twice before it takes: bytes that were only looked at must not count."""
    s.recv(size, socket.MSG_PEEK)
    s.recv(max(1, size // 2), socket.MSG_PEEK)
    return s.recv(size)


def recv_waitall(s, size):
    return s.recv(size, socket.MSG_WAITALL)


def recv_trunc(s, size):
    """Throws one byte at a time away with MSG_TRUNC after it was looked at; the bytes are read all the same."""
    seen = s.recv(size, socket.MSG_PEEK)
    call(libc.recv, s.fileno(), None, len(seen), socket.MSG_TRUNC)
    return seen


def recv_splice(s, size):
    reader, writer = os.pipe()
    try:
        moved = os.splice(s.fileno(), writer, min(size, 60000))
        return os.read(reader, moved) if moved else b""
    finally:
        os.close(reader)
        os.close(writer)


SENDERS = {name[5:]: f for name, f in globals().items() if name.startswith("send_")}
RECEIVERS = {name[5:]: f for name, f in globals().items() if name.startswith("recv_")}
