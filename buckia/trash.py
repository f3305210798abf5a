"""What was overwritten or deleted and can be brought back: the local trash, and each bucket's own.

`.buckia.d/trash/PLAN/PATH` and `.buckia/trash/PLAN/KEY` in a bucket, PLAN being the beginning of
the digest of the plan that did it. A bucket with versions keeps them in place of a trash, whoever
it was that overwrote or deleted. Restoring only ever adds: what stands in the way goes to the trash
itself.
"""

from __future__ import annotations

import calendar
import itertools
import os
import stat as modes
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from buckia import pool
from buckia.errors import Interrupted, UsageError
from buckia.execution.tasks import TRASH
from buckia.journal import Header
from buckia.layout import Layout
from buckia.lease import note as lease_note
from buckia.model import Entry
from buckia.rules import RESERVED_PREFIX, built_in_exclude
from buckia.stores import files
from buckia.stores.base import Remembering, Store, Sweeping
from buckia.stores.hashing import now
from buckia.stores.local import LocalStore

FOLDER: Final = "trash"
"""In `.buckia.d/`."""

RESTORED: Final = "restored"
"""The name, in place of a plan's, under which is kept what a restored file replaced."""

_WORKERS: Final = 8

_DAY: Final = 24 * 3600 * 1_000_000_000
"""Nanoseconds that two clocks may be apart."""


class Kept(Struct, frozen=True):
    """One file in a trash.

    bucket   whose trash it is in; None for the local one
    plan     the first twelve digits of the plan that put it there; empty for a version, which is in
             no trash: a rule of the bucket ends it
    name     the local path or the key it had
    deleted  when it came there, in nanoseconds since 1970; None where the bucket does not tell
    version  the bucket's token for it
    """

    bucket: str | None
    plan: str
    name: str
    size: int
    deleted: int | None
    version: str | None = None


class Place(Struct, frozen=True):
    """A bucket, and which of its keys is which local path."""

    layout: Layout
    store: Store


