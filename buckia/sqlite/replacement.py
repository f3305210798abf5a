"""Putting one SQLite database in the place of another that may be in use.

Opening and closing a file drops the POSIX locks this process has on it
(sqlite.org/howtocorrupt.html, 2.2), so a database locked here is touched through that lock alone.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from stat import S_IMODE
from typing import BinaryIO, Final

from buckia.errors import LocalError
from buckia.sqlite.file import (
    DAMAGED,
    SIDECARS,
    TICK,
    back_up,
    beside,
    connect,
    create,
    in_use,
    is_database,
    primary_code,
    reported,
    stop_when_busy,
    verify,
)
from buckia.sqlite.hash import logical_hash

Keep = Callable[[Path], None]
"""Takes a file away for good, into the trash say. It carries the name it had beside the target."""

_LOCK_BYTES: Final = (512, 0x40000000)  # length and start: sqlite.org/fileformat2.html, 1.4


def replace(new: Path, target: Path, keep: Keep | None, timeout: float = 30.0) -> None:
    """Put the database `new`, a private file beside `target`, in its place, and use `new` up.

    A live database is written through the backup API: at one instant, under SQLite's locks, open
    readers keep what they see (sqlite.org/backup.html). Anything else there is swapped by rename,
    under a lock that shows nobody has it open, and stray sidecars go first: an old `-wal` would
    undo the new database. A crash leaves the old content or the new.

    Before anything changes `keep` gets what is there, synced: of a database one consistent copy,
    else each file that holds bytes. `timeout`, in seconds, is how long locks are waited for.
    Raises LocalError, and nothing is changed, when `new` is damaged or `target` in use; and when
    the target, read again, does not hold what was put there.
    """
    with reported(new):
        if not is_database(new):
            raise LocalError(f"{new} is no SQLite database; nothing was replaced; plan again")
        with closing(connect(new, "rw")) as fresh:
            fresh.execute("PRAGMA journal_mode=DELETE")
        verify(new, thorough=True)
    content = logical_hash(new)
    with (
        reported(target),
        tempfile.TemporaryDirectory(prefix=".buckia-", dir=new.parent) as folder,
    ):
        room = Path(folder)
        live = target.exists() and is_database(target)
        if not (live and _overwrite(new, content, target, keep, room, timeout)):
            _swap(new, target, keep, room)
            _prove(target, content, room)
    new.unlink(missing_ok=True)


def _overwrite(
    new: Path, content: str, target: Path, keep: Keep | None, room: Path, timeout: float
) -> bool:
    """Write `new` into the database that is there; False when that one is too damaged for it."""
    try:
        with closing(connect(target, "rw", timeout)) as live, closing(connect(new, "ro")) as fresh:
            live.execute("PRAGMA synchronous=EXTRA")
            live.execute("PRAGMA fullfsync=ON")
            with _page_size_free(live, fresh) as log:
                watched = beside(target, "-wal") if log else target
                stamp = _keep_database(live, target, keep, room, watched)
                # One page at a time: the first step takes the lock and changes nothing yet.
                fresh.backup(live, pages=1, progress=_unless_changed(target, watched, stamp))
            _prove(target, content, room)
        return True
    except sqlite3.DatabaseError as error:
        if primary_code(error) not in DAMAGED:
            raise
        return False


@contextmanager
def _page_size_free(live: sqlite3.Connection, fresh: sqlite3.Connection) -> Iterator[bool]:
    """Leave WAL mode while the page size changes, which it forbids; tell whether it is on inside.

    That takes an exclusive lock, so it fails while anybody else has the database open
    (sqlite.org/wal.html#ways_to_force_wal_mode_off).
    """
    sizes = [one.execute("PRAGMA page_size").fetchone() for one in (live, fresh)]
    log = live.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    if not log or sizes[0] == sizes[1]:
        yield log
        return
    live.execute("PRAGMA journal_mode=DELETE")
    try:
        yield False
    finally:
        with suppress(sqlite3.Error):  # the mode belongs to the program, which sets it when it runs
            live.execute("PRAGMA journal_mode=WAL")


def _keep_database(
    live: sqlite3.Connection, target: Path, keep: Keep | None, room: Path, watched: Path
) -> tuple[int, ...]:
    """Hand a copy to `keep` while nobody can commit; return the stat a commit would change."""
    live.execute("BEGIN IMMEDIATE")
    try:
        if keep:
            copy = room / target.name
            with closing(connect(target, "ro")) as old:
                back_up(old, copy)
            copy.chmod(S_IMODE(target.stat().st_mode))
            sync(copy)
            keep(copy)
        while 0 <= time.time_ns() - watched.stat().st_ctime_ns < TICK:
            time.sleep(TICK / 1e9)
        return _stamp(watched)
    finally:
        live.execute("ROLLBACK")


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes in the stat of a file when it is written."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def _unless_changed(
    target: Path, watched: Path, stamp: tuple[int, ...]
) -> Callable[[int, int, int], None]:
    """A backup's progress that stops it if somebody committed after the copy for `keep`.

    SQLite does not let a connection keep its lock from one to the other; the first step of the
    backup has it again.
    """
    unseen = iter((True,))

    def step(status: int, remaining: int, total: int) -> None:
        stop_when_busy(status, remaining, total)
        if next(unseen, False) and remaining and _stamp(watched) != stamp:
            raise in_use(target)

    return step


def _swap(new: Path, target: Path, keep: Keep | None, room: Path) -> None:
    """Rename `new` over whatever is there, which nobody may have open, without its sidecars."""
    with alone(target) as old:
        if keep:
            _keep_files(old, target, keep, room)
        if old:
            stat = os.fstat(old.fileno())
            new.chmod(S_IMODE(stat.st_mode))
            with suppress(PermissionError):
                os.chown(new, stat.st_uid, stat.st_gid)
        sync(new)
        for suffix in SIDECARS:
            beside(target, suffix).unlink(missing_ok=True)
        sync(target.parent)
        new.replace(target)
        sync(target.parent)


@contextmanager
def alone(path: Path) -> Iterator[BinaryIO | None]:
    """Hold all lock bytes of SQLite on a file; None when there is no file. Raises LocalError where
    somebody else holds one; on a file that may not be written, only if that one is a writer."""
    if not path.exists():
        yield None
        return
    with _opened(path) as file:
        kind = fcntl.LOCK_EX if file.writable() else fcntl.LOCK_SH
        try:
            fcntl.lockf(file, kind | fcntl.LOCK_NB, *_LOCK_BYTES)
        except (BlockingIOError, PermissionError):
            raise in_use(path) from None
        yield file


def _opened(path: Path) -> BinaryIO:
    """A file as far as its permissions let it be opened."""
    try:
        return path.open("r+b")
    except PermissionError:
        return path.open("rb")


def _keep_files(old: BinaryIO | None, target: Path, keep: Keep, room: Path) -> None:
    """Hand a copy of every file with bytes in it to `keep`; `-shm` is only an index of `-wal`."""
    for suffix in ("", "-wal", "-journal"):
        copy = room / beside(target, suffix).name
        copy.unlink(missing_ok=True)
        create(copy)
        with copy.open("wb") as file, suppress(FileNotFoundError):
            if suffix:
                with beside(target, suffix).open("rb") as sidecar:
                    shutil.copyfileobj(sidecar, file)
            elif old:
                shutil.copyfileobj(old, file)
        if copy.stat().st_size:
            if old:
                copy.chmod(S_IMODE(os.fstat(old.fileno()).st_mode))
            sync(copy)
            keep(copy)


def _prove(target: Path, content: str, room: Path) -> None:
    """Read the target as the next program will, and compare."""
    copy = room / "proof"
    with closing(connect(target, "ro")) as reader:
        back_up(reader, copy)
    if logical_hash(copy) != content:
        raise LocalError(
            f"{target} does not hold what was put there: another program wrote to it at once, or"
            " has the old file open; close it there, then plan again"
        )


def sync(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
