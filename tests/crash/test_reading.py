"""Somebody writes, an app reads all the while: it never has a database without its media."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from buckia import planfile
from buckia.project import Project
from tests.crash.child import SHRUNK, apply, forked, open_all
from tests.reader import DATABASE, QUERY, SCHEMA, Reading, Told, is_consistent, reading

FOLDER: Final = "demo"
FEW, MANY = 4, 50
MEDIA: Final = 8

CONFIG: Final = f"""\
main:
  provider: local
  bucket_name: ../bucket
  paths: [tree/]
  manifest: true
  media_refs: {QUERY}
  delete_orphaned: true
  limits: {{max_delete: 100%}}
"""


@pytest.fixture(autouse=True)
def usual_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sizes of pieces are small for the tests here alone."""
    for module, name in SHRUNK:
        monkeypatch.setattr(module, name, getattr(module, name))


class Home:
    """A project whose folder has media and a database about them."""

    def __init__(self, place: Path) -> None:
        self.root, self.bucket = place / "project", place / "bucket"
        self.folder = self.root / "tree" / FOLDER
        (self.folder / "media").mkdir(parents=True)
        (self.bucket / FOLDER).mkdir(parents=True)
        (self.root / ".buckia").write_text(textwrap.dedent(CONFIG))
        with closing(sqlite3.connect(self.folder / DATABASE)) as database:
            database.execute(SCHEMA)

    def edit(self, turn: int) -> None:
        """Add media, change some where they are, delete others, and have the database say so."""
        names = [f"media/{number}.bin" for number in range(turn, turn + MEDIA)]
        for number, name in enumerate(names):
            path = self.folder / name
            if not path.exists() or number % 3 == turn % 3:
                path.write_bytes(random.Random(f"{turn} {name}").randbytes(20_000))
        for path in (self.folder / "media").iterdir():
            if f"media/{path.name}" not in names:
                path.unlink()
        rows = [(n, hashlib.sha256((self.folder / n).read_bytes()).hexdigest()) for n in names]
        with closing(sqlite3.connect(self.folder / DATABASE)) as database, database:
            database.execute("DELETE FROM media")
            database.executemany("INSERT INTO media VALUES (?, ?)", rows)

    def open(self) -> Project:
        return open_all(self.root, "serial")

    def sync(self) -> None:
        with self.open() as project:
            applied = project.apply(project.plan())
            assert not applied.failed, applied.failed

    def steps(self) -> int:
        """How many steps the last counted run had."""
        return int((self.root.parent / "trace").read_text().rpartition("steps ")[2])


def cut(home: Home, number: int, steps: int, reader: Reading) -> None:
    """Apply and be killed on the way, at another place each time; then finish, with the same plan
    or a new one."""
    with home.open() as project:
        plan = project.plan()
    last = 1 + number * 7919 % steps
    code = forked(lambda: apply(home.open(), plan, last, "serial"), told=home.root.parent / "told")
    assert code in (0, -9), (home.root.parent / "told").read_text()
    reader.look()
    with home.open() as project:
        again = plan if number % 2 else project.plan()
        assert not project.apply(planfile.read(planfile.write(again))).failed
        assert not project.plan().actions


def counted(home: Home) -> int:
    """How many steps an apply has, by one that is not cut."""
    with home.open() as project:
        plan = project.plan()
    code = forked(lambda: apply(home.open(), plan, 0, "serial"), told=home.root.parent / "told")
    assert code == 0, (home.root.parent / "told").read_text()
    return home.steps()


def lived(place: Path, turns: int, *, killed: bool) -> Told:
    """What a reader saw of so many applies."""
    home = Home(place)
    home.edit(0)
    home.sync()
    home.edit(1)
    steps = counted(home) if killed else 0
    with reading(str(home.bucket), FOLDER) as reader:
        for number in range(2, turns + 2):
            home.edit(number)
            if killed:
                cut(home, number, steps, reader)
            else:
                home.sync()
        told, generation = reader.stop()
    assert generation >= turns
    return told


@pytest.mark.parametrize("killed", [False, True], ids=["whole", "killed"])
@pytest.mark.parametrize(
    "turns", [FEW, pytest.param(MANY, marks=pytest.mark.full)], ids=["few", "many"]
)
@pytest.mark.promise("INV-24")
def test_a_reader_never_has_a_database_without_its_media(
    tmp_path: Path, turns: int, killed: bool, record_property: Callable[[str, object], None]
) -> None:
    """It polls manifest, database and media over HTTP while applies change, add and delete media
    and change the database; in the other case each is killed somewhere and finished afterwards."""
    told = lived(tmp_path, turns, killed=killed)
    print(f"{turns} applies{', each killed once' if killed else ''}: {told}")
    record_property("reader", str(told))
    assert told.inconsistent == 0
    assert told.taken > 1


def test_what_a_reader_counts_is_what_it_would_miss() -> None:
    """A row without its media, and one whose media is another, are inconsistent."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(SCHEMA)
        whole = {DATABASE: database.serialize()}
        database.execute("INSERT INTO media VALUES ('a', ?)", [hashlib.sha256(b"1").hexdigest()])
        database.commit()
        data = database.serialize()
    assert is_consistent(whole)
    assert is_consistent({DATABASE: data, "a": b"1"})
    assert not is_consistent({DATABASE: data})
    assert not is_consistent({DATABASE: data, "a": b"2"})
