"""People choose between two databases by what differs, so that has to be right and short."""

from __future__ import annotations

from pathlib import Path

import pytest

from buckia.errors import LocalError
from buckia.sqlite import Difference, TableDifference, describe, difference
from tests.sqlite_helpers import make, sql

ODD = "{}[a] \"b'; --"
ODD_SQL = '"' + ODD.replace('"', '""') + '"'


def pair(tmp_path: Path, before: str, after: str, *, shape: str = "") -> tuple[Path, Path]:
    """Two databases of one shape."""
    return (
        make(tmp_path / "before", "", more=shape + ";" + before),
        make(tmp_path / "after", "", more=shape + ";" + after),
    )


def test_equal_databases_do_not_differ(tmp_path: Path) -> None:
    """Pages, journal mode and statistics are not told."""
    one, two = make(tmp_path / "one"), make(tmp_path / "two", size=512)
    sql(two, "ANALYZE")
    assert difference(one, two) == Difference(user_version=(0, 0))
    assert describe(difference(one, two)) == []


def test_rows_are_matched_by_primary_key(tmp_path: Path) -> None:
    """Added, removed and changed rows are counted, and the first keys of each shown."""
    one, two = make(tmp_path / "one", "a" * 10), make(tmp_path / "two", "a" * 17)
    sql(two, "DELETE FROM items WHERE id < 3", "UPDATE items SET name = 'b' WHERE id IN (4, 5)")
    found = difference(one, two)
    assert found.tables == (
        TableDifference("items", 7, 2, 2, ("11", "12", "13", "14", "15"), ("1", "2"), ("4", "5")),
    )
    assert describe(found) == ["items: 7 rows added, 2 removed, 2 changed"]
    sql(one, "UPDATE items SET id = 99 WHERE id = 10")
    (rows,) = difference(two, one).tables
    assert (rows.added, rows.removed, rows.added_keys) == (3, 8, ("1", "2", "99"))


@pytest.mark.parametrize("rowid", ["", " WITHOUT ROWID"])
def test_keys_of_many_columns_and_odd_names(tmp_path: Path, rowid: str) -> None:
    """A name is a name, whatever is in it; a key is shown as SQL writes it."""
    one, two = pair(
        tmp_path,
        f"INSERT INTO {ODD_SQL} VALUES ('it''s', 1, 0), (x'00', 2, 0), ('same', 3, NULL)",
        f"INSERT INTO {ODD_SQL} VALUES ('it''s', 1, 0.0), (x'01', 2, 0), ('same', 3, NULL)",
        shape=f"CREATE TABLE {ODD_SQL} (a NOT NULL, {ODD_SQL} NOT NULL, c,"
        f" PRIMARY KEY (a, {ODD_SQL})){rowid}",
    )
    assert difference(one, two).tables == (
        TableDifference(ODD, 1, 1, 1, ("X'01', 2",), ("X'00', 2",), ("'it''s', 1",)),
    )


@pytest.mark.parametrize("column", ["k", "k PRIMARY KEY"])
def test_rows_that_no_key_tells_apart_are_counted(tmp_path: Path, column: str) -> None:
    """Without a key, or with NULL as one, rows are only more or fewer of the same."""
    one, two = pair(
        tmp_path,
        "INSERT INTO t VALUES (NULL, 1), (NULL, 1), (NULL, 'a')",
        "INSERT INTO t VALUES (NULL, 'A'), (NULL, 1), (NULL, 1), (NULL, 1)",
        shape=f"CREATE TABLE t ({column}, v COLLATE NOCASE)",
    )
    assert difference(one, two).tables == (TableDifference("t", added=2, removed=1),)
    assert describe(difference(two, one)) == ["t: 1 row added, 2 removed"]


