"""Files written, replaced and deleted: what stands there is proved right before, and nothing is
ever seen half-written."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from buckia.errors import PreconditionError
from buckia.model import Entry, replace
from buckia.stores import files, folders
from buckia.stores.meter import Meter
from buckia.stores.paths import Paths
from buckia.stores.placement import Placement


class Writer:
    """What changes files below a root.

    room       for temporary files
    trash      where replaced and deleted files go; None: the bytes are gone
    databases  whether SQLite files are replaced through SQLite
    head       tells what is at a key
    """

    def __init__(
        self,
        paths: Paths,
        room: Path,
        trash: Path | None,
        head: Callable[[str], Entry | None],
        *,
        databases: bool,
    ) -> None:
        self._paths = paths
        self._room = room
        self._trash = trash
        self._head = head
        self._databases = databases
        self._reached: set[tuple[int, int]] = set()  # folders, by device and inode

    def put(
        self, entry: Entry, body: BinaryIO, *, replacing: Entry | None, mode: int | None = None
    ) -> Entry:
        """See `LocalStore.put`."""
        path = self._paths.of(entry.key)
        if replacing is not None:
            self._demand(replacing, entry.key)
        try:
            with self._paths.folder(path, make=True) as inside:
                if replacing is None:
                    self._refuse_taken(path, inside)
                near = self._near(path, inside)
            with near as temporary:
                written = files.write(temporary, body, entry)
                if mode is not None:
                    temporary.chmod(mode)
                with self._paths.folder(path) as inside:
                    place = self._placement(entry.key, inside)
                    database = place.put(temporary, replacing, inherit=mode is None)
                    stat = self._paths.look(path, inside)
        except OSError as problem:
            raise files.explain(path, problem) from None
        self._paths.remember(entry.key, path)
        return self._stored(entry.key, path, written, stat, database=database)

    def place(self, entry: Entry, finished: Path, *, replacing: Entry | None) -> None:
        """See `LocalStore.place`."""
        path = self._paths.of(entry.key)
        self._paths.full(path)
        self._demand(replacing, entry.key)
        try:
            with self._paths.folder(path, make=True) as inside:
                self._placement(entry.key, inside).put(finished, replacing, inherit=True)
            finished.unlink(missing_ok=True)
        except OSError as problem:
            if problem.errno != errno.EXDEV:
                raise files.explain(path, problem) from None
            with finished.open("rb") as body:  # another one is mounted there
                self.put(entry, body, replacing=replacing)

    def delete(self, entry: Entry) -> None:
        """See `LocalStore.delete`."""
        path = self._paths.of(entry.key)
        found = self._head(entry.key)
        if found is None:
            return
        if not is_version(found, entry):
            raise PreconditionError(f"{path}: the file has changed since the plan; plan again")
        try:
            with self._paths.folder(path) as inside:
                place = self._placement(entry.key, inside)
                place.discard(database=bool(found.logical))
                folders.flush(inside)
            folders.prune(*self._paths.way(path))
        except FileNotFoundError:
            return
        except OSError as problem:
            raise files.explain(path, problem) from None

    def _demand(self, expected: Entry | None, key: str) -> Entry | None:
        """The file at a key, proved to be what is expected: `PreconditionError` if it is not."""
        if expected is None:
            self._refuse_taken(self._paths.of(key))
            return None
        found = self._head(key)
        if found is None:
            raise PreconditionError(f"{key}: the file is gone since the plan; plan again")
        if not is_version(found, expected):
            raise PreconditionError(f"{key}: the file has changed since the plan; plan again")
        return found

    def _refuse_taken(self, path: str, inside: int | None = None) -> None:
        """Raise where a new file comes and something stands already; see `Paths.look`."""
        if self._paths.look(path, inside) is not None:
            raise PreconditionError(f"{path}: a file has appeared since the plan; plan again")

    def _near(self, path: str, inside: int) -> AbstractContextManager[Path]:
        """A name for a temporary file that can take its place in an open folder; what leads there
        is found out once for each."""
        stat = os.fstat(inside)
        folder = (stat.st_dev, stat.st_ino)
        known = folder in self._reached
        return files.scratch(self._room) if known else self._tried(path, folder)

    @contextlib.contextmanager
    def _tried(self, path: str, folder: tuple[int, int]) -> Iterator[Path]:
        with files.near(self._room, self._paths.full(path)) as temporary:
            if temporary.parent == self._room:
                self._reached.add(folder)
            yield temporary

    def _stored(
        self, key: str, path: str, written: Meter, stat: os.stat_result | None, *, database: bool
    ) -> Entry:
        """What was put here, whatever somebody may have made of it by now."""
        found, told = (self._head(key) if database else None), written.digests
        if found and (found.logical or found.sha256 == told["sha256"]):
            return found
        if stat is None:
            raise PreconditionError(f"{path}: the file vanished as it was written; plan again")
        stored = Entry(
            key, written.size, version=told["sha256"], modified=stat.st_mtime_ns, path=path
        )
        return replace(stored, **told)

    def _placement(self, key: str, inside: int) -> Placement:
        path = self._paths.of(key)
        return Placement(
            path,
            lambda: self._paths.full(path),
            inside,
            self._trash,
            self._room,
            self._databases,
            lambda expected: self._demand(expected, key),
        )


def is_version(found: Entry, expected: Entry) -> bool:
    """Whether a file is the one named. An entry without a version names none."""
    return expected.version is not None and found.version == expected.version
