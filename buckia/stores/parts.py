"""Bodies in parts: read once, some under way together, each sent again by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, TypeVar

from buckia import pool
from buckia.stores.border import Border
from buckia.stores.meter import Meter

Piece = TypeVar("Piece")

AT_ONCE: Final = 3
"""Parts of one object under way together; twice as many are in memory."""

MOST: Final = 10_000
"""Parts an object may have, with Amazon ("multipart upload limits") as with Backblaze ("Large
Files")."""


def read_exactly(body: BinaryIO, size: int) -> bytes:
    """`size` bytes, or all there are: a single read may give fewer."""
    chunks: list[bytes] = []
    while size > 0 and (chunk := body.read(size)):
        chunks.append(chunk)
        size -= len(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def in_pieces(body: BinaryIO, size: int, step: int, meter: Meter) -> Iterator[bytes]:
    """The body in pieces of `step` bytes, measured as they pass; ends early when there is more than
    announced."""
    while meter.size <= size and (chunk := read_exactly(body, step)):
        meter.add(chunk)
        yield chunk


def each_part(
    pieces: Iterator[Piece], act: Callable[[int, Piece], str], border: Border, place: str
) -> list[str]:
    """Call `act` for the parts, numbered from 1; what it gives for each, in order."""

    def one(piece: tuple[int, Piece]) -> tuple[int, str]:
        number, what = piece
        return number, border.persist(lambda: act(number, what), f"part {number} of {place}")

    batches = pool.each(one, enumerate(pieces, 1), workers=AT_ONCE, name="part")
    return [told for _, told in sorted(part for batch in batches for part in batch)]
