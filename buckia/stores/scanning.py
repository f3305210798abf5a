"""Many files read at once: on several threads, as many as are worth their while."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

from buckia import pool
from buckia.errors import LocalError, StoreError
from buckia.model import Entry, Progress, Skipped, Tick
from buckia.stores.hashing import Digests
from buckia.stores.paths import Nearby
from buckia.stores.reading import SMALL, Reader
from buckia.stores.tree import Found
from buckia.streams.flight import WORTH, Flight

_BATCH: Final = 64
"""Files read per task: small files cost more in hand-over than in reading."""

_BULK: Final = 500
"""Files that the cache is asked for together."""


def read_all(
    found: Iterable[Found],
    reader: Reader,
    look: Callable[[Found], Entry | None],
    skip: Callable[[Skipped], None],
    take: Callable[[Entry], None],
    hold: Callable[[Found, Digests], bool],
    *,
    workers: int,
    progress: Progress,
) -> None:
    """Hand the entries of many files to `take`: known ones at once, the others read on several
    threads, the largest first. What cannot be read is handed to `skip` as unknown."""
    unread: list[Found] = []
    for files in pool.batches(found, _BULK):
        for file, known in zip(files, reader.known_of(files), strict=True):
            if known is None:
                unread.append(file)
            elif not hold(file, known):
                take(reader.entry(file, known))

    def read(file: Found, nearby: Nearby) -> Entry | Skipped | None:
        try:
            return reader.read_small(file, nearby) or look(file)
        except (LocalError, StoreError) as problem:
            return Skipped(file.key, f"cannot be read: {problem}", unknown=True)

    def read_batch(files: list[Found]) -> list[tuple[Found, Entry | Skipped | None]]:
        with reader.nearby() as nearby:
            return [(file, read(file, nearby)) for file in files]

    with reader.telling() as flight:
        tally = _Tally(unread, flight, progress)
        for results in pool.each(
            read_batch, _batches(unread), workers=workers, name="hash", beat=True
        ):
            tally.beat()
            for file, result in (pair for batch in results for pair in batch):
                tally.add(file)
                if isinstance(result, Skipped):
                    skip(result)
                elif result is not None:
                    take(result)


def _batches(files: list[Found]) -> Iterator[list[Found]]:
    """What a thread reads at once: each large file by itself, the largest first, so that none is
    begun last; small ones by their keys, which has those of a folder together."""
    small = sorted((f for f in files if f.stat.st_size <= SMALL), key=lambda f: f.key)
    large = sorted((f for f in files if f.stat.st_size > SMALL), key=lambda f: -f.stat.st_size)
    return chain(([file] for file in large), pool.batches(small, _BATCH))


class _Tally:
    """How far the reading of many files is; told for each file, and once a large one is worth a
    word."""

    def __init__(self, files: list[Found], flight: Flight, progress: Progress) -> None:
        self._files = len(files)
        self._bytes = sum(file.stat.st_size for file in files)
        self._flight = flight
        self._progress = progress
        self._done = self._read = self._told = 0
        if files:
            self._tell("")

    def add(self, file: Found) -> None:
        """A file is read."""
        self._done, self._read = self._done + 1, self._read + file.stat.st_size
        self._flight.land(file.key)
        self._tell(file.key)

    def beat(self) -> None:
        """Some time has passed."""
        if self._read + self._flight.bytes - self._told >= WORTH:
            self._tell("")

    def _tell(self, key: str) -> None:
        moved = min(self._read + self._flight.bytes, self._bytes)
        self._told = max(self._told, moved)
        self._progress(Tick("hash", key, self._done, self._told, self._files, self._bytes))
