"""Carrying out a plan: what runs when, what a failure holds back, what stops a run."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from buckia.errors import BuckiaError, StaleError, UnavailableError
from buckia.model import Entry, Tick
from buckia.rules import RESERVED_PREFIX
from buckia.stores.base import Store
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World, ops, read_all, tree_of

pytestmark = pytest.mark.usefixtures("hurried")


class Watched(MemoryStore):
    """A bucket that writes down what it is asked for, and refuses what it is told to refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[str] = []
        self.refused: set[str] = set()

    def put(self, entry: Entry, body: Any, *, replacing: Entry | None) -> Entry:
        self._note(f"put {entry.key}")
        return super().put(entry, body, replacing=replacing)

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        self._note(f"copy {key}")
        return super().copy(source, entry, key=key, replacing=replacing)

    def delete(self, entry: Entry) -> None:
        self._note(f"delete {entry.key}")
        super().delete(entry)

    def _note(self, step: str) -> None:
        if step in self.refused:
            raise UnavailableError(f"{step}: the service is not available")
        if RESERVED_PREFIX not in step:
            self.steps.append(step)


def busy_world(root: Path, store: Store) -> World:
    """A world with every kind of step ahead of it."""
    world = World(root, {"main": store}, trash=False, max_workers=1, **ALL_DELETIONS)
    world.settled({"gone": b"1", "lost": b"2", "old": b"3", "stays": b"4"})
    world.remove("gone")
    world.drop("lost")
    (world.tree / "old").rename(world.tree / "renamed")
    world.write("fresh", b"5")
    world.put("there", b"6")
    with closing(sqlite3.connect(world.tree / "App")) as database, database:
        database.execute("CREATE TABLE t (x)")
    return world


@pytest.mark.promise("INV-17")
def test_databases_go_after_other_files_and_deletions_last(tmp_path: Path) -> None:
    """Whoever reads the bucket meanwhile finds what the database names, and nothing gone early."""
    store = Watched()
    world = busy_world(tmp_path, store)
    store.steps.clear()
    world.sync()
    assert store.steps == ["put fresh", "copy renamed", "put App", "delete old", "delete gone"]
    assert ops(world.plan()) == []


