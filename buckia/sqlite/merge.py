"""Bringing the rows of one SQLite database into another: what is new, and what has its key.

All of it is one transaction: whoever looks sees the rows before or the rows after.
"""

# ruff: noqa: S608 - a name cannot be a parameter: each one in a query went through `quote`

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from stat import S_IMODE
from typing import Final

from msgspec import Struct

from buckia.errors import LocalError
from buckia.sqlite.file import back_up, connect, has_null, quote, reported
from buckia.sqlite.replacement import Keep, sync
from buckia.sqlite.snapshots import snapshot

_SEARCH: Final = re.compile(r"\busing\s+[\"'`\[]?fts[45]\b", re.IGNORECASE)
_SHOWN: Final = 3
_COMMA: Final = " || ',' || "
_SIDES: Final = ("main", "demo")

Column = tuple[str, int, int]
Columns = dict[str, Column]
"""Declared type, place in the primary key or 0, and kind (sqlite.org/pragma.html), by name."""


class TableMerge(Struct, frozen=True):
    """How many rows of a table were not there before, and how many were there and changed."""

    name: str
    inserted: int = 0
    updated: int = 0


def merge(
    source: Path,
    target: Path,
    keep: Keep | None,
    room: Path,
    timeout: float = 30.0,
    named: Path | None = None,
) -> tuple[TableMerge, ...]:
    """Merge the rows of `source`, a database at rest, into `target`, which may be in use.

    A row with the primary key of one that is there replaces it; all other rows there stay. Without
    a primary key, or where it is NULL, a row is added unless an identical one is there. No trigger
    runs, generated columns generate themselves, and a full-text index of other tables is rebuilt.

    Tells the tables that changed. If any did, `keep` first gets a consistent copy of `target` from
    before, made in the folder `room`. `timeout`, in seconds, is how long locks are waited for.
    Raises LocalError, and nothing is changed, when the tables differ, a row breaks a constraint or
    a foreign key, the target stays in use, or a virtual table has rows of its own; `named` is what
    the message calls the target.
    """
    called = named or target
    with (
        reported(called),
        tempfile.TemporaryDirectory(prefix=".buckia-", dir=room) as folder,
        closing(connect(target, "rw", timeout)) as database,
    ):
        database.execute("PRAGMA synchronous=EXTRA")
        database.execute("PRAGMA fullfsync=ON")
        database.execute("PRAGMA foreign_keys=OFF")  # a replaced row would take its children along
        database.execute("ATTACH ? AS demo", (f"{source.absolute().as_uri()}?mode=ro",))
        database.execute("BEGIN IMMEDIATE")
        try:
            copy = Path(folder) / target.name
            with closing(connect(target, "ro", timeout)) as old:
                back_up(old, copy)
            merged = _merge(database, called)
            if merged:
                copy.chmod(S_IMODE(target.stat().st_mode))
                sync(copy)
                if keep:
                    keep(copy)
                database.execute("COMMIT")
        finally:
            if database.in_transaction:
                database.execute("ROLLBACK")
        return merged


def rehearse(
    source: Path, target: Path, room: Path, timeout: float = 30.0, named: Path | None = None
) -> tuple[TableMerge, ...]:
    """What `merge` would do, found out on a copy in the folder `room`. Raises what it raises."""
    with tempfile.TemporaryDirectory(prefix=".buckia-", dir=room) as folder:
        copy = Path(folder) / target.name
        snapshot(target, copy, timeout)
        return merge(source, copy, None, Path(folder), timeout, named or target)


def demand_free(target: Path, timeout: float = 30.0, named: Path | None = None) -> None:
    """Raise LocalError where another program still writes to a database after `timeout` seconds."""
    with reported(named or target), closing(connect(target, "rw", timeout)) as database:
        database.execute("BEGIN IMMEDIATE")
        database.execute("ROLLBACK")


def _merge(database: sqlite3.Connection, target: Path) -> tuple[TableMerge, ...]:
    """Merge all tables inside the open transaction; the tables that changed, in order."""
    tables = _demand_same(database, target)
    indexes = _demand_mergeable(database, target)
    broken = _broken(database)
    with _without_triggers(database, tables):
        merged = tuple(
            _merge_table(database, target, name, columns) for name, columns in tables.items()
        )
        merged = tuple(table for table in merged if table.inserted or table.updated)
        for name in indexes if merged else ():
            database.execute(f"INSERT INTO main.{quote(name)}({quote(name)}) VALUES ('rebuild')")
    if worse := _broken(database) - broken:
        table, _, parent, _ = min(worse, key=repr)
        raise LocalError(
            f"{target}: a row of `{table}` would refer to a row of `{parent}` that is not there; "
            "nothing was changed; add that row to the other database, or take the reference away"
        )
    return merged


def _demand_same(database: sqlite3.Connection, target: Path) -> dict[str, Columns]:
    """The tables, which both databases have to have alike, with their columns."""
    versions = [database.execute(f"PRAGMA {side}.user_version").fetchone() for side in _SIDES]
    there, new = (_tables(database, side) for side in _SIDES)
    found = [f"table `{name}`" for name in sorted(there.keys() ^ new.keys())]
    for name in sorted(there.keys() & new.keys()):
        one, other = there[name].items(), new[name].items()
        found += [f"column `{name}.{column}`" for column in sorted({c for c, _ in one ^ other})]
    if versions[0] != versions[1]:
        found.append(f"user_version {versions[0][0]} and {versions[1][0]}")
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise LocalError(
            f"{target} and the database to merge have not the same tables: they differ in "
            f"{', '.join(found[:_SHOWN])}{more}; nothing was changed; migrate one to the schema of "
            "the other first"
        )
    return there


