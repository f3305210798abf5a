"""Plans that no longer fit: refused whole, in one line, and neither side is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from buckia import lockfile
from buckia.errors import StaleError
from buckia.model import replace
from buckia.planfile import Plan
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World
from tests.tampering import Values, eventful, refused

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world with every kind of step ahead of it."""
    return eventful(tmp_path)


def stale(world: World, plan: Plan, *words: str) -> None:
    """The world moved: exit 4."""
    refused(world, plan, StaleError, "nothing was changed", *words, code=4)


# -- the lockfile moved ----------------------------------------------------------------------------


def test_another_serial(world: World) -> None:
    """Somebody applied something since the plan."""
    plan = world.plan()
    world.apply(world.plan(paths=["tree/fresh"]))
    stale(world, plan, "serial 2", "made from 1")


def test_another_lineage(world: World) -> None:
    """The lockfile was deleted and begun anew: the same serial and entries, another history."""
    first, lock = world.plan(), world.root / lockfile.KEY
    state = world.lock().state("main")
    other = replace(state, lineage="another")
    lock.write_bytes(lockfile.write(lockfile.EMPTY.with_state("main", other)))
    stale(world, first, "lineage")


def test_another_digest(world: World) -> None:
    """Two branches applied from the same serial: the entries tell them apart."""
    plan, state = world.plan(), world.lock().state("main")
    entries = {key: item for key, item in state.entries.items() if key != "b/kept"}
    other = replace(state, entries=entries, digest=lockfile.digest(entries))
    lock = lockfile.EMPTY.with_state("main", other)
    (world.root / lockfile.KEY).write_bytes(lockfile.write(lock))
    stale(world, plan, "entries")


def test_no_lockfile_any_more(world: World) -> None:
    """A lockfile that is gone is another history, not the one of the plan."""
    plan = world.plan()
    (world.root / lockfile.KEY).unlink()
    stale(world, plan, "lineage")


# -- the configuration moved -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"delete_orphaned": False},
        {"exclude": ["*.tmp"]},
        {"include": ["*"]},
        {"conflict_resolution": "local_wins"},
        {"paths": [{"path": "tree/", "prefix": "elsewhere/"}]},
        {"trash": False},
        {"limits": {"max_delete": 1}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_configuration(world: World, change: Values) -> None:
    """Filters, policies, mappings: what the reviewer took for granted."""
    stale(world.under(**change), world.plan(), "configuration")


def test_how_fast_it_runs_is_not_the_configuration(world: World) -> None:
    """Tuning does not outdate a plan."""
    plan = world.plan()
    assert not world.under(max_workers=1).apply(plan).failed


def test_a_plan_of_another_project(world: World, tmp_path: Path) -> None:
    """A bucket of another name, and one of the same name with another history."""
    stranger = World(tmp_path / "one", {"theirs": MemoryStore()})
    stranger.write("fresh", b"fresh")
    stale(world, stranger.plan(), "theirs", "configuration")
    namesake = World(tmp_path / "two", **ALL_DELETIONS).settled({"a": b"1"})
    namesake.write("fresh", b"fresh")
    stale(world, namesake.plan(), "main", "lineage")


# -- the sides moved -------------------------------------------------------------------------------


def test_local_bytes_changed(world: World) -> None:
    """A file that was to be uploaded is another now."""
    plan = world.plan()
    world.write("fresh", b"other")
    stale(world, plan, "fresh: the local file has changed")


def test_a_local_file_vanished(world: World) -> None:
    """A file that was to be uploaded is gone."""
    plan = world.plan()
    world.remove("fresh")
    stale(world, plan, "fresh: the local file is gone")


def test_a_local_file_appeared(world: World) -> None:
    """Where a download was to go, and where a file was known to be deleted."""
    plan = world.plan()
    world.write("there", b"mine too")
    world.write("gone", b"back again")
    stale(world, plan, "there: the local file has appeared", "gone: a local file has appeared")


def test_a_remote_token_changed(world: World) -> None:
    """The same bytes written again are somebody's write all the same."""
    plan = world.plan()
    world.put("mine", b"mine")
    stale(world, plan, "mine: the object in the bucket has changed")


def test_a_remote_object_appeared(world: World) -> None:
    """Where an upload was to go, and where an object was known to be deleted."""
    plan = world.plan()
    world.put("fresh", b"theirs too")
    world.put("lost", b"back again")
    stale(world, plan, "fresh: the object in the bucket has appeared", "lost: an object")


def test_a_remote_object_vanished(world: World) -> None:
    """Nothing left to download, to replace or to move."""
    plan = world.plan()
    for key in ("there", "mine", "old"):
        world.drop(key)
    stale(world, plan, "there: the object in the bucket is gone", "mine: ", "'old'")


def test_many_differences_are_counted(world: World) -> None:
    """Ten are named, the rest are a number, and it is still one line."""
    for number in range(60):
        world.write(f"many/{number:02}", b"1")
    plan = world.plan()
    for number in range(60):
        world.write(f"many/{number:02}", b"2")
    stale(world, plan, "many/00", "and 50 more")


def test_another_bucket_moved(tmp_path: Path) -> None:
    """What happens to one bucket is nothing to a plan for another."""
    world = World(tmp_path, {"main": MemoryStore(), "other": MemoryStore()}, direction="upload")
    world.settled({"a": b"1"})
    world.write("b", b"2")
    plan, other = world.plan(["main"]), world.plan(["other"])
    world.apply(other)
    world.put("c", b"3", "other")
    assert not world.apply(plan).failed
    assert world.remote("main") == {"a": b"1", "b": b"2"}


# -- the same plan, an old plan --------------------------------------------------------------------


def test_the_same_plan_twice(world: World) -> None:
    """The second time is a success that does nothing, whatever has happened since."""
    plan = world.plan()
    assert not world.apply(plan).already
    world.write("fresh", b"edited since")
    before, lock = world.both(), world.lock()
    again = world.apply(plan)
    assert again.already and not again.outcomes
    assert (world.both(), world.lock()) == (before, lock)


@pytest.mark.promise("INV-16")
def test_an_old_plan_after_a_newer_one(world: World) -> None:
    """A plan is for one state of the lockfile; that state does not come back."""
    old = world.plan()
    world.write("fresh", b"newer")
    world.apply(world.plan())
    stale(world, old, "serial")


def test_a_plan_that_a_newer_one_made_true(world: World) -> None:
    """Even where everything the old plan wants is there already."""
    old = world.plan(paths=["tree/fresh"])
    world.apply(world.plan())
    stale(world, old, "serial")