class Trash:
    """The local trash as far as it concerns some buckets, and the trash of each of them.

    `whole` takes in what belongs to no bucket any more. Between two files `stop` ends what is under
    way, with `Interrupted`.
    """

    def __init__(
        self,
        root: Path,
        work: Path,
        places: Mapping[str, Place],
        stop: threading.Event,
        *,
        whole: bool = False,
    ) -> None:
        self._stop = stop
        self._work = work
        self._folder = work / FOLDER
        self._places = places
        self._whole = whole
        self._local = LocalStore(
            root, databases=True, work=work.name, trash=self._folder / RESTORED
        )

    def kept(self, *, versions: bool = False) -> list[Kept]:
        """Everything there is, what was deleted last first; on request with the versions of buckets
        that keep some, which takes a listing of all of them."""
        found = [*self._kept_here(), *(item for name in self._places for item in self._there(name))]
        if versions:
            found += (item for name in self._places for item in self._past(name))
        return sorted(found, key=lambda k: (-(k.deleted or 0), k.bucket or "", k.plan, k.name))

    def _kept_here(self) -> Iterator[Kept]:
        began = _began(self._work / "journal")
        for path in _files(self._folder):
            plan, _, name = path.relative_to(self._folder).as_posix().partition("/")
            stat = path.lstat()
            if name and modes.S_ISREG(stat.st_mode) and self._concerns(name):
                # the time of its renaming; where a file system keeps none, that of the run
                deleted = max(stat.st_ctime_ns, began.get(plan, 0))
                yield Kept(None, plan, name, stat.st_size, deleted)

    def _concerns(self, path: str) -> bool:
        mappings = (m for place in self._places.values() for m in place.layout.mappings)
        return self._whole or any(mapping.key_of(path) for mapping in mappings)

    def _there(self, bucket: str) -> Iterator[Kept]:
        for entry in self._places[bucket].store.entries(TRASH):
            plan, _, key = entry.key.removeprefix(TRASH).partition("/")
            if key:
                yield Kept(bucket, plan, key, entry.size, entry.modified, entry.version)

    def _past(self, bucket: str) -> Iterator[Kept]:
        place = self._places[bucket]
        if not isinstance(place.store, Remembering) or not place.store.capabilities.versions:
            return
        singles = place.layout.single_keys
        for prefix in (*place.layout.prefixes, *singles):
            for entry in place.store.past(prefix):
                ours = entry.key == prefix if prefix in singles else place.layout.owner(entry.key)
                if ours and not entry.key.startswith(RESERVED_PREFIX):
                    yield Kept(bucket, "", entry.key, entry.size, entry.modified, entry.version)

    def find(
        self, what: str, plan: str = "", to: str | None = None, version: str | None = None
    ) -> dict[str, Kept]:
        """What was deleted last at or below `what`, a path or key, by the path it goes back to.

        `plan` is how the name of its plan begins, if only that one counts, `version` the version of
        a bucket that is meant. `to` takes the place of `what`; one that ends in `/` is the folder
        for a single file. Raises `UsageError` when there is nothing.
        """
        wanted = what.strip("/")
        found: dict[str, Kept] = {}
        for item in self.kept(versions=not plan):
            if not item.plan.startswith(plan.removeprefix("sha256:")[:12]):
                continue
            if version is not None and (item.plan or item.version != version):
                continue
            path, *keys = self._names(item)
            for name in (path, *keys):
                if name == wanted or name.startswith(f"{wanted}/"):
                    target = path if to is None else _moved(path, name[len(wanted) :], to)
                    found.setdefault(target, item)
                    break
        if not found:
            raise UsageError(f"there is no {what} in the trash; see `buckia trash list`")
        return found

    def _names(self, item: Kept) -> tuple[str, ...]:
        """The path a file had or would have, and the keys it is known by."""
        if item.bucket:
            return self._places[item.bucket].layout.path_of(item.name) or item.name, item.name
        mappings = (m for place in self._places.values() for m in place.layout.mappings)
        return item.name, *(key for mapping in mappings if (key := mapping.key_of(item.name)))

    def restore(self, item: Kept, path: str) -> None:
        """Bring one file back to a path relative to the configuration's folder.

        A file that is there goes to the trash. What came out of the local trash leaves it; a bucket
        is not changed. Raises `UsageError` for a path where no file of a project can be.
        """
        self._refuse_stopped()
        if why := built_in_exclude(path):
            raise UsageError(f"{path} is {why}; restore to another path with --to")
        replacing = self._local.head(path)
        if item.bucket is None:
            kept = self._folder / item.plan / item.name
            with kept.open("rb") as body:
                mode = os.fstat(body.fileno()).st_mode & files.PERMISSIONS
                self._put(path, item, body, replacing, mode)
            self._remove(item)
        else:
            with self._open(item, self._places[item.bucket].store) as body:
                self._put(path, item, body, replacing)

    def _open(self, item: Kept, store: Store) -> AbstractContextManager[BinaryIO]:
        if item.plan:
            return store.open(_entry(item))
        assert isinstance(store, Remembering)  # noqa: S101  (`_past` found it there)
        return store.open_past(Entry(item.name, item.size, version=item.version))

    def _put(
        self,
        path: str,
        item: Kept,
        body: BinaryIO,
        replacing: Entry | None,
        mode: int | None = None,
    ) -> None:
        self._local.put(Entry(path, item.size), body, replacing=replacing, mode=mode)

    def out_of_step(self) -> str | None:
        """A bucket whose clock, told by its lease of this moment, is not this computer's. By a
        wrong one everything is old. None where no bucket says so."""
        for name, place in self._places.items():
            lease = place.store.head(lease_note.KEY)
            if lease and lease.modified and abs(lease.modified - now()) > _DAY:
                return name
        return None

    def empty(self, items: Iterable[Kept]) -> None:
        """Delete these for good. What is gone already counts as deleted; versions stay."""
        every = [item for item in items if item.plan]
        for item in every:
            if item.bucket is None:
                self._refuse_stopped()
                self._remove(item)
        for name, place in self._places.items():
            self._sweep(place.store, [_entry(item) for item in every if item.bucket == name])

    def _refuse_stopped(self) -> None:
        if self._stop.is_set():
            raise Interrupted("stopped by a signal; what was done is done; run it again")

    def _sweep(self, store: Store, entries: list[Entry]) -> None:
        """Delete from the trash of a bucket, with few requests where the service takes many."""
        if entries:
            self._refuse_stopped()
        gone: Iterable[object] = (
            store.sweep(entries)
            if isinstance(store, Sweeping)
            else pool.each(store.delete, entries, workers=_WORKERS, name="empty", stop=self._stop)
        )
        for _ in gone:
            self._refuse_stopped()

    def _remove(self, item: Kept) -> None:
        path = self._folder / item.plan / item.name
        try:
            path.unlink(missing_ok=True)
        except OSError as problem:
            raise files.explain(item.name, problem) from None
        with suppress(OSError):  # a folder that is not empty, or that somebody else removed
            for folder in itertools.takewhile(lambda top: top != self._folder, path.parents):
                folder.rmdir()


def _moved(path: str, below: str, to: str) -> str:
    """Where a file goes with `--to`; `below` is what its name has more than was asked for."""
    name = path.rpartition("/")[2] if to.endswith("/") and not below else ""
    return (to + name).rstrip("/") + below


def _entry(item: Kept) -> Entry:
    return Entry(f"{TRASH}{item.plan}/{item.name}", item.size, version=item.version)


def _files(folder: Path) -> Iterator[Path]:
    """Every file below a folder, which need not be there. `LocalError` where one cannot be seen."""
    with files.explained(f"{folder.parent.name}/{folder.name}"), suppress(FileNotFoundError):
        for parent, _, names in os.walk(folder, onerror=_refuse):
            yield from (Path(parent) / name for name in sorted(names))


def _refuse(problem: OSError) -> None:
    raise problem


def _began(folder: Path) -> dict[str, int]:
    """When each plan was last begun (ns), by the beginning of its digest: what journals say."""
    found: dict[str, int] = {}
    for path in folder.glob("*.jsonl"):
        with suppress(OSError, ValueError, msgspec.DecodeError), path.open("rb") as file:
            header = msgspec.json.decode(file.readline(), type=Header)
            started = calendar.timegm(time.strptime(header.started, "%Y-%m-%dT%H:%M:%SZ"))
            short = header.plan.removeprefix("sha256:")[:12]
            found[short] = max(found.get(short, 0), started * 1_000_000_000)
    return found
