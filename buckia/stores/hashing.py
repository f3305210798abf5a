"""Digests of local files, and the cache that spares reading what has not changed."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, Final

from msgspec import Struct
from msgspec.structs import astuple

from buckia.stores.meter import Meter

CHUNK = 1024 * 1024
"""Bytes read at a time: hashlib lets other threads run above 2 KiB, and 1 MiB stays in the CPU."""

_FINE_SLACK, _COARSE_SLACK = 50_000_000, 2_000_000_000
"""How long (ns) after its last change a file may change again without a new time stamp: a kernel
tick on file systems with fractions of seconds, two seconds on FAT."""

log = logging.getLogger(__name__)


class Digests(Struct, frozen=True, gc=False):
    """What reading a file once told of it. `dirty` is extra evidence a database's stat lacks."""

    size: int
    sha256: str
    md5: str | None = None
    sha1: str | None = None
    logical: str | None = None
    dirty: str | None = None

    def covers(self, wanted: Iterable[str]) -> bool:
        """Whether every wanted digest is known."""
        for name in wanted:  # noqa: SIM110  (asked for every file: a generator costs more)
            if not getattr(self, name):
                return False
        return True


def hash_file(file: BinaryIO, wanted: Iterable[str] = (), most: int | None = None) -> Digests:
    """Read an open file to its end, once, for all digests.

    One of more than `most` bytes is read only until that shows: it may grow for ever.
    """
    meter = Meter({"sha256", *wanted})
    while (most is None or meter.size <= most) and (chunk := file.read(CHUNK)):
        meter.add(chunk)
    return digests_of(meter)


def hash_bytes(content: bytes, wanted: Collection[str] = ()) -> Digests:
    """The same of a file that is small enough to be read at once."""
    return Digests(
        len(content),
        hashlib.sha256(content, usedforsecurity=False).hexdigest(),
        hashlib.md5(content, usedforsecurity=False).hexdigest() if "md5" in wanted else None,
        hashlib.sha1(content, usedforsecurity=False).hexdigest() if "sha1" in wanted else None,
    )


def digests_of(meter: Meter) -> Digests:
    """What a meter that kept at least sha256 has seen."""
    known = meter.digests
    return Digests(meter.size, known["sha256"], known.get("md5"), known.get("sha1"))


