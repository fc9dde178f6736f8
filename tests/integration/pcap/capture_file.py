# SPDX-License-Identifier: Apache-2.0
"""Classic .pcap files (little-endian, Ethernet) as lists of packets, and ways to damage them."""
import random
import struct
from pathlib import Path


def read(path: Path):
    """The file header, and (packet header, bytes) for each packet."""
    data = path.read_bytes()
    packets, at = [], 24
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        packets.append((data[at:at + 16], data[at + 16:at + 16 + length]))
        at += 16 + length
    return data[:24], packets


def write(path: Path, header: bytes, packets):
    path.write_bytes(header + b"".join(h + p for h, p in packets))


def tcp(packet: bytes):
    """(source port, payload bytes) of an Ethernet frame with TCP."""
    ip = packet[14:]
    if packet[12:14] == b"\x08\x00":
        header, total = 4 * (ip[0] & 15), struct.unpack_from(">H", ip, 2)[0]
    else:
        header, total = 40, 40 + struct.unpack_from(">H", ip, 4)[0]
    segment = ip[header:total]
    return struct.unpack_from(">H", segment)[0], len(segment) - 4 * (segment[12] >> 4)


def reorder(packets, seed=1):
    """Neighbours of one direction that carry data change places (the times stay with the places)."""
    chance, out, at = random.Random(seed), list(packets), 0
    while at + 1 < len(out):
        (port_a, size_a), (port_b, size_b) = tcp(out[at][1]), tcp(out[at + 1][1])
        if port_a == port_b and size_a and size_b and chance.random() < 0.8:
            a, b = out[at], out[at + 1]
            out[at], out[at + 1] = (a[0][:8] + b[0][8:], b[1]), (b[0][:8] + a[0][8:], a[1])
            at += 1
        at += 1
    return out


def lose_bodies(packets):
    """Drops packets that hold nothing but the inside of a body: all bytes alike, and many."""
    def inside(packet):
        size = tcp(packet)[1]
        return size > 1000 and len(set(packet[-size:])) == 1
    bodies = [i for i, (_, packet) in enumerate(packets) if inside(packet)]
    gone = set(bodies[::2])
    return [p for i, p in enumerate(packets) if i not in gone], len(gone)
