"""What `manifest: true` publishes is what a pull takes, after an apply and in the middle of one."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from buckia import IncompleteError, pull
from buckia.config import file as config_file
from buckia.project import Project
from buckia.runs.pulling import pauses
from tests.publishing import tree
from tests.servers.folder import WebFolder, serve_folder

CONFIG = """
content:
  provider: local
  bucket_name: bucket
  paths: [assets/]
  delete_orphaned: true
  limits: {max_delete: 100%}
  manifest: true
  media_refs: SELECT path FROM media
"""
APPLIES = 12


class Editor:
    """Somebody who changes pictures and the database that names them, and applies it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "assets/F"
        (self.folder / "images").mkdir(parents=True)
        (root / "bucket").mkdir()
        (root / ".buckia").write_text(CONFIG)
        self._chance = random.Random(5)

    def edit(self, number: int) -> None:
        """New pictures, others under their old names, and some that go."""
        for path in self._chance.sample(sorted(self._pictures()), len(self._pictures()) // 2):
            path.unlink()
        for n in range(6):
            name = f"{number}-{n}.jpg" if n % 2 else f"{n}.jpg"
            (self.folder / "images" / name).write_bytes(self._chance.randbytes(2000))
        with closing(sqlite3.connect(self.folder / "App.sqlite")) as made, made:
            made.execute("CREATE TABLE IF NOT EXISTS media (path TEXT PRIMARY KEY, sha256 TEXT)")
            made.execute("DELETE FROM media")
            made.executemany(
                "INSERT INTO media VALUES (?, ?)",
                (
                    (f"images/{path.name}", hashlib.sha256(path.read_bytes()).hexdigest())
                    for path in self._pictures()
                ),
            )

    def _pictures(self) -> list[Path]:
        return list((self.folder / "images").iterdir())

    def apply(self) -> None:
        """Plan and apply."""
        with Project(config_file.load(self.root / ".buckia")) as project:
            done = project.apply(project.plan())
            assert not done.failed


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    return Editor(tmp_path / "project")


@pytest.fixture
def server(editor: Editor) -> Iterator[WebFolder]:
    with serve_folder() as running:
        running.root = editor.root / "bucket/F"
        yield running


def faults(folder: Path) -> list[str]:
    """Pictures that the database names and that are not there, or are others."""
    with closing(sqlite3.connect(folder / "App.sqlite")) as got:
        named = got.execute("SELECT path, sha256 FROM media").fetchall()
    assert named
    return [
        path
        for path, digest in named
        if not (folder / path).is_file()
        or hashlib.sha256((folder / path).read_bytes()).hexdigest() != digest
    ]


def test_what_was_applied_is_what_is_pulled(
    editor: Editor, server: WebFolder, tmp_path: Path
) -> None:
    """One generation after the other; blocks and digests are those of the bytes in the bucket."""
    for number in range(3):
        editor.edit(number)
        (editor.folder / "big").write_bytes(bytes(1_500_000) + bytes([number]))
        editor.apply()
        server.forget()
        done = pull(server.url, tmp_path / "F")
        assert done.generation == number + 1 and done.kept == ()
        here, there = tree(tmp_path / "F"), tree(editor.folder)
        assert here.keys() == there.keys() and faults(tmp_path / "F") == []
        assert all(data == there[path] for path, data in here.items() if path != "App.sqlite")
        if number:
            assert server.sent < 200_000


@pytest.mark.promise("INV-23")
def test_pulls_in_the_middle_of_applies_are_whole(
    editor: Editor, server: WebFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pull ends with a folder of one generation, or leaves the one before; no row is ever without
    its picture."""
    monkeypatch.setattr(pauses, "FIRST", 0.001)
    editor.edit(0)
    editor.apply()
    done = threading.Event()
    problems: list[BaseException] = []

    def publishing() -> None:
        try:
            for number in range(1, APPLIES + 1):
                editor.edit(number)
                editor.apply()
        except BaseException as problem:
            problems.append(problem)
        finally:
            done.set()

    applying = threading.Thread(target=publishing)
    applying.start()
    while not done.is_set():
        try:
            pull(server.url, tmp_path / "F", wait=0.2)
        except IncompleteError:
            if not (tmp_path / "F/App.sqlite").exists():
                continue
        assert faults(tmp_path / "F") == []
    applying.join()
    assert problems == []
    assert pull(server.url, tmp_path / "F").generation == APPLIES + 1
    assert faults(tmp_path / "F") == []
