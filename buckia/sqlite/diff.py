"""What differs between two SQLite databases, told by tables and rows for a person to choose by."""

# ruff: noqa: S608 - a name cannot be a parameter: each one in a query went through `quote`

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import Struct

from buckia.sqlite.file import has_null, primary_code, quote, read, reported

_SAMPLES: Final = 5
_ENCODINGS: Final = ("UTF-8", "UTF-8", "UTF-16le", "UTF-16be")

Keys = tuple[str, ...]
Kinds = dict[str, str]


class TableDifference(Struct, frozen=True):
    """How many rows of one table differ, and up to five primary keys of each kind, as SQL literals.

    Without a primary key there are no keys to show and no changed rows: a row that changed is one
    removed and one added.
    """

    name: str
    added: int = 0
    removed: int = 0
    changed: int = 0
    added_keys: Keys = ()
    removed_keys: Keys = ()
    changed_keys: Keys = ()


class Difference(Struct, frozen=True):
    """What differs from one database to the other, names in order.

    `tables` has the tables whose rows differ, those added and removed included. `schema_changed`
    has the tables and views whose SQL differs, or that of an index or trigger on them. `skipped`
    was not compared: virtual tables, tables this SQLite cannot read, and every table if the text
    encoding changed. `user_version` is before and after, None where there is no database.
    """

    tables_added: tuple[str, ...] = ()
    tables_removed: tuple[str, ...] = ()
    tables: tuple[TableDifference, ...] = ()
    schema_changed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    user_version: tuple[int | None, int | None] = (None, None)
    encoding_changed: bool = False


def difference(old: Path | None, new: Path | None) -> Difference:
    """Compare two snapshots row by row; None stands for a database that is not there.

    Only columns that both have are compared. Raises LocalError when a file cannot be read.
    """
    with reported(new or old or Path()):
        versions = _header_number(old, 60), _header_number(new, 60)
        encodings = {_header_number(path, 56) or 1 for path in (old, new) if path}
        if len(encodings) > 1:  # SQLite does not open both at once
            names = (_only(path) for path in (old, new))
            skipped = tuple(sorted({name for side in names for name in side}))
            return Difference(skipped=skipped, user_version=versions, encoding_changed=True)
        with closing(_memory(max(encodings, default=1))) as database:
            _attach(database, "before", old)
            _attach(database, "after", new)
            return _compare(database, versions)


def describe(difference: Difference) -> list[str]:
    """The difference in short lines for people, nothing when there is none."""
    lines = [f"table `{name}` added" for name in difference.tables_added]
    lines += [f"table `{name}` removed" for name in difference.tables_removed]
    for table in difference.tables:
        counts = {"added": table.added, "removed": table.removed, "changed": table.changed}
        told = [f"{count} {what}" for what, count in counts.items() if count]
        number, _, what = told[0].partition(" ")
        told[0] = f"{number} {'row' if number == '1' else 'rows'} {what}"
        lines.append(f"{table.name}: {', '.join(told)}")
    lines += [f"schema of `{name}` changed" for name in difference.schema_changed]
    before, after = difference.user_version
    if before != after and before is not None and after is not None:
        lines.append(f"user_version {before} → {after}")
    if difference.encoding_changed:
        lines.append("text encoding changed")
    lines += [f"`{name}` was not compared" for name in difference.skipped]
    return ["".join(c if c.isprintable() else "\ufffd" for c in line) for line in lines]


def _header_number(path: Path | None, offset: int) -> int | None:
    """A four-byte number of the database header (sqlite.org/fileformat2.html, 1.3)."""
    return int.from_bytes(read(path, offset, 4), "big", signed=True) if path else None


def _memory(encoding: int) -> sqlite3.Connection:
    """A connection with nothing in it; what is attached must have its text encoding."""
    database = sqlite3.connect("file::memory:", uri=True, isolation_level=None)
    database.execute(f"PRAGMA encoding = '{_ENCODINGS[encoding]}'")
    database.execute("PRAGMA trusted_schema=OFF")
    database.text_factory = partial(str, encoding="utf-8", errors="replace")
    return database


def _attach(database: sqlite3.Connection, side: str, path: Path | None) -> None:
    """Attach a file to read, or nothing, under a name."""
    uri = f"{path.absolute().as_uri()}?mode=ro" if path else ":memory:"
    database.execute(f"ATTACH ? AS {side}", (uri,))


def _only(path: Path | None) -> Kinds:
    """The tables of one file, opened by itself."""
    with closing(_memory(_header_number(path, 56) or 1)) as database:
        _attach(database, "before", path)
        return _kinds(database, "before")


def _kinds(database: sqlite3.Connection, side: str) -> Kinds:
    """Table names and what kind each is (sqlite.org/pragma.html#pragma_table_list)."""
    return dict(
        database.execute(
            "SELECT name, type FROM pragma_table_list WHERE schema = ?"
            " AND type <> 'view' AND name NOT GLOB 'sqlite_*'",
            (side,),
        ).fetchall()
    )


