"""Bytes on their way: bodies that end when a run is told to stop, and how far each has come."""

from __future__ import annotations

import threading
from typing import BinaryIO, Final, cast

from buckia.errors import Interrupted
from buckia.streams.bodies import Chunk, take

WORTH: Final = 1024 * 1024
"""Bytes that are worth telling of before their file is done."""


class Flight:
    """How many bytes have been read of each thing that is not done yet.

    Workers say how far they are, each for its own thing; the main thread sums it up.
    """

    def __init__(self) -> None:
        self._at: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._at)

    @property
    def bytes(self) -> int:
        """Those of all together."""
        return sum(list(self._at.values()))

    def reach(self, name: str, place: int) -> None:
        """The thing of that name has come so far."""
        self._at[name] = place

    def land(self, name: str) -> None:
        """It is done, or has failed: its bytes are counted elsewhere, or not at all."""
        self._at.pop(name, None)


def watched(
    body: BinaryIO, stop: threading.Event | None, flight: Flight | None = None, name: str = ""
) -> BinaryIO:
    """The same body; reading it raises `Interrupted` once the run is told to stop.

    Where it belongs to something of a flight, that is told how far it is.
    """
    return cast(BinaryIO, _Watched(body, stop, flight, name))


class _Watched:
    def __init__(
        self, body: BinaryIO, stop: threading.Event | None, flight: Flight | None, name: str
    ) -> None:
        self._body = body
        self._stop = stop
        self._flight = flight
        self._name = name
        self._place = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        self._go_on()
        chunk = self._body.read(size)
        self._reach(self._place + len(chunk))
        return chunk

    def take(self, size: int) -> Chunk:
        """See `bodies.take`."""
        self._go_on()
        chunk = take(self._body, size)
        self._reach(self._place + len(chunk))
        return chunk

    def _go_on(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise Interrupted("stopped by a signal; run the same plan again to resume")

    def seek(self, offset: int, whence: int = 0) -> int:
        """Read on from elsewhere, as who sends a body again does."""
        self._reach(self._body.seek(offset, whence))
        return self._place

    def _reach(self, place: int) -> None:
        self._place = place
        if self._flight is not None:
            self._flight.reach(self._name, place)

    def __getattr__(self, name: str) -> object:
        return getattr(self._body, name)
