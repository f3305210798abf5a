"""What lies beside a database: `-wal`, `-shm` and `-journal` are never content of their own.

In a bucket they mean that some program uploaded a database as bare files while it was in use. Then
the main file alone may lack rows, or be half written, and nobody can tell from outside. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from buckia.columns import loose, not_plain
from buckia.model import Base, Entry, Listing, Skipped, replace
from buckia.rules import built_in_exclude
from buckia.snapshot import Sides
from buckia.sqlite import SIDECARS

_HELD = (
    "has {names} beside it in the bucket, so that alone it may lack rows or be damaged; upload the "
    "closed database, or delete {names} there"
)
_OWN = "is a companion of a database, never content of its own"


def set_aside(sides: Sides, base: Base) -> Sides:
    """The same sides, told to leave alone what a sidecar makes doubtful.

    That is every sidecar of a known database, on either side, or of what may be one here, and a
    database in the bucket that has a `-wal` or `-journal` with something in it.
    """
    local, remote = sides.local, sides.remote
    known = {key for key, entry in loose(local.entries).items() if entry.logical}
    known |= {key for key in not_plain(base, local.entries) if base[key].logical}
    here = tuple(_companions(local.entries, known | _possible(local)))
    there = (*_companions(remote.entries, known), *_doubtful(sides, known))
    if here:
        local = replace(local, skipped=local.skipped + here)
    if there:
        remote = replace(remote, skipped=remote.skipped + there)
    return Sides(local, remote)


def _possible(side: Listing) -> set[str]:
    """What may be a database that a program is just writing: a file that cannot be read, locked
    say, and one that is empty until its first transaction ends."""
    empty = {key for key, entry in loose(side.entries).items() if not entry.size}
    return empty | {item.place for item in side.skipped if item.unknown}


def _companions(entries: Mapping[str, Entry], known: set[str]) -> Iterator[Skipped]:
    for main in sorted(known):
        for suffix in SIDECARS:
            if main + suffix in entries:
                yield Skipped(main + suffix, _OWN)


def _doubtful(sides: Sides, known: set[str]) -> Iterator[Skipped]:
    """The databases in the bucket that something with content lies beside."""
    beside: dict[str, list[str]] = {}
    for entry in sides.remote.sidecars:
        main, dash, suffix = entry.key.rpartition("-")
        named = main in known or built_in_exclude(entry.key)
        if named and entry.size and dash + suffix != "-shm" and main in sides.remote.entries:
            beside.setdefault(main, []).append(dash + suffix)
    for main, suffixes in sorted(beside.items()):
        names = " and ".join(f"`{suffix}`" for suffix in sorted(suffixes))
        yield Skipped(main, _HELD.format(names=names), code="raw_sidecar")