def test_a_key_that_is_null_is_no_key(tmp_path: Path) -> None:
    """On either side it takes the meaning from the keys of the table."""
    one, two = pair(
        tmp_path,
        "INSERT INTO t VALUES (NULL, 1), ('k', 1)",
        "INSERT INTO t VALUES ('k', 2)",
        shape="CREATE TABLE t (k PRIMARY KEY, v)",
    )
    assert difference(one, two).tables == (TableDifference("t", added=1, removed=2),)
    assert difference(two, one).tables == (TableDifference("t", added=2, removed=1),)


def test_tables_schema_and_version(tmp_path: Path) -> None:
    """What came, what went, whose SQL differs, and the version the program gave."""
    one, two = pair(
        tmp_path,
        "CREATE TABLE gone (x); CREATE TABLE wider (k INTEGER PRIMARY KEY, a);"
        "INSERT INTO wider VALUES (1, 1)",
        "CREATE TABLE fresh (x); INSERT INTO fresh VALUES (1);"
        "CREATE TABLE wider (k INTEGER PRIMARY KEY, a, b); INSERT INTO wider VALUES (1, 1, 2);"
        "CREATE VIEW seen AS SELECT 1; PRAGMA user_version=3; CREATE INDEX i ON same (x)",
        shape="CREATE TABLE same (x)",
    )
    found = difference(one, two)
    assert found == Difference(
        tables_added=("fresh",),
        tables_removed=("gone",),
        tables=(TableDifference("fresh", added=1),),
        schema_changed=("same", "seen", "wider"),
        user_version=(0, 3),
    )
    assert describe(found) == [
        "table `fresh` added",
        "table `gone` removed",
        "fresh: 1 row added",
        "schema of `same` changed",
        "schema of `seen` changed",
        "schema of `wider` changed",
        "user_version 0 → 3",
    ]


def test_one_side_may_be_missing(tmp_path: Path) -> None:
    """A database that comes or goes is told by its tables."""
    path = make(tmp_path / "one")
    assert describe(difference(None, path)) == ["table `items` added", "items: 3 rows added"]
    assert describe(difference(path, None)) == ["table `items` removed", "items: 3 rows removed"]
    assert difference(None, None) == Difference()


def test_virtual_tables_are_named_not_compared(tmp_path: Path) -> None:
    """Their shadow tables mean nothing to people."""
    shape = "CREATE VIRTUAL TABLE search USING fts5 (body)"
    one, two = pair(tmp_path, "", "INSERT INTO search VALUES ('x')", shape=shape)
    assert difference(one, two) == Difference(skipped=("search",), user_version=(0, 0))
    assert describe(difference(one, two)) == ["`search` was not compared"]


def test_encodings_differ(tmp_path: Path) -> None:
    """Equal UTF-16 databases compare; SQLite cannot open two encodings at once."""
    utf8 = make(tmp_path / "utf8")
    one, two = (
        make(tmp_path / name, letters, more="PRAGMA encoding='UTF-16be'")
        for name, letters in (("one", "é"), ("two", "éß"))
    )
    assert describe(difference(one, two)) == ["items: 1 row added"]
    assert describe(difference(utf8, one)) == ["text encoding changed", "`items` was not compared"]


def test_text_for_a_terminal(tmp_path: Path) -> None:
    """A name from elsewhere cannot move the cursor; text that is no text is still shown."""
    shape = 'CREATE TABLE "a\x1b[2J" (k TEXT PRIMARY KEY)'
    one, two = pair(
        tmp_path, "", "INSERT INTO \"a\x1b[2J\" VALUES (CAST(x'ff' AS TEXT))", shape=shape
    )
    assert describe(difference(one, two)) == ["a\ufffd[2J: 1 row added"]


def test_damage_is_reported(tmp_path: Path) -> None:
    """No half answer."""
    bad = tmp_path / "bad"
    bad.write_bytes(make(tmp_path / "good", "abc" * 5000).read_bytes()[:8192])
    with pytest.raises(LocalError, match="is damaged"):
        difference(tmp_path / "good", bad)
    with pytest.raises(LocalError, match="cannot be read"):
        difference(tmp_path / "absent", bad)
