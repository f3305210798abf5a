"""What visitors are served from caches in front of a bucket, and what buckia drops from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from buckia import lockfile, planfile, purges
from buckia.errors import DocumentError, UnavailableError
from buckia.model import Entry, Op, Tick, replace
from buckia.planfile import Plan
from buckia.stores.base import Caches, Capabilities
from tests.helpers import ALL_DELETIONS, World, ops, read_all
from tests.strategies import History, examples, histories
from tests.tampering import action, forged, only
from tests.test_laws_runs import Cut, Cutting, Reports

pytestmark = pytest.mark.usefixtures("hurried")

LIMITS: Final = Caches(exact=3, folders=2)


class Cached(Cutting):
    """A bucket behind caches. `visitors` is what they serve; `refused` purges fail."""

    def __init__(self) -> None:
        super().__init__()
        self.visitors: dict[str, bytes] = {}
        self.purged: list[str] = []
        self.refused: set[str] = set()
        self.broken: set[str] = set()

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, caches=LIMITS)

    def visit(self) -> None:
        """Everybody looks at everything: from now on it is served from caches."""
        self.visitors = read_all(self)

    def put(self, entry: Entry, body: Any, *, replacing: Entry | None) -> Entry:
        if entry.key in self.broken:
            raise UnavailableError(f"{entry.key}: the service is not available")
        return super().put(entry, body, replacing=replacing)

    def purge(self, key: str) -> None:
        with self._change():
            if key in self.refused:
                raise UnavailableError(f"{key}: the service is busy; try again later")
            self.purged.append(key)
            kept = {name for name in self.visitors if not covers(key, name)}
            self.visitors = {name: self.visitors[name] for name in kept}

    def stale(self) -> set[str]:
        """The keys of which visitors still get something else than the bucket holds."""
        held = read_all(self)
        return {key for key, data in self.visitors.items() if held.get(key) != data}


def covers(purge: str, key: str) -> bool:
    """Whether caches drop a key for a purge."""
    return purge == key or purge == "/" or (purge.endswith("/") and key.startswith(purge))


@contextmanager
def world_of(root: Path, files: dict[str, bytes], **options: Any) -> Iterator[tuple[World, Cached]]:
    """A world at rest whose bucket has been visited."""
    store = Cached()
    world = World(root, {"main": store}, **{**ALL_DELETIONS, **options}).settled(files)
    store.visit()
    yield world, store


def purged(plan: Plan) -> list[str]:
    """The purges of a plan."""
    return [item.key for item in plan.actions if item.op is Op.PURGE]


# -- what is planned -------------------------------------------------------------------------------


def test_what_was_served_is_purged_and_nothing_else(tmp_path: Path) -> None:
    """A changed, a deleted and a renamed file; neither a new one nor one that stays."""
    with world_of(tmp_path, {"a": b"1", "gone": b"2", "old": b"3", "stays": b"4"}) as (
        world,
        store,
    ):
        world.write("a", b"changed")
        world.remove("gone")
        (world.tree / "old").rename(world.tree / "renamed")
        world.write("new", b"5")
        world.put("there", b"6")
        plan = world.plan()
        assert purged(plan) == ["a", "gone", "old"]
        assert ops(plan)[-3:] == ["purge a", "purge gone", "purge old"]
        assert plan.summary.actions[Op.PURGE] == 3
        world.apply(plan)
        assert store.purged == ["a", "gone", "old"]
        assert store.stale() == set()
        assert ops(world.plan()) == []
        assert world.apply(plan).already
        assert len(store.purged) == 3


def test_what_is_put_back_is_purged_too(tmp_path: Path) -> None:
    """Somebody deleted it behind buckia's back; caches may have kept it."""
    with world_of(tmp_path, {"a": b"1", "b": b"2"}) as (world, _):
        world.drop("a")
        world.write("a", b"changed")
        assert ops(world.plan()) == ["upload a", "purge a"]


