"""`state: {bucket: NAME}`: the lockfile as an object, and several machines that write it."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from buckia import journal, lockfile
from buckia.config import BucketConfig, Settings
from buckia.decisions import folding
from buckia.errors import (
    BuckiaError,
    DocumentError,
    IncompleteError,
    LockedError,
    StaleError,
    UnavailableError,
)
from buckia.lease import note as lease_note
from buckia.lockfile import BUCKET_KEY, Locked, Lockfile
from buckia.model import Entry, replace
from buckia.records import recorder
from buckia.rules import RESERVED_PREFIX
from buckia.stores.base import Store
from buckia.stores.memory import MemoryStore
from buckia.stores.s3 import S3Options, S3Store
from tests.helpers import World, ops, read_all
from tests.moods import Moody
from tests.servers.moto import serve_moto

STATE = "state"


def world_of(root: Path, *names: str, stores: dict[str, Store] | None = None) -> World:
    """A project with these buckets, each with a folder of its own, and its state in another."""
    stores = stores or {}
    given = {name: stores.get(name) or MemoryStore(name) for name in (*names, STATE)}
    world = World(root, given)
    buckets = {name: bucket_of(name) for name in given}
    settings = Settings(state_bucket=STATE)
    world.config = dataclasses.replace(world.config, buckets=buckets, settings=settings)
    for name in given:
        (world.tree / name).mkdir()
    return world


def bucket_of(name: str) -> BucketConfig:
    folder = f"../buckets/{name}"
    return BucketConfig(
        provider="local", bucket_name=folder, name=name, paths=[f"tree/{name}/"], max_workers=1
    )


def state_of(world: World) -> Lockfile:
    return lockfile.load(world.store(STATE), BUCKET_KEY).lock


def entries(world: World, name: str) -> list[str]:
    return sorted(state_of(world).state(name).entries)


class Hooked(MemoryStore):
    """Lets somebody else act right before the lockfile is written."""

    def __init__(self) -> None:
        super().__init__(STATE)
        self.others: list[Callable[[], None]] = []
        self.writes = 0
        self._acting = False

    def put(self, entry: Entry, body: BinaryIO, *, replacing: Entry | None) -> Entry:
        if entry.key == BUCKET_KEY and not self._acting:
            self.writes += 1
            self._acting = True
            try:
                for act in self.others[:1]:
                    self.others.pop(0)
                    act()
            finally:
                self._acting = False
        return super().put(entry, body, replacing=replacing)


def finish(store: Store, name: str, key: str) -> None:
    """What another machine does when it ends an apply to a bucket."""
    held = lockfile.load(store, BUCKET_KEY)
    state = held.lock.state(name)
    new = replace(state, entries={**state.entries, key: Locked(1, "0" * 64)})
    moved = folding.advance(state, new, "sha256:other", "lineage", partial=False)
    lockfile.save(store, held, held.lock.with_state(name, moved), BUCKET_KEY)


# -- where it is -----------------------------------------------------------------------------------


def test_the_lockfile_lives_in_the_bucket(tmp_path: Path) -> None:
    """None lies beside the configuration, and another machine begins where this one ended."""
    world = world_of(tmp_path / "one", "main")
    world.write("main/a", b"1")
    world.sync(names=["main"])
    assert not (world.root / lockfile.KEY).exists()
    assert entries(world, "main") == ["a"]
    twin = world.clone(tmp_path / "two")
    assert twin.plan().actions == ()
    twin.write("main/a", b"2")
    assert ops(twin.plan()) == ["upload a"]
    with world.open() as project:
        assert [status.serial for status in project.status(["main"])] == [1]


def test_a_bucket_can_keep_its_own_state(tmp_path: Path) -> None:
    """The lockfile is no content of the bucket."""
    world = world_of(tmp_path)
    world.write("state/a", b"1")
    world.sync()
    assert world.remote(STATE) == {"a": b"1"}
    assert world.plan().actions == ()


def test_a_damaged_lockfile_is_never_no_state(tmp_path: Path) -> None:
    world = world_of(tmp_path, "main")
    world.put(BUCKET_KEY, b"", STATE)
    with pytest.raises(DocumentError, match="is empty"):
        world.plan()
    world.put(BUCKET_KEY, b"{}", STATE)
    with pytest.raises(DocumentError, match="restore an older version of the object"):
        world.plan()


def test_a_lockfile_written_while_it_is_read_is_read_again() -> None:
    store = MemoryStore()
    real = store.open
    finish(store, "main", "a")

    def open_(entry: Entry) -> AbstractContextManager[BinaryIO]:
        if changes:
            store.open = real  # type: ignore[method-assign]
            finish(store, "main", changes.pop())
            store.open = open_  # type: ignore[method-assign]
        return real(entry)

    changes = ["b", "c"]
    store.open = open_  # type: ignore[method-assign]
    assert set(lockfile.load(store, BUCKET_KEY).lock.state("main").entries) == {"a", "b", "c"}
    changes += [str(number) for number in range(100)]
    with pytest.raises(StaleError, match="changed each time"):
        lockfile.load(store, BUCKET_KEY)


# -- several machines ------------------------------------------------------------------------------


def test_what_others_wrote_of_their_buckets_stays(tmp_path: Path) -> None:
    """A write that comes too late is merged: only this run's own buckets are replaced."""
    store = Hooked()
    world = world_of(tmp_path, "main", stores={STATE: store})
    world.write("main/a", b"1")
    plan = world.plan(["main"])
    store.others = [lambda: finish(store, "other", "x"), lambda: finish(store, "third", "y")]
    world.apply(plan)
    assert store.writes == 3
    assert [entries(world, name) for name in ("main", "other", "third")] == [["a"], ["x"], ["y"]]