def _compare(database: sqlite3.Connection, versions: tuple[int | None, int | None]) -> Difference:
    """The difference between the databases attached as `before` and `after`."""
    before, after = _kinds(database, "before"), _kinds(database, "after")
    kinds = before | after
    skipped = [name for name in kinds if "virtual" in (before.get(name), after.get(name))]
    tables = []
    for name in sorted(name for name in kinds if kinds[name] == "table" and name not in skipped):
        try:
            tables.append(_compare_table(database, name, name in before, name in after))
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_ERROR:
                raise
            skipped.append(name)
    visible = {name for name in kinds if kinds[name] != "shadow"}
    return Difference(
        tables_added=tuple(sorted(visible - before.keys())),
        tables_removed=tuple(sorted(visible - after.keys())),
        tables=tuple(table for table in tables if table.added or table.removed or table.changed),
        schema_changed=_changed_schema(database, before.keys() & after.keys(), kinds),
        skipped=tuple(sorted(skipped)),
        user_version=versions,
    )


def _changed_schema(
    database: sqlite3.Connection, common: Iterable[str], kinds: Kinds
) -> tuple[str, ...]:
    """The common tables, and all views, to which something with differing SQL belongs."""
    sides = [
        set(
            database.execute(
                f"SELECT tbl_name, type, name, sql FROM {side}.sqlite_master"
                " WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*'"
            ).fetchall()
        )
        for side in ("before", "after")
    ]
    owners = {owner for owner, *_ in sides[0] ^ sides[1]}
    return tuple(sorted(owner for owner in owners if owner in common or owner not in kinds))


def _compare_table(
    database: sqlite3.Connection, name: str, in_before: bool, in_after: bool
) -> TableDifference:
    """The difference of one table that at least one side has."""
    before, after = (f"{side}.{quote(name)}" for side in ("before", "after"))
    if not (in_before and in_after):
        count = f"SELECT count(*) FROM {after if in_after else before}"
        rows: int = database.execute(count).fetchone()[0]
        return TableDifference(name, added=rows * in_after, removed=rows * in_before)
    old, new = _columns(database, "before", name), _columns(database, "after", name)
    common = [column for column in old if column in new]
    keys = [column for column in old if old[column]]
    if (
        keys
        and keys == [column for column in new if new[column]]
        and not has_null(database, before, keys)
        and not has_null(database, after, keys)
    ):
        return _compare_by_key(database, name, keys, common)
    return _compare_as_bags(database, name, common)


def _columns(database: sqlite3.Connection, side: str, table: str) -> dict[str, int]:
    """The stored columns of a table, quoted, each with its place in the primary key or 0."""
    columns = database.execute(
        "SELECT name, pk FROM pragma_table_xinfo(?, ?) WHERE hidden = 0", (table, side)
    )
    return {quote(name): rank for name, rank in columns}


def _compare_by_key(
    database: sqlite3.Connection, name: str, keys: list[str], columns: list[str]
) -> TableDifference:
    """Match rows by primary key; where both sides have one, look at all values and their types."""
    before, after = (f"{side}.{quote(name)}" for side in ("before", "after"))
    match = " AND ".join(f"a.{key} = b.{key}" for key in keys)
    values = [
        ", ".join(f"{side}.{c} COLLATE BINARY, typeof({side}.{c})" for c in columns)
        for side in ("a", "b")
    ]
    only_after, only_before = (
        f"{one} AS a WHERE NOT EXISTS (SELECT 1 FROM {other} AS b WHERE {match})"
        for one, other in ((after, before), (before, after))
    )
    added, added_keys = _sample(database, keys, only_after)
    removed, removed_keys = _sample(database, keys, only_before)
    changed, changed_keys = _sample(
        database,
        keys,
        f"{after} AS a JOIN {before} AS b ON {match} WHERE ({values[0]}) IS NOT ({values[1]})",
    )
    return TableDifference(name, added, removed, changed, added_keys, removed_keys, changed_keys)


def _sample(database: sqlite3.Connection, keys: list[str], rows: str) -> tuple[int, Keys]:
    """How many rows there are, and the first few keys."""
    shown = " || ', ' || ".join(f"quote(a.{key})" for key in keys)
    order = ", ".join(f"a.{key}" for key in keys)
    found = database.execute(
        f"SELECT count(*) OVER (), {shown} FROM {rows} ORDER BY {order} LIMIT {_SAMPLES}"
    ).fetchall()
    return (found[0][0] if found else 0), tuple(key for _, key in found)


def _compare_as_bags(
    database: sqlite3.Connection, name: str, columns: list[str]
) -> TableDifference:
    """Count rows that one side has more often than the other; nothing else tells rows apart."""
    names = [f"c{number}" for number in range(len(columns))]
    chosen = ", ".join(f"{column} AS {c}" for column, c in zip(columns, names, strict=True))
    same = ", ".join(f"{c} COLLATE BINARY, typeof({c})" for c in names) or "NULL"
    sides = " UNION ALL ".join(
        f"SELECT {chosen}{',' if chosen else ''} {weight} AS weight FROM {side}.{quote(name)}"
        for side, weight in (("after", 1), ("before", -1))
    )
    added, removed = database.execute(
        "SELECT total(max(surplus, 0)), total(max(-surplus, 0)) FROM"
        f" (SELECT sum(weight) AS surplus FROM ({sides}) GROUP BY {same})"
    ).fetchone()
    return TableDifference(name, int(added), int(removed))
