"""Databases are read whole whoever uses them, and named by what they say."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from stat import S_IMODE
from tempfile import TemporaryDirectory
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buckia.errors import LocalError
from buckia.sqlite import (
    SIDECARS,
    check,
    copy_aside,
    dirty_key,
    is_database,
    logical_hash,
    snapshot,
)
from buckia.sqlite.file import connect
from tests.sqlite_helpers import (
    OTHERS,
    crashed,
    hash_of,
    interrupted,
    make,
    names,
    program,
    sql,
    state,
    transfers,
    unreadable,
    unsorted,
)


def test_a_database_is_known_by_its_magic(tmp_path: Path) -> None:
    """The name says nothing; an empty or encrypted file is plain bytes."""
    plain, empty = tmp_path / "App.sqlite", tmp_path / "empty.sqlite"
    plain.write_bytes(b"\x8a" * 4096)
    empty.touch()
    assert is_database(make(tmp_path / "notes.txt"))
    assert not is_database(plain)
    assert not is_database(empty)
    with pytest.raises(LocalError, match="cannot be read"):
        is_database(tmp_path / "absent")


@pytest.mark.promise("INV-21")
def test_the_file_alone_can_be_an_empty_database(tmp_path: Path) -> None:
    """A raw copy of a live database has no table; the snapshot has what is in the log."""
    database, raw, copy = tmp_path / "live", tmp_path / "raw", tmp_path / "copy"
    with program(database) as run:
        run("PRAGMA journal_mode=WAL")
        run("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT)")
        run("INSERT INTO items VALUES (1, 'x')")
        shutil.copy(database, raw)
        snapshot(database, copy)
    assert sql(raw, "SELECT * FROM sqlite_master") == []
    assert names(copy) == "x"


def test_a_commit_shows_in_the_key_though_not_in_the_file(tmp_path: Path) -> None:
    """WAL mode leaves size and time of the database as they were."""
    database = make(tmp_path / "live", mode="wal")
    with program(database) as run:
        run("SELECT * FROM items")
        key, before = dirty_key(database), database.stat()
        assert dirty_key(database) == key
        run("INSERT INTO items (name) VALUES ('x')")
        after = database.stat()
        assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        assert dirty_key(database) != key


@pytest.mark.parametrize("mode", ["delete", "truncate", "persist", "wal"])
def test_every_commit_shows_in_the_key(tmp_path: Path, mode: str) -> None:
    """Ten commits that change one byte each, as fast as can be, give ten keys."""
    database = make(tmp_path / "live", mode=mode)
    keys = set()
    with closing(sqlite3.connect(database, isolation_level=None)) as app:
        app.execute(f"PRAGMA journal_mode={mode}")
        for number in range(10):
            app.execute("UPDATE items SET name = ? WHERE id = 1", (str(number),))
            keys.add(dirty_key(database))
    assert len(keys) == 10


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_the_key_does_not_rest_on_the_clock_alone(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where times stand still and sizes stay, the counter and the salts tell."""
    database = make(tmp_path / "live", mode=mode)
    with program(database) as run:
        run("PRAGMA wal_autocheckpoint=1")
        run("UPDATE items SET name = 'x'")
        seen = {path: path.stat() for path in (database, tmp_path / "live-wal") if path.exists()}

        def still(path: Path) -> os.stat_result:
            if path not in seen:
                raise FileNotFoundError(path)
            return seen[path]

        monkeypatch.setattr(Path, "stat", still)
        key = dirty_key(database)
        assert dirty_key(database) == key
        run("UPDATE items SET name = 'y'")
        assert dirty_key(database) != key
        monkeypatch.undo()


