"""Services that treat conditions in every way seen in the wild, a clock that tests turn, leases."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from io import BytesIO
from typing import Any, BinaryIO, Final, Literal

from buckia import lease
from buckia.errors import PreconditionError, StoreError
from buckia.lease import Held, Holder, Pace
from buckia.lease import note as lease_note
from buckia.model import Entry, replace
from buckia.stores.base import Capabilities, Store
from buckia.stores.memory import MemoryStore
from buckia.stores.traffic import Traffic

Mood = Literal["atomic", "ignored", "inverted", "racy", "501", "checked", "create-only"]

MOODS: Final[tuple[Mood, ...]] = (
    "atomic",
    "ignored",
    "inverted",
    "racy",
    "501",
    "checked",
    "create-only",
)


class Moody:
    """A memory store whose service does what `mood` says with the conditions of a write.

    atomic       keeps them
    ignored      takes every write
    inverted     refuses what it should take, and takes what it should refuse
    racy         looks, lets others look, writes
    501          does not know them
    checked      promises nothing: the store looks, then writes
    create-only  keeps that of creating; for replacing the store looks, then writes
    """

    def __init__(self, mood: Mood, inner: MemoryStore | None = None) -> None:
        self.inner = inner or MemoryStore()
        self.mood = mood
        self._meeting = threading.Barrier(2)
        self._under_way: dict[object, None] = {}

    @property
    def url(self) -> str:
        return f"{self.inner.url}-{self.mood}"

    @property
    def capabilities(self) -> Capabilities:
        told = self.inner.capabilities
        if self.mood == "create-only":
            return replace(told, replace_if_match=False, delete_if_match=False)
        if self.mood == "checked":
            return replace(
                told, create_if_absent=False, replace_if_match=False, delete_if_match=False
            )
        return told

    @property
    def traffic(self) -> Traffic:
        return self.inner.traffic

    def put(self, entry: Entry, body: BinaryIO, *, replacing: Entry | None) -> Entry:
        token = object()
        self._under_way[token] = None
        try:
            return self._put(entry, body.read(), replacing)
        finally:
            del self._under_way[token]

    def settle(self) -> None:
        """Wait until every write that had begun has arrived, as a real service needs moments to."""
        begun = self._under_way.copy().keys()
        until(lambda: not begun & self._under_way.copy().keys())

    def _put(self, entry: Entry, data: bytes, replacing: Entry | None) -> Entry:
        fits = self._fits(entry.key, replacing)
        match self.mood:
            case "501":
                raise StoreError("A header you provided implies functionality not implemented")
            case "atomic":
                return self.inner.put(entry, BytesIO(data), replacing=replacing)
            case "create-only" if replacing is None:
                return self.inner.put(entry, BytesIO(data), replacing=None)
            case "inverted" if fits:
                raise PreconditionError("refused although it fits")
            case "racy" | "checked" | "create-only" if not fits:
                raise PreconditionError("refused")
        if self.mood == "racy":
            with suppress(threading.BrokenBarrierError):  # nobody else came: go on alone
                self._meeting.wait(0.05)
            self._meeting.reset()
        return self._overwrite(entry, data)

    def _fits(self, key: str, replacing: Entry | None) -> bool:
        held = self.inner.head(key)
        return (held.version if held else None) == (replacing.version if replacing else None)

    def _overwrite(self, entry: Entry, data: bytes) -> Entry:
        while True:
            with suppress(PreconditionError):
                held = self.inner.head(entry.key)
                return self.inner.put(entry, BytesIO(data), replacing=held)

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        return self.inner.entries(prefix)

    def head(self, key: str) -> Entry | None:
        return self.inner.head(key)

    def open(self, entry: Entry) -> AbstractContextManager[BinaryIO]:
        return self.inner.open(entry)

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        return None

    def copies(self, source: Store) -> bool:
        return False

    def put_headers(self, entry: Entry, *, replacing: Entry) -> Entry:
        return self.inner.put_headers(entry, replacing=replacing)

    def delete(self, entry: Entry) -> None:
        self.inner.delete(entry)

    def public_url(self, key: str) -> str:
        return self.inner.public_url(key)

    def close(self) -> None:
        self.inner.close()


class Proving(Moody):
    """The same, and it can find out: from then on it relies on what it found."""

    def prove(self) -> Capabilities:
        if self.mood in ("ignored", "inverted", "501"):
            self.mood = "checked"
        return self.capabilities


class Clock:
    """Seconds that pass when a test says so; whoever waits in a lease's own threads really waits.

    Anybody else who waits lets them pass by that: nothing in a test takes time. `settle` is what
    is sure to happen meanwhile.
    """

    def __init__(self) -> None:
        self.settle: Callable[[], None] = lambda: None
        self.seconds = 1_000_000.0
        self.waits: list[float] = []
        self._turned = threading.Condition()

    def now(self) -> float:
        return self.seconds

    def nanoseconds(self) -> int:
        return int(self.seconds * 1_000_000_000)

    def advance(self, seconds: float) -> None:
        with self._turned:
            self.seconds += seconds
            self._turned.notify_all()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not threading.current_thread().name.startswith("buckia-lease"):
            self.waits.append(seconds)
            self.settle()
            self.advance(0 if event.is_set() else seconds)
            return event.is_set()
        end = self.seconds + seconds
        with self._turned:
            while not event.is_set() and self.seconds < end:
                self._turned.wait(0.01)
        return event.is_set()


def until(happened: Callable[[], bool]) -> None:
    """Wait for what another thread is about to do."""
    for _ in range(1000):
        if happened():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not happen")


PLAN: Final = "sha256:" + "ab" * 32


def hold(
    store: Store, clock: Clock, run_id: str = "mine", **more: Any
) -> AbstractContextManager[Held]:
    """The lease of a store, in this clock's time."""
    pace = Pace(clock.now, clock.wait)
    return lease.hold(store, name="main", plan=PLAN, run_id=run_id, pace=pace, **more)


def leave(store: Store, run_id: str = "theirs", **more: Any) -> Entry:
    """Somebody's lease, whatever is there."""
    holder = Holder(id=run_id, who="Ada", where="ci-7", pid=42, plan=PLAN, **more)
    return lease_note.write(store, holder, replacing=store.head(lease_note.KEY))


def holder_of(store: Store) -> Holder:
    """Who holds the lease."""
    found = lease.look(store)
    assert found
    return found.holder
