"""What a local file holds: from the cache where it can be trusted, else by reading it once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import chain
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, Final, cast

from buckia import pool, sqlite
from buckia.errors import LocalError, NotFoundError, StoreError
from buckia.flight import WORTH, Flight, watched
from buckia.model import Entry, Progress, Skipped, Tick
from buckia.stores.hashing import Digests, HashCache, hash_bytes, hash_file, now
from buckia.stores.paths import Nearby, Paths
from buckia.stores.tree import Found

_BATCH = 64
"""Files read per task: small files cost more in hand-over than in reading."""

SMALL: Final = WORTH
"""Bytes up to which a file is read at once, and not told of before it is done."""

TINY: Final = 64 * 1024
"""Bytes that are hashed sooner than a cache is asked for what they hold."""

LARGE: Final = 64 * 1024 * 1024
"""Bytes above which no md5 is computed in passing. It takes twice as long as all the rest, and
nearly all objects so large came in parts, of which no service tells one."""

_BULK: Final = 500
"""Files that the cache is asked for together."""


class Reader:
    """Digests of the files at `paths`. Safe for many threads.

    digests    digests wanted beside sha256; of files above `LARGE` no md5
    databases  treat SQLite files as data: digests of a snapshot, and the hash of the rows
    scratch    makes the name of a temporary file, for snapshots
    """

    def __init__(
        self,
        paths: Paths,
        cache: HashCache,
        digests: frozenset[str],
        scratch: Callable[[], AbstractContextManager[Path]],
        *,
        databases: bool,
    ) -> None:
        self._paths = paths
        self._cache = cache
        self._digests = digests
        self._of_large = digests - {"md5"}
        self._scratch = scratch
        self._databases = databases
        self._flight: Flight | None = None

    def anew(self) -> Reader:
        """One that knows nothing yet, and whose knowledge nobody keeps."""
        cache, databases = HashCache(), self._databases
        return Reader(self._paths, cache, self._digests, self._scratch, databases=databases)

    @contextmanager
    def telling(self) -> Iterator[Flight]:
        """How far the files are that are being read while this lasts."""
        self._flight = flight = Flight()
        try:
            yield flight
        finally:
            self._flight = None

    def known(self, file: Found) -> Entry | None:
        """What the cache tells of a file, without reading it.

        An unchanged plain file cannot have become a database; a database can have changed without
        its file, so its companions are asked.
        """
        found = self._known(file, self._cache.find(file.stat, file.path))
        return None if found is None else _entry(file, found)

    def known_of(self, files: Sequence[Found]) -> list[Digests | None]:
        """The digests that it tells of many files."""
        found = self._cache.find_all([(file.stat, file.path) for file in files])
        return list(map(self._known, files, found))

    def _known(self, file: Found, found: Digests | None) -> Digests | None:
        if found is None or not found.covers(self._wanted(found.size)):
            return None
        if (found.logical is not None) > self._databases:
            return None
        if found.dirty is None or found.dirty == sqlite.dirty_key(self._paths.full(file.path)):
            return found
        return None

    def bytes_of(self, entry: Entry, path: str) -> bytes | None:
        """All bytes of a file of a few, proved to be the version that is named. None for any other,
        for a database, whose version is no digest of its bytes, and where something is wrong."""
        if entry.size > TINY:
            return None
        try:
            handle = self._paths.handle(path)
            try:
                content = os.read(handle, entry.size + 1)
            finally:
                os.close(handle)
        except (OSError, LocalError, NotFoundError):
            return None
        return content if hash_bytes(content).sha256 == entry.version else None

    def nearby(self) -> closing[Nearby]:
        """What opens the files of `read_small`, for one thread."""
        return closing(Nearby(self._paths))

    def read_small(self, file: Found, nearby: Nearby) -> Entry | None:
        """What a small plain file holds, read at once. None for anything else, and where something
        is wrong or has changed since the walk: `read` looks closer. `LocalError` for a link on the
        way."""
        size = file.stat.st_size
        if size > SMALL:
            return None
        began = now()
        try:
            handle = nearby.open(file.path)
            try:
                content = os.read(handle, size + 1)  # one more tells whether it has grown
                digests = hash_bytes(content, self._wanted(size))
                after = os.fstat(handle)
            finally:
                os.close(handle)
        except OSError:
            return None
        if len(content) != size or not _same(file.stat, after) or not S_ISREG(after.st_mode):
            return None
        if self._databases and sqlite.begins_so(content[: sqlite.BEGINNING]):
            return None
        self._cache.remember(after, file.path, digests, began)
        return _entry(Found(file.key, file.path, after), digests)

    def read(self, file: Found) -> Entry:
        """What a file holds; one that changes under the reading is read once more.

        Raises `LocalError` for what cannot be read and what does not hold still.
        """
        for _ in range(2):
            began = now()
            with self._paths.open(file.path) as body:
                before = os.fstat(body.fileno())
                digests = self._hash(body, before, file)
                after = os.fstat(body.fileno())
            if digests is None:
                return _entry(file, self._read_database(file.path))
            if _same(before, after) and digests.size == after.st_size:
                self._cache.remember(after, file.path, digests, began)
                return _entry(Found(file.key, file.path, after), digests)
        raise LocalError(f"{file.path}: it keeps changing while it is read; try again later")

    def _hash(self, body: BinaryIO, stat: os.stat_result, file: Found) -> Digests | None:
        """The digests of an open file; None for a database, which is not just its bytes."""
        try:
            if self._databases and sqlite.begins_so(body.read(sqlite.BEGINNING)):
                return None
            body.seek(0)
            telling = watched(body, None, self._flight, file.key)
            return hash_file(telling, self._wanted(stat.st_size), most=stat.st_size)
        except OSError as problem:
            raise LocalError(f"{file.path}: {problem.strerror}; check the disk") from None

    def _wanted(self, size: int) -> frozenset[str]:
        return self._digests if size <= LARGE else self._of_large

    def _read_database(self, path: str) -> Digests:
        full = self._paths.full(path)
        began, dirty = now(), sqlite.dirty_key(full)
        with self._scratch() as copy:
            sqlite.snapshot(full, copy)
            with copy.open("rb") as body:
                plain = hash_file(body, self._digests)
            logical = sqlite.logical_hash(copy)
        digests = Digests(plain.size, plain.sha256, plain.md5, plain.sha1, logical, dirty)
        if sqlite.dirty_key(full) == dirty:
            self._cache.remember(full.lstat(), path, digests, began)
        return digests


def told(body: BinaryIO, path: str) -> BinaryIO:
    """The same body; a disk that fails under the reading is an error for a person."""
    return cast(BinaryIO, _Told(body, path))


class _Told:
    def __init__(self, body: BinaryIO, path: str) -> None:
        self._body = body
        self._path = path

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        try:
            return self._body.read(size)
        except OSError as problem:
            raise LocalError(f"{self._path}: {problem.strerror}; check the disk") from None

    def __getattr__(self, name: str) -> object:
        return getattr(self._body, name)


def _entry(file: Found, known: Digests) -> Entry:
    return Entry(
        file.key,
        known.size,
        known.sha256,
        known.md5,
        known.sha1,
        known.logical,
        known.logical or known.sha256,
        file.stat.st_mtime_ns,
        None,
        file.path,
    )


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_ino, one.st_size, one.st_mtime_ns) == (
        other.st_ino,
        other.st_size,
        other.st_mtime_ns,
    )


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
                take(_entry(file, known))

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
