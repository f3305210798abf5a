"""How many requests may be under way at once: half as many when the service complains, then more.

Additive increase, multiplicative decrease, as TCP does it (RFC 5681): one more after each round
that went well, half as many after one that did not.
"""

from __future__ import annotations

from threading import Condition, Lock

from msgspec import Struct


class Window(Struct, frozen=True):
    """How many at once, and what led there. Pure: `after` gives the next one.

    limit  requests that may be under way; never less than 1
    most   what `limit` never exceeds
    well   good answers since the limit last changed
    era    how often the limit was halved
    """

    limit: int
    most: int
    well: int = 0
    era: int = 0

    def after(self, era: int, *, crowded: bool) -> Window:
        """The window once a request has been answered that began in `era`.

        Requests that were under way together complain about the same crowd, so they halve the
        limit together once.
        """
        if crowded and era == self.era:
            return Window(max(1, self.limit // 2), self.most, 0, self.era + 1)
        if crowded or self.limit >= self.most:
            return Window(self.limit, self.most, 0, self.era)
        if self.well + 1 >= self.limit:
            return Window(self.limit + 1, self.most, 0, self.era)
        return Window(self.limit, self.most, self.well + 1, self.era)


class Budget:
    """A gate that lets as many through as its window says. Safe for many threads.

    A place is held only while one request waits for its answer, so no thread waits for itself.
    """

    def __init__(self, most: int) -> None:
        self.window = Window(most, most)
        self._running = 0
        self._lock = Lock()
        self._changed = Condition(self._lock)
        self._waiting = 0

    def enter(self) -> int:
        """Wait until there is room; give the era, for `leave`."""
        with self._lock:
            while self._running >= self.window.limit:
                self._waiting += 1
                self._changed.wait()
                self._waiting -= 1
            self._running += 1
            return self.window.era

    def leave(self, era: int, *, crowded: bool) -> None:
        """The request is answered; `crowded` means that the service said "too many"."""
        with self._lock:
            self._running -= 1
            if crowded or self.window.limit < self.window.most:
                self.window = self.window.after(era, crowded=crowded)
            if self._waiting:
                self._changed.notify_all()