def test_a_bucket_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """Nothing of it; the journal keeps what this run did, and the next plan adopts it. By then
    something was changed, so this is no stale plan, of which nothing was."""
    store = Hooked()
    world = world_of(tmp_path, "main", stores={STATE: store})
    world.write("main/a", b"1")
    plan = world.plan(["main"])
    store.others = [lambda: finish(store, "main", "x")]
    with pytest.raises(IncompleteError, match="changed the lockfile's entries of `main` meanw"):
        world.apply(plan)
    assert world.remote("main") == {"a": b"1"}
    assert entries(world, "main") == ["x"]
    (record,) = journal.records(world.root / ".buckia.d" / "journal")
    assert not record.finished and [item.key for item in record.outcomes] == ["a"]
    assert ops(world.plan(["main"])) == ["adopt a", "forget x"]


def test_a_bucket_changed_meanwhile_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the next time it is saved, and not only at the end."""
    monkeypatch.setattr(recorder, "CHECKPOINT", -1.0)
    store = Hooked()
    world = world_of(tmp_path, "main", stores={STATE: store})
    for number in range(40):
        world.write(f"main/{number:02}", b"1")
    plan = world.plan(["main"])
    store.others = [lambda: finish(store, "main", "x")]
    with pytest.raises(IncompleteError, match="plan again"):
        world.apply(plan)
    assert 0 < len(world.remote("main")) < 40


def test_a_lockfile_that_never_holds_still_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is that a stale plan: all of it is done."""
    store = Hooked()
    world = world_of(tmp_path, "main", stores={STATE: store})
    world.write("main/a", b"1")
    plan = world.plan(["main"])

    def unsteady() -> None:
        finish(store, "other", "x")
        monkeypatch.setattr(lockfile, "_READS", 0)

    store.others = [unsteady]
    with pytest.raises(IncompleteError, match="changed each time it was read"):
        world.apply(plan)
    monkeypatch.undo()
    assert ops(world.plan(["main"])) == []


def test_a_write_is_not_tried_for_ever(tmp_path: Path) -> None:
    store = Hooked()
    world = world_of(tmp_path, "main", stores={STATE: store})
    world.write("main/a", b"1")
    plan = world.plan(["main"])
    store.others = [lambda: finish(store, "other", str(store.writes))] * 1000
    with pytest.raises(IncompleteError, match="changed by other runs each time"):
        world.apply(plan)
    store.others = []
    assert ops(world.plan(["main"])) == []
    world.sync(names=["main"])
    assert entries(world, "main") == ["a"]


def test_no_update_is_lost_between_many(tmp_path: Path) -> None:
    """Eight machines, a bucket each, one lockfile: all of them are in it."""
    names = [f"b{number}" for number in range(8)]
    first = world_of(tmp_path / "first", *names)
    first.sync()
    worlds = [first.clone(tmp_path / name) for name in names]
    plans = []
    for world, name in zip(worlds, names, strict=True):
        world.write(f"{name}/{name}.txt", name.encode())
        plans.append(world.plan([name]))
    begin = threading.Barrier(len(names))

    def one(number: int) -> None:
        begin.wait()
        assert not worlds[number].apply(plans[number]).failed

    with ThreadPoolExecutor(len(names)) as threads:
        list(threads.map(one, range(len(names))))
    assert {name: entries(first, name) for name in names} == {n: [f"{n}.txt"] for n in names}
    assert all(set(first.remote(name)) == {f"{name}.txt"} for name in names)


