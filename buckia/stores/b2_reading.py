"""The bytes of one version: taken up again where the line breaks, and proved at the end."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Final

from urllib3.exceptions import HTTPError

from buckia.errors import IntegrityError
from buckia.model import Entry
from buckia.stores.b2_errors import ATTEMPTS

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from requests import Response

_CHUNK: Final = 256 * 1024
"""Bytes taken from the line at once."""


def read_version(
    response: Response,
    again: Callable[[int], Response],
    held: Entry,
    place: str,
    received: Callable[[int], None],
) -> Generator[bytes, None, None]:
    """The bytes of a download. `again` asks for the rest of the same version from an offset on.

    Raises `IntegrityError`, before the last bytes are given, when they are not all or not those
    whose SHA-1 the service keeps.
    """
    done, digest = 0, hashlib.sha1(usedforsecurity=False)
    for attempt in range(ATTEMPTS):
        if attempt:
            response = again(done)
        for chunk in _receive(response):
            done += len(chunk)
            received(len(chunk))
            digest.update(chunk)
            if done >= held.size:
                _prove(done, digest.hexdigest(), held, place)
            yield chunk
        if done >= held.size:
            return
    raise IntegrityError(f"{place}: the service sent a part only; try again")


def _prove(done: int, found: str, held: Entry, place: str) -> None:
    if done > held.size or (held.sha1 and held.sha1 != found):
        raise IntegrityError(f"{place}: the service sent other bytes; try again")


def _receive(response: Response) -> Iterator[bytes]:
    """What comes before the line breaks or the body ends, as it is stored: never decompressed."""
    with closing(response):
        try:
            yield from response.raw.stream(_CHUNK, decode_content=False)
        except (HTTPError, OSError):
            return


class Stream(io.RawIOBase):
    """Bytes that come in chunks, as a file."""

    def __init__(self, chunks: Generator[bytes, None, None]) -> None:
        self._chunks = chunks
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
        self._chunks.close()
        super().close()
