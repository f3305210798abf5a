"""How SQLite files are opened, stamped, copied and checked; `buckia.sqlite` is built on it."""

# ruff: noqa: S608 - a name cannot be a parameter: each one in a query went through `quote`

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, Literal

from buckia.errors import LocalError

SIDECARS: Final = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database while it is in use. Never shipped: it is not data yet."""

_MAGIC: Final = b"SQLite format 3\0"
BEGINNING: Final = len(_MAGIC)
"""Bytes that tell whether a file is a database."""

BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
TICK: Final = 20_000_000  # ns: more than a tick of the clock that stamps files
DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_database(path: Path) -> bool:
    """Whether a file begins as a SQLite database does, whatever its name.

    The magic is sqlite.org/fileformat2.html#magic_header_string. An empty file has none, nor has an
    encrypted database: both are plain bytes. Raises LocalError when the file cannot be read.
    """
    with reported(path):
        return begins_so(read(path, 0, BEGINNING))


def begins_so(content: bytes) -> bool:
    """Whether the first `BEGINNING` bytes of a file are those of a SQLite database."""
    return content == _MAGIC


def beside(path: Path, suffix: str) -> Path:
    """The sidecar of a database: its whole name and a suffix (sqlite.org/tempfiles.html)."""
    return path.with_name(path.name + suffix)


def connect(path: Path, mode: Literal["ro", "rw"], timeout: float = 30.0) -> sqlite3.Connection:
    """Open a database that exists; locks are waited for `timeout` seconds. To be closed.

    A schema from elsewhere may name functions that do harm: they are not trusted
    (sqlite.org/security.html). Never `immutable`, which reads past the write-ahead log.
    """
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    database = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None)
    database.execute("PRAGMA trusted_schema=OFF")
    return database


def primary_code(error: sqlite3.Error) -> int | None:
    """The primary result code of an error (sqlite.org/rescode.html); None when it has none."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into a LocalError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        if primary_code(error) in BUSY:
            raise in_use(path) from error
        if primary_code(error) in DAMAGED:
            raise damaged(path, str(error)) from error
        raise LocalError(f"{path}: SQLite cannot do this: {error}; look at the database") from error
    except OSError as error:
        what = error.filename or path
        raise LocalError(
            f"{what} cannot be read or written: {error.strerror}; check permissions and space"
        ) from error


def in_use(path: Path) -> LocalError:
    """The error for a database that another program holds."""
    return LocalError(f"{path} is in use by another program; close it there, then run this again")


def damaged(path: Path, fault: str) -> LocalError:
    """The error for a database that is not whole."""
    return LocalError(f"{path} is damaged ({fault}); restore it from a good copy")


def quote(name: str) -> str:
    """A name as SQL writes it, whatever is in it (sqlite.org/lang_keywords.html)."""
    return '"' + name.replace('"', '""') + '"'


def has_null(database: sqlite3.Connection, table: str, columns: list[str]) -> bool:
    """Whether any of the columns is NULL in any row; all names are quoted."""
    nulls = " OR ".join(f"{column} IS NULL" for column in columns)
    query = f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {nulls})"
    return bool(database.execute(query).fetchone()[0])


def read(path: Path, offset: int, count: int) -> bytes:
    """Up to `count` bytes of a file from `offset`."""
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.pread(handle, count, offset)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a database that nobody uses, and what lies beside it."""
    for suffix in (*SIDECARS, ""):
        beside(path, suffix).unlink(missing_ok=True)


def create(path: Path) -> None:
    """Make an empty file that only its owner may read. It must not exist."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def back_up(source: sqlite3.Connection, into: Path) -> None:
    """Copy what `source` sees to a new file, in rollback mode, not yet fsynced.

    In one step, or every commit of another process would restart the copy
    (sqlite.org/c3ref/backup_finish.html).
    """
    remove(into)
    create(into)
    with closing(connect(into, "rw")) as copy:
        copy.execute("PRAGMA synchronous=OFF")
        copy.execute("PRAGMA journal_mode=OFF")
        source.backup(copy, progress=stop_when_busy)
        copy.execute("PRAGMA journal_mode=DELETE")


def stop_when_busy(status: int, remaining: int, total: int) -> None:
    """End a backup that met a lock: Python would try again for ever. Raises OperationalError."""
    if status & 0xFF in BUSY:
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = status
        raise error


def verify(path: Path, thorough: bool) -> None:
    """Prove that a database file at rest is whole (sqlite.org/pragma.html#pragma_integrity_check).

    What needs a function or collation of the program that made it cannot be checked here and is
    let pass. So are rows that break a CHECK, which a connection that only reads does not look at:
    their program let them in. Raises LocalError with the first fault.
    """
    with closing(connect(path, "ro")) as database:
        for pragma in ("integrity_check", "quick_check")[not thorough :]:
            try:
                (fault,) = database.execute(f"PRAGMA {pragma}(1)").fetchone()
            except sqlite3.OperationalError as error:
                if primary_code(error) != sqlite3.SQLITE_ERROR:
                    raise
            else:
                if fault != "ok":
                    raise damaged(path, fault.splitlines()[-1])
                return
