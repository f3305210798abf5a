"""Files that are fetched and proved take their places: plain ones first, databases after them, and
deletions last. What a person or a program has changed here goes to the trash."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from buckia import sqlite
from buckia.errors import (
    IncompleteError,
    IntegrityError,
    Interrupted,
    LocalError,
    NotFoundError,
    PreconditionError,
)
from buckia.layout import fold
from buckia.manifest import File
from buckia.model import Entry
from buckia.runs.pulling.differences import Known, Work
from buckia.stores.local import LocalStore


class Coming(Struct, frozen=True):
    """A file that is fetched: where it lies, what it will be known as, if it is a database."""

    file: File
    place: Path
    known: Known
    database: bool


def prove(file: File, place: Path, store: LocalStore) -> Coming:
    """What a fetched file is. `IntegrityError` for a database that is damaged."""
    if not sqlite.is_database(place):
        return Coming(file, place, Known(file.path, file.sha256, file.sha256), database=False)
    try:
        with store.temporary() as copy:
            sqlite.snapshot(place, copy)
            sqlite.check(copy)
            version = sqlite.logical_hash(copy)
    except LocalError:
        raise IntegrityError(
            f"{file.path}: the published database is damaged; nothing was changed; publish a whole "
            "one"
        ) from None
    return Coming(file, place, Known(file.path, file.sha256, version), database=True)


class Swap:
    """Puts files into a folder.

    store  the folder; it keeps nothing of what it replaces, and `keeper`, the same, all of it
    here   what was found at the paths in question; what is there by now has to be the same
    """

    def __init__(
        self,
        store: LocalStore,
        keeper: LocalStore,
        here: Mapping[str, Entry],
        work: Work,
        stop: threading.Event,
    ) -> None:
        self._store = store
        self._keeper = keeper
        self._here = here
        self._work = work
        self._stop = stop

    def __call__(self, coming: list[Coming], tell: Callable[[str], None]) -> None:
        """Do it; `tell` is called with each path. Raises `IncompleteError` where something here is
        in use or changes meanwhile, `Interrupted` between two files."""
        with _explained():
            for path in sorted(self._work.in_way):
                self._remove(path)
            moved = {fold(path) for path in self._work.in_way}
            left = Counter(one.place for one in coming)
            for one in sorted(coming, key=lambda one: (one.database, one.file.path.encode())):
                self._go_on()
                left[one.place] -= 1
                last = not (left[one.place] or one.database)
                self._put(one, last=last, again=fold(one.file.path) in moved)
                tell(one.file.path)
            for path in self._work.removed:
                if path not in self._work.in_way:
                    self._remove(path)
                tell(path)

    def _put(self, one: Coming, *, last: bool, again: bool) -> None:
        """Give a file its place. `last`: nobody else wants the fetched one, so it can be moved.
        `again`: what was there may have gone already, as another spelling of it."""
        path = one.file.path
        store = self._side(path)
        replacing = store.head(path) if again else self._here.get(path)
        entry = Entry(path, one.file.size, sha256=one.file.sha256)
        if last:
            store.place(entry, one.place, replacing=replacing)
            return
        with one.place.open("rb") as body:
            store.put(entry, body, replacing=replacing)

    def _remove(self, path: str) -> None:
        self._go_on()
        self._side(path).delete(self._here[path])

    def _side(self, path: str) -> LocalStore:
        ours = path in self._here and path not in self._work.kept
        return self._store if ours else self._keeper

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise Interrupted("stopped by a signal; what was done is done; run it again")


@contextmanager
def _explained() -> Iterator[None]:
    """Word what came between looking and doing for a person."""
    try:
        yield
    except (PreconditionError, NotFoundError) as problem:
        why = str(problem).rpartition("; plan again")[0] or str(problem)
        raise IncompleteError(
            f"{why.removesuffix(' since the plan')} meanwhile; run it again"
        ) from None
    except LocalError as problem:
        raise IncompleteError(f"{problem}; what was fetched is kept") from None
