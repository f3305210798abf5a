"""Small pictures that every browser shows."""

from __future__ import annotations

import struct
import zlib


def png(width: int, height: int, red: int) -> bytes:
    """A picture of one slope of colours (PNG, www.w3.org/TR/png)."""
    rows = (
        bytes([0, *(b for x in range(width) for b in (red, x % 256, y % 256))])
        for y in range(height)
    )
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(rows))),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