def test_a_database_that_does_not_rest_has_no_key_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write within the same clock tick as the stat cannot hide behind it."""
    database = make(tmp_path / "live")
    clock = iter(range(100))
    monkeypatch.setattr("time.time_ns", lambda: database.stat().st_ctime_ns + next(clock))
    assert dirty_key(database) != dirty_key(database)


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.promise("INV-21")
def test_a_live_writer_never_spoils_a_snapshot(tmp_path: Path, mode: str) -> None:
    """Every copy taken among four hundred transactions is whole and in balance."""
    database, copy = tmp_path / "live", tmp_path / "copy"
    sql(
        database,
        f"PRAGMA journal_mode={mode}",
        "CREATE TABLE accounts (id INTEGER PRIMARY KEY, money INTEGER)",
        "CREATE TABLE log (n INTEGER, text TEXT)",
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99)"
        " INSERT INTO accounts SELECT i, 100 FROM n",
    )
    writer = OTHERS.Process(target=transfers, args=(database, 400))
    writer.start()
    try:
        for _ in range(12):
            snapshot(database, copy, timeout=60)
            check(copy)
            assert sql(copy, "SELECT sum(money) FROM accounts") == [(10_000,)]
    finally:
        writer.join(60)
        assert writer.exitcode == 0
        writer.close()
    snapshot(database, copy)
    assert sql(copy, "SELECT count(*) FROM log") == [(400,)]


def test_a_snapshot_depends_on_the_state_alone(tmp_path: Path) -> None:
    """Two snapshots, and one after a checkpoint, are the same bytes, in rollback mode, alone."""
    database, room = tmp_path / "live", tmp_path / "room"
    room.mkdir()
    make(database, mode="wal")
    with program(database) as run:
        run("INSERT INTO items (name) VALUES ('x')")
        for name in ("one", "two"):
            snapshot(database, room / name)
        run("PRAGMA wal_checkpoint(TRUNCATE)")
        snapshot(database, room / "three")
    contents = [path.read_bytes() for path in room.iterdir()]
    assert len(contents) == 3
    assert len(set(contents)) == 1
    assert contents[0][18:20] == b"\1\1"
    assert {S_IMODE(path.stat().st_mode) for path in room.iterdir()} == {0o600}


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_snapshot_leaves_a_database_at_rest_as_it_is(tmp_path: Path, mode: str) -> None:
    """No checkpoint, no sidecar, no new time."""
    home = tmp_path / "home"
    home.mkdir()
    database = make(home / "App.sqlite", mode=mode)
    before = state(home)
    snapshot(database, tmp_path / "copy")
    assert state(home) == before
    assert names(tmp_path / "copy") == "abc"


@pytest.mark.parametrize(("die", "content"), [(crashed, "abc"), (interrupted, "a" * 5000)])
def test_a_snapshot_does_not_recover_the_original(
    tmp_path: Path, die: Callable[[Path], Path], content: str
) -> None:
    """What a crash left is read as recovered, and left for its own program to recover."""
    home = tmp_path / "home"
    home.mkdir()
    database = die(home / "App.sqlite")
    before = state(home)
    snapshot(database, tmp_path / "copy")
    assert state(home) == before
    assert names(tmp_path / "copy") == content
    assert {path.name for path in tmp_path.iterdir()} == {"home", "copy"}


def test_a_snapshot_leaves_the_log_of_a_running_program(tmp_path: Path) -> None:
    """Reading beside a program neither checkpoints nor removes its log."""
    database = make(tmp_path / "live", mode="wal")
    log = tmp_path / "live-wal"
    with program(database) as run:
        run("INSERT INTO items (name) VALUES ('x')")
        before = (database.read_bytes(), database.stat().st_mtime_ns, log.read_bytes())
        snapshot(database, tmp_path / "copy")
        assert before == (database.read_bytes(), database.stat().st_mtime_ns, log.read_bytes())
        assert run("SELECT count(*) FROM items") == [(4,)]
    assert names(tmp_path / "copy") == "abcx"


def test_what_cannot_be_read_in_place_is_copied_aside(tmp_path: Path) -> None:
    """As in a read-only folder: database and log go where they can be recovered."""
    room = tmp_path / "room"
    room.mkdir()
    aside = copy_aside(crashed(tmp_path / "App.sqlite"), room, timeout=5)
    assert names(aside) == "abc"


def test_a_copy_aside_of_a_moving_database_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changed while it was copied is copied again, and in the end refused."""
    database = make(tmp_path / "App.sqlite")
    keys = iter(["1", "2", "3", "3"])
    monkeypatch.setattr("buckia.sqlite.snapshots.dirty_key", lambda path: next(keys))
    assert names(copy_aside(database, tmp_path, timeout=5)) == "abc"
    keys = iter("12")
    with pytest.raises(LocalError, match="in use"):
        copy_aside(database, tmp_path, timeout=-1)