class HashCache:
    """Digests by (device, inode), trusted only while size, mtime and ctime are the same.

    A renamed file is known, except where times are whole seconds: file systems that have no others
    (FAT, and many in user space) give the number of one file to the next, so there the path counts.

    Who reads a file asks for the digests of its own service. What others had read of the same state
    stays, or two buckets of one folder would read it in turns.

    Safe for many threads. Losing the file costs time and nothing else, so a damaged one is dropped.
    A file changed so recently that a second change might not show is never remembered ("racily
    clean", as git's index calls it).
    """

    _TABLE = (
        "CREATE TABLE IF NOT EXISTS digests (dev INTEGER, ino INTEGER, size INTEGER,"
        " mtime INTEGER, ctime INTEGER, length INTEGER, sha256 TEXT, md5 TEXT, sha1 TEXT,"
        " logical TEXT, dirty TEXT, PRIMARY KEY (dev, ino)) WITHOUT ROWID"
    )

    _SELECT = (
        "SELECT ino, size, mtime, ctime, length, sha256, md5, sha1, logical, dirty"
        " FROM digests WHERE dev = ? AND ino IN ({marks})"
    )

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = Lock()
        self._file: sqlite3.Connection | None = None
        self._fresh: dict[_Place, _Row] = {}

    def find(self, stat: os.stat_result, path: str) -> Digests | None:
        """What is known of a file that has this stat and path, or None."""
        return self.find_all([(stat, path)])[0]

    def find_all(self, files: Sequence[tuple[os.stat_result, str]]) -> list[Digests | None]:
        """The same of many files, which are looked up together; no more of it is kept in memory."""
        with self._lock:
            rows = self._rows({(stat.st_dev, stat.st_ino) for stat, _ in files})
            if self._fresh:
                rows |= {
                    at: _joined(self._fresh[at], rows.get(at))
                    for stat, _ in files
                    if (at := (stat.st_dev, stat.st_ino)) in self._fresh
                }
        return [_trusted(rows.get((s.st_dev, s.st_ino)), s, path) for s, path in files]

    def remember(self, stat: os.stat_result, path: str, digests: Digests, read_at: int) -> None:
        """Keep what a read that began at `read_at` (ns since 1970) told, unless it is too fresh."""
        changed = max(stat.st_mtime_ns, stat.st_ctime_ns)
        slack = _FINE_SLACK if changed % 1_000_000_000 else _COARSE_SLACK
        if changed + slack < read_at:
            at, row = (stat.st_dev, stat.st_ino), (*_times(stat, path), *astuple(digests))
            with self._lock:
                self._fresh[at] = _joined(row, self._fresh.get(at))

    @property
    def learnt(self) -> bool:
        """Whether there is something to save."""
        return bool(self._fresh)

    def save(self) -> None:
        """Write what was learnt. Problems are logged, not raised: it is only a cache."""
        with self._lock:
            fresh, self._fresh = self._fresh, {}
        if self._path is None or not fresh:
            return
        try:
            self._path.touch(mode=0o600)
            with closing(sqlite3.connect(self._path, timeout=5)) as db, db:
                db.execute("BEGIN IMMEDIATE")  # nobody else's rows come in between
                db.execute(self._TABLE)
                held = dict(self._select(db, fresh.keys()))
                rows = [(*at, *_joined(row, held.get(at))) for at, row in fresh.items()]
                db.executemany(
                    "INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
                )
        except (sqlite3.Error, OverflowError, OSError) as problem:
            log.info("hash cache not saved: %s", problem)

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._file = None

    def _rows(self, places: set[_Place]) -> dict[_Place, _Row]:
        """What the file has of these places. One that is damaged is dropped."""
        if self._path is None or not places:
            return {}
        try:
            if self._file is None:
                if not self._path.exists():
                    return {}
                self._file = sqlite3.connect(self._path, timeout=5, check_same_thread=False)
            return dict(self._select(self._file, places))
        except OSError as problem:
            log.info("hash cache not read: %s", problem)
        except (sqlite3.Error, TypeError, ValueError, OverflowError) as problem:
            log.info("hash cache dropped: %s", problem)
            if self._file is not None:
                self._file.close()
            self._file = None
            with suppress(OSError):
                self._path.unlink()
        return {}

    def _select(
        self, db: sqlite3.Connection, places: Collection[_Place]
    ) -> Iterator[tuple[_Place, _Row]]:
        for dev in {dev for dev, _ in places}:
            nodes = sorted(ino for one, ino in places if one == dev and ino <= _LARGEST)
            for at in range(0, len(nodes), _TOGETHER):
                some = nodes[at : at + _TOGETHER]
                query = self._SELECT.format(marks=",".join("?" * len(some)))
                for row in db.execute(query, (dev, *some)):
                    yield (dev, row[0]), row[1:]


_Place = tuple[int, int]
_Row = tuple[Any, ...]
"""Size, mtime and what stands for ctime, and then what `Digests` has."""

_LARGEST: Final = 2**63 - 1
_TOGETHER: Final = 500
"""Files that one query asks for."""


def _trusted(row: _Row | None, stat: os.stat_result, path: str) -> Digests | None:
    """What a row tells, if the file is still the one it tells of."""
    if row is None:
        return None
    size, mtime, ctime = row[:3]
    if size != stat.st_size or mtime != stat.st_mtime_ns:
        return None
    same = (  # as in `_times`
        ctime == stat.st_ctime_ns if mtime % 1_000_000_000 else row[:3] == _times(stat, path)
    )
    return Digests(*row[3:]) if same else None


def _joined(row: _Row, older: _Row | None) -> _Row:
    """A row with the md5 and sha1 that only an older one has, if both tell of the same bytes in the
    same state of a file."""
    if older is None or row[:5] != older[:5] or row[7:] != older[7:]:
        return row
    return (*row[:5], row[5] or older[5], row[6] or older[6], *row[7:])


def _times(stat: os.stat_result, path: str) -> tuple[int, int, int]:
    """What tells one state of a file from another: size, mtime, and ctime or what stands for it."""
    if stat.st_mtime_ns % 1_000_000_000:
        return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
    seed = f"{stat.st_ctime_ns} {path}".encode("utf-8", "surrogatepass")
    mark = hashlib.blake2b(seed, digest_size=8).digest()
    return stat.st_size, stat.st_mtime_ns, int.from_bytes(mark, signed=True)


def now() -> int:
    """The wall clock in nanoseconds since 1970: the only clock file times can be held against."""
    return time.time_ns()
