"""A bucket that would rather see many keys at once, and what can be done to its files."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from buckia.execution.glances import TOGETHER
from buckia.model import Entry, replace
from buckia.stores.base import Store, Use
from buckia.stores.memory import MemoryStore
from tests.helpers import NO_LIMITS, World

COUNT = 4 * TOGETHER
"""Of so many a single worker takes as many at once as it may."""


class Seeing(MemoryStore):
    """A bucket that remembers what it was told, and what of it was done, and what was not told."""

    def __init__(self, name: str = "memory", wanted: Collection[Use] = tuple(Use)) -> None:
        super().__init__(name)
        self.glances = frozenset(wanted)
        self.asked: list[dict[Use, list[str]]] = []
        self.untold: list[tuple[Use, str]] = []
        self.now: dict[int, dict[Use, list[str]]] = {}

    @contextmanager
    def glance(self, uses: Mapping[Use, Collection[str]]) -> Iterator[None]:
        told = {use: list(keys) for use, keys in uses.items()}
        self.asked.append(told)
        self.now[threading.get_ident()] = told
        yield
        del self.now[threading.get_ident()]

    def demand(self, key: str, *uses: Use) -> None:
        told = self.now.get(threading.get_ident(), {})
        own = key.startswith(".buckia/") and "/trash/" not in key
        if not own and not any(key in told.get(use, ()) for use in uses):
            self.untold.append((uses[0], key))

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        if self.copies(source):
            assert isinstance(source, Seeing)
            source.demand(entry.key, Use.READ)
            self.demand(key, Use.COPY, Use.KEEP)
        return super().copy(source, entry, key=key, replacing=replacing)

    def seen(self, key: str) -> Entry | None:
        self.demand(key, Use.SEEN)
        found = self.head(key)
        return replace(found, md5=found.version) if found else None

    def delete(self, entry: Entry) -> None:
        self.demand(entry.key, Use.DELETE)
        super().delete(entry)

    def told(self, use: Use) -> list[str]:
        return sorted(key for seen in self.asked for key in seen.get(use, ()))


def world(root: Path, store: Store) -> World:
    made = World(root, {"main": store}, max_workers=1, delete_orphaned=True, limits=NO_LIMITS)
    for number in range(COUNT):
        made.write(f"old/{number:03}", b"%d" % number)
    made.apply(made.plan())
    return made


def renamed(made: World) -> None:
    (made.tree / "old").rename(made.tree / "new")


def changed(made: World) -> None:
    for number in range(COUNT):
        made.write(f"old/{number:03}", b"changed %d" % number)


def removed(made: World) -> None:
    made.write("other", b"the side is not empty")
    for number in range(COUNT):
        made.remove(f"old/{number:03}")
