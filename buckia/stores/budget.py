"""How many requests may be under way at once: as many as pay, fewer when the service complains.

Where a service answers more requests in the same time, more of them are let through; where they
only wait for each other, there or here, fewer are. What counts is how many of those under way
wait: TCP Vegas finds its window so (Brakmo and Peterson, 1995), and halves it as all TCP does when
there is too much (RFC 5681).
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from threading import Condition, Lock
from typing import Final, NamedTuple

from msgspec import Struct

FIRST: Final = 8
"""Requests at once before anything is known of the service."""

_FADE: Final = 60.0
"""Seconds after which the least time that a request took counts as twice as long: the way to a
service changes, and by the old time all would look as if it waited."""

_FEW: Final = 2.0
_MANY: Final = 4.0
"""Requests that wait: below the first there is room for more, above the second there are too many
under way."""


class Window(Struct, frozen=True):
    """How many at once, and what led there. Pure: `after` gives the next one.

    limit     requests that may be under way; never less than 1
    most      what `limit` never exceeds
    well      good answers since the limit was last judged
    waited    how many requests waited at those answers, all together
    era       how often the limit was halved
    doubling  nothing was too much so far
    """

    limit: int
    most: int
    well: int = 0
    waited: float = 0.0
    era: int = 0
    doubling: bool = True

    def after(self, era: int, *, crowded: bool, waiting: float = 0.0) -> Window:
        """The window once a request has been answered that began in `era`; `waiting` is how many
        of those under way with it only waited.

        Requests that were under way together complain about the same crowd, so they halve the
        limit together once.
        """
        if crowded:
            once = era == self.era
            limit = max(1, self.limit // 2) if once else self.limit
            return Window(limit, self.most, era=self.era + once, doubling=False)
        well, waited = self.well + 1, self.waited + waiting
        if well < self.limit:
            return Window(self.limit, self.most, well, waited, self.era, self.doubling)
        return self._judged(waited / well)

    def _judged(self, waiting: float) -> Window:
        """The window after a round of good answers."""
        doubling = self.doubling and waiting < _FEW
        limit = self.limit
        if waiting < _FEW:
            limit = min(self.most, limit * 2 if doubling else limit + 1)
        elif waiting > _MANY:
            limit = max(1, limit - 1)
        return Window(limit, self.most, era=self.era, doubling=doubling)


class Place(NamedTuple):
    """One request that was let through: in which era, among how many, and when (monotonic)."""

    era: int
    among: int
    since: float


class Budget:
    """A gate that lets as many through as its window says. Safe for many threads.

    A place is held only while one request waits for its answer, so no thread waits for itself.
    """

    def __init__(self, most: int) -> None:
        self.window = Window(min(FIRST, most), most)
        self._running = 0
        self._least: dict[Hashable, tuple[float, float]] = {}
        self._lock = Lock()
        self._changed = Condition(self._lock)
        self._waiting = 0

    def enter(self) -> Place:
        """Wait until there is room; what is given is for `leave`."""
        with self._lock:
            while self._running >= self.window.limit:
                self._waiting += 1
                self._changed.wait()
                self._waiting -= 1
            self._running += 1
            return Place(self.window.era, self._running, time.monotonic())

    def leave(self, place: Place, *, crowded: bool, kind: Hashable = None) -> None:
        """The request is answered; `crowded` means that the service said "too many". Requests of
        one `kind` take about the same time where nothing waits; None tells nothing of waiting."""
        now = time.monotonic()
        with self._lock:
            self._running -= 1
            waiting = 0.0 if kind is None else self._wait(kind, place, now)
            self.window = self.window.after(place.era, crowded=crowded, waiting=waiting)
            if self._waiting:
                self._changed.notify(max(0, self.window.limit - self._running))

    def _wait(self, kind: Hashable, place: Place, now: float) -> float:
        """How many of those under way with a request only waited, by how long it took."""
        took = now - place.since
        least, seen = self._least.get(kind, (took, now))
        least *= 2 ** ((now - seen) / _FADE)
        if took <= least:
            self._least[kind] = took, now
            return 0.0
        return place.among * (1 - least / took)