def test_a_page_is_shown_for_its_folder(tmp_path: Path) -> None:
    """With the slash, which stands for all below, and without it."""
    files = {"index.html": b"1", "a/b/index.html": b"2", "a/other.html": b"3"}
    with world_of(tmp_path, files) as (world, _):
        world.write("a/b/index.html", b"new")
        assert purged(world.plan()) == ["a/b", "a/b/"]
        world.write("index.html", b"new")
        assert purged(world.plan()) == ["/"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (["a/1", "a/2", "b/1"], ["a/1", "a/2", "b/1"]),
        (["a/1", "a/2", "b/1", "b/2"], ["a/", "b/1", "b/2"]),
        (["a/x/1", "a/x/2", "a/x/3", "a/y/1"], ["a/x/", "a/y/1"]),
        (["a/1", "a/2", "b/1", "b/2", "c/1", "c/2", "d/1", "d/2"], ["/"]),
        (["a/v/1", "a/w/1", "a/x/1", "a/y/1", "top"], ["a/v/", "a/w/", "a/x/1"]),
        (["a/u/1", "a/v/1", "a/w/1", "a/x/1", "a/y/1", "a/z/1", "b/1"], ["a/", "b/1"]),
        (["1", "2", "3", "4"], ["/"]),
        (["1", "2", "3", "a/1", "a/2"], ["1", "2", "3", "a/"]),
    ],
)
def test_too_many_go_by_folder(changed: list[str], expected: list[str]) -> None:
    """The fullest folders first, as deep as they can be, and the whole bucket only in the end."""
    found = list(purges.fold(changed, (), LIMITS))
    assert found[: len(expected)] == expected
    assert all(sum(covers(purge, key) for purge in found) == 1 for key in changed)


names = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)


@examples(200)
@given(
    st.sets(names, max_size=40),
    st.sets(names.map(lambda name: f"{name}/"), max_size=5),
    st.integers(1, 9),
    st.integers(1, 4),
)
def test_folding_covers_everything_within_the_limits(
    exact: set[str], folders: set[str], most: int, few: int
) -> None:
    """Every key and folder is covered, no purge lies within another, and it is the same always."""
    limits = Caches(most, few)
    found = purges.fold(exact, folders, limits)
    assert found == purges.fold(sorted(exact), sorted(folders), limits)
    assert all(any(covers(purge, key) for purge in found) for key in exact | folders)
    assert sum(not purge.endswith("/") for purge in found) <= most
    assert sum(purge.endswith("/") for purge in found) <= few
    for purge in found:
        assert not any(covers(other, purge) for other in found if other != purge)
    assert purges.due(found, exact) >= {purge for purge in found if not purge.endswith("/")}


# -- what is done ----------------------------------------------------------------------------------


def test_a_purge_that_fails_undoes_nothing_and_is_done_next_time(tmp_path: Path) -> None:
    """By the same plan or by a new one, and only it."""
    with world_of(tmp_path, {"a": b"1", "b": b"2"}) as (world, store):
        world.write("a", b"changed")
        world.write("b", b"changed")
        plan = world.plan()
        store.refused = {"a"}
        failed = world.apply(plan).failed
        assert [(item.op, item.key) for item in failed] == [(Op.PURGE, "a")]
        assert "the service is busy" in str(failed[0].error)
        assert world.local() == world.remote()
        assert world.lock().state("main").partial
        assert world.lock().state("main").purges == ("a",)
        assert store.stale() == {"a"}
        twin = world.plan()
        assert ops(twin) == ["purge a"]
        assert twin.actions[0].reason == "left_over"
        store.refused = set()
        assert not world.apply(twin).failed
        assert store.stale() == set()
        assert world.lock().state("main").purges == ()
        assert ops(world.plan()) == []
        assert world.apply(twin).already


def test_what_did_not_change_is_not_purged(tmp_path: Path) -> None:
    """A failed upload, and the deletions it holds back; what did change is."""
    with world_of(tmp_path, {"a": b"1", "b": b"2", "c": b"3"}) as (world, store):
        world.write("a", b"changed")
        world.write("b", b"changed")
        world.remove("c")
        plan = world.plan()
        store.broken = {"b"}
        assert [item.key for item in world.apply(plan).failed] == ["b"]
        assert store.purged == ["a"]
        assert store.stale() == set()
        store.broken = set()
        assert not world.apply(plan).failed
        assert store.stale() == set()
        assert world.lock().state("main").purges == ()


