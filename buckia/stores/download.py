"""The bytes of one version as a stream: taken up again where the line breaks, never cut short."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from buckia.errors import IntegrityError, StoreError
from buckia.stores import retry
from buckia.stores.border import Border
from buckia.stores.meter import Meter
from buckia.stores.traffic import Traffic
from buckia.streams.bodies import Chunk

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK: Final = 256 * 1024
"""Bytes that pass at a time."""

_WORTH: Final = 8 * 1024 * 1024
"""Bytes after which a connection that breaks counts as the first to do so."""


class Body(NamedTuple):
    """The answer to a request for bytes: they come from `chunks`, and `close` lets go of them."""

    chunks: Iterator[Chunk]
    close: Callable[[], None]


@dataclass(frozen=True)
class Download:
    """Where the bytes of one version come from, and how they are proved.

    again    asks for the bytes from an offset on; it raises buckia's errors, after retries
    size     how many there are; None where only the end of the body tells
    meter    what all bytes pass; `check` is called before the last of them are given, and raises
             when they are not the right ones
    broken   what reading raises when the line breaks, beside what `border` knows
    """

    again: Callable[[int], Body]
    place: str
    size: int | None
    border: Border
    traffic: Traffic
    meter: Meter
    check: Callable[[], None] = lambda: None
    broken: tuple[type[Exception], ...] = ()

    def opened(self, first: Body) -> BinaryIO:
        """A stream of all bytes, of which `first` gives those from the beginning on."""
        return _Reader(_Stream(self, first))


class _Reader(io.BufferedReader):
    """A stream to be read as any, or to be taken as it comes."""

    def __init__(self, stream: _Stream) -> None:
        super().__init__(stream, CHUNK)
        self._stream = stream

    def take(self, size: int) -> Chunk:
        """See `bodies.take`. Once something was read, the rest is, too: some may be in a buffer."""
        return self.read(size) if self._stream.was_read or self.closed else self._stream.take()


class _Stream(io.RawIOBase):
    def __init__(self, download: Download, first: Body) -> None:
        self._from = download
        self._body = first
        self._chunks = self._proved()
        self._chunk = memoryview(b"")
        self.was_read = False

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """The next bytes; 0 once all have come."""
        self.was_read = True
        if not self._chunk:
            self._chunk = memoryview(next(self._chunks, b""))
        target = memoryview(buffer)
        size = min(len(target), len(self._chunk))
        target[:size] = self._chunk[:size]
        self._chunk = self._chunk[size:]
        return size

    def take(self) -> Chunk:
        """The next chunk as it came; empty once all have."""
        return next(self._chunks, b"")

    def close(self) -> None:
        """Let go of the connection."""
        if not self.closed:
            self._chunks.close()
            self._body.close()
        super().close()

    def _proved(self) -> Generator[Chunk, None, None]:
        """All chunks, the last of them only when nothing is wrong with them together."""
        held: Chunk = b""
        for chunk in self._resumed():
            if held:
                yield held
            held = chunk
        self._from.check()
        yield held

    def _resumed(self) -> Iterator[Chunk]:
        number, began = 1, 0
        while problem := (yield from self._receive()):
            got = self._from.meter.size
            if got - began >= _WORTH:
                number, began = 1, got
            if number >= retry.ATTEMPTS:
                raise problem
            retry.rest(number)
            number += 1
            self._body = self._from.again(got)

    def _receive(self) -> Generator[Chunk, None, StoreError | None]:
        """What comes before the line breaks or the body ends; what is wrong if that was early."""
        came = self._from
        try:
            for chunk in self._body.chunks:
                came.traffic.received(len(chunk))
                came.meter.add(chunk)
                if came.size is not None and came.meter.size > came.size:
                    raise IntegrityError(f"{came.place}: the service sent other bytes; try again")
                yield chunk
        except came.border.failures as problem:
            return came.border.translate(problem, came.place)
        except came.broken:
            pass
        finally:
            self._body.close()
        if came.size is None or came.meter.size == came.size:
            return None
        return IntegrityError(f"{came.place}: the service sent a part only; try again")
