# SPDX-License-Identifier: Apache-2.0
"""The contract of the dynamic servers: /…/s<status>/b<bytes> says what to answer; anything else is 200 and "ok"."""
import re


def answer(path: str) -> tuple[int, bytes]:
    status = re.search(r"/s(\d{3})", path)
    size = re.search(r"/b(\d+)", path)
    return int(status.group(1)) if status else 200, b"x" * int(size.group(1)) if size else b"ok"
