"""Bytes on their way to Bunny and back, which prove themselves before their last ones pass."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

import requests

from buckia.errors import IntegrityError, LocalError
from buckia.model import Entry, replace
from buckia.stores.bunny_errors import ATTEMPTS, pause, translate
from buckia.stores.meter import Meter, announced

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK: Final = 128 * 1024
"""Bytes that pass at a time, and that are lost where a connection breaks."""

_IN_MEMORY: Final = 8 * 1024 * 1024
"""Bytes of a body kept in memory while it is measured; a larger one goes to a temporary file."""

_PARTIAL: Final = 206


class Outgoing:
    """A body as requests sends it: of known length, measured while it passes.

    The last bytes are held back until all are known to be the announced ones: what is wrong is
    never whole on the other side.
    """

    def __init__(self, entry: Entry, body: BinaryIO) -> None:
        self._entry = entry
        self._body = body
        self._meter = Meter(announced(entry))

    def __len__(self) -> int:
        return self._entry.size

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(_CHUNK):
            yield chunk

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises `IntegrityError` where they are not the announced ones."""
        left = self._entry.size - self._meter.size
        try:
            chunk = self._body.read(left if size < 0 else min(left, size))
            self._meter.add(chunk)
            if not chunk or len(chunk) == left:
                self._meter.add(self._body.read(1))  # a byte too many shows a body too long
                self._meter.check(self._entry)
        except OSError as problem:
            raise LocalError(f"{self._entry.key}: {problem.strerror}; check the disk") from None
        return chunk


@contextmanager
def repeatable(entry: Entry, body: BinaryIO) -> Iterator[tuple[Entry, Callable[[], Outgoing]]]:
    """The entry with its sha256, and what begins its body anew for every attempt.

    Bunny wants the digest before the bytes. A body of unknown digest, or one that cannot be read
    twice, is measured into a temporary file first; `IntegrityError` where it is not as announced.
    """
    if entry.sha256 and body.seekable():
        with_start = body.tell()
        yield entry, lambda: _rewind(entry, body, with_start)
        return
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
        meter = Meter({"sha256", *announced(entry)})
        while chunk := body.read(_CHUNK):
            meter.add(chunk)
            copy.write(chunk)
        meter.check(entry)
        known = replace(entry, sha256=meter.digests["sha256"])
        yield known, lambda: _rewind(known, copy, 0)  # type: ignore[arg-type]


def _rewind(entry: Entry, body: BinaryIO, start: int) -> Outgoing:
    body.seek(start)
    return Outgoing(entry, body)


class Download:
    """The chunks of one object; a broken connection is taken up where it broke.

    `fetch` sends a request for the bytes from an offset on; `received` is told of bytes that came.
    """

    def __init__(
        self,
        fetch: Callable[[int], requests.Response],
        place: str,
        received: Callable[[int], None],
    ) -> None:
        self._fetch = fetch
        self._place = place
        self._received = received
        self._answer = fetch(0)

    def chunks(self) -> Iterator[bytes]:
        """All bytes, in order."""
        got = 0
        for number in range(ATTEMPTS):
            try:
                for chunk in self._answer.iter_content(_CHUNK):
                    got += len(chunk)
                    self._received(len(chunk))
                    yield chunk
                return
            except requests.RequestException as problem:
                self.close()
                if number + 1 == ATTEMPTS:
                    raise translate(problem, self._place) from None
            pause(number)
            self._resume(got)

    def close(self) -> None:
        """Let go of the connection."""
        self._answer.close()

    def _resume(self, got: int) -> None:
        self._answer = self._fetch(got)
        if got and self._answer.status_code != _PARTIAL:
            self.close()
            raise IntegrityError(f"{self._place}: the service sent a part only; try again")


def verified(
    chunks: Iterator[bytes], meter: Meter, check: Callable[[], None]
) -> Generator[bytes, None, None]:
    """The chunks, the last of them only when `check` finds nothing wrong with what was metered."""
    held = b""
    for chunk in chunks:
        meter.add(chunk)
        if held:
            yield held
        held = chunk
    check()
    yield held


class Reader(io.RawIOBase):
    """Chunks as a stream; `release` lets go of where they come from."""

    def __init__(self, chunks: Iterator[bytes], release: Callable[[], None]) -> None:
        self._chunks = chunks
        self._release = release
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """The next bytes; 0 once all have come."""
        if not self._chunk:
            self._chunk = memoryview(next(self._chunks, b""))
        target = memoryview(buffer)
        size = min(len(target), len(self._chunk))
        target[:size] = self._chunk[:size]
        self._chunk = self._chunk[size:]
        return size

    def close(self) -> None:
        """Let go of the connection."""
        if not self.closed:
            self._release()
        super().close()
