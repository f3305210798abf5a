"""What a database refers to, by a query that somebody configured: read, and nothing else."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from buckia.errors import UsageError
from buckia.sqlite.file import DAMAGED, connect, primary_code, reported

SECONDS: Final = 20
"""Seconds that a query may take."""
ROWS: Final = 1_000_000
"""Rows that it may give."""

_ALLOWED: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_READS: Final = re.compile(r"\s*(select|with)\b", re.IGNORECASE)
_STEPS: Final = 10_000
_ABSENT: Final = "no such table"


def refuse(query: str) -> str | None:
    """Why a text is no query that can be run, as far as that is known without a database."""
    if not _READS.match(query):
        return "it has to be a SELECT of one column"
    with closing(sqlite3.connect(":memory:")) as database:
        try:
            _run(database, query, 1)
        except UsageError as problem:
            return str(problem)
    return None


def referred(path: Path, query: str) -> list[str] | None:
    """The texts that a query gives in a database at rest, each once, sorted; None where the
    database has not the tables that it asks for.

    Raises `UsageError` for a query that is wrong, changes something, or takes more than `SECONDS`
    or `ROWS`; `LocalError` for a damaged database.
    """
    with reported(path), closing(connect(path, "ro")) as database:
        return _run(database, query, ROWS)


def _run(database: sqlite3.Connection, query: str, most: int) -> list[str] | None:
    database.execute("PRAGMA query_only=ON")
    end = time.monotonic() + SECONDS
    database.set_authorizer(lambda action, *_: _judge(action))
    database.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        with closing(database.execute(query)) as found:
            if found.description is None or len(found.description) != 1:
                raise UsageError("it has to be a SELECT of one column")
            rows = found.fetchmany(most + 1)
    except sqlite3.Error as problem:
        if str(problem).startswith(_ABSENT):
            return None
        if isinstance(problem, sqlite3.OperationalError) and time.monotonic() > end:
            raise UsageError(f"it takes more than {SECONDS} seconds") from None
        if isinstance(problem, sqlite3.DatabaseError) and "not authorized" in str(problem):
            raise UsageError("it may only read") from None
        if _is_damage(problem):
            raise
        raise UsageError(str(problem)) from None
    except sqlite3.Warning as problem:
        raise UsageError(str(problem)) from None
    if len(rows) > most > 1:
        raise UsageError(f"it gives more than {most:,} rows")
    return _texts(rows)


def _is_damage(problem: sqlite3.Error) -> bool:
    return primary_code(problem) in DAMAGED


def _judge(action: int) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _texts(rows: list[tuple[object, ...]]) -> list[str]:
    found: set[str] = set()
    for (value,) in rows:
        if isinstance(value, str):
            found.add(value)
        elif value is not None:
            raise UsageError(f"it gives a value that is no text: {type(value).__name__}")
    return sorted(found - {""})
