"""A run that is told to stop: what was done is saved, what was not begins again."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from buckia.errors import Interrupted
from buckia.model import Entry, Tick
from buckia.project import Project
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World, ops

pytestmark = pytest.mark.usefixtures("hurried")


def test_a_stop_saves_what_was_done(tmp_path: Path) -> None:
    """After a signal no further action begins; the same plan finishes the rest."""
    world = World(tmp_path, max_workers=1)
    for at in range(9):
        world.write(f"{at}", b"1")
    plan = world.plan()
    stop = threading.Event()

    def halt(tick: Tick) -> None:
        if tick.stage == "upload" and tick.files >= 3:
            stop.set()

    with (
        Project(world.config, progress=halt, stop=stop, stores=world.stores) as project,
        pytest.raises(Interrupted, match="run the same plan again"),
    ):
        project.apply(plan)
    done = world.lock().state("main")
    assert 3 <= len(done.entries) < 9
    assert done.partial
    assert done.entries.keys() == world.remote().keys()
    world.apply(plan)
    assert world.remote() == world.local()
    assert ops(world.plan()) == []


def test_a_run_that_was_stopped_between_deletions_is_not_finished(tmp_path: Path) -> None:
    """Nothing failed and yet something is left."""
    keys = {f"{at}": b"%d" % at for at in range(9)}
    world = World(tmp_path, max_workers=1, **ALL_DELETIONS).settled({**keys, "stays": b"x"})
    for key in keys:
        world.remove(key)
    plan = world.plan()
    stop = threading.Event()

    def halt(tick: Tick) -> None:
        if tick.stage == "delete_remote":
            stop.set()

    with (
        Project(world.config, progress=halt, stop=stop, stores=world.stores) as project,
        pytest.raises(Interrupted),
    ):
        project.apply(plan)
    assert 1 < len(world.remote()) < 10
    assert world.lock().state("main").partial
    world.apply(plan)
    assert world.remote() == {"stays": b"x"}


def test_a_stop_in_the_middle_of_a_transfer_ends_the_transfer(tmp_path: Path) -> None:
    """Large files do not hold up a signal; the half that was sent is no object."""
    stop = threading.Event()

    class Stopping(MemoryStore):
        def put(self, entry: Entry, body: Any, *, replacing: Entry | None) -> Entry:
            if entry.key == "a":
                stop.set()
            return super().put(entry, body, replacing=replacing)

    world = World(tmp_path, {"main": Stopping()})
    world.write("a", b"1")
    plan = world.plan()
    with (
        Project(world.config, stop=stop, stores=world.stores) as project,
        pytest.raises(Interrupted),
    ):
        project.apply(plan)
    assert world.remote() == {}
    world.apply(plan)
    assert world.remote() == {"a": b"1"}


def test_a_run_clears_what_a_killed_one_left_lying(tmp_path: Path) -> None:
    """Temporary files of a process that is no more are removed before anything begins."""
    world = World(tmp_path).settled({"a": b"1"})
    scratch = world.root / ".buckia.d" / "tmp"
    scratch.mkdir(exist_ok=True)
    (scratch / "half").write_bytes(b"half a file")
    world.write("a", b"2")
    world.sync()
    assert world.left_behind() == []
