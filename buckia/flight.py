"""Bytes on their way: bodies that end when a run is told to stop, and how far each has come."""

from __future__ import annotations

import threading
from typing import BinaryIO, cast

from buckia.errors import Interrupted


class Flight:
    """How many bytes of each action have been read that is not done yet.

    Workers say how far they are, each for its own action; the main thread sums it up.
    """

    def __init__(self) -> None:
        self._at: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._at)

    @property
    def bytes(self) -> int:
        """Those of all actions together."""
        return sum(list(self._at.values()))

    def reach(self, action: str, place: int) -> None:
        """An action has come so far."""
        self._at[action] = place

    def land(self, action: str) -> None:
        """An action is done, or has failed: its bytes are counted elsewhere, or not at all."""
        self._at.pop(action, None)


def watched(
    body: BinaryIO, stop: threading.Event, flight: Flight | None = None, action: str = ""
) -> BinaryIO:
    """The same body; reading it raises `Interrupted` once the run is told to stop.

    Where it is read for an action of a flight, that is told how far it is.
    """
    return cast(BinaryIO, _Watched(body, stop, flight, action))


class _Watched:
    def __init__(
        self, body: BinaryIO, stop: threading.Event, flight: Flight | None, action: str
    ) -> None:
        self._body = body
        self._stop = stop
        self._flight = flight
        self._action = action
        self._place = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        if self._stop.is_set():
            raise Interrupted("stopped by a signal; run the same plan again to resume")
        chunk = self._body.read(size)
        self._reach(self._place + len(chunk))
        return chunk

    def seek(self, offset: int, whence: int = 0) -> int:
        """Read on from elsewhere, as who sends a body again does."""
        self._reach(self._body.seek(offset, whence))
        return self._place

    def _reach(self, place: int) -> None:
        self._place = place
        if self._flight is not None:
            self._flight.reach(self._action, place)

    def __getattr__(self, name: str) -> object:
        return getattr(self._body, name)
