"""What a local file holds: from the cache where it can be trusted, else by reading it once."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, Final, cast

from buckia import sqlite
from buckia.errors import LocalError, NotFoundError
from buckia.model import Entry, replace
from buckia.stores.hashing import Digests, HashCache, hash_bytes, hash_file, now
from buckia.stores.paths import Nearby, Paths
from buckia.stores.tree import Found
from buckia.streams.flight import WORTH, Flight, watched

SMALL: Final = WORTH
"""Bytes up to which a file is read at once, and not told of before it is done."""

TINY: Final = 64 * 1024
"""Bytes that are hashed sooner than a cache is asked for what they hold."""

LARGE: Final = 64 * 1024 * 1024
"""Bytes above which no md5 is computed in passing. It takes twice as long as all the rest, and
nearly all objects so large came in parts, of which no service tells one. Nor is one of a file that
the lockfile knows: its object is told by a token and by the sha256 of what was put there."""


class Reader:
    """Digests of the files at `paths`. Safe for many threads.

    digests    digests wanted beside sha256; no md5 of plain files above `LARGE` or `known`
    databases  treat SQLite files as data: digests of a snapshot, and the hash of the rows
    scratch    makes the name of a temporary file, for snapshots
    known      keys of which the sha256 tells enough; who needs an md5 too asks for it (`with_md5`)

    An entry has the digests that are wanted and no others, whatever the cache knows: what is told
    of a side does not hang on what was read before.
    """

    def __init__(
        self,
        paths: Paths,
        cache: HashCache,
        digests: frozenset[str],
        scratch: Callable[[], AbstractContextManager[Path]],
        *,
        databases: bool,
        known: Container[str] = (),
    ) -> None:
        self._paths = paths
        self._cache = cache
        self._digests = digests
        self._in_passing = digests - {"md5"}
        self._lasting = known
        self._scratch = scratch
        self._databases = databases
        self._flight: Flight | None = None

    def anew(self) -> Reader:
        """One that knows nothing yet, and whose knowledge nobody keeps."""
        fresh = HashCache()
        return Reader(
            self._paths,
            fresh,
            self._digests,
            self._scratch,
            databases=self._databases,
            known=self._lasting,
        )

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
        return None if found is None else self.entry(file, found)

    def known_of(self, files: Sequence[Found]) -> list[Digests | None]:
        """The digests that it tells of many files."""
        found = self._cache.find_all([(file.stat, file.path) for file in files])
        return list(map(self._known, files, found))

    def _known(self, file: Found, found: Digests | None) -> Digests | None:
        if found is None or not (
            found.covers(self._digests) or found.covers(self._due(file, found))
        ):
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
                digests = hash_bytes(content, self._wanted(file.key, size))
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
        return self.entry(Found(file.key, file.path, after), digests)

    def with_md5(self, entry: Entry, path: str) -> Entry:
        """The same entry with the md5 of its file: from the cache, else by reading it for all of
        them. As it was for databases, and where the file is gone or another by now. Raises
        `LocalError` for what cannot be read.
        """
        stat = None if entry.md5 or entry.logical else self._paths.look(path)
        if stat is None:
            return entry
        known = self._cache.find(stat, path)
        if known is None or not known.md5:
            try:
                _, known = self._read(Found(entry.key, path, stat), self._digests | {"md5"})
            except NotFoundError:
                return entry
        same = known.logical is None and known.sha256 == entry.sha256
        return replace(entry, md5=known.md5) if same else entry

    def read(self, file: Found) -> Entry:
        """What a file holds; one that changes under the reading is read once more.

        Raises `LocalError` for what cannot be read and what does not hold still.
        """
        return self.entry(*self._read(file))

    def _read(self, file: Found, wanted: frozenset[str] | None = None) -> tuple[Found, Digests]:
        """The file as it was when it was read, and what was read of it."""
        for _ in range(2):
            began = now()
            with self._paths.open(file.path) as body:
                before = os.fstat(body.fileno())
                digests = self._hash(body, before, file, wanted)
                after = os.fstat(body.fileno())
            if digests is None:
                return file, self._read_database(file.path)
            if _same(before, after) and digests.size == after.st_size:
                self._cache.remember(after, file.path, digests, began)
                return Found(file.key, file.path, after), digests
        raise LocalError(f"{file.path}: it keeps changing while it is read; try again later")

    def _hash(
        self, body: BinaryIO, stat: os.stat_result, file: Found, wanted: frozenset[str] | None
    ) -> Digests | None:
        """The digests of an open file; None for a database, which is not just its bytes."""
        try:
            if self._databases and sqlite.begins_so(body.read(sqlite.BEGINNING)):
                return None
            body.seek(0)
            telling = watched(body, None, self._flight, file.key)
            if wanted is None:
                wanted = self._wanted(file.key, stat.st_size)
            return hash_file(telling, wanted, most=stat.st_size)
        except OSError as problem:
            raise LocalError(f"{file.path}: {problem.strerror}; check the disk") from None

    def entry(self, file: Found, read: Digests) -> Entry:
        """What was read of a file, as its entry: with the digests that are wanted."""
        wanted = self._due(file, read)
        return Entry(
            file.key,
            read.size,
            read.sha256,
            read.md5 if "md5" in wanted else None,
            read.sha1 if "sha1" in wanted else None,
            read.logical,
            read.logical or read.sha256,
            file.stat.st_mtime_ns,
            None,
            file.path,
        )

    def _due(self, file: Found, read: Digests) -> frozenset[str]:
        """The digests of a file about which so much is known; of a database all: its snapshot, of
        which they are, is not made once more for one."""
        return self._digests if read.logical else self._wanted(file.key, read.size)

    def _wanted(self, key: str, size: int) -> frozenset[str]:
        """The digests that a plain file is read for."""
        spared = size > LARGE or key in self._lasting
        return self._in_passing if spared else self._digests

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


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_ino, one.st_size, one.st_mtime_ns) == (
        other.st_ino,
        other.st_size,
        other.st_mtime_ns,
    )