def test_large_files_go_first_and_small_ones_in_the_order_of_their_keys(tmp_path: Path) -> None:
    """So that at the end nobody waits for one fat file while all others are done."""
    store = Watched()
    world = World(tmp_path, {"main": store}, max_workers=1)
    mebibyte = 1024 * 1024
    sizes = {"a": 1, "b": 0, "c": 2 * mebibyte, "d": mebibyte // 2, "e": 3 * mebibyte, "f": 7}
    for key, size in sizes.items():
        world.write(key, key.encode() * size)
    world.sync()
    assert store.steps == [f"put {key}" for key in "ecabdf"]


@pytest.mark.parametrize("refused", ["put fresh", "copy renamed", "put App"])
@pytest.mark.promise("L4")
def test_nothing_is_deleted_after_a_failed_write(tmp_path: Path, refused: str) -> None:
    """A failed upload, copy or database holds back every deletion; the same plan resumes."""
    store = Watched()
    world = busy_world(tmp_path, store)
    plan = world.plan()
    store.refused = {refused}
    store.steps.clear()
    applied = world.apply(plan)
    assert [outcome.key for outcome in applied.failed] == [refused.split()[1]]
    assert "the service is not available" in str(applied.failed[0].error)
    assert not [step for step in store.steps if step.startswith("delete")]
    assert "put App" not in store.steps  # it may name the file that failed
    assert "lost" in world.local()
    assert world.lock().state("main").partial
    store.refused = set()
    assert not world.apply(plan).failed
    assert not world.lock().state("main").partial
    assert ops(world.plan()) == []


def test_what_is_lost_in_the_bucket_is_kept_in_its_trash(tmp_path: Path) -> None:
    """Under the plan's own name; without the trash the plan says that nothing is kept."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"a": b"1", "b": b"2", "c": b"3"})
    world.write("a", b"new")
    world.remove("b")
    plan = world.plan()
    world.apply(plan)
    place = f".buckia/trash/{plan.digest.removeprefix('sha256:')[:12]}/"
    kept = {key: data for key, data in read_all(world.store()).items() if "trash" in key}
    assert kept == {f"{place}a": b"1", f"{place}b": b"2"}


def test_a_key_too_long_for_the_trash_is_kept_under_its_digest(tmp_path: Path) -> None:
    """The longest key there can be is replaced like any other, and its old bytes are kept."""
    key = "/".join(["x" * 200] * 5)
    world = World(tmp_path, **ALL_DELETIONS).settled({key: b"1"})
    world.write(key, b"new")
    assert not world.sync().failed
    kept = [data for name, data in read_all(world.store()).items() if "trash" in name]
    assert kept == [b"1"]


def test_what_is_lost_locally_is_kept_in_the_local_trash(tmp_path: Path) -> None:
    """Under the plan's own name, by the file's own path."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"a": b"1", "b": b"2", "c": b"3"})
    world.put("a", b"new")
    world.drop("b")
    plan = world.plan()
    world.apply(plan)
    place = world.root / ".buckia.d" / "trash" / plan.digest.removeprefix("sha256:")[:12]
    assert tree_of(place) == {"tree/a": b"1", "tree/b": b"2"}


def test_what_lies_in_the_trash_already_is_never_overwritten(tmp_path: Path) -> None:
    """Where the old bytes cannot be kept, nothing is overwritten."""
    world = World(tmp_path).settled({"a": b"1", "b": b"2"})
    world.write("a", b"new")
    plan = world.plan()
    place = f".buckia/trash/{plan.digest.removeprefix('sha256:')[:12]}/a"
    world.put(place, b"somebody else's")
    assert [outcome.key for outcome in world.apply(plan).failed] == ["a"]
    assert world.remote()["a"] == b"1"
    assert read_all(world.store())[place] == b"somebody else's"


def test_a_failure_in_one_bucket_does_not_hold_back_another(tmp_path: Path) -> None:
    """Each bucket's deletions wait for its own writes."""
    bad = Watched()
    world = World(tmp_path, {"bad": bad, "good": MemoryStore()}, **ALL_DELETIONS)
    world.settled({"gone": b"1", "stays": b"2"})
    world.remove("gone")
    world.write("fresh", b"3")
    bad.refused = {"put fresh"}
    world.apply(world.plan())
    assert "gone" in world.remote("bad")
    assert "gone" not in world.remote("good")
    assert world.lock().state("bad").partial
    assert not world.lock().state("good").partial


def test_a_failed_deletion_leaves_the_rest_of_a_move_for_later(tmp_path: Path) -> None:
    """The copy counts, the old key stays in the lockfile, the same plan finishes the move."""
    store = Watched()
    world = busy_world(tmp_path, store)
    plan = world.plan()
    store.refused = {"delete old"}
    world.apply(plan)
    assert {"old", "renamed"} <= world.lock().state("main").entries.keys()
    store.refused = set()
    world.apply(plan)
    assert "old" not in {**world.remote(), **world.lock().state("main").entries}
    assert ops(world.plan()) == []


@pytest.mark.promise("INV-6")
def test_a_race_after_preflight_is_lost_politely(tmp_path: Path) -> None:
    """An object that changes at the last moment fails its own action and nothing else."""
    world = World(tmp_path).settled({"a": b"1", "b": b"2"})
    world.write("a", b"mine")
    world.write("b", b"mine")
    plan = world.plan()

    def meddle(tick: Tick) -> None:
        if tick.stage == "preflight" and tick.files == 2:
            world.put("a", b"theirs")

    applied = world.apply(plan, progress=meddle)
    assert [outcome.key for outcome in applied.failed] == ["a"]
    assert world.remote() == {"a": b"theirs", "b": b"mine"}


@pytest.mark.parametrize("count", [1, 12])
def test_a_stale_plan_names_what_moved(tmp_path: Path, count: int) -> None:
    """At most ten keys are named, the others counted; nothing is changed."""
    world = World(tmp_path)
    for at in range(count):
        world.write(f"k{at:02}", b"1")
    plan = world.plan()
    for at in range(count):
        world.write(f"k{at:02}", b"2")
    with pytest.raises(StaleError) as stale:
        world.apply(plan)
    assert str(stale.value).count("has changed since the plan") == min(count, 10)
    assert ("and 2 more" in str(stale.value)) == (count == 12)
    assert world.remote() == {}


def test_many_actions_are_held_against_fresh_listings(tmp_path: Path) -> None:
    """A plan too large for single looks is checked just as well."""
    world = World(tmp_path)
    for at in range(40):
        world.write(f"k{at}", b"1")
    plan = world.plan()
    world.put("k7", b"theirs")
    with pytest.raises(StaleError, match="k7: the object in the bucket has appeared"):
        world.apply(plan)
    world.drop("k7")
    world.apply(plan)
    assert world.remote() == world.local()


def test_actions_run_on_the_executor_that_is_given(tmp_path: Path) -> None:
    """A cluster's executor takes the place of threads, and is left open afterwards."""
    names: set[str] = set()

    class Noting(MemoryStore):
        def put(self, entry: Entry, body: Any, *, replacing: Entry | None) -> Entry:
            if not entry.key.startswith(RESERVED_PREFIX):
                names.add(threading.current_thread().name)
            return super().put(entry, body, replacing=replacing)

    world = World(tmp_path, {"main": Noting()})
    world.write("a", b"1")
    executor: Executor
    with ThreadPoolExecutor(2, thread_name_prefix="cluster") as executor:
        world.apply(world.plan(), executor=executor)
        assert executor.submit(int).result() == 0
    assert {name.partition("_")[0] for name in names} == {"cluster"}


def test_progress_counts_files_and_bytes_up_to_the_total(tmp_path: Path) -> None:
    """The last report of a run has everything in it, once."""
    world = busy_world(tmp_path, MemoryStore())
    plan = world.plan()
    ticks: list[Tick] = []
    world.apply(plan, progress=ticks.append)
    last = ticks[-1]
    assert (last.files, last.total_files) == (len(plan.actions), len(plan.actions))
    assert last.bytes == last.total_bytes == plan.summary.bytes_up + plan.summary.bytes_down


@pytest.mark.promise("INV-20")
def test_only_one_run_at_a_time(tmp_path: Path) -> None:
    """A second apply in the same folder is refused before it looks at anything."""
    world = World(tmp_path)
    world.write("a", b"1")
    plan = world.plan()
    seen: list[BuckiaError] = []

    def also(tick: Tick) -> None:
        if tick.stage == "upload":
            with pytest.raises(BuckiaError, match="another buckia") as refused:
                world.apply(plan)
            seen.append(refused.value)

    world.apply(plan, progress=also)
    assert [problem.exit_code for problem in seen] == [7]


def test_a_look_before_applying_changes_nothing(tmp_path: Path) -> None:
    """`preflight_only` finds a stale plan and does nothing with a good one."""
    world = World(tmp_path)
    world.write("a", b"1")
    plan = world.plan()
    assert world.apply(plan, preflight_only=True).outcomes == ()
    assert world.remote() == {}
    world.write("a", b"2")
    with pytest.raises(StaleError):
        world.apply(plan, preflight_only=True)
