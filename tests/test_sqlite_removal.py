"""A database goes while nobody has it open, and all of its rows are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from buckia.errors import LocalError
from buckia.sqlite import discard, displace, logical_hash, snapshot
from tests.helpers import ALL_DELETIONS, World, ops
from tests.sqlite_helpers import (
    crashed,
    hash_of,
    interrupted,
    keeping,
    make,
    names,
    program,
    sql,
    state,
)

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of the database, where nothing may be left behind."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def room(home: Path) -> Path:
    """A folder for temporary files in the same file system."""
    made = home.parent / "room"
    made.mkdir(exist_ok=True)
    return made


def delete(target: Path, kept: Path) -> None:
    discard(target, keeping(kept), room(target.parent))


def put_text(target: Path, kept: Path) -> None:
    new = room(target.parent) / "new"
    new.write_text("plain")
    displace(new, target, keeping(kept))


WAYS: list[Callable[[Path, Path], None]] = [delete, put_text]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("before", [make, crashed, interrupted], ids=["idle", "log", "hot journal"])
@pytest.mark.promise("INV-15")
def test_what_lies_beside_it_is_part_of_it(
    home: Path, way: Callable[[Path, Path], None], before: Callable[[Path], Path]
) -> None:
    """Rows that are only in the log are kept, a transaction that was cut is rolled back, and no
    sidecar stays to be taken for part of the next database of that name."""
    target, kept = before(home / "App.sqlite"), home.parent / "kept"
    target.chmod(0o640)
    rows = hash_of(target, home.parent)
    way(target, kept)
    assert logical_hash(kept) == rows
    assert kept.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in home.iterdir()] == (["App.sqlite"] if way is put_text else [])
    assert [path for path in room(home).iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("mode", "statement"), [
    ("wal", "SELECT * FROM items"),
    ("delete", "BEGIN IMMEDIATE"),
    ("delete", "BEGIN; SELECT * FROM items"),
])  # fmt: skip
def test_a_database_in_use_stays(
    home: Path, way: Callable[[Path, Path], None], mode: str, statement: str
) -> None:
    """Its program would go on writing to a file without a name."""
    target = make(home / "App.sqlite", mode=mode)
    with program(target) as run:
        for part in statement.split("; "):
            run(part)
        before = {path.name for path in home.iterdir()}
        with pytest.raises(LocalError, match="in use by another program"):
            way(target, home.parent / "kept")
        assert {path.name for path in home.iterdir()} == before
        run("INSERT INTO items (name) VALUES ('d')")
    assert not (home.parent / "kept").exists()
    assert names(target).startswith("abc")


@pytest.mark.parametrize("way", WAYS)
def test_rows_written_after_the_copy_are_not_lost(
    home: Path, monkeypatch: pytest.MonkeyPatch, way: Callable[[Path, Path], None]
) -> None:
    """What is kept would lack them, so the database stays."""
    target = make(home / "App.sqlite")

    def late(path: Path, into: Path) -> None:
        snapshot(path, into)
        sql(path, "INSERT INTO items (name) VALUES ('d')")

    monkeypatch.setattr("buckia.sqlite.removal.snapshot", late)
    with pytest.raises(LocalError, match="in use"):
        way(target, home.parent / "kept")
    assert names(target) == "abcd"
    assert not (home.parent / "kept").exists()


def test_nothing_is_kept_where_there_is_no_trash(home: Path) -> None:
    target = make(home / "App.sqlite")
    discard(target, None, room(home))
    assert state(home) == {}


@pytest.mark.promise("INV-15")
def test_a_database_that_becomes_a_plain_file_is_in_the_trash_with_all_its_rows(
    tmp_path: Path,
) -> None:
    """Through a plan, and back from the trash."""
    world = World(tmp_path, **ALL_DELETIONS)
    crashed(world.tree / "App.sqlite")
    world.write("k", b"1")
    world.sync()
    world.put("App.sqlite", b"no database any more")
    world.sync()
    assert world.local() == {"App.sqlite": b"no database any more", "k": b"1"}
    with world.open() as project, project.trash(alone=True) as trash:
        trash.restore(trash.find("tree/App.sqlite")["tree/App.sqlite"], "tree/App.sqlite")
    assert names(world.tree / "App.sqlite") == "abc"
    assert ops(world.plan()) == ["upload App.sqlite"]


def test_a_database_that_is_deleted_while_it_is_open_waits(tmp_path: Path) -> None:
    """The action fails in one line, and the same plan goes on once it is closed."""
    world = World(tmp_path, **ALL_DELETIONS)
    make(world.tree / "App.sqlite", mode="wal")
    world.write("k", b"1")
    world.sync()
    world.drop("App.sqlite")
    plan = world.plan()
    with program(world.tree / "App.sqlite") as run:
        run("SELECT * FROM items")
        (failed,) = world.apply(plan).failed
        assert "in use by another program" in str(failed.error)
        assert (world.tree / "App.sqlite").exists()
    world.apply(plan)
    assert world.local() == {"k": b"1"}
