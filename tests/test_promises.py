"""Promises of docs/safety.md that no other page of tests holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from buckia.model import Entry
from buckia.stores import reading
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World, ops, read_all
from tests.test_engine import busy_world

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.mark.promise("INV-18")
def test_a_plan_changes_nothing_anywhere(tmp_path: Path) -> None:
    """With every kind of action ahead: no file, no time, no object; only the hash cache learns."""
    store = MemoryStore()
    world = busy_world(tmp_path, store)
    before, objects = pictures(tmp_path), read_all(store)
    assert len(world.plan().actions) >= 5
    assert pictures(tmp_path) == before
    assert read_all(store) == objects


@pytest.mark.promise("INV-18")
def test_a_plan_in_a_new_project_leaves_only_a_cache(tmp_path: Path) -> None:
    """Not even a lockfile."""
    world = World(tmp_path)
    world.write("a", b"1")
    os.utime(world.tree / "a", (1, 1))
    world.plan()
    found = {path.name for path in world.root.rglob("*")}
    assert found <= {"tree", "a", ".buckia.d", ".gitignore", "cache.sqlite"}


def pictures(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file with its mode, its time and its bytes; the cache left out."""
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and path.name != "cache.sqlite"
    }


class Late(MemoryStore):
    """A bucket that takes so long to begin with a body that its file is edited meanwhile."""

    edited: Path | None = None

    def put(self, entry: Entry, body: Any, *, replacing: Entry | None) -> Entry:
        if self.edited and entry.key == self.edited.name:
            self.edited.write_bytes(b"another version")
        return super().put(entry, body, replacing=replacing)


@pytest.mark.promise("INV-11")
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_file_that_changes_while_it_is_sent_does_not_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bytes | None
) -> None:
    """Neither as a new object nor over an old one; the next plan sends what is there then."""
    monkeypatch.setattr(reading, "TINY", 0)
    store = Late()
    world = World(tmp_path, {"main": store}, **ALL_DELETIONS).settled({"b": b"2"})
    if old is not None:
        world.settled({"a": old})
    before = world.remote()
    path = world.write("a", b"as was planned!")
    plan = world.plan()
    store.edited = path
    applied = world.apply(plan)
    assert [item.key for item in applied.failed] == ["a"]
    assert world.remote() == before
    store.edited = None
    assert ops(world.plan()) == ["upload a"]
    world.sync()
    assert world.remote()["a"] == b"another version"


@pytest.mark.promise("INV-11")
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_tiny_file_that_changes_while_it_is_sent_arrives_as_planned(
    tmp_path: Path, old: bytes | None
) -> None:
    """It was read and proved before anything was sent; the next plan sends what is there then."""
    store = Late()
    world = World(tmp_path, {"main": store}, **ALL_DELETIONS).settled({"b": b"2"})
    if old is not None:
        world.settled({"a": old})
    path = world.write("a", b"as was planned!")
    plan = world.plan()
    store.edited = path
    assert not world.apply(plan).failed
    assert world.remote()["a"] == b"as was planned!"
    store.edited = None
    assert ops(world.plan()) == ["upload a"]
    world.sync()
    assert world.remote()["a"] == b"another version"