def test_a_folder_that_takes_no_sidecars_is_read_from_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says CANTOPEN or READONLY where it cannot make its index."""
    database = make(tmp_path / "App.sqlite")

    def refuse(path: Path, mode: Literal["ro", "rw"], timeout: float = 0) -> sqlite3.Connection:
        if path == database:
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error
        return connect(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr("buckia.sqlite.snapshots.connect", refuse)
        snapshot(database, tmp_path / "copy")
    assert names(tmp_path / "copy") == "abc"


def test_a_locked_database_is_an_error_with_advice(tmp_path: Path) -> None:
    """An exclusive lock elsewhere ends in words, in time, and in no copy."""
    database = make(tmp_path / "live")
    with program(database) as run:
        run("BEGIN EXCLUSIVE")
        with pytest.raises(LocalError, match="in use by another program; close it"):
            snapshot(database, tmp_path / "copy", timeout=0.05)
    assert [path.name for path in tmp_path.iterdir()] == ["live"]


def test_damage_is_an_error_and_no_copy(tmp_path: Path) -> None:
    """Cut short, overwritten, or never a database: all say so."""
    good = make(tmp_path / "good", "abc" * 2000).read_bytes()
    bad, copy = tmp_path / "bad", tmp_path / "copy"
    noise = bytes(range(256)) * 16
    for content in (good[:8192], good[:100] + noise, good[:4096] + noise + good[8192:]):
        bad.write_bytes(content)
        with pytest.raises(LocalError, match="is damaged"):
            snapshot(bad, copy)
        assert not copy.exists()
        with pytest.raises(LocalError, match="is damaged"):
            check(bad)
    for content in (b"", b"text"):
        bad.write_bytes(content)
        with pytest.raises(LocalError, match="not a SQLite database"):
            snapshot(bad, copy)
        with pytest.raises(LocalError, match="not a SQLite database"):
            check(bad)


def test_check_looks_into_indexes(tmp_path: Path) -> None:
    """What `quick_check` passes, and a snapshot therefore carries, a full check finds."""
    snapshot(unsorted(tmp_path / "db"), tmp_path / "copy")
    with pytest.raises(LocalError, match=r"is damaged .*by_name"):
        check(tmp_path / "copy")


def test_a_broken_constraint_is_not_damage(tmp_path: Path) -> None:
    """The program let such a row in; it is read like any other."""
    database = tmp_path / "db"
    sql(
        database,
        "CREATE TABLE t (a CHECK (a > 0))",
        "PRAGMA ignore_check_constraints=ON",
        "INSERT INTO t VALUES (-1)",
    )
    snapshot(database, tmp_path / "copy")
    check(tmp_path / "copy")
    assert sql(tmp_path / "copy", "SELECT a FROM t") == [(-1,)]


RESTYLE = {
    "nothing": [],
    "no-op update": ["UPDATE items SET name = name"],
    "insert and delete": ["INSERT INTO items VALUES (99, 'z')", "DELETE FROM items WHERE id = 99"],
    "delete and insert": ["DELETE FROM items WHERE id = 1", "INSERT INTO items VALUES (1, 'a')"],
    "vacuum": ["VACUUM"],
    "reindex": ["REINDEX"],
    "analyze": ["CREATE INDEX i ON items (name)", "ANALYZE", "DROP INDEX i"],
    "auto_vacuum": ["PRAGMA auto_vacuum=FULL", "VACUUM"],
    "page size": ["PRAGMA page_size=512", "VACUUM"],
    "large pages": ["PRAGMA page_size=65536", "VACUUM"],
    "journal mode": ["PRAGMA journal_mode=WAL"],
}


@pytest.mark.parametrize("how", RESTYLE)
def test_style_is_not_content(tmp_path: Path, how: str) -> None:
    """What changes pages but not what the database says keeps the hash."""
    database = make(tmp_path / "db")
    before = hash_of(database, tmp_path)
    sql(database, *RESTYLE[how])
    assert hash_of(database, tmp_path) == before


CHANGES = [
    "UPDATE items SET name = 'x' WHERE id = 1",
    "UPDATE items SET name = x'61' WHERE id = 1",
    "UPDATE items SET id = 9 WHERE id = 1",
    "DELETE FROM items WHERE id = 1",
    "INSERT INTO items (name) VALUES (NULL)",
    "PRAGMA user_version=7",
    "PRAGMA application_id=7",
    "CREATE INDEX i ON items (name)",
    "CREATE TRIGGER t AFTER INSERT ON items BEGIN SELECT 1; END",
    "CREATE VIEW v AS SELECT 1",
    "ALTER TABLE items ADD COLUMN more",
    "UPDATE sqlite_sequence SET seq = 50",
    "UPDATE bag SET a = 1.0",
    "UPDATE bag SET a = '1'",
    "INSERT INTO bag VALUES (1, 2)",
    "UPDATE bag SET a = 2, b = 1",
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_content_changes_the_hash(tmp_path: Path, change: str) -> None:
    """Rows, types, schema, versions and counters are content."""
    database = make(
        tmp_path / "db",
        more="CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE bag (a, b);"
        "INSERT INTO counted VALUES (5); INSERT INTO bag VALUES (1, 2)",
    )
    before = hash_of(database, tmp_path)
    sql(database, change)
    after = hash_of(database, tmp_path)
    assert before.startswith("rows:")
    assert after != before


def test_values_do_not_run_together(tmp_path: Path) -> None:
    """('ab', 'c') is not ('a', 'bc'), and a row of one table is not a row of another."""
    contents = [
        "INSERT INTO one VALUES ('ab', 'c')",
        "INSERT INTO one VALUES ('a', 'bc')",
        "INSERT INTO two VALUES ('ab', 'c')",
        "INSERT INTO one VALUES (x'6162', 'c')",
        "INSERT INTO one VALUES (CAST(x'ff' AS TEXT), 'c')",
        "INSERT INTO one VALUES (x'ff', 'c')",
        "INSERT INTO one VALUES (CAST(x'fe' AS TEXT), 'c')",
    ]
    hashes = set()
    for number, content in enumerate(contents):
        path = tmp_path / str(number)
        sql(path, "CREATE TABLE one (a, b)", "CREATE TABLE two (a, b)", content)
        hashes.add(logical_hash(path))
    assert len(hashes) == len(contents)


def test_encoding_is_content_and_text_is_not_its_bytes(tmp_path: Path) -> None:
    """UTF-16 databases are read and told from UTF-8, and their order of history does not count."""
    hashes: list[str] = []
    for encoding in ("UTF-8", "UTF-16le", "UTF-16be"):
        found = set()
        for order in ("é𝄞", "𝄞é"):
            path = tmp_path / f"{encoding}{order}"
            sql(path, f"PRAGMA encoding='{encoding}'", "CREATE TABLE t (name)")
            for letter in order:
                sql(path, f"INSERT INTO t VALUES ('{letter}')")
            found.add(hash_of(path, tmp_path))
        hashes += found
    assert len(set(hashes)) == len(hashes) == 3


def test_tables_of_every_kind_are_read(tmp_path: Path) -> None:
    """WITHOUT ROWID, FTS5, odd names, generated columns, extremes, and keys that are NULL."""
    shape = [
        'CREATE TABLE "a ""b\'; --" ("select" PRIMARY KEY, "x y") WITHOUT ROWID',
        "CREATE VIRTUAL TABLE search USING fts5 (body)",
        "CREATE TABLE made (a, b AS (a + 1), c AS (a * 2) STORED)",
        "CREATE TABLE loose (k TEXT PRIMARY KEY, v)",
        "CREATE TABLE rowid (rowid, oid, _rowid_)",
    ]
    fill = [
        'INSERT INTO "a ""b\'; --" VALUES (1, 9223372036854775807), (2, -9223372036854775808)',
        "INSERT INTO search VALUES ('one two')",
        "INSERT INTO made VALUES (1), (1e308), (NULL), (x'')",
        "INSERT INTO loose VALUES (NULL, 1), (NULL, 2), ('k', 3)",
        "INSERT INTO rowid VALUES (1, 2, 3), (1, 2, 3)",
    ]
    swapped = [*fill[:3], "INSERT INTO loose VALUES ('k', 3), (NULL, 2), (NULL, 1)", fill[4]]
    one, two = tmp_path / "one", tmp_path / "two"
    sql(one, *shape, *fill)
    sql(two, *shape, *swapped)
    assert logical_hash(one).startswith("rows:")
    assert hash_of(one, tmp_path) == logical_hash(one) == logical_hash(two)
    for change in (
        'UPDATE "a ""b\'; --" SET "x y" = 0 WHERE "select" = 2',
        "UPDATE search SET body = 'one three'",
        "UPDATE made SET a = 2 WHERE a = 1",
        "UPDATE loose SET k = 'j' WHERE v = 2",
        "DELETE FROM rowid WHERE (SELECT 1)",
    ):
        shutil.copy(two, tmp_path / "three")
        sql(tmp_path / "three", change)
        assert logical_hash(tmp_path / "three") != logical_hash(one), change


def test_rows_only_their_program_can_read_are_compared_by_page(tmp_path: Path) -> None:
    """A collation that is not here: the snapshot is still taken, checked and named."""
    hashes: list[str] = []
    for count in (5, 5, 6):
        database, copy = unreadable(tmp_path / str(len(hashes)), count), tmp_path / "copy"
        snapshot(database, copy)
        check(copy)
        hashes.append(logical_hash(copy))
    assert hashes[0] == hashes[1] != hashes[2]
    assert all(found.startswith("pages:") for found in hashes)


def test_equal_numbers_of_two_types_have_an_order(tmp_path: Path) -> None:
    """1 and 1.0 sort as equals, so whichever came first must not decide."""
    hashes = set()
    for values in ("(1), (1.0)", "(1.0), (1)"):
        path = tmp_path / values
        sql(path, "CREATE TABLE t (a)", f"INSERT INTO t VALUES {values}")
        hashes.add(logical_hash(path))
    assert len(hashes) == 1


@pytest.mark.parametrize("size", [512, 65536])
def test_extreme_page_sizes(tmp_path: Path, size: int) -> None:
    """The smallest and the largest page give the same content."""
    database = make(tmp_path / "db", "abc" * 500, size=size)
    plain = make(tmp_path / "plain", "abc" * 500)
    assert sql(database, "PRAGMA page_size") == [(size,)]
    assert hash_of(database, tmp_path) == hash_of(plain, tmp_path)


VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.binary(max_size=8),
)
TABLES = {
    "integer": "CREATE TABLE t (k INTEGER PRIMARY KEY, a, b)",
    "without rowid": "CREATE TABLE t (k PRIMARY KEY, a, b) WITHOUT ROWID",
    "keyed": "CREATE TABLE t (k PRIMARY KEY, a, b)",
    "bag": "CREATE TABLE t (k, a, b)",
}
Row = tuple[object, ...]


def build(path: Path, shape: str, rows: list[Row], detour: list[Row], *after: str) -> str:
    """The hash of a table that was filled with rows, some of which did not stay."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous=OFF")
        database.execute(TABLES[shape])
        database.executemany("INSERT INTO t VALUES (?, ?, ?)", detour)
        database.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
        database.execute("DELETE FROM t WHERE k < 0")
        for statement in after:
            database.execute(statement)
    return logical_hash(path)