def _tables(database: sqlite3.Connection, side: str) -> dict[str, Columns]:
    """All ordinary tables of one side (sqlite.org/pragma.html#pragma_table_list)."""
    names = database.execute(
        "SELECT name FROM pragma_table_list WHERE schema = ? AND type = 'table'"
        " AND name NOT GLOB 'sqlite_*' ORDER BY name",
        (side,),
    ).fetchall()
    columns = "SELECT name, upper(type), pk, hidden FROM pragma_table_xinfo(?, ?)"
    return {
        table: {name: (kind, rank, hidden) for name, kind, rank, hidden in rows}
        for (table,) in names
        for rows in [database.execute(columns, (table, side)).fetchall()]
    }


def _demand_mergeable(database: sqlite3.Connection, target: Path) -> list[str]:
    """The full-text indexes, which other tables are the content of; no other virtual table may
    be there, since nothing tells what its rows are."""
    kinds = dict(
        database.execute(
            "SELECT l.name, l.type FROM pragma_table_list AS l WHERE l.schema = 'main'"
        ).fetchall()
    )
    virtual = [name for name in sorted(kinds) if kinds[name] == "virtual"]
    for name in virtual:
        query = "SELECT sql FROM main.sqlite_master WHERE type = 'table' AND name = ?"
        (sql,) = database.execute(query, (name,)).fetchone()
        if not _SEARCH.search(sql) or f"{name}_content" in kinds:
            raise LocalError(
                f"{target}: the virtual table `{name}` keeps rows of its own, which cannot be "
                "merged; nothing was changed; name its content table, if it is a full-text index"
            )
    return virtual


def _broken(database: sqlite3.Connection) -> Counter[tuple[object, ...]]:
    """The rows whose foreign keys lead nowhere (sqlite.org/foreignkeys.html)."""
    return Counter(map(tuple, database.execute("PRAGMA main.foreign_key_check").fetchall()))


@contextmanager
def _without_triggers(database: sqlite3.Connection, tables: dict[str, Columns]) -> Iterator[None]:
    """Take the triggers of these tables away, and put them back as they were."""
    triggers = [
        (name, sql)
        for name, table, sql in database.execute(
            "SELECT name, tbl_name, sql FROM main.sqlite_master WHERE type = 'trigger'"
            " ORDER BY rowid"
        ).fetchall()
        if table in tables
    ]
    for name, _ in triggers:
        database.execute(f"DROP TRIGGER main.{quote(name)}")
    yield
    for _, sql in triggers:
        database.execute(sql)


def _merge_table(
    database: sqlite3.Connection, target: Path, name: str, columns: Columns
) -> TableMerge:
    """Merge one table, by its primary key as far as it has one."""
    stored = [quote(column) for column, (_, _, hidden) in columns.items() if not hidden]
    keys = [quote(column) for column, (_, rank, hidden) in columns.items() if rank and not hidden]
    try:
        inserted = updated = 0
        if keys:
            inserted, updated = _merge_by_key(database, quote(name), keys, stored)
        if not keys or has_null(database, f"demo.{quote(name)}", keys):
            inserted += _add_missing(database, quote(name), keys, stored)
    except sqlite3.IntegrityError as error:
        raise LocalError(
            f"{target}: a row to merge into `{name}` does not fit: {error}; nothing was changed; "
            "change that row in one of the two databases"
        ) from error
    return TableMerge(name, inserted, updated)


def _merge_by_key(
    database: sqlite3.Connection, table: str, keys: list[str], columns: list[str]
) -> tuple[int, int]:
    """How many rows were new, and how many changed: those go first, so that two rows may swap a
    value that has to be unique. `OR ABORT`: no constraint may drop another row by its own rule."""
    match = " AND ".join(f"t.{key} = d.{key}" for key in keys)
    there, new = (
        ", ".join(f"{side}.{c} COLLATE BINARY, typeof({side}.{c})" for c in columns)
        for side in ("t", "d")
    )
    updated = database.execute(
        f"DELETE FROM main.{table} AS t WHERE EXISTS (SELECT 1 FROM demo.{table} AS d"
        f" WHERE {match} AND ({new}) IS NOT ({there}))"
    ).rowcount
    known = " AND ".join(f"d.{key} IS NOT NULL" for key in keys)
    written = database.execute(
        f"INSERT OR ABORT INTO main.{table} ({', '.join(columns)})"
        f" SELECT {', '.join(f'd.{c}' for c in columns)} FROM demo.{table} AS d"
        f" WHERE {known} AND NOT EXISTS (SELECT 1 FROM main.{table} AS t WHERE {match})"
    ).rowcount
    return written - updated, updated


def _add_missing(
    database: sqlite3.Connection, table: str, keys: list[str], columns: list[str]
) -> int:
    """Add the rows without a key that have no identical one there, as often as they are."""
    unkeyed = " OR ".join(f"d.{key} IS NULL" for key in keys) or "TRUE"
    return database.execute(
        f"INSERT OR ABORT INTO main.{table} ({', '.join(columns)})"
        f" SELECT {', '.join(f'd.{c}' for c in columns)} FROM demo.{table} AS d"
        f" WHERE ({unkeyed}) AND {_identity('d', columns)}"
        f" NOT IN (SELECT {_identity('t', columns)} FROM main.{table} AS t)"
    ).rowcount


def _identity(side: str, columns: list[str]) -> str:
    """SQL for one text that names a row by its values and their types."""
    values = [
        f"CASE typeof({c}) WHEN 'text' THEN 't' || hex({c}) ELSE quote({c}) END"
        for c in (f"{side}.{column}" for column in columns)
    ]
    return f"({_COMMA.join(values)})"
