"""What becomes known of bytes as they pass: the blocks of large files, by their sha256.

Workers share what one of them has learnt; a content is looked up, never a file.
"""

from __future__ import annotations

import hashlib
from typing import BinaryIO, Final, cast

from buckia.manifest import BlockMeter, Blocks, block_size
from buckia.streams.bodies import Chunk, take

_CHUNK: Final = 1024 * 1024


class Passing:
    """The blocks of every large content that passed."""

    def __init__(self) -> None:
        self._known: dict[str, Blocks] = {}

    def blocks(self, sha256: str) -> Blocks | None:
        """Those of a content; None where it did not pass whole."""
        return self._known.get(sha256)

    def metered(self, body: BinaryIO, size: int) -> BinaryIO:
        """The same body; once `size` bytes have been read from its beginning, they are known."""
        return body if block_size(size) is None else cast(BinaryIO, _Metered(self, body, size))

    def read(self, body: BinaryIO, size: int) -> tuple[str, int]:
        """Read a body to its end; the sha256 and the number of its bytes."""
        metered = _Metered(self, body, size)
        while metered.take(_CHUNK):
            pass
        return metered.sha256, metered.place

    def learn(self, sha256: str, blocks: Blocks) -> None:
        """Remember the blocks of a content."""
        self._known[sha256] = blocks


class _Metered:
    def __init__(self, passing: Passing, body: BinaryIO, size: int) -> None:
        self._passing = passing
        self._body = body
        self._size = size
        self._begin(0)

    def _begin(self, place: int) -> None:
        self.place = place
        self._whole = place == 0
        self._hash = hashlib.sha256()
        self._meter = BlockMeter(self._size)

    @property
    def sha256(self) -> str:
        """Of what was read."""
        return self._hash.hexdigest()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        chunk = self._body.read(size)
        self._learn(chunk)
        return chunk

    def take(self, size: int) -> Chunk:
        """See `bodies.take`."""
        chunk = take(self._body, size)
        self._learn(chunk)
        return chunk

    def _learn(self, chunk: Chunk) -> None:
        self.place += len(chunk)
        if self._whole and chunk:
            self._hash.update(chunk)
            self._meter.add(chunk)
            if self.place == self._size and (blocks := self._meter.finish()):
                self._passing.learn(self.sha256, blocks)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Read on from elsewhere; only what is read from the beginning on becomes known."""
        self._begin(self._body.seek(offset, whence))
        return self.place

    def __getattr__(self, name: str) -> object:
        return getattr(self._body, name)
