"""Many actions looked at together: told as each by itself, and nothing else is looked at."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from buckia import lockfile
from buckia.errors import StaleError
from buckia.execution.tasks import Stores
from buckia.lockfile import Held
from buckia.model import Action, Content, Entry, Op, Outcome, Source, action_id
from buckia.records import recorder
from buckia.records.recorder import Recorder
from buckia.sides import inspection
from buckia.sides.sightings import FEW, Seen, keys_of, see
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World

pytestmark = pytest.mark.usefixtures("hurried")

MANY = 2 * FEW
A = Content(1, sha256="a" * 64, version="v")


class Sought(MemoryStore):
    """A bucket where keys can be sought, but for those that end in an `x`."""

    def __init__(self) -> None:
        super().__init__()
        self.sought: list[str] = []
        self.looked: list[str] = []

    def seek(
        self, prefix: str, keys: Sequence[str], known: Sequence[str]
    ) -> dict[str, Entry | None]:
        """As a listing tells it."""
        assert list(keys) == sorted(keys) and list(known) == sorted(known)
        held = {entry.key: entry for entry in super().entries(prefix)}
        self.sought += keys
        return {key: held.get(key) for key in keys if not key.endswith("x")}

    def head(self, key: str) -> Entry | None:
        """Count a look."""
        self.looked.append(key)
        return super().head(key)


def act(op: Op, key: str, source: Source | None = None, reason: str = "r") -> Action:
    return Action(action_id(op, "main", key), op, "main", key, reason, source, A, A, None)


ACTIONS = [
    act(Op.UPLOAD, "up", Source(path="up")),
    act(Op.UPLOAD, "upx", Source(path="upx")),
    act(Op.DOWNLOAD, "down", Source(key="down", version="v")),
    act(Op.DOWNLOAD, "kept", Source(key="theirs", version="v"), "kept"),
    act(Op.COPY, "copy", Source(path="copy", key="from", version="v")),
    act(Op.COPY, "dress", Source(path="dress", key="dress", version="v")),
    act(Op.MOVE, "new", Source(path="new", key="old", version="v")),
    act(Op.DELETE_REMOTE, "gone"),
    act(Op.DELETE_LOCAL, "lost"),
    act(Op.ADOPT, "both", Source(path="both")),
    act(Op.FORGET, "none", reason="both_deleted"),
]
UNSEEN = [
    act(Op.FORGET, "left", reason="scope_left"),
    act(Op.PURGE, "cache/"),
    act(Op.CONFIGURE, "cors"),
]


def never() -> dict[str, Entry | None]:
    raise AssertionError("everything was looked at")


@pytest.mark.promise("L5")
@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: f"{a.op}-{a.key}")
@pytest.mark.parametrize("there", [True, False])
def test_what_is_seen_together_is_what_is_seen_alone(
    tmp_path: Path, action: Action, there: bool
) -> None:
    """And afterwards nothing of it is asked for again."""
    remote, local = Sought(), LocalStore(tmp_path)
    for key in {name for side in keys_of(ACTIONS) for name in side} if there else ():
        (tmp_path / key).write_text(key)
        with (tmp_path / key).open("rb") as body:
            remote.put(Entry(key, len(key)), body, replacing=None)
    stores = Stores(local, remote, "sha256:" + "0" * 64, threading.Event())
    seen = see([*ACTIONS, *UNSEEN], local, remote, ("",), (), 2, never, never)
    remote.looked.clear()
    together = inspection._view(action, stores, seen)
    assert remote.looked == []
    assert together == inspection._view(action, stores, None)


def test_nothing_is_asked_about_what_no_listing_shows() -> None:
    """There may not even be a path to look at."""
    assert keys_of(UNSEEN) == ([], [])


@pytest.mark.parametrize(
    ("key", "here", "there"),
    [
        ("up", ["up"], ["up"]),
        ("kept", ["kept"], ["kept", "theirs"]),
        ("copy", ["copy"], ["copy", "from"]),
        ("dress", ["dress"], ["dress"]),
        ("new", ["new", "old"], ["new", "old"]),
        ("none", ["none"], ["none"]),
    ],
)
def test_each_action_is_looked_for_on_both_sides(
    key: str, here: list[str], there: list[str]
) -> None:
    """The old name of a move locally, too: the file may be back. That of a copy is not."""
    assert keys_of([action for action in ACTIONS if action.key == key]) == (here, there)


@pytest.mark.parametrize(("known", "most"), [(0, 32), (20_000, 40)])
@pytest.mark.parametrize("more", [0, 1])
def test_a_listing_is_made_where_looks_would_cost_more(
    tmp_path: Path, known: int, most: int, more: int
) -> None:
    """Of a bucket that cannot seek: more looks than a large bucket has pages are too many."""
    listings: list[int] = []

    def listed() -> dict[str, Entry | None]:
        listings.append(1)
        return {}

    store = MemoryStore()
    actions = [act(Op.UPLOAD, f"{n:03}", Source(path=f"{n:03}")) for n in range(most + more)]
    before = store.traffic.usage
    names = (f"k/{n}" for n in range(known))
    see(actions, LocalStore(tmp_path), store, ("",), names, 2, never, listed)
    assert len(listings) == more
    assert (store.traffic.usage - before).look == (0 if more else most)


class Near(Sought):
    """A local side that sees itself which key is which file."""

    def seek(
        self, prefix: str, keys: Sequence[str], known: Sequence[str]
    ) -> dict[str, Entry | None]:
        """All keys there are, and nothing is known of others."""
        assert (prefix, list(known)) == ("", [])
        return super().seek(prefix, keys, known)


@pytest.mark.parametrize(
    ("local", "key", "walks"),
    [(Near, "up", 0), (Near, "caf\u00e9", 1), (MemoryStore, "up", 1)],
)
def test_a_folder_is_walked_only_for_names_it_may_spell_otherwise(
    local: type[MemoryStore], key: str, walks: int
) -> None:
    """And where it cannot be asked for some files. What the walk tells counts."""
    walked: list[int] = []

    def walk() -> dict[str, Entry | None]:
        walked.append(1)
        return {key: Entry(key, 1, path="cafe\u0301")}

    store = local()
    seen = see([act(Op.UPLOAD, key)], store, Sought(), ("",), (), 2, walk, never)
    assert len(walked) == walks
    found = seen.local(key)
    assert (found.path if found else None) == ("cafe\u0301" if walks else None)


def test_a_key_that_was_not_asked_for_is_not_absent(tmp_path: Path) -> None:
    """It is looked at."""
    (tmp_path / "k").write_text("k")
    remote = Sought()
    with (tmp_path / "k").open("rb") as body:
        remote.put(Entry("k", 1), body, replacing=None)
    seen: Seen = see([], LocalStore(tmp_path), remote, ("",), (), 2, never, never)
    assert seen.local("k") and seen.remote("k") and seen.remote("other") is None


def test_what_lies_outside_of_all_prefixes_is_looked_at(tmp_path: Path) -> None:
    """Such as the key of a single file."""
    remote = Sought()
    see(ACTIONS, LocalStore(tmp_path), remote, ("n",), (), 2, never, never)
    assert remote.sought == ["new", "none"]
    assert {"up", "old"} <= set(remote.looked) and not {"new", "none"} & set(remote.looked)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Many files to be replaced among more, in a bucket where keys can be sought."""
    world = World(tmp_path, {"main": Sought()}, **ALL_DELETIONS)
    world.settled({f"{folder}/{n:03}": b"1" for folder in "ab" for n in range(MANY)})
    for number in range(MANY):
        world.write(f"a/{number:03}", b"changed")
    return world


