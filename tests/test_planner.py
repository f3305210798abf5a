"""From decisions to a plan: order, numbers, limits, guards and names that clash."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from buckia.decisions.phases import phase
from buckia.errors import ConflictError, UsageError
from buckia.model import Action, Conflict, Direction, Op, Policy, Undo
from buckia.planfile import Guards
from buckia.reconcile import Decision
from buckia.stores.base import Capabilities, Store
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World, codes, lock_up, ops

pytestmark = pytest.mark.usefixtures("hurried")


def make_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE t (x)")


# -- order and numbers -----------------------------------------------------------------------------


def test_actions_stand_in_the_order_of_their_execution(tmp_path: Path) -> None:
    """Writes, then databases, then deletions, then what only the lockfile sees; by key within."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"old": b"1", "older": b"2", "gone": b"3"})
    world.remove("old")
    world.drop("older")
    world.remove("gone")
    world.drop("gone")
    world.write("z", b"new")
    world.put("m", b"there")
    world.write("same", b"both")
    world.put("same", b"both")
    make_database(world.tree / "App")
    assert ops(world.plan()) == [
        "download m",
        "upload z",
        "upload App",
        "delete_remote old",
        "delete_local older",
        "forget gone",
        "adopt same",
    ]


def test_buckets_take_turns_within_a_phase(tmp_path: Path) -> None:
    """No bucket's deletions stand before another's writes."""
    stores = {"one": MemoryStore(), "two": MemoryStore()}
    world = World(tmp_path, stores, **ALL_DELETIONS).settled({"a": b"1", "b": b"2"})
    world.remove("a")
    world.write("n", b"new")
    shown = [(action.bucket, str(action.op)) for action in world.plan().actions]
    assert shown == [
        ("one", "upload"),
        ("two", "upload"),
        ("one", "delete_remote"),
        ("two", "delete_remote"),
    ]


def test_the_summary_counts_what_the_plan_holds(tmp_path: Path) -> None:
    """Actions by op, bytes each way, keys that need nothing, and what cannot be undone."""
    world = World(tmp_path, trash=False, **ALL_DELETIONS).settled(
        {"a/0": b"a", "a/1": b"b", "a/2": b"c"}
    )
    world.write("up", b"12345")
    world.put("down", b"123")
    world.write("a/0", b"changed")
    world.remove("a/1")
    summary = world.plan().summary
    assert summary.actions == {"upload": 2, "download": 1, "delete_remote": 1}
    assert (summary.bytes_up, summary.bytes_down) == (12, 3)
    assert (summary.irreversible, summary.unchanged) == (2, 1)


@pytest.mark.parametrize(("trash", "remote"), [(True, Undo.TRASH), (False, Undo.NONE)])
def test_an_action_tells_where_lost_bytes_are_kept(
    tmp_path: Path, trash: bool, remote: Undo
) -> None:
    """Always in the local trash for files; in the bucket's for objects, if that is wanted."""
    world = World(tmp_path, trash=trash, **ALL_DELETIONS).settled(
        {"a": b"1", "b": b"2", "c": b"3", "d": b"4"}
    )
    world.write("a", b"new")
    world.put("b", b"new")
    world.remove("c")
    world.drop("d")
    world.write("e", b"5")
    undo = {action.key: action.undo for action in world.plan().actions}
    assert undo == {"a": remote, "b": Undo.TRASH, "c": remote, "d": Undo.TRASH, "e": None}


def test_actions_name_what_they_expect_and_leave(tmp_path: Path) -> None:
    """An upload over an object expects its version and leaves the local content, typed by name."""
    world = World(tmp_path).settled({"a.png": b"1"})
    world.write("a.png", b"22")
    (action,) = world.plan().actions
    entry = world.store().head("a.png")
    assert entry and action.expect and action.content and action.source
    assert action.expect.version == entry.version
    assert (action.content.size, action.content.type) == (2, "image/png")
    assert action.source.path == "tree/a.png"