@settings(deadline=None, max_examples=40)
@given(data=st.data(), shape=st.sampled_from(sorted(TABLES)))
def test_history_is_not_content(data: st.DataObject, shape: str) -> None:
    """Any order, detour and rearrangement gives one hash; any other row gives another."""
    values = data.draw(st.lists(st.tuples(VALUES, VALUES), max_size=12))
    rows: list[Row] = [(key, *pair) for key, pair in enumerate(values)]
    mixed = data.draw(st.permutations(rows))
    detour: list[Row] = [
        (-1 - n, *pair) for n, pair in enumerate(data.draw(st.permutations(values)))
    ]
    style = data.draw(st.sampled_from(["VACUUM", "REINDEX", "ANALYZE", "UPDATE t SET a = a"]))
    changed: list[Row] = [*rows, (len(rows), None, None)]
    if rows:
        place = data.draw(st.integers(0, len(rows) - 1))
        key, a, b = rows[place]
        changed = [*rows[:place], (key, a, f"not {b!r}"), *rows[place + 1 :]]
    with TemporaryDirectory() as folder:
        room = Path(folder)
        plain = build(room / "plain", shape, rows, [])
        assert build(room / "mixed", shape, mixed, detour, style) == plain
        assert build(room / "changed", shape, changed, []) != plain


def test_sidecars_are_named_as_sqlite_names_them(tmp_path: Path) -> None:
    """What appears beside a database in use is in `SIDECARS`, all of it."""
    database = make(tmp_path / "App.sqlite", mode="wal")
    other = make(tmp_path / "other")
    with program(database) as run, program(other) as tell:
        run("INSERT INTO items (name) VALUES ('x')")
        tell("BEGIN IMMEDIATE")
        tell("INSERT INTO items (name) VALUES ('x')")
        seen = {path.name for path in tmp_path.iterdir()} - {"App.sqlite", "other"}
    assert seen == {"App.sqlite-wal", "App.sqlite-shm", "other-journal"}
    assert {name[name.index("-") :] for name in seen} == set(SIDECARS)
