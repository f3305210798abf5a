"""How many requests of one class may be under way at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from msgspec import Struct


class Turn(Struct):
    """One request's place in its budget; it says at the end whether the service was crowded."""

    era: int
    crowded: bool = False


class Budget:
    """At most `most` at once: half as many when the service says "too many", slowly more again.

    Requests that were under way together halve it together once. A turn is held only while one
    request waits for its answer, so no thread ever waits for itself.
    """

    def __init__(self, most: int) -> None:
        self.limit = most
        self._most = most
        self._running = self._went_well = self._era = 0
        self._changed = Condition()

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Wait until there is room."""
        with self._changed:
            self._changed.wait_for(lambda: self._running < self.limit)
            self._running += 1
            turn = Turn(self._era)
        try:
            yield turn
        finally:
            with self._changed:
                self._running -= 1
                self._learn(turn)
                self._changed.notify_all()

    def _learn(self, turn: Turn) -> None:
        if turn.crowded:
            if turn.era == self._era:
                self.limit = max(1, self.limit // 2)
                self._era += 1
            self._went_well = 0
            return
        self._went_well += 1
        if self._went_well >= self.limit < self._most:
            self.limit, self._went_well = self.limit + 1, 0
