"""One run at a time, on services that keep their word and on those that do not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from buckia import journal, lease
from buckia.errors import (
    AccessError,
    IncompleteError,
    LockedError,
    StoreError,
)
from buckia.lease import Held, Holder, Pace
from buckia.lease import claims as lease_claims
from buckia.lease import note as lease_note
from buckia.model import Entry
from buckia.rules import RESERVED_PREFIX
from buckia.stores.base import Store
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from tests.helpers import World, ops, read_all
from tests.moods import (
    MOODS,
    Clock,
    Mood,
    Moody,
    Proving,
    hold,
    holder_of,
    leave,
    until,
)

pytestmark = pytest.mark.usefixtures("contested")

CROWD = 32
LATER = lease_note.TTL + lease.GRACE + 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    return MemoryStore(clock=clock.nanoseconds)


def crowd(store: Store, clock: Clock) -> list[int]:
    """Many try at once, and who wins holds on until the others have given up: the generations."""
    lost = threading.Semaphore(0)
    begin = threading.Barrier(CROWD)

    def one(number: int) -> list[int]:
        begin.wait()
        try:
            with hold(store, clock, f"run-{number}") as held:
                assert holder_of(store).id == f"run-{number}"
                for _ in range(CROWD - 1):
                    assert lost.acquire(timeout=60)
                return [held.holder.generation]
        except LockedError:
            lost.release()
            return []

    with ThreadPoolExecutor(CROWD) as threads:
        return [won for wins in threads.map(one, range(CROWD)) for won in wins]


# -- one winner ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.promise("INV-20")
def test_of_many_at_once_one_wins(mood: Mood, clock: Clock) -> None:
    """Whatever the service does with conditions; nothing is left behind."""
    store = Proving(mood)
    clock.settle = store.settle
    assert crowd(store, clock) == [1]
    assert read_all(store) == {}


@pytest.mark.parametrize("mood", ["atomic", "checked", "create-only", "racy"])
@pytest.mark.promise("INV-20")
def test_of_many_one_takes_over(mood: Mood, store: MemoryStore, clock: Clock) -> None:
    """An expired lease has one heir, and the generation tells."""
    leave(store, generation=7)
    clock.advance(LATER)
    moody = Moody(mood, store)
    clock.settle = moody.settle
    assert crowd(moody, clock) == [8]
    assert read_all(store) == {}


@pytest.mark.parametrize(
    ("mood", "trusted"),
    [
        ("atomic", (True, True)),
        ("ignored", (False, False)),
        ("racy", (True, True)),
        ("inverted", (False, False)),
        ("501", (False, False)),
        ("checked", (False, False)),
        ("create-only", (True, False)),
    ],
)
def test_promises_are_tried(mood: Mood, trusted: tuple[bool, bool], clock: Clock) -> None:
    """One object made twice shows what a service does; where it fails, a lease is advisory.

    What breaks only between two at once shows when two are there: see above.
    """
    store = Proving(mood)
    assert lease_claims.trusted(store, "mine") == trusted
    with hold(store, clock) as held:
        assert held.advisory is (trusted != (True, True))
    assert read_all(store) == {}


@pytest.mark.parametrize("mood", ["inverted", "501"])
def test_a_service_that_creates_nothing_has_no_lease(mood: Mood, clock: Clock) -> None:
    with pytest.raises(StoreError, match="refuses to create"), hold(Moody(mood), clock):
        raise AssertionError


def test_an_advisory_lease_is_said_to_be_one(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Once it is a warning: where two that begin together could both begin."""
    for mood in ("atomic", "create-only", "ignored"):
        with hold(Moody(mood), clock):
            pass
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "`main` is advisory: memory://memory-ignored cannot refuse" in caplog.text


