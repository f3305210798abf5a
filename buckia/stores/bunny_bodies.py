"""Bytes on their way to Bunny and back, which prove themselves before their last ones pass."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import BinaryIO, Final

import requests

from buckia.errors import IntegrityError, LocalError
from buckia.model import Entry, replace
from buckia.stores.download import CHUNK, Body
from buckia.stores.meter import Meter, announced

_IN_MEMORY: Final = 8 * 1024 * 1024
"""Bytes of a body kept in memory while it is measured; a larger one goes to a temporary file."""


class Outgoing:
    """A body as requests sends it: of known length, measured while it passes; `sent` is told.

    The last bytes are held back until all are known to be the announced ones: what is wrong is
    never whole on the other side.
    """

    def __init__(self, entry: Entry, body: BinaryIO, sent: Callable[[int], None]) -> None:
        self._entry = entry
        self._body = body
        self._sent = sent
        self._meter = Meter(announced(entry))

    def __len__(self) -> int:
        return self._entry.size

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(CHUNK):
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
        self._sent(len(chunk))
        return chunk


@contextmanager
def repeatable(
    entry: Entry, body: BinaryIO, sent: Callable[[int], None]
) -> Iterator[tuple[Entry, Callable[[], Outgoing]]]:
    """The entry with its sha256, and what begins its body anew for every attempt.

    Bunny wants the digest before the bytes. A body of unknown digest, or one that cannot be read
    twice, is measured into a temporary file first; `IntegrityError` where it is not as announced.
    """
    if entry.sha256 and body.seekable():
        with_start = body.tell()
        yield entry, lambda: _rewind(entry, body, with_start, sent)
        return
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
        meter = Meter({"sha256", *announced(entry)})
        while chunk := body.read(CHUNK):
            meter.add(chunk)
            copy.write(chunk)
        meter.check(entry)
        known = replace(entry, sha256=meter.digests["sha256"])
        yield known, lambda: _rewind(known, copy, 0, sent)  # type: ignore[arg-type]


def _rewind(entry: Entry, body: BinaryIO, start: int, sent: Callable[[int], None]) -> Outgoing:
    body.seek(start)
    return Outgoing(entry, body, sent)


def receive(answer: requests.Response, offset: int, place: str) -> Body:
    """The bytes of a download that was asked for from an offset on."""
    if offset and answer.status_code != HTTPStatus.PARTIAL_CONTENT:
        answer.close()
        raise IntegrityError(f"{place}: the service sent a part only; try again")
    return Body(answer.iter_content(CHUNK), answer.close)
