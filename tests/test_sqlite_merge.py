"""Rows of one database come into another by their keys, all at once or not at all."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia.errors import LocalError
from buckia.sqlite import TableMerge, logical_hash, merge, rehearse
from buckia.sqlite.file import connect
from tests.sqlite_helpers import OTHERS, hash_of, keeping, make, program, sql
from tests.strategies import examples

ODD = "{}[a] \"b'; --"
ODD_SQL = '"' + ODD.replace('"', '""') + '"'


def pair(tmp_path: Path, shape: str, user: str, demo: str) -> tuple[Path, Path]:
    """Two databases of one shape: the user's and the demo's."""
    return (
        make(tmp_path / "user", "", more=f"{shape};{user}"),
        make(tmp_path / "demo", "", more=f"{shape};{demo}"),
    )


def merged(user: Path, demo: Path) -> tuple[TableMerge, ...]:
    """Merge; what a rehearsal says is what happens, and a second time there is nothing to do."""
    told = rehearse(demo, user, user.parent)
    done = merge(demo, user, None, user.parent)
    assert told == done
    assert merge(demo, user, None, user.parent) == ()
    assert sql(user, "PRAGMA integrity_check") == [("ok",)]
    return done


def refused(user: Path, demo: Path, why: str) -> None:
    """Nothing changes, nothing is kept, and the message says why."""
    before = hash_of(user, user.parent)
    with pytest.raises(LocalError, match=why):
        rehearse(demo, user, user.parent)
    with pytest.raises(LocalError, match=why):
        merge(demo, user, keeping(user.with_name("kept")), user.parent, 0)
    assert hash_of(user, user.parent) == before
    assert not user.with_name("kept").exists()


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_new_rows_come_changed_rows_follow_others_stay(tmp_path: Path, mode: str) -> None:
    """Matched by primary key, told by table, and the state before is kept whole."""
    user, demo = make(tmp_path / "user", "abcdef", mode=mode), make(tmp_path / "demo", "aXcd")
    sql(demo, "INSERT INTO items VALUES (9, 'new')")
    before = hash_of(user, tmp_path)
    found = merge(demo, user, keeping(tmp_path / "kept"), tmp_path)
    assert found == (TableMerge("items", inserted=1, updated=1),)
    assert sql(user, "SELECT * FROM items") == [
        *enumerate("aXcdef", 1),
        (9, "new"),
    ]
    assert logical_hash(tmp_path / "kept") == before
    assert merged(user, demo) == ()


@pytest.mark.parametrize("rowid", ["", " WITHOUT ROWID"])
def test_keys_of_many_columns_and_odd_names(tmp_path: Path, rowid: str) -> None:
    """A name is a name, whatever is in it; 0 and 0.0 are two values, a spelling of a key counts."""
    shape = (
        f"CREATE TABLE {ODD_SQL} (a NOT NULL, {ODD_SQL} TEXT COLLATE NOCASE NOT NULL, c,"
        f" PRIMARY KEY (a, {ODD_SQL})){rowid}"
    )
    user, demo = pair(
        tmp_path,
        shape,
        f"INSERT INTO {ODD_SQL} VALUES (1, 'x', 0), (1, 'y', 0), (2, 'it''s', NULL)",
        f"INSERT INTO {ODD_SQL} VALUES (1, 'x', 0.0), (1, 'Y', 0), (3, 'z', x'00')",
    )
    assert merged(user, demo) == (TableMerge(ODD, 1, 2),)
    assert sql(user, f"SELECT *, typeof(c) FROM {ODD_SQL} ORDER BY 1, 2") == [
        (1, "x", 0.0, "real"),
        (1, "Y", 0, "integer"),
        (2, "it's", None, "null"),
        (3, "z", b"\0", "blob"),
    ]


def test_without_a_key_only_what_is_not_there_is_added(tmp_path: Path) -> None:
    """As often as it is in the other one; a NULL in a key is no key."""
    shape = "CREATE TABLE log (a, b); CREATE TABLE odd (k TEXT PRIMARY KEY, v)"
    user, demo = pair(
        tmp_path,
        shape,
        "INSERT INTO log VALUES ('x', 1), (NULL, NULL); INSERT INTO odd VALUES (NULL, 1)",
        "INSERT INTO log VALUES ('x', 1), (NULL, NULL), ('x', 1.0), ('n', 2), ('n', 2);"
        "INSERT INTO odd VALUES (NULL, 1), (NULL, 2), ('k', 3)",
    )
    assert merged(user, demo) == (TableMerge("log", 3, 0), TableMerge("odd", 2, 0))
    assert sql(user, "SELECT count(*) FROM log") == [(5,)]


def test_generated_columns_and_triggers_are_left_to_the_database(tmp_path: Path) -> None:
    """The first generate themselves, the second do not run and are there afterwards as before."""
    shape = (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a, twice AS (a * 2) STORED, more AS (a + 1));"
        "CREATE TABLE seen (what);"
        "CREATE TRIGGER watch AFTER INSERT ON t BEGIN INSERT INTO seen VALUES (new.id); END;"
        "CREATE TRIGGER lost AFTER DELETE ON t BEGIN INSERT INTO seen VALUES (old.id); END"
    )
    user, demo = pair(
        tmp_path,
        shape,
        "INSERT INTO t (id, a) VALUES (1, 1)",
        "INSERT INTO t VALUES (1, 5), (2, 3)",
    )
    sql(demo, "DELETE FROM seen")
    before = sql(user, "SELECT * FROM sqlite_master ORDER BY name")
    assert merged(user, demo) == (TableMerge("t", 1, 1),)
    assert sql(user, "SELECT * FROM t") == [(1, 5, 10, 6), (2, 3, 6, 4)]
    assert sql(user, "SELECT * FROM seen") == [(1,)]
    assert sql(user, "SELECT * FROM sqlite_master ORDER BY name") == before


def test_a_full_text_index_of_a_table_is_rebuilt(tmp_path: Path) -> None:
    """It finds what came and no longer what went."""
    shape = (
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, body);"
        "CREATE VIRTUAL TABLE found USING fts5 (body, content='notes', content_rowid='id')"
    )
    user, demo = pair(
        tmp_path,
        shape,
        "INSERT INTO notes VALUES (1, 'old'), (2, 'mine'); INSERT INTO found(found)"
        " VALUES ('rebuild')",
        "INSERT INTO notes VALUES (1, 'fresh'), (3, 'more')",
    )
    assert merged(user, demo) == (TableMerge("notes", 1, 1),)
    for word, rows in {"fresh": [(1,)], "more": [(3,)], "mine": [(2,)], "old": []}.items():
        assert sql(user, f"SELECT rowid FROM found WHERE found MATCH '{word}'") == rows


@pytest.mark.parametrize("kind", ["fts5 (body)", "rtree (id, a, b)"])
def test_a_virtual_table_with_rows_of_its_own_is_refused(tmp_path: Path, kind: str) -> None:
    """Nobody can tell what its rows mean."""
    user, demo = pair(tmp_path, f"CREATE VIRTUAL TABLE own USING {kind}", "", "")
    refused(user, demo, "virtual table `own` keeps rows of its own")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("CREATE TABLE more (a)", "table `more`"),
        ("ALTER TABLE items ADD COLUMN more", "column `items.more`"),
        ("ALTER TABLE items RENAME COLUMN name TO title", "column `items.name`, column `items.t"),
        ("PRAGMA user_version = 7", "user_version 0 and 7"),
    ],
)
def test_another_schema_is_refused(tmp_path: Path, change: str, named: str) -> None:
    """By the tables, columns and version of the application that differ."""
    user, demo = make(tmp_path / "user"), make(tmp_path / "demo", "xyz")
    sql(demo, change)
    refused(user, demo, named)


def test_another_text_encoding_is_refused(tmp_path: Path) -> None:
    user = make(tmp_path / "user")
    refused(user, make(tmp_path / "demo", more="PRAGMA encoding='UTF-16le'"), "text encoding")


def test_a_foreign_key_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    """One that was broken before is not; a parent that is replaced keeps its children."""
    shape = (
        "CREATE TABLE team (id INTEGER PRIMARY KEY, name);"
        "CREATE TABLE member (id INTEGER PRIMARY KEY,"
        " team REFERENCES team ON DELETE CASCADE)"
    )
    user, demo = pair(
        tmp_path,
        shape,
        "INSERT INTO team VALUES (1, 'a'); INSERT INTO member VALUES (1, 1), (2, 77)",
        "INSERT INTO team VALUES (1, 'b'); INSERT INTO member VALUES (3, 1)",
    )
    assert merged(user, demo) == (TableMerge("member", 1, 0), TableMerge("team", 0, 1))
    assert sql(user, "SELECT id FROM member") == [(1,), (2,), (3,)]
    sql(demo, "INSERT INTO member VALUES (4, 99)")
    refused(user, demo, "a row of `member` would refer to a row of `team` that is not there")


def test_unique_values_may_be_swapped_but_not_taken(tmp_path: Path) -> None:
    """Whatever the constraint itself says is to happen to the other row."""
    shape = "CREATE TABLE u (id INTEGER PRIMARY KEY, mail UNIQUE ON CONFLICT REPLACE)"
    user, demo = pair(
        tmp_path,
        shape,
        "INSERT INTO u VALUES (1, 'a'), (2, 'b'), (3, 'mine')",
        "INSERT INTO u VALUES (1, 'b'), (2, 'a')",
    )
    assert merged(user, demo) == (TableMerge("u", 0, 2),)
    sql(demo, "INSERT INTO u VALUES (4, 'mine')")
    refused(user, demo, "a row to merge into `u` does not fit: UNIQUE constraint failed: u.mail")


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_database_in_use_is_refused_or_merged(tmp_path: Path, mode: str) -> None:
    """A writer is in the way; one that only has it open sees the rows afterwards."""
    user, demo = make(tmp_path / "user", mode=mode), make(tmp_path / "demo", "abcd")
    with program(user) as run:
        run("BEGIN IMMEDIATE")
        with pytest.raises(LocalError, match="in use by another program"):
            merge(demo, user, keeping(tmp_path / "kept"), tmp_path, 0)
        assert not (tmp_path / "kept").exists()
        run("ROLLBACK")
        assert merge(demo, user, None, tmp_path, 0) == (TableMerge("items", 1, 0),)
        assert run("SELECT count(*) FROM items") == [(4,)]


def _die_in(step: str, demo: Path, user: Path) -> None:
    """Merge in a process that ends at a statement, with what it wrote on the disk already."""

    class Mortal(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql.startswith(step):
                os._exit(9)
            return super().execute(sql, *args)

    def forgetful(path: Path, mode: Any, timeout: float = 30) -> sqlite3.Connection:
        database = sqlite3.connect(path, isolation_level=None, factory=Mortal, uri=True)
        database.execute("PRAGMA cache_size=1")
        return database

    module = sys.modules["buckia.sqlite.merge"]  # the function of this name hides it
    with mock.patch.object(module, "connect", forgetful):
        merge(demo, user, None, user.parent)


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("step", ["INSERT", "PRAGMA main.foreign_key_check", "COMMIT", "nothing"])
def test_killed_in_the_middle_leaves_old_or_new(tmp_path: Path, mode: str, step: str) -> None:
    """Never some rows of the demo."""
    user, demo = make(tmp_path / "user", "a" * 3000, mode=mode), make(tmp_path / "demo", "b" * 4000)
    process = OTHERS.Process(target=_die_in, args=(step, demo, user))
    process.start()
    process.join(60)
    assert process.exitcode == (0 if step == "nothing" else 9)
    process.close()
    rows = sql(user, "SELECT name, count(*) FROM items GROUP BY name")
    assert rows == ([("b", 4000)] if step == "nothing" else [("a", 3000)])
    assert sql(user, "PRAGMA integrity_check") == [("ok",)]


VALUES = st.one_of(
    st.none(),
    st.sampled_from([0, 1, 0.0, 1.0, "", "a", "A", "a\0b", "a\0c", b"", b"a", 1e300, -1]),
)
KEYED = st.dictionaries(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), VALUES, max_size=9)
BAG = st.lists(st.tuples(VALUES, VALUES), max_size=6)


@given(user=KEYED, demo=KEYED, mine=BAG, theirs=BAG, rowid=st.sampled_from(["", "WITHOUT ROWID"]))
@examples(60)
def test_a_merge_is_what_a_dictionary_does(
    user: dict[Any, Any], demo: dict[Any, Any], mine: list[Any], theirs: list[Any], rowid: str
) -> None:
    """By key one `|`; without a key what is not there is added; values keep their types."""
    with TemporaryDirectory() as folder:
        paths = Path(folder, "user"), Path(folder, "demo")
        for path, keyed, bag in zip(paths, (user, demo), (mine, theirs), strict=True):
            with closing(connect_new(path)) as database:
                database.execute(f"CREATE TABLE k (a, b, v, PRIMARY KEY (a, b)) {rowid}")
                database.execute("CREATE TABLE bag (x, y)")
                rows = [(*key, value) for key, value in keyed.items()]
                database.executemany("INSERT INTO k VALUES (?, ?, ?)", rows)
                database.executemany("INSERT INTO bag VALUES (?, ?)", bag)
        found = {table.name: table for table in merge(paths[1], paths[0], None, Path(folder))}
        new = {key for key in demo if key not in user}
        changed = {key for key in demo if key in user and typed(demo[key]) != typed(user[key])}
        have = {tuple(map(typed, row)) for row in mine}
        added = [row for row in theirs if tuple(map(typed, row)) not in have]
        k = TableMerge("k", len(new), len(changed))
        assert found.get("k", TableMerge("k")) == k
        assert found.get("bag", TableMerge("bag")) == TableMerge("bag", len(added))
        expected = {key: typed(value) for key, value in (user | demo).items()}
        assert {(a, b): typed(v) for a, b, v in sql(paths[0], "SELECT * FROM k")} == expected
        bag_now = Counter(tuple(map(typed, row)) for row in sql(paths[0], "SELECT * FROM bag"))
        assert bag_now == Counter(tuple(map(typed, row)) for row in [*mine, *added])
        assert merge(paths[1], paths[0], None, Path(folder)) == ()


def connect_new(path: Path) -> sqlite3.Connection:
    """A new database that does not wait for the disk."""
    path.touch()
    database = connect(path, "rw")
    database.execute("PRAGMA synchronous=OFF")
    return database


def typed(value: object) -> tuple[str, object]:
    """A value that equals no value of another type."""
    return type(value).__name__, value
