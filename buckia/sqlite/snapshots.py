"""Reading one consistent state of a database that may be in use, and telling whether it changed."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from buckia.errors import LocalError
from buckia.sqlite.file import (
    TICK,
    back_up,
    beside,
    connect,
    in_use,
    is_database,
    primary_code,
    read,
    remove,
    reported,
    verify,
)

_UNREADABLE_HERE: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


def dirty_key(path: Path) -> str:
    """A cheap text that changes whenever the database may have changed, to cache hashes under.

    A commit in WAL mode leaves the database file as it is, so the key covers the sidecars too. Take
    it before the snapshot it stands for. A database written within the last 20 ms is given that
    time to come to rest, and if it does not, the key is one that is never seen again. Raises
    LocalError when the file cannot be read.
    """
    with reported(path):
        key, resting = _stamp(path)
        if not resting:
            time.sleep(TICK / 1e9)
            key, resting = _stamp(path)
    return key if resting else f"{key} {time.time_ns()}"


def _stamp(path: Path) -> tuple[str, bool]:
    """What tells one state of the files from another, and whether a later write must show in it."""
    parts = [read(path, 24, 4).hex()]
    newest = 0
    for suffix in ("", "-wal", "-journal"):
        file = beside(path, suffix)
        try:
            stat = file.stat()
            salts = read(file, 16, 8).hex() if suffix == "-wal" else ""
        except FileNotFoundError:
            if not suffix:
                raise
            parts.append("-")
        else:
            newest = max(newest, stat.st_ctime_ns)
            parts.append(
                f"{stat.st_size}.{stat.st_mtime_ns}.{stat.st_ctime_ns}.{stat.st_ino}.{salts}"
            )
    return " ".join(parts), not 0 <= time.time_ns() - newest < TICK


def snapshot(path: Path, into: Path, timeout: float = 30.0) -> None:
    """Write one consistent copy of a database, which may be in use, to `into`.

    The copy holds all that was committed, is in rollback mode without sidecars, has mode 0600 and
    has passed `quick_check`; equal states give equal bytes. The source is only read, through the
    backup API (sqlite.org/backup.html). `timeout`, in seconds, is how long locks are waited for.
    Raises LocalError, and leaves no copy, when `path` is no database, is damaged or stays locked.
    """
    if not is_database(path):
        raise LocalError(f"{path} is not a SQLite database; restore it from a good copy")
    with reported(path):
        try:
            _copy(path, into, timeout)
            verify(into, thorough=False)
        except BaseException:
            remove(into)
            raise


def _copy(path: Path, into: Path, timeout: float) -> None:
    """Copy where the database is if that leaves nothing behind there, else from aside."""
    if not _would_litter(path):
        try:
            with closing(connect(path, "ro", timeout)) as source:
                return back_up(source, into)
        except sqlite3.OperationalError as error:
            if primary_code(error) not in _UNREADABLE_HERE:
                raise
    with tempfile.TemporaryDirectory(prefix=".buckia-", dir=into.parent) as folder:
        aside = copy_aside(path, Path(folder), timeout)
        with closing(connect(aside, "rw")) as source:
            return back_up(source, into)


def _would_litter(path: Path) -> bool:
    """Whether even a reader would create a sidecar: WAL mode needs `-wal` and `-shm`."""
    files = [beside(path, suffix).exists() for suffix in ("-wal", "-shm")]
    return not all(files) and (files[0] or 2 in read(path, 18, 2))


def copy_aside(path: Path, folder: Path, timeout: float) -> Path:
    """Copy a database and its log into `folder`, for where it cannot be read in place.

    That is a hot journal to roll back, or a folder nobody may write to
    (sqlite.org/wal.html#read_only_databases). No lock is held, so a copy counts only if nothing
    changed meanwhile. `timeout` in seconds; raises LocalError when the database does not rest.
    """
    aside = folder / "aside"
    deadline = time.monotonic() + timeout
    while True:
        before = dirty_key(path)
        for suffix in ("", "-wal", "-journal"):
            copy = beside(aside, suffix)
            copy.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                content = beside(path, suffix).open("rb")
                with content, copy.open("xb") as file:
                    shutil.copyfileobj(content, file)
        if dirty_key(path) == before:
            return aside
        if time.monotonic() > deadline:
            raise in_use(path)
