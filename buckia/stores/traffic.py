"""The traffic of one store with its service: every request counted, and let through in time."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable
from threading import Lock
from typing import Final

from msgspec import Struct
from msgspec.structs import asdict

from buckia.stores import retry
from buckia.stores.budget import Budget, Place
from buckia.stores.rate import UNLIMITED, Pace, Rates
from buckia.stores.usage import Kind, Usage

_PAGE: Final = 1000
"""Names that services bill as one listing."""


_PIECE: Final = 16 * 1024
"""Bytes of a body that are sent at a time where that has to be slow."""


def _told(rates: Rates) -> dict[str, float]:
    return {name: rate for name, rate in asdict(rates).items() if rate is not None}


class Share(Struct, frozen=True):
    """Classes of requests that share one budget, and how many of them there may be at once."""

    kinds: frozenset[Kind]
    most: int


def shares(workers: int) -> tuple[Share, ...]:
    """The budgets where a service says nothing of its own: each for all the workers there are."""
    return tuple(Share(kinds, workers) for kinds in _CLASSES)


_CLASSES: Final = (
    frozenset({Kind.LIST}),
    frozenset({Kind.LOOK, Kind.READ, Kind.SETTINGS}),
    frozenset({Kind.WRITE, Kind.COPY, Kind.PURGE}),
    frozenset({Kind.DELETE}),
)


class Traffic:
    """What passes between one store and its service. Safe for many threads.

    shares  the budgets; a class in none of them is only counted
    tariff  the price list of `prices` that the requests are billed by; empty where none is public
    rates   requests and bytes a second, at the most
    """

    def __init__(
        self, shares: Iterable[Share] = (), *, tariff: str = "", rates: Rates = UNLIMITED
    ) -> None:
        self.tariff = tariff
        self._paces = {name: Pace(rate) for name, rate in _told(rates).items()}
        self._budgets: dict[Kind, Budget] = {}
        for share in shares:
            budget = Budget(max(1, share.most))
            self._budgets |= dict.fromkeys(share.kinds, budget)
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    @property
    def usage(self) -> Usage:
        """What was used so far."""
        with self._lock:
            return Usage(**self._counts)

    def request(self, kind: Kind, size: int = 0) -> Turn:
        """Wait until one request may be sent, and count it. It is answered when the turn ends: with
        the block that it opens, or by `Turn.end`. `size` is how many bytes it takes along."""
        self._wait("requests", 1)
        budget = self._budgets.get(kind)
        place = budget.enter() if budget else None
        again = retry.is_repeat()
        with self._lock:
            self._counts[kind.value] += 1
            if kind is Kind.LIST:
                self._counts["pages"] += 1
            if again:
                self._counts["retries"] += 1
        return Turn(self, budget, place, (kind, size.bit_length()))

    def end(self, turn: Turn, *, answered: bool) -> None:
        """See `Turn.end`."""
        if turn.crowded:
            self._add("throttled", 1)
        if turn.budget and turn.place:
            kind = turn.kind if answered and not turn.crowded else None
            turn.budget.leave(turn.place, crowded=turn.crowded, kind=kind)

    def limit(self, kind: Kind) -> int | None:
        """How many requests of a class may be under way now; None for any number."""
        budget = self._budgets.get(kind)
        return budget.window.limit if budget else None

    def most(self, kind: Kind) -> int | None:
        """How many requests of a class may ever be under way; None for any number."""
        budget = self._budgets.get(kind)
        return budget.window.most if budget else None

    def listed(self, names: int) -> None:
        """The answer to a listing held so many names."""
        self._add("pages", max(0, names - 1) // _PAGE)

    @property
    def slows_uploads(self) -> bool:
        """Whether bodies have to go up piece by piece, each when there is time for it."""
        return "upload" in self._paces

    @property
    def slows_downloads(self) -> bool:
        """Whether bodies have to come down piece by piece, each when there is time for it."""
        return "download" in self._paces

    def sent(self, size: int) -> None:
        """So many bytes of a body are going up; wait until they may have."""
        self._add("sent", size)
        self._wait("upload", size)

    def received(self, size: int) -> None:
        """So many bytes of a body have come down; wait until they may have."""
        self._add("received", size)
        self._wait("download", size)

    def slowed(self, body: bytes) -> Slowed:
        """A body as a stream that goes up no faster than it may."""
        return Slowed(body, self)

    def _wait(self, name: str, amount: float) -> None:
        if (pace := self._paces.get(name)) is not None:
            pace.take(amount)

    def _add(self, name: str, amount: int) -> None:
        with self._lock:
            self._counts[name] += amount


class Slowed(io.BytesIO):
    """A body that is counted, and slowed, as it is read. A second reading counts again."""

    def __init__(self, body: bytes, traffic: Traffic) -> None:
        super().__init__(body)
        self._size = len(body)
        self._traffic = traffic

    def __len__(self) -> int:
        return self._size

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes; few at once, unless all are asked for."""
        chunk = super().read(min(size, _PIECE) if size and size > 0 else size)
        self._traffic.sent(len(chunk))
        return chunk


class Turn:
    """One request under way. Set `crowded` where the answer says that there are too many."""

    def __init__(
        self, traffic: Traffic, budget: Budget | None, place: Place | None, kind: tuple[Kind, int]
    ) -> None:
        self.budget = budget
        self.place = place
        self.kind = kind
        self.crowded = False
        self._traffic = traffic

    def __enter__(self) -> Turn:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        self.end(answered=kind is None)

    def end(self, *, answered: bool = True) -> None:
        """The request is over. To be called once; how long it took tells of the service only where
        it `answered` what was asked."""
        self._traffic.end(self, answered=answered)
