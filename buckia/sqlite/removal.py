"""Taking a SQLite database away: by deleting it, or by a file in its place that is none.

Whoever has it open would go on writing to a file without a name, so it goes only while nobody has
it open, as far as SQLite's locks tell. In rollback mode a program that does nothing shows none.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_IMODE

from buckia.sqlite.file import SIDECARS, TICK, beside, in_use, reported
from buckia.sqlite.replacement import Keep, alone, sync
from buckia.sqlite.snapshots import snapshot

_Stamp = tuple[tuple[int, ...] | None, ...]


def discard(target: Path, keep: Keep | None, room: Path) -> None:
    """Delete a database and what lies beside it.

    Before, `keep` gets one consistent copy, made in the folder `room`. Raises LocalError, and
    nothing changes, if another program has the database open or writes to it meanwhile.
    """
    with _taken(target, keep, room):
        target.unlink()
        _clear(target)


def displace(new: Path, target: Path, keep: Keep | None) -> None:
    """Rename `new`, which is no database, over one, as `discard` would take it away."""
    with _taken(target, keep, new.parent):
        new.replace(target)
        _clear(target)


@contextmanager
def _taken(target: Path, keep: Keep | None, room: Path) -> Iterator[None]:
    """A database that nobody has open and that is as `keep` got it."""
    with (
        reported(target),
        tempfile.TemporaryDirectory(prefix=".buckia-", dir=room) as folder,
    ):
        before = _rested(target)
        copy = Path(folder) / target.name
        if keep:
            snapshot(target, copy)
            copy.chmod(S_IMODE(target.stat().st_mode))
            sync(copy)
        with alone(target):
            if _stamps(target) != before:
                raise in_use(target)
            if keep:
                keep(copy)
            yield
        sync(target.parent)


def _rested(target: Path) -> _Stamp:
    """The stamps of a database, old enough for every later write to show in them."""
    while 0 <= time.time_ns() - max(stamp[1] for stamp in _stamps(target) if stamp) < TICK:
        time.sleep(TICK / 1e9)
    return _stamps(target)


def _stamps(target: Path) -> _Stamp:
    return tuple(_stamp(beside(target, suffix)) for suffix in ("", "-wal", "-journal"))


def _stamp(path: Path) -> tuple[int, ...] | None:
    """What changes in the stat of a file when it is written. Not the ctime: SQLite, run as root,
    gives a journal that it reads to the owner of its database."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def _clear(target: Path) -> None:
    """Remove what lies beside a database that is gone: it would be taken for part of the next."""
    for suffix in SIDECARS:
        beside(target, suffix).unlink(missing_ok=True)
