"""A store that fails and lies as it is told, around any other."""

from __future__ import annotations

import io
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, BinaryIO, Final, TypeVar, cast

from buckia.errors import IntegrityError, PreconditionError, StoreError, UnavailableError
from buckia.model import Entry, replace
from buckia.stores.base import Capabilities, Store
from buckia.stores.traffic import Traffic

Result = TypeVar("Result")


class Kind(StrEnum):
    """What goes wrong. `ACTED` means that the service did it all the same."""

    REFUSED = "an error, nothing done"
    ACTED = "an error, and yet done"
    PRETENDED = "success, and yet not done"
    CONDITION = "a condition fails for no reason"
    CRASH = "the process ends, nothing done"
    CRASH_ACTED = "the process ends once it is done"
    PART = "a listing that breaks off with an error"
    SHORT = "a listing that ends early and looks whole"
    EMPTY = "an empty listing"
    TWISTED = "keys out of order"
    VERSIONS = "wrong versions"
    DIGESTS = "wrong digests"
    CUT = "a body that ends early"
    FLIPPED = "a body with other bytes"
    BROKEN = "a body that breaks off with an error"
    DRIP = "a body that comes slowly"


EVERYWHERE: Final = (Kind.REFUSED, Kind.CRASH)
LISTINGS: Final = (Kind.PART, Kind.SHORT, Kind.EMPTY, Kind.TWISTED, Kind.VERSIONS, Kind.DIGESTS)
LOOKS: Final = (Kind.VERSIONS, Kind.DIGESTS)
BODIES: Final = (Kind.CUT, Kind.FLIPPED, Kind.BROKEN, Kind.DRIP, Kind.CONDITION)
WRITES: Final = (Kind.ACTED, Kind.PRETENDED, Kind.CONDITION, Kind.CRASH_ACTED)
POSSIBLE: Final = {
    "entries": (*EVERYWHERE, *LISTINGS),
    "head": (*EVERYWHERE, *LOOKS),
    "open": (*EVERYWHERE, *BODIES),
    "put": (*EVERYWHERE, *WRITES),
    "copy": (*EVERYWHERE, *WRITES),
    "delete": (*EVERYWHERE, *WRITES),
}
"""What can go wrong with each call."""


class Crash(BaseException):
    """The end of a process, as far as a test can have one."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong: with which call ("" for any) on which keys (a glob, "" for any),
    from the `nth` such call on, `times` times."""

    kind: Kind
    call: str = ""
    key: str = ""
    nth: int = 1
    times: int = 1_000_000


Script = Callable[[str, str], Kind | None]
"""Asked before each call, by its name and key, what shall go wrong."""