def test_an_apply_of_many_looks_at_what_it_changes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No folder is walked, no bucket is listed."""
    plan = world.plan()

    def walk(*words: object, **more: object) -> None:
        raise AssertionError("everything was looked at")

    monkeypatch.setattr(LocalStore, "listing", walk)
    monkeypatch.setattr("buckia.snapshot.list_remote", walk)
    store = world.store()
    assert isinstance(store, Sought)
    store.sought.clear()
    assert not world.apply(plan).failed
    assert store.sought == [f"a/{number:03}" for number in range(MANY)]
    monkeypatch.undo()
    assert world.plan().actions == ()


@pytest.mark.promise("L5")
@pytest.mark.parametrize(
    ("meddle", "words"),
    [
        (lambda w: w.write("a/007", b"other"), "a/007: the local file has changed"),
        (lambda w: w.remove("a/007"), "a/007: the local file is gone"),
        (lambda w: w.put("a/007", b"theirs"), "a/007: the object in the bucket has changed"),
        (lambda w: w.drop("a/007"), "a/007: the object in the bucket is gone"),
    ],
)
def test_one_of_many_that_is_not_as_planned_stops_all(
    world: World, meddle: object, words: str
) -> None:
    """Whichever side moved; and nothing was changed."""
    plan = world.plan()
    assert callable(meddle)
    meddle(world)
    before = world.remote("main")
    with pytest.raises(StaleError, match=words):
        world.apply(plan)
    assert world.remote("main") == before


def test_a_long_write_of_the_lockfile_makes_the_next_one_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run is not held up by more than a small share, however large the lockfile is."""
    clock = SimpleNamespace(now=0.0)
    writes: list[float] = []
    record, save = Recorder.add, lockfile.save

    def late(self: Recorder, batch: list[Outcome]) -> list[Outcome]:
        clock.now += recorder.CHECKPOINT + 1
        return record(self, batch)

    def slow(*words: Any) -> Held:
        writes.append(clock.now)
        clock.now += 1.0
        return save(*words)

    plan = world.plan()
    monkeypatch.setattr(recorder, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(lockfile, "save", slow)
    monkeypatch.setattr(Recorder, "add", late)
    world.apply(plan)
    meanwhile = writes[:-1]
    assert len(meanwhile) > 1
    assert all(later - former > recorder.SHARE for former, later in pairwise(meanwhile))