def test_of_two_plans_for_one_bucket_one_is_applied(tmp_path: Path) -> None:
    """The other is told that the bucket is locked, or that the world moved; none of it happens."""
    one = world_of(tmp_path / "one", "main")
    two = one.clone(tmp_path / "two")
    ended: dict[str, BuckiaError | None] = {}
    begin = threading.Barrier(2)

    def run(world: World, name: str) -> None:
        world.write(f"main/{name}", name.encode())
        plan = world.plan(["main"])
        begin.wait()
        try:
            world.apply(plan)
            ended[name] = None
        except (LockedError, StaleError) as problem:
            ended[name] = problem

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(run, [one, two], ["one", "two"]))
    (won,) = [name for name, problem in ended.items() if problem is None]
    assert entries(one, "main") == [won] == list(one.remote("main"))
    assert state_of(one).state("main").serial == 1


def test_journals_of_another_machine_are_not_there(tmp_path: Path) -> None:
    """What it did and could not write down is found equal on both sides, and adopted."""
    store = Hooked()
    world = world_of(tmp_path / "one", "main", stores={STATE: store})
    twin = world.clone(tmp_path / "two")
    for each in (world, twin):
        each.write("main/a", b"1")

    plan = world.plan(["main"])
    store.others = [_refuse]
    with pytest.raises(IncompleteError, match="the journal holds it"):
        world.apply(plan)
    assert ops(twin.plan(["main"])) == ["adopt a"]
    twin.sync(names=["main"])
    assert ops(world.plan(["main"])) == []
    assert entries(world, "main") == ["a"]


def test_unfinished_runs_are_written_down_under_the_lease_of_their_bucket(tmp_path: Path) -> None:
    """An apply to another bucket waits for whoever holds the first one now."""
    store = Hooked()
    world = world_of(tmp_path, "main", "other", stores={STATE: store})
    world.write("main/a", b"1")
    world.write("other/b", b"1")
    store.others = [_refuse]
    with pytest.raises(IncompleteError):
        world.apply(world.plan(["main"]))
    held = lease_note.Holder(id="theirs", who="Ada")
    entry = lease_note.write(world.store("main"), held, replacing=None)
    with pytest.raises(LockedError, match="`main` is locked by Ada"):
        world.apply(world.plan(["other"]))
    world.store("main").delete(entry)
    world.apply(world.plan(["other"]))
    assert (entries(world, "main"), entries(world, "other")) == (["a"], ["b"])


def _refuse() -> None:
    raise UnavailableError("no answer")


def test_where_writes_can_get_lost_one_run_at_a_time(tmp_path: Path) -> None:
    """A bucket that cannot refuse a late write keeps state all the same, under its own lease."""
    store = Moody("create-only", MemoryStore(STATE))
    world = world_of(tmp_path, "main", stores={STATE: store})
    world.write("main/a", b"1")
    held = lease_note.Holder(id="theirs", who="Ada")
    entry = lease_note.write(store, held, replacing=None)
    with pytest.raises(LockedError, match="`state` is locked by Ada"):
        world.apply(world.plan(["main"]))
    store.delete(entry)
    world.apply(world.plan(["main"]))
    assert entries(world, "main") == ["a"]


# -- over HTTP -------------------------------------------------------------------------------------


@contextmanager
def s3_store() -> Iterator[Shared]:
    """A bucket at an endpoint nobody knows anything of."""
    with serve_moto() as server:
        store = Shared(
            S3Options(
                server.make_bucket(),
                endpoint=server.endpoint,
                region="us-east-1",
                access_key_id=server.access_key,
                secret_access_key=server.secret_key,
            )
        )
        try:
            yield store
        finally:
            store.end()


def test_state_in_an_s3_bucket(tmp_path: Path) -> None:
    """What the service enforces is tried, then relied on; nothing but the lockfile remains."""
    with s3_store() as store:
        assert store.capabilities == replace(store.capabilities, replace_if_match=False)
        world = world_of(tmp_path, "main", stores={STATE: store})
        world.write("main/a", b"1")
        world.sync(names=["main"])
        assert store.capabilities.replace_if_match
        assert entries(world, "main") == ["a"]
        held = lockfile.load(store, BUCKET_KEY)
        finish(store, "other", "x")
        with pytest.raises(StaleError):
            lockfile.save(store, held, held.lock.with_state("main", lockfile.NEW), BUCKET_KEY)
        assert list(read_all(store)) == [BUCKET_KEY]
        assert not [key for key in read_all(world.store("main")) if key.startswith(RESERVED_PREFIX)]


def test_what_an_s3_service_enforces_is_tried_by_apply(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The plan before says just that; no agreement is spoken of where the service refuses."""
    with s3_store() as store:
        world = World(tmp_path, {"main": store})
        world.write("a", b"1")
        plan = world.plan()
        assert plan.buckets["main"].guards.lease == "untried"
        world.apply(plan)
        assert "advisory" not in caplog.text
        assert world.plan().buckets["main"].guards.lease == "atomic"


class Shared(S3Store):
    """A store that one project after the other uses."""

    def close(self) -> None:
        """Not yet."""

    def end(self) -> None:
        super().close()
