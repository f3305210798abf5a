"""What killed runs left lying: uploads that were never finished, objects and files of our own.

Only what is provably nobody's is named: older than it was asked for by the clock of the service it
is at, not growing, and on this machine with no run at work.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct

from buckia import lease
from buckia.errors import BuckiaError, LockedError, PreconditionError, UsageError
from buckia.lease import claims as lease_claims
from buckia.lease import note as lease_note
from buckia.lease.leases import LOCAL_SCRATCH
from buckia.model import Entry
from buckia.rules import RESERVED_PREFIX, STAGE
from buckia.stores import files
from buckia.stores.base import Store, Uploading
from buckia.stores.bench import Benched
from buckia.stores.probe import SCRATCH
from buckia.workspace import Workspace

LEAST: Final = 3600
"""Seconds that anything is left alone, whatever was asked for: somebody may be at it."""

STAGED_LEAST: Final = 30 * 24 * 3600
"""Seconds that what is staged for a plan is left alone: somebody may be at reviewing it."""

_SECOND: Final = 1_000_000_000


class Kind(StrEnum):
    """What a leftover is.

    UPLOAD   an upload in parts that was never finished, whoever began it
    SCRATCH  an object of a probe
    STAGED   a content that was staged for a plan which nobody applied
    CLAIM    an object beside a lease
    LEASE    a lease that has expired
    FILE     a temporary file on this machine
    """

    UPLOAD = "unfinished upload"
    SCRATCH = "scratch object"
    STAGED = "staged content"
    CLAIM = "claim"
    LEASE = "expired lease"
    FILE = "temporary file"


class Leftover(Struct, frozen=True):
    """One thing to clear away.

    bucket   where it is; None for a file of this machine
    entry    the object or upload; for a file its path relative to the project, as the key
    touched  when it last changed, in nanoseconds since 1970
    """

    kind: Kind
    bucket: str | None
    entry: Entry

    @property
    def touched(self) -> int:
        """When it last changed, in nanoseconds since 1970."""
        return self.entry.modified or 0


class Found(Struct, frozen=True):
    """What there is, and what could not be looked at, by bucket."""

    leftovers: tuple[Leftover, ...]
    unseen: dict[str, BuckiaError]


def find(space: Workspace, names: tuple[str, ...], age: int) -> Found:
    """Everything that nobody has touched for `age` seconds.

    Raises `UsageError` for an age that would take what somebody may still be at.
    """
    if age < LEAST:
        raise UsageError("less than an hour could take what somebody is sending; say 1h or more")
    found, unseen = list(_on_this_machine(space, names, age)), {}
    for name in names:
        try:
            found += list(_in_bucket(name, space.remote(name), age))
        except BuckiaError as problem:
            unseen[name] = problem
    return Found(tuple(sorted(found, key=_order)), unseen)


def clear(space: Workspace, item: Leftover) -> None:
    """Remove one thing, if it still is what was found. Under the lock of the project."""
    if item.bucket is None:
        with files.explained(item.entry.key):
            files.drop_stray(space.root / item.entry.key)
        return
    store = space.remote(item.bucket)
    if item.kind is Kind.UPLOAD:
        _end(store, item.entry)
    elif item.kind is Kind.LEASE:
        _remove_lease(store, item.entry)
    else:
        try:
            store.delete(item.entry)
        except PreconditionError:
            return  # written anew, so it is somebody's


def _order(item: Leftover) -> tuple[str, str, str]:
    return item.bucket or "", item.kind.value, item.entry.key


def _in_bucket(name: str, store: Store, age: int) -> Iterator[Leftover]:
    before = _now(store) - age * _SECOND
    if isinstance(store, Uploading):
        for upload in store.uploads.begun():
            if (upload.modified or 0) >= before:
                continue
            weighed = store.uploads.weigh(upload)
            if weighed and (weighed.modified or 0) < before:
                yield Leftover(Kind.UPLOAD, name, weighed)
    waited = before - max(0, STAGED_LEAST - age) * _SECOND
    for kind, prefix, since in (
        (Kind.SCRATCH, SCRATCH, before),
        (Kind.CLAIM, lease_claims.PREFIX, before),
        (Kind.STAGED, STAGE, waited),
    ):
        for entry in store.entries(prefix):
            if _is_old(entry, since):
                yield Leftover(kind, name, entry)
    found = lease.look(store)
    if found and _is_old(found.entry, before - (found.holder.ttl_s + lease.GRACE) * _SECOND):
        yield Leftover(Kind.LEASE, name, found.entry)


def _is_old(entry: Entry, before: int) -> bool:
    """What tells no time is as young as can be."""
    return entry.modified is not None and entry.modified < before


def _now(store: Store) -> int:
    """The time by the clock of the service, in nanoseconds; by our own where it tells none."""
    told = store.bench.reach() if isinstance(store, Benched) else None
    return time.time_ns() if told is None else round(told) * _SECOND


def _on_this_machine(space: Workspace, names: tuple[str, ...], age: int) -> Iterator[Leftover]:
    before = time.time_ns() - age * _SECOND
    for folder in _folders(space, names):
        for path, stat in files.strays(folder).items():
            if stat.st_mtime_ns < before:
                key = Path(os.path.relpath(path, space.root)).as_posix()
                yield Leftover(Kind.FILE, None, Entry(key, stat.st_size, modified=stat.st_mtime_ns))


def _folders(space: Workspace, names: tuple[str, ...]) -> Iterator[Path]:
    """Where temporary files of ours are, and nothing else is under such names."""
    yield space.work / "tmp"
    for name in names:
        bucket = space.config.bucket(name)
        if bucket.provider == "local":
            root = space.root / bucket.bucket_name
            yield root / RESERVED_PREFIX / "tmp"
            yield root / LOCAL_SCRATCH / "tmp"


def _end(store: Store, upload: Entry) -> None:
    """End an upload, unless a part has come since it was found."""
    if not isinstance(store, Uploading):
        return
    now = store.uploads.weigh(upload)
    if now is not None and now.modified == upload.modified:
        store.uploads.end(upload)


def _remove_lease(store: Store, entry: Entry) -> None:
    found = lease_note.look(store)
    if found is None or found.entry.version != entry.version:
        return
    try:
        lease.remove(store, found)
    except LockedError:
        return  # renewed, so its holder is alive