def test_a_folder_is_purged_again_after_what_failed_in_it(tmp_path: Path) -> None:
    """The purge of the first run came before the last change."""
    files = {f"a/{number}": b"1" for number in range(4)}
    with world_of(tmp_path, files) as (world, store):
        for key in files:
            world.write(key, b"changed")
        plan = world.plan()
        assert purged(plan) == ["a/"]
        store.broken = {"a/1"}
        assert world.apply(plan).failed
        store.visit()
        assert store.purged == ["a/"]
        assert world.lock().state("main").purges == ("a/",)
        store.broken = set()
        assert not world.apply(plan).failed
        assert store.stale() == set()


def test_a_plan_for_part_of_a_bucket_leaves_what_is_owed(tmp_path: Path) -> None:
    """It is not about it, and the next whole plan is."""
    with world_of(tmp_path, {"a": b"1", "b/c": b"2"}) as (world, store):
        world.write("a", b"changed")
        store.refused = {"a"}
        world.apply(world.plan())
        store.refused = set()
        world.write("b/c", b"changed")
        part = world.plan(paths=["tree/b"])
        assert ops(part) == ["upload b/c", "purge b/c"]
        assert not world.apply(part).failed
        assert world.lock().state("main").purges == ("a",)
        assert ops(world.plan()) == ["purge a"]


@examples(60)
@given(
    histories, st.integers(1, 9), st.sampled_from(["before", "after", "recorded"]), st.booleans()
)
@pytest.mark.promise("L3")
def test_law_3_holds_for_caches(history: History, step: int, where: str, anew: bool) -> None:
    """Cut anywhere, also between a change and its purge: in the end nobody is served what was."""
    store = Cached()
    with TemporaryDirectory() as folder:
        world = history.build(Path(folder), {"main": store})
        assume(world.lock().state("main").entries or history.options["delete_orphaned"] != "all")
        plan = world.plan(skip_conflicts=True)
        assume(plan.applyable and plan.actions)
        store.visit()
        store.after, store.step = where == "after", step if where != "recorded" else 0
        with suppress(Cut):
            world.apply(plan, progress=Reports(step if where == "recorded" else 0))
        store.step = 0
        assert not world.apply(world.plan(skip_conflicts=True) if anew else plan).failed
        assert store.stale() == set()
        assert ops(world.plan(skip_conflicts=True)) == []
        assert world.lock().state("main").purges == ()


# -- documents -------------------------------------------------------------------------------------


def test_a_purge_of_something_else_is_no_plan(tmp_path: Path) -> None:
    """Nor is one for a bucket without caches."""
    with world_of(tmp_path, {"a": b"1"}) as (world, store):
        data = forged(world, only(action("purge", "b")))
        with pytest.raises(
            DocumentError, match="purge of 'b' is for nothing that the plan changes"
        ):
            world.apply(planfile.read(data))
        assert store.purged == []
        world.write("a", b"2")
        plan = world.plan()
        world.stores["main"] = store.__class__.__mro__[1]()
        with pytest.raises(DocumentError, match="needs a `pull_zone`"):
            world.apply(plan)


def test_what_is_owed_stands_in_the_lockfile_line_by_line() -> None:
    """And not at all where nothing is."""
    state = lockfile.BucketState("l", 1, lockfile.digest({}), None, True, {}, purges=("a", "b/"))
    lock = lockfile.EMPTY.with_state("main", state)
    data = lockfile.write(lock)
    assert b'"purges": [\n"a",\n"b/"\n],\n' in data
    assert lockfile.read(data) == lock
    assert b"purges" not in lockfile.write(lock.with_state("main", replace(state, purges=())))


def test_progress_counts_purges(tmp_path: Path) -> None:
    """As steps of the run without bytes."""
    seen: list[Tick] = []
    with world_of(tmp_path, {"a": b"1"}) as (world, _):
        world.write("a", b"22")
        world.apply(world.plan(), progress=seen.append)
    assert (seen[-1].stage, seen[-1].key, seen[-1].files, seen[-1].bytes) == ("purge", "a", 2, 2)
