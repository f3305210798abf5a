"""Kinds of files and sizes of pictures, told by first bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia import media
from buckia.media import Media, recognise

W, H = 4000, 3000


def chunk(form: bytes, body: bytes) -> bytes:
    inner = b"WEBP" + form + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(inner)) + inner


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", W, H, 8, 6, 0, 0, 0)
GIF = b"GIF89a" + struct.pack("<HHBBB", W, H, 0, 0, 0)
FRAME = segment(0xC2, struct.pack(">BHHB", 8, H, W, 3) + bytes(9))
EXIF = segment(0xE1, b"Exif\0\0" + bytes(60_000))
JPEG = b"\xff\xd8" + segment(0xE0, b"JFIF\0" + bytes(9)) + EXIF + segment(0xC4, bytes(20)) + FRAME
LOSSLESS = chunk(b"VP8L", b"\x2f" + struct.pack("<I", (W - 1) | (H - 1) << 14) + bytes(4))
LOSSY = chunk(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", W, H | 1 << 14) + bytes(4))
EXTENDED = chunk(b"VP8X", bytes(4) + (W - 1).to_bytes(3, "little") + (H - 1).to_bytes(3, "little"))


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (PNG, "PNG image"),
        (GIF, "GIF image"),
        (b"GIF87a" + GIF[6:], "GIF image"),
        (JPEG, "JPEG image"),
        (b"\xff\xd8\xff" + FRAME, "JPEG image"),  # a fill byte before the marker
        (LOSSLESS, "WebP image"),
        (LOSSY, "WebP image"),
        (EXTENDED, "WebP image"),
    ],
)
def test_pictures_have_a_size(head: bytes, kind: str) -> None:
    assert recognise(head) == Media(kind, W, H)
    assert str(recognise(head)) == f"{kind}, 4000 x 3000"


@pytest.mark.parametrize("head", [PNG, GIF, JPEG, LOSSLESS, LOSSY, EXTENDED])
def test_a_torn_picture_has_none(head: bytes) -> None:
    for end in range(12, min(len(head), 400)):
        found = recognise(head[:end])
        assert found.kind.endswith(" image")
        assert found.width in (None, W)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", "empty"),
        (b"SQLite format 3\0more", "SQLite database"),
        (b"%PDF-1.7", "PDF document"),
        (b"PK\x03\x04", "ZIP archive"),
        ("täglich\n".encode(), "text"),
        (b"\0\1\2", "binary"),
        (b"\xff\xfe", "binary"),
        (b"a" * (media.HEAD - 1) + "ä".encode()[:1], "text"),
    ],
)
def test_other_kinds(head: bytes, kind: str) -> None:
    assert str(recognise(head)) == kind


@given(
    st.binary(max_size=200),
    st.sampled_from([PNG[:16], GIF[:6], JPEG[:4], LOSSLESS[:16], EXTENDED[:16], LOSSY[:16], b""]),
)
def test_no_bytes_are_too_odd(rest: bytes, begin: bytes) -> None:
    assert recognise(begin + rest).kind
