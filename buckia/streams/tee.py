"""One body for several readers, each on a thread of its own, none of them far ahead of another."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK: Final = 1024 * 1024
"""Bytes held for all readers together, whatever the size of the body."""


class Tee:
    """A body that `count` readers read. The next bytes are read when every reader has had the last
    ones, so all of them have to be read at the same time, or to leave."""

    def __init__(self, body: BinaryIO, count: int) -> None:
        self._body = body
        self._turn = threading.Condition()
        self._chunk = b""
        self._number = 0
        self._behind: set[int] = set()
        self._present = set(range(count))
        self._failed: BaseException | None = None
        self.readers = tuple(
            io.BufferedReader(_Reader(self, place), CHUNK) for place in range(count)
        )

    def leave(self, place: int) -> None:
        """A reader that will not read on; the others do not wait for it."""
        with self._turn:
            self._present.discard(place)
            self._behind.discard(place)
            self._turn.notify_all()

    def take(self, place: int, seen: int) -> bytes:
        """The chunk after the `seen` that a reader has had; empty at the end."""
        with self._turn:
            while seen == self._number and self._behind:
                self._turn.wait()
            if self._failed is not None:
                raise self._failed
            if seen == self._number:
                self._read()
            self._behind.discard(place)
            self._turn.notify_all()
            return self._chunk

    def _read(self) -> None:
        try:
            self._chunk = self._body.read(CHUNK)
        except BaseException as problem:
            self._failed = problem
            self._turn.notify_all()
            raise
        self._number += 1
        self._behind = set(self._present)


class _Reader(io.RawIOBase):
    """One reader: what is left of the chunk it has, and how many it had."""

    def __init__(self, tee: Tee, place: int) -> None:
        self._tee = tee
        self._place = place
        self._seen = 0
        self._rest = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """The next bytes; 0 at the end."""
        if not self._rest and not self._ended:
            self._rest = memoryview(self._tee.take(self._place, self._seen))
            self._seen += 1
            self._ended = not self._rest
        target = memoryview(buffer)
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
