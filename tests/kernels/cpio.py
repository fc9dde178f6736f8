# SPDX-License-Identifier: Apache-2.0
# Writes the "newc" cpio format, which the kernel unpacks as an initramfs.
"""Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel. Archives may be concatenated."""
import stat


class Archive:
    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._inode = 0

    def directory(self, name: str) -> None:
        self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, name: str, content: bytes, mode: int) -> None:
        self._entry(name, stat.S_IFREG | mode, content)

    def device(self, name: str, major: int, minor: int) -> None:
        self._entry(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def bytes(self) -> bytes:
        """The whole archive, padded to a multiple of 4 bytes as concatenation needs it."""
        self._entry("TRAILER!!!", 0)
        return b"".join(self._parts)

    def _entry(self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        name_bytes = name.encode() + b"\0"
        # inode, mode, uid, gid, links, mtime, size, device (2), special device (2), name size, checksum
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name_bytes), 0)
        head = b"070701" + b"".join(b"%08x" % f for f in fields) + name_bytes
        self._parts += [head, b"\0" * (-len(head) % 4), content, b"\0" * (-len(content) % 4)]
