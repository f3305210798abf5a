"""Conflicts of a plan settled in a new one: what it says, what it does, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from buckia import planfile
from buckia.decisions import resolving
from buckia.decisions.selection import Conflicts
from buckia.documents import schema
from buckia.errors import DocumentError, StaleError, UsageError
from buckia.model import Action, Op, Policy, Tick, replace
from buckia.planfile import Plan
from buckia.stores.memory import MemoryStore
from tests.helpers import World
from tests.sqlite_helpers import sql


@pytest.fixture(params=["memory", "folder"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """A project with conflicts of three kinds and a bystander."""
    stores = {"main": MemoryStore() if request.param == "memory" else None}
    world = World(tmp_path, stores)
    for key in ("a.txt", "gone", "kept"):
        world.write(key, b"base")
    world.apply(world.plan())
    world.write("a.txt", b"here")
    world.put("a.txt", b"there!")
    world.write("new", b"mine")
    world.put("new", b"theirs")
    world.write("other", b"bystander")
    return world


def settled(world: World, old: Plan, policy: Policy, glob: str | None = None) -> Plan:
    """The plan after `resolve --use`."""
    ask = resolving.again(old, resolving.answering(policy, glob))
    new = world.plan(ask=ask)
    resolving.refuse_moved(old, new)
    assert planfile.read(planfile.write(new)) == new
    Draft202012Validator(schema("plan")).validate(json.loads(planfile.write(new)))
    return new


def sides(world: World) -> tuple[dict[str, bytes], dict[str, bytes]]:
    return world.local(), world.remote()


BOTH = {"a.txt": b"here", "a.remote.txt": b"there!", "new": b"mine", "new.remote": b"theirs"}
REST = {"gone": b"base", "kept": b"base", "other": b"bystander"}


@pytest.mark.parametrize(
    ("policy", "result"),
    [
        (Policy.LOCAL_WINS, {"a.txt": b"here", "new": b"mine"}),
        (Policy.REMOTE_WINS, {"a.txt": b"there!", "new": b"theirs"}),
        (Policy.KEEP_BOTH, BOTH),
    ],
)
def test_each_choice_is_applied_and_converges(
    world: World, policy: Policy, result: dict[str, bytes]
) -> None:
    old = world.plan()
    new = settled(world, old, policy)
    assert new.digest != old.digest
    assert [(item.key, item.choice) for item in new.resolved] == [
        ("a.txt", policy),
        ("new", policy),
    ]
    world.apply(new)
    assert sides(world) == (result | REST, result | REST)
    again = world.plan()
    assert (again.actions, again.conflicts) == ((), ())


def test_only_what_matches_is_settled(world: World) -> None:
    new = settled(world, world.plan(), Policy.LOCAL_WINS, "*.txt")
    assert [item.key for item in new.conflicts] == ["new"]
    assert not new.applyable
    last = settled(world, new, Policy.REMOTE_WINS)
    assert [(item.key, item.choice) for item in last.resolved] == [
        ("a.txt", "local_wins"),
        ("new", "remote_wins"),
    ]
    assert last.applyable


def test_what_was_deleted_on_one_side_is_kept_from_the_other(world: World) -> None:
    """There is only one to keep, and no second name."""
    world = World(world.root.parent / "one-way", direction="upload")
    world.write("gone", b"base")
    world.apply(world.plan())
    world.remove("gone")
    world.put("gone", b"changed")
    old = world.plan()
    assert [item.reason for item in old.conflicts] == ["local_deleted_remote_changed"]
    with pytest.raises(UsageError, match="gone: both sides are kept only where both"):
        settled(world, old, Policy.KEEP_BOTH)


def test_a_name_that_is_taken_is_not_given(world: World) -> None:
    world.write("A.remote.TXT", b"another")
    new = settled(world, world.plan(), Policy.KEEP_BOTH, "a.txt")
    assert [item.kept for item in new.resolved] == ["a.remote-2.txt"]
    assert resolving.answers_of(new) == {("main", "a.txt"): Policy.KEEP_BOTH}


def test_a_name_out_of_scope_is_not_given(tmp_path: Path) -> None:
    world = World(tmp_path, exclude=["*.remote.*"])
    world.write("a.txt", b"here")
    world.put("a.txt", b"there!")
    new = settled(world, world.plan(), Policy.KEEP_BOTH)
    assert [item.kept for item in new.resolved] == ["a.remote-2.txt"]


class Cut(BaseException):
    """The end of a process."""


def test_keeping_both_cut_anywhere_ends_the_same(tmp_path: Path) -> None:
    """Cut after each outcome and run again, by the same plan: both contents are on both sides."""
    for at in range(1, 5):
        world = World(tmp_path / str(at))
        world.write("a.txt", b"here")
        world.put("a.txt", b"there!")
        new = settled(world, world.plan(), Policy.KEEP_BOTH)
        assert [item.op for item in new.actions] == [Op.DOWNLOAD, Op.COPY, Op.UPLOAD]
        seen: list[Tick] = []

        def cut(tick: Tick, at: int = at, seen: list[Tick] = seen) -> None:
            if tick.stage in ("download", "copy", "upload"):
                seen.append(tick)
                if len(seen) == at:
                    raise Cut

        if at <= 3:
            with pytest.raises(Cut):
                world.apply(new, progress=cut)
        both = {"a.txt": b"here", "a.remote.txt": b"there!"}
        assert set(both.values()) <= {*world.local().values(), *world.remote().values()}
        world.apply(new)
        assert sides(world) == (both, both), at
        assert world.plan().actions == ()


def test_keeping_both_cut_and_planned_anew_loses_nothing(tmp_path: Path) -> None:
    """A new plan after the cut may ask again, and neither content is gone."""
    for at in (1, 2, 3):
        world = World(tmp_path / str(at), delete_orphaned=True)
        world.write("a.txt", b"here")
        world.put("a.txt", b"there!")
        new = settled(world, world.plan(), Policy.KEEP_BOTH)
        count = 0

        def cut(tick: Tick, at: int = at) -> None:
            nonlocal count
            count += tick.stage in ("download", "copy", "upload")
            if count == at:
                raise Cut

        with pytest.raises(Cut):
            world.apply(new, progress=cut)
        plan = world.plan()
        assert not any(item.op in (Op.DELETE_LOCAL, Op.DELETE_REMOTE) for item in plan.actions)
        ask = resolving.answering(Policy.LOCAL_WINS, None)
        world.apply(world.plan(ask=ask))
        both = {"a.txt": b"here", "a.remote.txt": b"there!"}
        assert sides(world) == (both, both), at


@pytest.mark.parametrize("change", ["other", "conflict", "new"])
def test_what_moved_since_is_told_and_not_slipped_in(world: World, change: str) -> None:
    old = world.plan()
    if change == "other":
        world.write("other", b"changed since it was reviewed")
    elif change == "conflict":
        world.put("a.txt", b"changed once more")
    else:
        world.write("more", b"since then")
    with pytest.raises(StaleError, match=r"since that plan was made something else changed: main/"):
        settled(world, old, Policy.LOCAL_WINS)


def test_preflight_still_guards(world: World) -> None:
    new = settled(world, world.plan(), Policy.KEEP_BOTH)
    world.put("a.txt", b"changed after it was resolved")
    before = sides(world)
    with pytest.raises(StaleError, match=r"a\.remote\.txt: the object in the bucket has changed"):
        world.apply(new)
    assert sides(world) == before


def _forged(plan: Plan, **changes: Any) -> Plan:
    def change(action: Action) -> Action:
        return replace(action, **changes) if action.op is Op.DOWNLOAD else action

    return planfile.seal(replace(plan, actions=tuple(map(change, plan.actions))))


def test_only_a_resolution_downloads_under_another_name(world: World) -> None:
    """A plan made by hand cannot bring one key over the file of another."""
    new = settled(world, world.plan(), Policy.KEEP_BOTH, "a.txt")
    new = planfile.seal(replace(new, conflicts=(), blocked=(), applyable=True))
    with pytest.raises(DocumentError, match=r"takes its bytes from the key 'a\.txt'"):
        world.apply(_forged(new, reason="remote_new"))


def test_a_pattern_that_names_nothing_is_a_mistake(world: World) -> None:
    plan = world.plan()
    resolving.demand_conflicts(plan, "*.txt")
    resolving.demand_conflicts(plan, None)
    with pytest.raises(UsageError, match=r"names no conflict of the plan; one is a\.txt"):
        resolving.demand_conflicts(plan, "*.jpg")


def test_who_is_asked_can_look_at_both_sides(tmp_path: Path) -> None:
    """Kinds, sizes of pictures and rows, of the bytes as they are."""
    world = World(tmp_path)
    for key, head in (("a.gif", b"GIF89a\x04\0\x03\0"), ("b.txt", b"text")):
        world.write(key, head)
        world.put(key, b"\0" + head)
    here, there = world.tree / "App.sqlite", tmp_path / "there.sqlite"
    sql(here, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES (1, 'a')")
    sql(there, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES (1, 'b')")
    world.put("App.sqlite", there.read_bytes())
    told: dict[str, tuple[str, str, str]] = {}

    def ask(bucket: str, conflicts: Conflicts) -> Mapping[str, Policy]:
        for item in conflicts:
            facts = conflicts.look(item)
            told[item.key] = (str(facts.local), str(facts.remote), " ".join(facts.changes))
        return {}

    world.plan(ask=ask)
    assert told["a.gif"] == ("GIF image, 4 x 3", "binary", "")
    assert told["b.txt"] == ("text", "binary", "")
    assert told["App.sqlite"][:2] == ("SQLite database", "SQLite database")
    assert told["App.sqlite"][2] == "t: 1 row changed"
