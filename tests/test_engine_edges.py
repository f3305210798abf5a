"""The corners of a run: what is looked at before it, what is told of it, what counts as its end."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest

from buckia.decisions.preflight import State, View
from buckia.errors import Interrupted, StaleError
from buckia.execution.tasks import Stores, Task
from buckia.model import (
    Action,
    Content,
    Entry,
    Listing,
    Op,
    Source,
    Tick,
    content_of,
    replace,
    silent,
)
from buckia.project import Project
from buckia.sides import inspection
from buckia.sides.sightings import Seen
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World, ops
from tests.test_engine import Watched, busy_world

pytestmark = pytest.mark.usefixtures("hurried")

DIGEST: Final = "sha256:" + "0" * 64


class Looked(MemoryStore):
    """A bucket that writes down what is looked up, and on which thread."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[str] = []
        self.threads: set[str] = set()

    def head(self, key: str) -> Entry | None:
        self.looks.append(key)
        self.threads.add(threading.current_thread().name.partition("_")[0])
        return super().head(key)

    def put(self, entry: Entry, body: Any, *, replacing: Entry | None) -> Entry:
        self.threads.add(threading.current_thread().name.partition("_")[0])
        return super().put(entry, body, replacing=replacing)


class Place:
    """A folder, a bucket and what an inspection says of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.remote = Looked()
        self.local = LocalStore(root)

    def put(self, key: str, data: bytes) -> Entry:
        """An object, and nothing in the folder."""
        return self.remote.put(Entry(key, len(data)), BytesIO(data), replacing=None)

    def write(self, key: str, data: bytes) -> Entry:
        """A file, and nothing in the bucket."""
        (self.root / key).write_bytes(data)
        entry = self.local.head(key)
        assert entry
        return entry

    def inspect(self, actions: Iterable[Action], seen: Seen | None = None) -> list[Task]:
        """What preflight makes of actions."""
        self.remote.looks.clear()
        stores = Stores(self.local, self.remote, DIGEST, threading.Event())
        return inspection.inspect(actions, stores, 2, silent, seen)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def action(op: Op, key: str, content: Content | None, **more: Any) -> Action:
    parts = {"reason": "r", "source": None, "expect": None, "undo": None, **more}
    return Action(id=f"{op}{key}", op=op, bucket="main", key=key, content=content, **parts)


def terse(*entries: Entry) -> Listing:
    """A listing that has no digests."""
    bare = [replace(item, sha256=None, md5=None, sha1=None) for item in entries]
    return Listing({item.key: item for item in bare})


# -- before ----------------------------------------------------------------------------------------


@pytest.mark.promise("L5")
def test_what_a_listing_cannot_tell_is_looked_up_and_nothing_else(place: Place) -> None:
    """One request for the key in doubt, none for those that are plainly as planned."""
    done, todo = place.write("done", b"1"), place.write("todo", b"2")
    there = place.put("done", b"1")
    actions = [
        action(Op.UPLOAD, item.key, content_of(replace(item, version=None)))
        for item in (todo, done)
    ]
    local = {"done": done, "todo": todo}
    tasks = place.inspect(actions, Seen(local.get, terse(there).entries.get))
    assert [task.state for task in tasks] == [State.PENDING, State.SATISFIED]
    assert tasks[1].view.remote == there
    assert place.remote.looks == ["done"]


@pytest.mark.promise("L5")
def test_a_move_asks_whether_the_old_name_is_back_and_a_copy_does_not(place: Place) -> None:
    """A copy leaves the old name alone, so that it may be there."""
    old, new = place.put("old", b"1"), place.write("new", b"1")
    place.write("old", b"back")
    source = Source(path="new", key="old", version=old.version)
    content = content_of(replace(new, version=None))
    copy, move = (action(op, "new", content, source=source) for op in (Op.COPY, Op.MOVE))
    (task,) = place.inspect([copy])
    assert (task.state, task.view) == (State.PENDING, View(new, None, old, None))
    with pytest.raises(StaleError, match="new: the local file 'old' has appeared"):
        place.inspect([move])
    (place.root / "old").unlink()
    (task,) = place.inspect([move])
    assert task.state is State.PENDING


def test_what_left_the_scope_is_not_looked_for(place: Place) -> None:
    """There may be no path to look at; what vanished on both sides is looked for."""
    place.write("k", b"back")
    left = action(Op.FORGET, "k", None, reason="scope_left")
    (task,) = place.inspect([left])
    assert (task.state, task.view) == (State.PENDING, View(None, None))
    assert place.remote.looks == []
    with pytest.raises(StaleError, match="k: it has appeared"):
        place.inspect([replace(left, reason="both_deleted")])


@pytest.mark.promise("INV-8")
def test_a_key_that_no_mapping_holds_any_more_is_forgotten(tmp_path: Path) -> None:
    """Though nobody can say where its file would be."""
    world = World(tmp_path).settled({"x/y": b"1"})
    other = world.under(paths=[{"path": "tree/", "prefix": "elsewhere/"}])
    plan = other.plan(paths=["x"])
    assert ops(plan) == ["forget x/y"]
    assert not other.apply(plan).failed


def test_a_stale_plan_is_told_in_one_sentence(tmp_path: Path) -> None:
    """Each key once, sorted, with what happened to it; ten are all that are named."""
    world = World(tmp_path)
    names = [f"k{at:02}" for at in range(10)]
    for name in names:
        world.write(name, b"1")
    plan = world.plan()
    for name in names:
        world.write(name, b"2")
    with pytest.raises(StaleError) as stale:
        world.apply(plan)
    told = "; ".join(f"{name}: the local file has changed since the plan" for name in names)
    assert str(stale.value) == f"the plan is stale, nothing was changed: {told}; plan again"


def test_threads_are_named_after_what_they_do(tmp_path: Path) -> None:
    """A stack trace of a run that hangs says where."""
    store = Looked()
    world = World(tmp_path, {"main": store})
    world.write("a", b"1")
    world.sync()
    assert {"buckia-preflight", "buckia-apply"} <= store.threads


# -- during ----------------------------------------------------------------------------------------


def test_progress_begins_with_nothing_done(tmp_path: Path) -> None:
    """Every stage counts up to its total; the run itself starts at zero."""
    world = World(tmp_path, max_workers=1)
    world.write("a", b"123")
    plan, ticks = world.plan(), list[Tick]()
    world.apply(plan, progress=ticks.append)
    mine = [tick for tick in ticks if tick.stage in ("preflight", "apply", "upload")]
    assert mine == [
        Tick("preflight", "", 1, 0, 1),
        Tick("apply", "", 0, 0, 1, 3),
        Tick("upload", "a", 1, 3, 1, 3),
    ]


@pytest.mark.promise("L4", "INV-17")
def test_a_failed_write_holds_back_databases_and_deletions_alone(tmp_path: Path) -> None:
    """A database may name what did not arrive; the copy beside it takes nothing away."""
    store = Watched()
    world = busy_world(tmp_path, store)
    plan = world.plan()
    store.refused = {"put fresh"}
    store.steps.clear()
    world.apply(plan)
    assert store.steps == ["copy renamed"]


@pytest.mark.promise("L3")
def test_a_move_that_was_stopped_halfway_is_not_finished(tmp_path: Path) -> None:
    """Its copy is there and its old key too: the lockfile says that something is left to do."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"old": b"1", "stays": b"2"})
    (world.tree / "old").rename(world.tree / "new")
    plan, stop = world.plan(), threading.Event()

    def halt(tick: Tick) -> None:
        if tick.stage == "move":
            stop.set()

    with (
        Project(world.config, progress=halt, stop=stop, stores=world.stores) as project,
        pytest.raises(Interrupted),
    ):
        project.apply(plan)
    assert world.lock().state("main").partial
    assert world.remote().keys() == {"old", "new", "stays"}
    world.apply(plan)
    assert not world.lock().state("main").partial
    assert world.remote().keys() == {"new", "stays"}


@pytest.mark.promise("L4")
def test_what_only_the_lockfile_remembers_waits_for_nothing(tmp_path: Path) -> None:
    """An adoption and a forgetting change no side: they are done though a write failed."""
    store = Watched()
    world = World(tmp_path, {"main": store}).settled({"gone": b"1", "stays": b"2"})
    world.remove("gone")
    world.drop("gone")
    world.write("same", b"3")
    world.put("same", b"3")
    world.write("fresh", b"4")
    plan = world.plan()
    assert ops(plan) == ["upload fresh", "forget gone", "adopt same"]
    store.refused = {"put fresh"}
    assert [item.key for item in world.apply(plan).failed] == ["fresh"]
    assert world.lock().state("main").entries.keys() == {"same", "stays"}
