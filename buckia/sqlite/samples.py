"""A few rows of what differs between two SQLite databases, and the lines of their schemas."""

# ruff: noqa: S608 - a name cannot be a parameter: each one in a query went through `quote`

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import Struct

from buckia.sqlite.diff import Difference, TableDifference
from buckia.sqlite.file import connect, quote, reported

MOST_COLUMNS: Final = 12
_WIDTH: Final = 60

Values = tuple[str, ...]


class RowSample(Struct, frozen=True):
    """A row on both sides, each value as an SQL literal, a long one cut; None: not there."""

    before: Values | None
    after: Values | None


class TableSamples(Struct, frozen=True):
    """A few rows of a table: those added, removed and changed; at most `MOST_COLUMNS` columns."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[RowSample, ...]


def samples(old: Path | None, new: Path | None, found: Difference) -> tuple[TableSamples, ...]:
    """Rows for the keys that a difference names. Raises LocalError when a file cannot be read."""
    with reported(new or old or Path()), opened(old) as before, opened(new) as after:
        return tuple(made for one in found.tables if (made := _table(before, after, one)).rows)


def schema_lines(old: Path | None, new: Path | None) -> list[str]:
    """How the SQL of tables, views, indexes and triggers differs, as a unified difference."""
    with reported(new or old or Path()), opened(old) as before, opened(new) as after:
        lines = [*difflib.unified_diff(_schema(before), _schema(after), n=0, lineterm="")][2:]
    return [line for line in lines if not line.startswith("@@")]


@contextmanager
def opened(path: Path | None) -> Iterator[sqlite3.Connection]:
    """A database to read, or an empty one where there is none."""
    with closing(connect(path, "ro") if path else sqlite3.connect(":memory:")) as database:
        database.text_factory = partial(str, encoding="utf-8", errors="replace")
        yield database


def _schema(database: sqlite3.Connection) -> list[str]:
    found = database.execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*'"
        " ORDER BY tbl_name, type, name"
    )
    return [line for (sql,) in found for line in str(sql).splitlines()]


def _table(
    before: sqlite3.Connection, after: sqlite3.Connection, table: TableDifference
) -> TableSamples:
    columns = _columns(after, table.name) or _columns(before, table.name)
    shown, keys = [*columns][:MOST_COLUMNS], [name for name, rank in columns.items() if rank]
    rows = [RowSample(None, _row(after, table.name, shown, keys, key)) for key in table.added_keys]
    rows += (
        RowSample(_row(before, table.name, shown, keys, key), None) for key in table.removed_keys
    )
    rows += (
        RowSample(*(_row(side, table.name, shown, keys, key) for side in (before, after)))
        for key in table.changed_keys
    )
    return TableSamples(table.name, tuple(shown), tuple(_found(rows)))


def _found(rows: Sequence[RowSample]) -> Iterator[RowSample]:
    yield from (row for row in rows if row.before or row.after)


def _columns(database: sqlite3.Connection, table: str) -> dict[str, int]:
    """The stored columns of a table, each with its place in the primary key or 0."""
    query = "SELECT name, pk FROM pragma_table_xinfo(?) WHERE hidden = 0"
    return dict(database.execute(query, (table,)).fetchall())


def _row(
    database: sqlite3.Connection, table: str, columns: list[str], keys: list[str], key: str
) -> Values | None:
    """The row whose primary key is told so, as `difference` tells it."""
    have = _columns(database, table)
    if not have or not keys or not set(keys) <= have.keys():
        return None
    told = " || ', ' || ".join(f"quote({quote(name)})" for name in keys)
    values = ", ".join(f"quote({quote(name)})" if name in have else "''" for name in columns)
    query = f"SELECT {values} FROM {quote(table)} WHERE {told} = ?"
    found = database.execute(query, (key,)).fetchone()
    return tuple(_cut(str(value)) for value in found) if found else None


def _cut(value: str) -> str:
    return value if len(value) <= _WIDTH else f"{value[:_WIDTH]}... {len(value):,} characters"
