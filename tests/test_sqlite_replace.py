"""A database is replaced whole or not at all, whoever uses it and whenever the power fails."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from stat import S_IMODE

import pytest

from buckia.errors import LocalError
from buckia.sqlite import SIDECARS, is_database, logical_hash, replace
from buckia.sqlite import replacement as sqlite_replacement
from tests.sqlite_helpers import (
    crashed,
    interrupted,
    keeping,
    make,
    names,
    program,
    replace_until,
    sql,
    state,
    unreadable,
    unsorted,
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of the target, where nothing may be left behind."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """What arrived: three rows, in WAL mode as a careless program would ship it."""
    path = make(tmp_path / "new", "xyz", mode="wal")
    path.chmod(0o600)
    return path


def refuse(copy: Path) -> None:
    """A `keep` that must not be called."""
    raise AssertionError(copy)


@pytest.mark.parametrize("size", [512, 4096, 65536])
@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_an_idle_database_is_replaced(home: Path, tmp_path: Path, mode: str, size: int) -> None:
    """Whatever the page sizes: new rows, old mode of journal, a kept copy, and nothing else."""
    target = make(home / "App.sqlite", mode=mode)
    new, kept = make(tmp_path / "new", "xyz" * 300, size=size), tmp_path / "kept"
    expected = logical_hash(new)
    target.chmod(0o640)
    replace(new, target, keeping(kept))
    assert names(target) == "xyz" * 300
    assert logical_hash(target) == expected
    assert sql(target, "PRAGMA journal_mode") == [(mode,)]
    assert sql(target, "PRAGMA page_size") == [(size,)]
    assert S_IMODE(target.stat().st_mode) == 0o640
    assert [path.name for path in home.iterdir()] == ["App.sqlite"]
    assert {path.name for path in tmp_path.iterdir()} == {"home", "kept"}
    assert names(kept) == "abc"
    assert S_IMODE(kept.stat().st_mode) == S_IMODE(target.stat().st_mode) == 0o640


def test_a_larger_database_gives_way_to_a_smaller(home: Path, new: Path) -> None:
    """Nothing of the old one is left in the file."""
    target = make(home / "App.sqlite", "abc" * 20_000)
    replace(new, target, None)
    assert names(target) == "xyz"
    assert target.stat().st_size < 20_000


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_database_without_tables_is_one_too(home: Path, tmp_path: Path, mode: str) -> None:
    """One page is written in the one step that also takes the lock."""
    target, new = make(home / "App.sqlite", mode=mode), tmp_path / "new"
    sql(new, "PRAGMA user_version=3")
    replace(new, target, None)
    assert sql(target, "SELECT * FROM sqlite_master") == []
    assert sql(target, "PRAGMA user_version") == [(3,)]


def test_rows_only_their_program_can_read_are_replaced_too(home: Path, tmp_path: Path) -> None:
    """The proof by pages does not mind the counters that every write moves."""
    target, new = make(home / "App.sqlite"), unreadable(tmp_path / "new", 5)
    sql(new, *["PRAGMA user_version=1", "PRAGMA user_version=0"] * 5)
    replace(new, target, None)
    assert sql(target, "SELECT count(*) FROM sqlite_master WHERE type = 'table'") == [(2,)]


def test_a_reader_keeps_what_it_sees(home: Path, new: Path) -> None:
    """An open transaction ends on the old rows; the next one of the same program sees the new."""
    target = make(home / "App.sqlite", mode="wal")
    with program(target) as run:
        run("BEGIN")
        assert run("SELECT count(*) FROM items") == [(3,)]
        replace(new, target, None)
        assert names(target) == "xyz"
        assert run("SELECT group_concat(name, '') FROM items") == [("abc",)]
        run("COMMIT")
        assert run("SELECT group_concat(name, '') FROM items") == [("xyz",)]
        assert run("PRAGMA journal_mode") == [("wal",)]


def test_an_open_program_goes_on_with_the_new_rows(home: Path, new: Path) -> None:
    """A rename under it would give its next write, and every opener, the old rows back."""
    target = make(home / "App.sqlite", mode="wal")
    with program(target) as run:
        run("INSERT INTO items (name) VALUES ('d')")
        replace(new, target, None)
        run("INSERT INTO items (name) VALUES ('!')")
        assert names(target) == "xyz!"
    assert names(target) == "xyz!"
    assert sql(target, "PRAGMA integrity_check") == [("ok",)]


def test_what_only_the_log_held_is_kept(home: Path, tmp_path: Path, new: Path) -> None:
    """The copy for the trash has the last commits of the old database."""
    target, kept = crashed(home / "App.sqlite"), tmp_path / "kept"
    replace(new, target, keeping(kept))
    assert names(kept) == "abc"
    assert names(target) == "xyz"
    assert [path.name for path in home.iterdir()] == ["App.sqlite"]


def test_a_hot_journal_cannot_undo_the_new_database(home: Path, tmp_path: Path, new: Path) -> None:
    """A transaction that was cut off is rolled back before, not after."""
    target, kept = interrupted(home / "App.sqlite"), tmp_path / "kept"
    replace(new, target, keeping(kept))
    assert names(kept) == "a" * 5000
    assert names(target) == "xyz"
    assert [path.name for path in home.iterdir()] == ["App.sqlite"]


@pytest.mark.promise("INV-21")
def test_a_stale_log_undoes_a_plain_copy_but_not_a_replacement(
    home: Path, tmp_path: Path, new: Path
) -> None:
    """SQLite shows the old table in a fresh file beside an old log, and finds it sound."""
    fresh = make(tmp_path / "fresh", "fresh")
    target = crashed(home / "App.sqlite")
    shutil.copy(fresh, target)
    copy = tmp_path / "copy"
    for suffix in ("", "-wal"):
        shutil.copy(f"{target}{suffix}", f"{copy}{suffix}")
    assert names(copy) == "abc"
    assert sql(copy, "PRAGMA integrity_check") == [("ok",)]
    replace(new, target, None)
    assert names(target) == "xyz"


@pytest.mark.parametrize("die", [crashed, interrupted])
def test_leftovers_without_a_database_are_kept_and_removed(
    home: Path, tmp_path: Path, new: Path, die: Callable[[Path], Path]
) -> None:
    """They would be taken for part of what comes to their name."""
    target = die(home / "App.sqlite")
    target.unlink()
    (log,) = [path for path in home.iterdir() if path.name != "App.sqlite-shm"]
    before, kept = log.read_bytes(), tmp_path / "kept"
    replace(new, target, keeping(kept))
    assert kept.read_bytes() == before
    assert names(target) == "xyz"
    assert [path.name for path in home.iterdir()] == ["App.sqlite"]


@pytest.mark.parametrize("content", [b"", b"not a database"])
def test_a_plain_file_is_renamed_over(
    home: Path, tmp_path: Path, new: Path, content: bytes
) -> None:
    """An empty or foreign file goes, its permissions stay, stray sidecars with it."""
    target, kept = home / "App.sqlite", tmp_path / "kept"
    for suffix in SIDECARS:
        (home / f"App.sqlite{suffix}").touch()
    target.write_bytes(content)
    target.chmod(0o644)
    replace(new, target, keeping(kept) if content else refuse)
    assert names(target) == "xyz"
    assert kept.exists() == bool(content)
    assert not content or kept.read_bytes() == content
    assert S_IMODE(target.stat().st_mode) == 0o644
    assert [path.name for path in home.iterdir()] == ["App.sqlite"]


def test_where_nothing_is_the_new_file_is_private(home: Path, new: Path) -> None:
    """A first download keeps nothing and lands as it came."""
    replace(new, home / "App.sqlite", refuse)
    assert (home / "App.sqlite").read_bytes()[18:20] == b"\1\1"
    assert names(home / "App.sqlite") == "xyz"
    assert S_IMODE((home / "App.sqlite").stat().st_mode) == 0o600
    assert not new.exists()


def test_a_damaged_database_can_be_replaced(home: Path, tmp_path: Path, new: Path) -> None:
    """Restoring over it is what a backup is for; its bytes are kept as they are."""
    target, kept = make(home / "App.sqlite"), tmp_path / "kept"
    target.write_bytes(target.read_bytes()[:20] + bytes(range(200)) * 30)
    content = target.read_bytes()
    replace(new, target, keeping(kept))
    assert kept.read_bytes() == content
    assert names(target) == "xyz"


HOLDS = {
    "a writer": ("delete", 4096, ["BEGIN IMMEDIATE"]),
    "a writer of a log": ("wal", 4096, ["BEGIN IMMEDIATE"]),
    "a reader": ("delete", 4096, ["BEGIN", "SELECT * FROM items"]),
    "an exclusive lock": ("delete", 4096, ["BEGIN EXCLUSIVE"]),
    "an open log, other pages": ("wal", 512, ["SELECT * FROM items"]),
    "a reader, other pages": ("delete", 512, ["BEGIN", "SELECT * FROM items"]),
}


@pytest.mark.parametrize("hold", HOLDS)
def test_a_held_database_is_left_alone(home: Path, tmp_path: Path, hold: str) -> None:
    """Busy is an error with advice; nothing changed, and the same call works once it is free."""
    mode, size, statements = HOLDS[hold]
    target, new = make(home / "App.sqlite", mode=mode), make(tmp_path / "new", "xyz", size=size)
    content, arrived = target.read_bytes(), new.read_bytes()
    with program(target) as run:
        for statement in statements:
            run(statement)
        with pytest.raises(LocalError, match="in use by another program; close it"):
            replace(new, target, None, timeout=0.05)
        assert run("SELECT group_concat(name, '') FROM items") == [("abc",)]
    assert names(target) == "abc"
    assert target.read_bytes() == content
    assert new.read_bytes() == arrived
    replace(new, target, None)
    assert names(target) == "xyz"


def test_an_empty_file_that_is_held_is_left_alone(home: Path, new: Path) -> None:
    """A program that is about to create its tables has locked a file of no bytes."""
    target = home / "App.sqlite"
    with program(target) as run:
        run("BEGIN EXCLUSIVE")
        with pytest.raises(LocalError, match="in use"):
            replace(new, target, refuse)
        run("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT)")
        run("INSERT INTO items VALUES (1, 'a')")
        run("COMMIT")
    assert names(target) == "a"


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_commit_after_the_copy_is_not_lost(
    home: Path, tmp_path: Path, new: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the copy for the trash and the replacement, a program may write: then it is busy."""
    target, kept = make(home / "App.sqlite", mode=mode), tmp_path / "kept"
    real = sqlite_replacement._unless_changed
    with program(target) as run:

        def late(*args: object) -> object:
            run("INSERT INTO items (name) VALUES ('!')")
            return real(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(sqlite_replacement, "_unless_changed", late)
        with pytest.raises(LocalError, match="in use"):
            replace(new, target, keeping(kept))
    assert names(target) == "abc!"


def test_what_took_hold_of_the_wrong_rows_is_told(
    home: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target is read again, and rows that are not the new ones are an error."""
    target = make(home / "App.sqlite")
    real = sqlite_replacement._prove

    def late(*args: object) -> None:
        sql(target, "UPDATE items SET name = '?'")
        real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(sqlite_replacement, "_prove", late)
    with pytest.raises(LocalError, match="does not hold what was put there"):
        replace(new, target, None)


def test_a_bad_arrival_replaces_nothing(home: Path, tmp_path: Path, new: Path) -> None:
    """Damaged, or no database at all: refused before the target is looked at."""
    target = make(home / "App.sqlite")
    before = state(home)
    content = make(tmp_path / "good", "abc" * 5000).read_bytes()
    for bad in (b"", b"text", content[:8192], unsorted(tmp_path / "bad").read_bytes()):
        new.write_bytes(bad)
        with pytest.raises(LocalError):
            replace(new, target, refuse)
    assert state(home) == before


def test_a_trash_that_fails_stops_the_replacement(home: Path, new: Path) -> None:
    """What cannot be kept is not overwritten."""
    for target in (make(home / "App.sqlite"), home / "plain"):
        if target.name == "plain":
            target.write_text("plain")
        before = target.read_bytes()
        with pytest.raises(LocalError, match="No space left"):
            replace(new, target, full)
        assert target.read_bytes() == before


def full(copy: Path) -> None:
    """A trash on a full disk."""
    raise OSError(28, "No space left on device", str(copy))


def databases(home: Path, kind: str) -> Path:
    """A target of one kind."""
    target = home / "App.sqlite"
    if kind == "plain":
        target.write_text("abc")
    elif kind == "leftover":
        crashed(target).unlink()
    elif kind == "crashed":
        crashed(target)
    else:
        make(target, mode=kind.removesuffix(" pages"))
    return target


KINDS = {
    "plain": range(12),
    "leftover": range(12),
    "crashed": (0, 1, 2, 60, 100),
    "delete": (0, 1, 2, 60, 100),
    "wal": (1, 2, 60, 100),
    "delete pages": (1, 2, 60, 100),
    "wal pages": (0, 1, 2, 60, 100),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.promise("INV-7")
def test_killed_at_any_step_it_is_old_or_new(tmp_path: Path, home: Path, kind: str) -> None:
    """After a kill -9 anywhere the target is the old or the new one; run again, the new one."""
    size = 512 if "pages" in kind else 4096
    rows = "xyz" * (2000 if size == 512 else 16_000)
    new, kept = tmp_path / "new", tmp_path / "kept"
    for step in (*KINDS[kind], 10**6):
        for path in (*home.iterdir(), *(p for p in tmp_path.iterdir() if p.is_file())):
            path.unlink()
        target = databases(home, kind)
        killed = replace_until(step, make(new, rows, size=size), target, kept)
        assert killed == (step < 10**6) or kind in ("plain", "leftover")
        if content(target) == rows:
            assert kind == "leftover" or content(kept) == "abc"
        else:
            assert content(target) == ("" if kind == "leftover" else "abc")
            replace(new, target, None)
        assert names(target) == rows


def content(path: Path) -> str:
    """The letters of a database or a plain file; none when there is none."""
    if not path.exists():
        return ""
    return names(path) if is_database(path) else path.read_text()


def test_a_reader_in_the_same_process_keeps_what_it_sees(home: Path, new: Path) -> None:
    """The program that embeds buckia may have the database open itself."""
    target = make(home / "App.sqlite", mode="wal")
    with closing(sqlite3.connect(target, isolation_level=None)) as app:
        app.execute("BEGIN")
        assert app.execute("SELECT count(*) FROM items").fetchall() == [(3,)]
        replace(new, target, None)
        assert app.execute("SELECT group_concat(name, '') FROM items").fetchall() == [("abc",)]
        app.execute("COMMIT")
        assert app.execute("SELECT group_concat(name, '') FROM items").fetchall() == [("xyz",)]