def test_a_replacement_that_is_not_refused_is_no_way_to_take_over(
    store: MemoryStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`If-Match` is tried before it is relied on; where it fails, the oldest claim decides."""
    asked: list[str] = []

    def present(_: Store, mine: Entry) -> list[Entry]:
        asked.append(mine.key)
        return [Entry("older", 1)]

    monkeypatch.setattr(lease_claims, "present", present)
    careless = Moody("atomic", store)
    leave(store)
    clock.advance(LATER)
    real = careless.put

    def put(entry: Entry, body: BinaryIO, *, replacing: Entry | None) -> Entry:
        return real(entry, body, replacing=store.head(entry.key) if replacing else None)

    monkeypatch.setattr(careless, "put", put)
    with pytest.raises(LockedError), hold(careless, clock):
        raise AssertionError
    assert asked == [f"{lease_claims.PREFIX}mine"]
    assert holder_of(store).id == "theirs"


def test_an_old_claim_is_what_a_killed_run_left(store: MemoryStore, clock: Clock) -> None:
    """It is removed, and not waited for; a fresh one of somebody else comes first."""
    store.put(Entry(f"{lease_claims.PREFIX}old", 1), BytesIO(b"1"), replacing=None)
    clock.advance(61)
    plain = Moody("checked", store)
    with hold(plain, clock) as held:
        assert held.advisory
    assert read_all(store) == {}
    store.put(Entry(f"{lease_claims.PREFIX}a", 1), BytesIO(b"1"), replacing=None)
    with pytest.raises(LockedError), hold(plain, clock):
        raise AssertionError


# -- whose clock -----------------------------------------------------------------------------------


@pytest.mark.parametrize("skew", [-600, 600])
def test_a_wrong_clock_steals_nothing(
    skew: int, store: MemoryStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten minutes more or less, here or at the holder's: only the service's time counts."""
    leave(store, renewed="1970-01-01T00:00:00Z" if skew > 0 else "2999-01-01T00:00:00Z")
    monkeypatch.setattr("time.time", lambda: clock.seconds + skew)
    monkeypatch.setattr("time.time_ns", lambda: clock.nanoseconds() + skew * 1_000_000_000)
    clock.advance(LATER - 2)
    with pytest.raises(LockedError), hold(store, clock):
        raise AssertionError
    clock.advance(2)
    with hold(store, clock) as held:
        assert held.holder.generation == 2


def test_a_service_without_times_lets_nothing_expire(clock: Clock) -> None:
    class Timeless(MemoryStore):
        def head(self, key: str) -> Entry | None:
            held = super().head(key)
            return held and Entry(held.key, held.size, version=held.version)

    store = Timeless(clock=clock.nanoseconds)
    leave(store)
    clock.advance(100 * LATER)
    with pytest.raises(LockedError), hold(store, clock):
        raise AssertionError


@pytest.mark.parametrize("data", [b"", b"{", b'{"format": "x"}', b'{"ttl_s": 99999999}', b"\xff"])
def test_a_lease_that_cannot_be_read_counts_and_expires(
    data: bytes, store: MemoryStore, clock: Clock
) -> None:
    store.put(Entry(lease_note.KEY, len(data)), BytesIO(data), replacing=None)
    with pytest.raises(LockedError, match="somebody on an unknown host"), hold(store, clock):
        raise AssertionError
    clock.advance(LATER)
    with hold(store, clock) as held:
        assert held.holder.generation == 2


def test_a_renewed_lease_does_not_expire(store: MemoryStore, clock: Clock) -> None:
    """A third of its life later it is written anew; the holder's own words stay what they were."""
    with hold(store, clock) as held:
        for _ in range(9):
            before = version(store)
            clock.advance(lease_note.TTL / 3)
            until(lambda: version(store) != before)  # noqa: B023
        assert holder_of(store).id == "mine" and not held.lost.is_set()
        with pytest.raises(LockedError), hold(store, clock, "other"):
            raise AssertionError


def version(store: Store) -> str | None:
    held = store.head(lease_note.KEY)
    return held.version if held else None


# -- a whole apply ---------------------------------------------------------------------------------


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[list[Held]]:
    """Leases that keep this clock's time, and a list of those that were taken."""
    taken: list[Held] = []
    real = partial(lease.hold, pace=Pace(clock.now, clock.wait))

    @contextmanager
    def hold(*args: Any, **named: Any) -> Iterator[Held]:
        with real(*args, **named) as held:
            taken.append(held)
            yield held

    with monkeypatch.context() as patch:
        patch.setattr(lease, "hold", hold)
        yield taken


def on_put(store: MemoryStore, key: str, act: Callable[[], None]) -> None:
    """Do something right before an object is written."""
    real = store.put

    def put(entry: Entry, body: BinaryIO, *, replacing: Entry | None) -> Entry:
        if entry.key == key:
            act()
        return real(entry, body, replacing=replacing)

    store.put = put  # type: ignore[method-assign]


def test_apply_holds_a_lease_and_plan_needs_none(tmp_path: Path) -> None:
    """It names the plan while it lasts, and is gone afterwards; looking writes nothing."""
    store = MemoryStore()
    world = World(tmp_path, {"main": store})
    world.write("a", b"1")
    seen: list[Holder] = []
    on_put(store, "a", lambda: seen.append(holder_of(store)))
    plan = world.plan()
    with world.open() as project:
        project.status()
        project.apply(plan, preflight_only=True)
    assert read_all(store) == {}
    world.apply(plan)
    assert [holder.plan for holder in seen] == [plan.digest]
    assert not [key for key in read_all(store) if key.startswith(RESERVED_PREFIX)]
    assert list((world.root / ".buckia.d" / "leases").iterdir()) == []


@pytest.mark.parametrize("local", [True, False])
def test_apply_waits_for_nobody_by_default(tmp_path: Path, local: bool) -> None:
    """Also where the bucket is a folder. Nothing was changed."""
    world = World(tmp_path, {"main": None if local else MemoryStore()})
    world.write("a", b"1")
    leave(world.store())
    before = world.both()
    with pytest.raises(LockedError, match="`main` is locked by Ada on ci-7"):
        world.apply(world.plan())
    assert world.both() == before
    found = lease.look(world.store())
    assert found and found.holder.id == "theirs"
    lease.remove(world.store(), found)
    world.sync()
    assert world.remote() == {"a": b"1"}


@pytest.mark.promise("INV-20")
def test_a_lost_lease_stops_the_run_before_the_next_write(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done is in the journal and the lockfile; the same plan resumes."""
    store = MemoryStore(clock=clock.nanoseconds)
    world = World(tmp_path, {"main": store}, max_workers=1)
    for number in range(9):
        world.write(f"{number}", b"x")
    plan = world.plan()
    with watched(monkeypatch, clock) as taken:

        def lose() -> None:
            leave(store)
            clock.advance(lease_note.TTL / 3)
            until(taken[0].lost.is_set)

        on_put(store, "4", lose)
        with pytest.raises(IncompleteError, match="lease of `main` is lost: it is now held by Ada"):
            world.apply(plan)
    there = sorted(world.remote())
    assert {"0", "1", "2", "3"} <= set(there) <= {"0", "1", "2", "3", "4"}
    state = world.lock().state("main")
    assert sorted(state.entries) == there and state.partial
    (record,) = journal.records(world.root / ".buckia.d" / "journal")
    assert record.finished and {item.key for item in record.outcomes if item.done} == set(there)
    assert holder_of(store).id == "theirs"
    store.delete(store.head(lease_note.KEY) or Entry("", 0))
    del store.put
    world.apply(plan)
    assert len(world.remote()) == 9 and not world.lock().state("main").partial


def test_what_a_killed_run_of_this_folder_left_is_nobodys(tmp_path: Path) -> None:
    """Its lease is taken over at once and its claim removed; another folder has to wait."""
    store = MemoryStore()
    world = World(tmp_path / "one", {"main": store})
    world.write("a", b"1")
    other = world.clone(tmp_path / "two")
    leave(store, "killed")
    store.put(Entry(f"{lease_claims.PREFIX}killed", 1), BytesIO(b"1"), replacing=None)
    folder = world.root / ".buckia.d" / "leases"
    folder.mkdir(parents=True)
    (folder / "killed").touch()
    with pytest.raises(LockedError):
        other.apply(other.plan())
    world.sync()
    assert read_all(store) == {"a": b"1"}


def test_two_names_of_one_bucket_are_one_lease(tmp_path: Path) -> None:
    store = MemoryStore()
    world = World(tmp_path, {"one": store, "two": store})
    world.write("a", b"1")
    world.put("a", b"1", "one")
    assert ops(world.plan()) == ["adopt a", "adopt a"]
    world.sync()
    assert read_all(store) == {"a": b"1"}


def test_who_may_only_read_can_download(tmp_path: Path) -> None:
    """Where nothing is written to a bucket, no right to write is needed."""

    class ReadOnly(MemoryStore):
        def put(self, entry: Entry, body: BinaryIO, *, replacing: Entry | None) -> Entry:
            raise AccessError("access denied")

    full = MemoryStore()
    full.put(Entry("a", 1), BytesIO(b"1"), replacing=None)
    store = ReadOnly()
    store._objects = full._objects
    world = World(tmp_path, {"main": store})
    world.sync()
    assert world.local() == {"a": b"1"}
    world.write("b", b"2")
    with pytest.raises(AccessError):
        world.apply(world.plan())


def test_a_lease_does_not_make_the_bucket(tmp_path: Path) -> None:
    """A folder that is not mounted stays what it is."""
    world = World(tmp_path, {"main": None})
    world.write("a", b"1")
    plan = world.plan()
    folder = tmp_path / "buckets" / "main"
    folder.rmdir()
    with pytest.raises(StoreError, match="there is no folder 'main'"):
        world.apply(plan)
    assert not folder.exists()


def test_only_the_lease_that_was_seen_is_removed(store: MemoryStore) -> None:
    leave(store)
    found = lease.look(store)
    assert found
    leave(store, since="later")
    with pytest.raises(LockedError, match="its holder is alive"):
        lease.remove(store, found)
    assert holder_of(store).since == "later"


def test_folders_can_hold_a_lease(tmp_path: Path, clock: Clock) -> None:
    """The embedded bucket: created by the file system's own means, replaced after a look."""
    with hold(LocalStore(tmp_path), clock) as held:
        assert held.advisory
        held.renew()
        assert not held.lost.is_set()
        with pytest.raises(LockedError), hold(LocalStore(tmp_path), clock, "other"):
            raise AssertionError
    assert not (tmp_path / lease_note.KEY).exists()
