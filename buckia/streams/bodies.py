"""Bytes taken from a body as they came: what hands large chunks on has none of them copied."""

from __future__ import annotations

from typing import BinaryIO

Chunk = bytes | memoryview


def take(body: BinaryIO, size: int) -> Chunk:
    """The next bytes of a body; empty at its end.

    They are what the `take` of its class gives, which may be more than `size`; where that has none,
    at most `size` are read. So a body that hands all else on to another is read, as it wants to be.
    """
    own = getattr(type(body), "take", None)
    return body.read(size) if own is None else own(body, size)
