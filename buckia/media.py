"""What a file is and how large its picture is, told by its first bytes. Pure.

Read are the signatures and size fields of PNG (W3C PNG, 5.2 and 11.2.2), GIF (GIF89a, 17 and 18),
JPEG (ITU-T T.81, B.2.2), WebP (RFC 9649) and SQLite 3 (file format, 1.3).
"""

from __future__ import annotations

import struct
from typing import Final

from msgspec import Struct

HEAD: Final = 256 * 1024
"""Bytes that are enough: a JPEG's size stands behind its metadata, which may hold a preview."""


class Media(Struct, frozen=True):
    """The kind of a file in words; width and height in pixels where it is a picture."""

    kind: str
    width: int | None = None
    height: int | None = None

    def __str__(self) -> str:
        return f"{self.kind}, {self.width} x {self.height}" if self.width else self.kind


class Facts(Struct, frozen=True):
    """What the bytes of both sides are, None where they are not at hand, and in what the rows of
    the local database differ from those in the bucket, in lines."""

    local: Media | None = None
    remote: Media | None = None
    changes: tuple[str, ...] = ()


def recognise(head: bytes) -> Media:
    """What a file that begins with these bytes is. Never raises: what is torn has no size."""
    for signature, name, measure in _SIGNATURES:
        if head.startswith(signature):
            return _measured(name, measure, head)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _measured("WebP image", _webp, head)
    return Media("empty" if not head else "text" if _is_text(head) else "binary")


_Size = tuple[int, int] | None


def _measured(name: str, measure: object, head: bytes) -> Media:
    try:
        size = measure(head) if callable(measure) else None
    except (struct.error, IndexError):
        size = None
    return Media(name, *size) if size else Media(name)


def _png(head: bytes) -> _Size:
    return struct.unpack_from(">II", head, 16) if head[12:16] == b"IHDR" else None


def _gif(head: bytes) -> _Size:
    return struct.unpack_from("<HH", head, 6)


_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG frame header, the baseline one and its relatives."""

_BARE: Final = frozenset({0x01, *range(0xD0, 0xDA)})
"""Markers that no length follows."""


def _jpeg(head: bytes) -> _Size:
    at = 2
    while head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:  # fill bytes may stand before a marker
            at += 1
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        elif marker in _BARE:
            at += 2
        else:
            at += 2 + int(struct.unpack_from(">H", head, at + 2)[0])
    return None


def _webp(head: bytes) -> _Size:
    form = head[12:16]
    if form == b"VP8X":
        width, height = (int.from_bytes(head[at : at + 3], "little") for at in (24, 27))
        return (width + 1, height + 1) if len(head) >= 30 else None
    if form == b"VP8L":
        bits = struct.unpack_from("<I", head, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "PNG image", _png),
    (b"GIF87a", "GIF image", _gif),
    (b"GIF89a", "GIF image", _gif),
    (b"\xff\xd8\xff", "JPEG image", _jpeg),
    (b"SQLite format 3\0", "SQLite database", None),
    (b"%PDF-", "PDF document", None),
    (b"PK\x03\x04", "ZIP archive", None),
)


def _is_text(head: bytes) -> bool:
    """Whether bytes are UTF-8 without control characters; the last character may be torn."""
    try:
        text = head[: len(head) - 3].decode() if len(head) >= HEAD else head.decode()
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char in "\t\r\n\f" for char in text)