class Plain(MemoryStore):
    """A bucket that promises nothing."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()


@pytest.mark.parametrize(
    ("store", "word", "renamed"),
    [(MemoryStore(), "atomic", ["move z"]), (Plain(), "checked", ["upload z", "delete_remote a"])],
)
def test_the_plan_says_what_the_bucket_can_do(
    tmp_path: Path, store: Store, word: Any, renamed: list[str]
) -> None:
    """Writes are guarded by the service, or by a look before; a rename is a move if it copies."""
    world = World(tmp_path, {"main": store}, **ALL_DELETIONS).settled({"a": b"1", "b": b"2"})
    (world.tree / "a").rename(world.tree / "z")
    plan = world.plan()
    lease: Any = "atomic" if word == "atomic" else "advisory"
    assert plan.buckets["main"].guards == Guards(word, word, word, lease)
    assert ops(plan) == renamed


@pytest.mark.parametrize("op", Op)
def test_every_op_has_a_phase(op: Op) -> None:
    """An action of any kind knows its turn."""
    assert phase(Action("i", op, "b", "k", "r", None, None, None, None)) in range(8)


# -- conflicts, scope, direction -------------------------------------------------------------------


def conflicted(root: Path) -> World:
    world = World(root).settled({"a": b"1", "b": b"2"})
    world.write("a", b"here")
    world.put("a", b"there")
    world.write("n", b"new")
    return world


def test_a_conflict_blocks_the_plan_and_is_shown_whole(tmp_path: Path) -> None:
    """All three sides stand in the document, and apply refuses it."""
    world = conflicted(tmp_path)
    plan = world.plan()
    assert not plan.applyable
    assert plan.blocked == ("conflicts: 1",)
    (conflict,) = plan.conflicts
    assert isinstance(conflict, Conflict)
    assert (conflict.key, conflict.reason) == ("a", "both_changed")
    sizes = [part.size for part in (conflict.local, conflict.base, conflict.remote) if part]
    assert sizes == [4, 1, 5]
    with pytest.raises(ConflictError, match="1 unresolved conflict"):
        world.apply(plan)


def test_conflicts_can_be_left_out_and_the_plan_says_so(tmp_path: Path) -> None:
    """`--skip-conflicts` applies the rest and leaves both sides of the conflict as they are."""
    world = conflicted(tmp_path)
    plan = world.plan(skip_conflicts=True)
    assert (ops(plan), codes(plan)) == (["upload n"], ["conflict_skipped a"])
    world.apply(plan)
    assert (world.local()["a"], world.remote()["a"]) == (b"here", b"there")


def test_a_person_may_settle_some_conflicts(tmp_path: Path) -> None:
    """Answers become actions; what is left out stays a conflict."""
    world = World(tmp_path)
    for key in ("a", "b", "c"):
        world.write(key, b"here")
        world.put(key, b"there")
    answers = {"a": Policy.LOCAL_WINS, "b": Policy.REMOTE_WINS}
    asked: list[Decision] = []

    def ask(bucket: str, conflicts: list[Decision]) -> dict[str, Policy]:
        asked.extend(conflicts)
        return answers

    plan = world.plan(ask=ask)
    assert [item.key for item in asked] == ["a", "b", "c"]
    assert ops(plan) == ["upload a", "download b"]
    assert [conflict.key for conflict in plan.conflicts] == ["c"]


def test_an_answer_deletes_nothing_while_a_side_is_not_wholly_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person's word settles a conflict, not the doubt about a listing."""
    world = World(tmp_path, direction="upload", **ALL_DELETIONS)
    world.settled({"a": b"1", "b": b"2", "locked/c": b"3"})
    world.remove("a")
    world.put("a", b"changed")
    lock_up(monkeypatch, "locked")
    plan = world.plan(ask=lambda bucket, found: {item.key: Policy.LOCAL_WINS for item in found})
    assert not plan.complete
    assert ops(plan) == []
    assert "orphan a" in codes(plan)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        (Direction.UPLOAD, ["upload up", "delete_remote a"]),
        (Direction.DOWNLOAD, ["download down", "delete_local b"]),
        (None, ["download down", "upload up", "delete_remote a", "delete_local b"]),
    ],
)
def test_a_plan_can_be_asked_for_one_way(
    tmp_path: Path, direction: Direction | None, expected: list[str]
) -> None:
    """`--direction` leaves out what would travel the other way."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"a": b"1", "b": b"2", "c": b"3"})
    world.remove("a")
    world.drop("b")
    world.write("up", b"up")
    world.put("down", b"down")
    plan = world.plan(direction=direction)
    assert ops(plan) == expected
    assert plan.scope.direction == direction


def test_a_plan_can_be_asked_for_some_paths(tmp_path: Path) -> None:
    """`--paths` takes keys and local paths, files and folders; the plan remembers which."""
    world = World(tmp_path)
    for key in ("a/1", "b/2", "c"):
        world.write(key, b"x")
    plan = world.plan(paths=["./tree/a/", "c", "c"])
    assert ops(plan) == ["upload a/1", "upload c"]
    assert plan.scope.paths == ("c", "tree/a")
    for path in ("../up", "/etc", "~/x", "a/../../b"):
        with pytest.raises(UsageError, match="below the configuration's folder"):
            world.plan(paths=[path])


def test_two_buckets_never_write_one_local_file(tmp_path: Path) -> None:
    """The first bucket of the configuration brings it; the other reports the difference."""
    world = World(tmp_path, {"one": MemoryStore(), "two": MemoryStore()})
    world.put("k", b"of one", "one")
    world.put("k", b"of two", "two")
    plan = world.plan()
    assert [(action.bucket, action.key) for action in plan.actions] == [("one", "k")]
    assert [(notice.bucket, notice.code) for notice in plan.warnings] == [("two", "drift")]