class Scripted:
    """Faults as they are listed."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = faults
        self._seen = [0] * len(faults)

    def __call__(self, call: str, key: str) -> Kind | None:
        found = None
        for at, fault in enumerate(self._faults):
            if fault.call in ("", call) and fnmatchcase(key, fault.key or "*"):
                if fault.kind not in POSSIBLE[call]:
                    continue
                self._seen[at] += 1
                if 0 <= self._seen[at] - fault.nth < fault.times:
                    found = found or fault.kind
        return found


class Dice:
    """Faults by chance: one call in `odds` goes wrong, the same ones for the same seed."""

    def __init__(self, seed: int, odds: int, kinds: Sequence[Kind] = tuple(Kind)) -> None:
        self._random = random.Random(seed)
        self._odds = odds
        self._kinds = kinds

    def __call__(self, call: str, key: str) -> Kind | None:
        choice = [kind for kind in POSSIBLE[call] if kind in self._kinds]
        return self._random.choice(choice) if choice and not self._roll() else None

    def _roll(self) -> int:
        return self._random.randrange(self._odds)


class FaultyStore:
    """Another store, seen through a bad line. Without a script it is just that store."""

    def __init__(self, inner: Store, pause: float = 0.0) -> None:
        self.inner = inner
        self.pause = pause
        self.hits: list[tuple[str, str, Kind]] = []
        self._script: Script = _fair
        self._lock = threading.Lock()

    @contextmanager
    def faults(self, *faults: Fault, script: Script | None = None) -> Iterator[FaultyStore]:
        """Let these things go wrong meanwhile; `hits` holds those that did."""
        self.hits = []
        self._script = script or Scripted(faults)
        try:
            yield self
        finally:
            self._script = _fair

    @property
    def url(self) -> str:
        """That of the other store."""
        return self.inner.url

    @property
    def capabilities(self) -> Capabilities:
        """Those of the other store."""
        return self.inner.capabilities

    @property
    def traffic(self) -> Traffic:
        """That of the other store."""
        return self.inner.traffic

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """The listing, or what a bad service makes of it."""
        kind = self._meet("entries", prefix)
        found = list(self.inner.entries(prefix))
        if kind is Kind.TWISTED:  # every store has to notice that by itself
            raise StoreError(f"{self.url}: keys out of order; nothing was used")
        if kind in (Kind.PART, Kind.SHORT, Kind.EMPTY):
            found = [] if kind is Kind.EMPTY else found[: len(found) // 2]
        yield from (self._bent(entry, kind) for entry in found)
        if kind is Kind.PART:
            raise UnavailableError(f"{self.url}: no answer in time")

    def head(self, key: str) -> Entry | None:
        """The look, or a wrong one."""
        kind = self._meet("head", key)
        found = self.inner.head(key)
        return self._bent(found, kind) if found else None

    def open(self, entry: Entry) -> AbstractContextManager[BinaryIO]:
        """The body, or what is left of it."""
        kind = self._meet("open", entry.key)
        body = self.inner.open(entry)
        return _spoilt(body, kind, self.pause) if kind else body

    def put(self, entry: Entry, body: BinaryIO, *, replacing: Entry | None) -> Entry:
        """The write, or not."""
        pretended = replace(entry, version="pretended")
        return self._write(
            "put", entry.key, lambda: self.inner.put(entry, body, replacing=replacing), pretended
        )

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        """The copy, or not."""
        origin = source.inner if isinstance(source, FaultyStore) else source
        pretended: Entry | None = replace(entry, key=key, version="pretended")
        return self._write(
            "copy",
            key,
            lambda: self.inner.copy(origin, entry, key=key, replacing=replacing),
            pretended,
        )

    def copies(self, source: Store) -> bool:
        """What the inner one says."""
        return self.inner.copies(source.inner if isinstance(source, FaultyStore) else source)

    def put_headers(self, entry: Entry, *, replacing: Entry) -> Entry:
        """The other headers, or not: a copy onto its own key."""
        return self._write(
            "copy",
            entry.key,
            lambda: self.inner.put_headers(entry, replacing=replacing),
            replace(replacing, version="pretended"),
        )

    def delete(self, entry: Entry) -> None:
        """The deletion, or not."""
        self._write("delete", entry.key, lambda: self.inner.delete(entry), None)

    def public_url(self, key: str) -> str:
        """That of the other store."""
        return self.inner.public_url(key)

    def close(self) -> None:
        """The other store stays open: a world opens and closes its project often."""

    def _write(self, call: str, key: str, act: Callable[[], Result], pretended: Result) -> Result:
        kind = self._meet(call, key)
        if kind is Kind.PRETENDED:
            return pretended
        done = act()
        if kind is Kind.ACTED:
            raise UnavailableError(f"{self.url}/{key}: no answer in time")
        if kind is Kind.CRASH_ACTED:
            raise Crash
        return done

    def _meet(self, call: str, key: str) -> Kind | None:
        """What goes wrong with this call; raised here if nothing is to be done first."""
        with self._lock:
            kind = self._script(call, key)
            if kind:
                self.hits.append((call, key, kind))
        if kind is Kind.REFUSED:
            raise UnavailableError(f"{self.url}/{key}: the service is busy")
        if kind is Kind.CONDITION:
            raise PreconditionError(f"{self.url}/{key} is not what was reviewed; plan again")
        if kind is Kind.CRASH:
            raise Crash
        return kind

    def _bent(self, entry: Entry, kind: Kind | None) -> Entry:
        if kind is Kind.VERSIONS:
            return replace(entry, version=f"not {entry.version}")
        if kind is Kind.DIGESTS:
            return replace(entry, sha256="0" * 64, md5="0" * 32, sha1="0" * 40)
        return entry


def _fair(call: str, key: str) -> Kind | None:
    return None


@contextmanager
def _spoilt(
    opened: AbstractContextManager[BinaryIO], kind: Kind, pause: float
) -> Iterator[BinaryIO]:
    with opened as body:
        data = body.read()
    if kind is Kind.CUT:
        data = data[: len(data) // 2]
    if kind is Kind.FLIPPED:
        data = bytes(byte ^ 1 for byte in data)
    yield cast(BinaryIO, _Body(data, kind, pause)) if kind in _SLOW else io.BytesIO(data)


_SLOW: Final = (Kind.BROKEN, Kind.DRIP)


class _Body:
    """A body that comes byte by byte, and perhaps not to its end."""

    def __init__(self, data: bytes, kind: Kind, pause: float) -> None:
        self._data = io.BytesIO(data)
        self._left = len(data) // 2 if kind is Kind.BROKEN else len(data)
        self._pause = pause
        self._breaks = kind is Kind.BROKEN

    def read(self, size: int = -1) -> bytes:
        """One byte; an error where it breaks off."""
        if self._breaks and not self._left:
            raise IntegrityError("the service sent a part only; try again")
        time.sleep(self._pause)
        self._left -= 1
        return self._data.read(1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)


_: type[Store] = FaultyStore
