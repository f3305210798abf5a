"""Renames: told apart from new content, copied in the bucket, undone or done in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from buckia.errors import StaleError
from tests.helpers import ALL_DELETIONS, World, ops
from tests.test_engine import Watched
from tests.test_planner import make_database

pytestmark = pytest.mark.usefixtures("hurried")


def test_a_rename_is_one_move_and_a_rename_that_may_not_delete_a_copy(tmp_path: Path) -> None:
    """The same content under a new name is copied in the bucket; no byte is sent again."""
    for name, delete, expected in (("a", True, ["move new"]), ("b", False, ["copy new"])):
        world = World(tmp_path / name, delete_orphaned=delete).settled({"old": b"1", "x": b"2"})
        (world.tree / "old").rename(world.tree / "new")
        assert ops(world.plan()) == expected


def test_each_old_key_is_moved_once(tmp_path: Path) -> None:
    """Three new files of one content and two old ones: two moves and an upload."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"a": b"1", "b": b"1", "keep": b"2"})
    for old in "ab":
        world.remove(old)
    for new in "xyz":
        world.write(new, b"1")
    assert ops(world.plan()) == ["move x", "move y", "upload z"]


def test_a_renamed_database_is_sent(tmp_path: Path) -> None:
    """Its bytes tell nothing of its rows, so it is no move."""
    world = World(tmp_path, **ALL_DELETIONS)
    make_database(world.tree / "App")
    world.settled({"a": b"1"})
    (world.tree / "App").rename(world.tree / "New")
    assert ops(world.plan()) == ["upload New", "delete_remote App"]


def test_empty_files_and_changed_ones_are_never_moves(tmp_path: Path) -> None:
    """What has no content of its own, or not the old content any more, is sent."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"a": b"", "b": b"1", "c": b"2"})
    world.remove("a")
    world.remove("b")
    world.put("b", b"not what it was")
    world.write("x", b"")
    world.write("y", b"1")
    assert ops(world.plan()) == ["download b", "upload x", "upload y", "delete_remote a"]


def test_a_rename_alone_is_done_in_full(tmp_path: Path) -> None:
    """The old key goes also where there is nothing else to do, and nothing is sent."""
    store = Watched()
    world = World(tmp_path, {"main": store}, **ALL_DELETIONS).settled({"old": b"1", "x": b"2"})
    (world.tree / "old").rename(world.tree / "new")
    store.steps.clear()
    world.sync()
    assert store.steps == ["copy new", "delete old"]
    assert not world.lock().state("main").partial
    assert ops(world.plan()) == []


def test_a_rename_that_was_undone_is_stale(tmp_path: Path) -> None:
    """The old key of a move is not deleted while its local file is there again."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"old": b"1", "x": b"2"})
    (world.tree / "old").rename(world.tree / "new")
    plan = world.plan()
    world.write("old", b"1")
    with pytest.raises(StaleError, match="the local file 'old' has appeared"):
        world.apply(plan)
