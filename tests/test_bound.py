"""A plan is bound to the configuration and the state it was made from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from buckia import lockfile
from buckia.errors import BlockedError, StaleError
from buckia.model import replace
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World, ops

pytestmark = pytest.mark.usefixtures("hurried")


def edited(root: Path, **options: Any) -> World:
    """A settled world with one file to upload."""
    world = World(root, **options).settled({"a": b"1", "b": b"2"})
    world.write("a", b"new")
    return world


def refused(world: World, plan: Any, words: str) -> None:
    """The plan is stale for that reason, and nothing is changed."""
    before, lock = world.both(), world.lock()
    with pytest.raises(StaleError, match=words):
        world.apply(plan)
    assert (world.both(), world.lock()) == (before, lock)


@pytest.mark.parametrize(
    "other",
    [
        {"delete_orphaned": True},
        {"exclude": ["a"]},
        {"conflict_resolution": "local_wins"},
        {"paths": ["tree/", "more/"]},
        {"trash": False},
        {"limits": {"max_delete": 3}},
        {"bucket_name": "../elsewhere"},
    ],
)
@pytest.mark.promise("INV-16")
def test_a_plan_is_for_one_configuration(tmp_path: Path, other: dict[str, Any]) -> None:
    """Whatever would have changed the plan makes it stale."""
    world = edited(tmp_path)
    refused(world.under(**other), world.plan(), "configuration has changed")


@pytest.mark.parametrize("other", [{"max_workers": 1}, {"api_key": "other"}])
def test_tuning_and_secrets_are_no_part_of_it(tmp_path: Path, other: dict[str, Any]) -> None:
    """A plan made on one machine is applied on another with its own credentials."""
    world = edited(tmp_path)
    world.under(**other).apply(world.plan())
    assert world.remote()["a"] == b"new"


def test_a_plan_is_for_the_buckets_it_names(tmp_path: Path) -> None:
    """A configuration without one of them cannot apply it."""
    world = World(tmp_path / "two", {"one": MemoryStore(), "two": MemoryStore()})
    world.write("a", b"1")
    refused(World(tmp_path / "main"), world.plan(), "the bucket 'one', which this configuration")


@pytest.mark.promise("INV-16")
def test_a_plan_is_for_one_state(tmp_path: Path) -> None:
    """Another serial, other entries, another history: stale, whatever the files look like."""
    world = edited(tmp_path)
    plan, path = world.plan(), world.root / lockfile.KEY
    known = world.lock()
    state = known.state("main")
    more = {**state.entries, "c": state.entries["a"]}
    for other, words in (
        (replace(state, serial=7), "serial 7, the plan was made from 1"),
        (replace(state, lineage="another"), "another history"),
        (replace(state, entries=more, digest=lockfile.digest(more)), "entries are not those"),
    ):
        path.write_bytes(lockfile.write(known.with_state("main", other)))
        refused(world, plan, words)
    path.write_bytes(lockfile.write(known))
    world.apply(plan)


def test_a_plan_applied_elsewhere_is_stale_here(tmp_path: Path) -> None:
    """Another clone was quicker; here the bucket is no longer what was reviewed."""
    here = edited(tmp_path / "here")
    there = here.clone(tmp_path / "there")
    plan = here.plan()
    there.apply(plan)
    there.write("a", b"newer")
    there.sync()
    refused(here, plan, "a: the object in the bucket has changed")


def test_a_plan_is_applied_in_another_clone(tmp_path: Path) -> None:
    """Other times, another folder, nothing of what buckia keeps on one machine."""
    here = edited(tmp_path / "here")
    plan = here.plan()
    there = here.clone(tmp_path / "there")
    assert there.apply(plan).serials == {"main": 2}
    assert there.remote() == there.local()
    assert ops(there.plan()) == []


def test_a_blocked_plan_is_refused_before_anything_else(tmp_path: Path) -> None:
    """Limits stand above what its actions would find."""
    world = World(tmp_path, delete_orphaned=True, limits={"max_delete": 0, "min": 0})
    world.settled({"a": b"1", "b": b"2"})
    world.remove("a")
    plan = world.plan()
    world.write("a", b"back")
    with pytest.raises(BlockedError, match="max_delete"):
        world.apply(plan)


@pytest.mark.promise("INV-9")
def test_a_lost_lockfile_deletes_nothing(tmp_path: Path) -> None:
    """Everything equal is adopted, everything one-sided copied."""
    world = World(tmp_path, **{**ALL_DELETIONS, "delete_orphaned": "all"})
    world.settled({"a": b"1", "b": b"2", "c": b"3"})
    (world.root / lockfile.KEY).unlink()
    shutil.rmtree(world.root / ".buckia.d")
    world.remove("a")
    world.drop("b")
    assert ops(world.plan()) == ["download a", "upload b", "adopt c"]
