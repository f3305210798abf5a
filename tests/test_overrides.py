"""Limits, protected keys, sides that are not recognised, and how each is lifted: in the plan, where
a reviewer sees it, or in the configuration alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from buckia import planfile
from buckia.decisions import safeguards
from buckia.errors import BlockedError, BuckiaError
from buckia.model import Entry
from buckia.report import changes
from buckia.rules import NO_OVERRIDES, Overrides
from buckia.runs.refusals import refuse_unfit
from buckia.sides.identity import FILE, object_key
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, NO_LIMITS, Side, World, ops

pytestmark = pytest.mark.usefixtures("hurried")

FILES: Side = {f"{top}/{at}": f"{top}{at}".encode() for top in "ab" for at in range(6)}
STRICT: dict[str, Any] = {"delete_orphaned": True, "limits": {"max_delete": 0, "min": 2}}


def local_emptied() -> Overrides:
    return Overrides(accept_empty=frozenset({"local"}))


# -- overrides in the plan -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "overrides",
    [
        NO_OVERRIDES,
        Overrides(0),
        Overrides(12),
        local_emptied(),
        Overrides(3, frozenset({"remote", "local"})),
    ],
)
def test_overrides_are_read_back_as_they_were_written(overrides: Overrides) -> None:
    assert Overrides.of(overrides.told) == overrides


def test_overrides_stand_in_the_plan_and_count_towards_its_digest(tmp_path: Path) -> None:
    """Who approves a digest approves what was lifted."""
    world = World(tmp_path, **STRICT).settled(FILES)
    world.remove("a/0")
    plain, lifted = world.plan(), world.plan(overrides=Overrides(5))
    assert (plain.actions, plain.overrides) == (lifted.actions, ())
    assert plain.digest != lifted.digest
    assert lifted.overrides == ({"rule": "max_delete", "allow": "5"},)
    value = json.loads(planfile.write(lifted))
    value["overrides"] = []
    with pytest.raises(BuckiaError, match="edited"):
        planfile.read(json.dumps(value).encode())


def test_deletions_that_were_allowed_are_all_that_is_allowed(tmp_path: Path) -> None:
    """A count a side, net of moves, in place of the limit of the bucket and of its folders."""
    world = World(tmp_path, **STRICT).settled(FILES)
    for at in range(4):
        world.remove(f"a/{at}")
    world.write("moved", FILES["a/0"])
    assert world.plan().blocked == (
        "max_delete: main/a: delete_remote 3, allowed 2",
        "max_delete: main: delete_remote 3, allowed 2",
    )
    assert not world.plan(overrides=Overrides(2)).applyable
    plan = world.plan(overrides=Overrides(3))
    assert plan.applyable
    world.apply(plan)
    assert len(world.remote()) == 9


def test_each_bucket_is_counted_alone(tmp_path: Path) -> None:
    """What one bucket loses does not use up what another may."""
    world = World(tmp_path, {"one": MemoryStore("1"), "two": MemoryStore("2")}, **STRICT)
    world.settled(FILES)
    for at in range(3):
        world.remove(f"a/{at}")
    assert len(world.plan().blocked) == 4
    assert world.plan(overrides=Overrides(3)).applyable


def test_a_smaller_allowance_is_no_limit(tmp_path: Path) -> None:
    """It lifts and never tightens."""
    world = World(tmp_path, **STRICT).settled(FILES)
    world.remove("a/0")
    world.remove("a/1")
    assert world.plan(overrides=Overrides(0)).applyable


# -- an empty side, another's side -----------------------------------------------------------------


@pytest.mark.parametrize("side", ["local", "remote"])
@pytest.mark.promise("INV-2")
def test_an_empty_side_needs_both_its_word_and_the_number(tmp_path: Path, side: str) -> None:
    """That it is empty, and that so many go."""
    world = World(tmp_path, **STRICT).settled(FILES)
    for key in FILES:
        (world.remove if side == "local" else world.drop)(key)
    accepted = frozenset({side})
    assert f"empty_{side}: main" in world.plan(overrides=Overrides(12)).blocked
    assert not world.plan(overrides=Overrides(accept_empty=accepted)).applyable
    other = "remote" if side == "local" else "local"
    assert not world.plan(overrides=Overrides(12, frozenset({other}))).applyable
    world.apply(world.plan(overrides=Overrides(12, accepted)))
    assert world.both() == [{}, {}]


def moved_in(world: World) -> None:
    """Another folder stands where the mapped one stood: a disk that is not mounted, say."""
    world.tree.rename(world.root / "away")
    world.tree.mkdir()
    world.write("other", b"of somebody else")


@pytest.mark.promise("INV-3")
def test_a_folder_of_other_content_deletes_nothing(tmp_path: Path) -> None:
    """It shares nothing with the lockfile and is not the folder that the marker remembers."""
    world = World(tmp_path, **ALL_DELETIONS).settled(FILES)
    moved_in(world)
    plan = world.plan()
    assert plan.blocked == ("unrecognised_local: main",)
    with pytest.raises(BlockedError, match="is it the right folder"):
        world.apply(plan)
    assert world.remote() == FILES
    world.apply(world.plan(overrides=local_emptied()))
    assert world.remote() == {"other": b"of somebody else"}


def test_one_file_as_it_was_is_enough_to_know_a_folder_by(tmp_path: Path) -> None:
    """A clone of the project elsewhere has no marker and the same files."""
    world = World(tmp_path, **ALL_DELETIONS).settled(FILES)
    moved_in(world)
    world.write("a/0", FILES["a/0"])
    assert world.plan().applyable


def test_everything_may_change_in_a_folder_that_is_known(tmp_path: Path) -> None:
    """The marker vouches for a folder in which nothing is as it was."""
    world = World(tmp_path, **ALL_DELETIONS).settled(FILES)
    for key in FILES:
        world.remove(key)
    world.write("all/new", b"1")
    plan = world.plan()
    assert plan.applyable
    world.apply(plan)
    assert world.remote() == {"all/new": b"1"}


@pytest.mark.parametrize("damage", [b"", b"[]", b"{", b'{"x": 1}'])
def test_a_marker_that_is_lost_or_damaged_is_held_against_nobody(
    tmp_path: Path, damage: bytes
) -> None:
    """A folder that still holds what buckia left is known by that."""
    world = World(tmp_path, **ALL_DELETIONS).settled(FILES)
    (world.root / ".buckia.d" / FILE).write_bytes(damage)
    world.remove("a/0")
    assert world.plan().applyable
    for key in FILES:
        world.remove(key)
    world.write("new", b"1")
    assert world.plan().blocked == ("unrecognised_local: main",)


def replaced(world: World) -> World:
    """The same project before a bucket of the same name with other things in it."""
    store = MemoryStore("another")
    world.stores["main"] = store
    world.put("other", b"of somebody else")
    return world


@pytest.mark.promise("INV-3")
def test_a_bucket_of_other_content_deletes_nothing(tmp_path: Path) -> None:
    """Right name, wrong account: it shares nothing with the lockfile and has no marker."""
    world = replaced(World(tmp_path, **ALL_DELETIONS).settled(FILES))
    plan = world.plan()
    assert plan.blocked == ("unrecognised_remote: main",)
    with pytest.raises(BlockedError, match="is it the right bucket"):
        world.apply(plan)
    assert world.local() == FILES
    accepted = Overrides(accept_empty=frozenset({"remote"}))
    world.apply(world.plan(overrides=accepted))
    assert world.local() == {"other": b"of somebody else"}


def test_a_bucket_with_the_marker_may_change_altogether(tmp_path: Path) -> None:
    """The object that an apply left there vouches for it; content is none of its own."""
    world = World(tmp_path, **ALL_DELETIONS).settled(FILES)
    marker = object_key(str(world.lock().state("main").lineage))
    for key in FILES:
        world.drop(key)
    world.put("all/new", b"1")
    world.put(marker, b"")
    plan = world.plan()
    assert plan.applyable
    world.apply(plan)
    assert world.local() == world.remote() == {"all/new": b"1"}


def test_a_bucket_that_takes_no_marker_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials that may only write content are enough."""
    world = World(tmp_path, **ALL_DELETIONS).settled(FILES)
    put = MemoryStore.put

    def refuse(store: MemoryStore, entry: Entry, *rest: Any, **more: Any) -> Entry:
        if "identity" in entry.key:
            raise BuckiaError("no")
        return put(store, entry, *rest, **more)

    monkeypatch.setattr(MemoryStore, "put", refuse)
    world.write("a/0", b"new")
    world.sync()
    assert ops(world.plan()) == []


# -- protected keys --------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["local", "remote"])
@pytest.mark.promise("INV-4")
def test_a_protected_key_is_deleted_by_no_plan(tmp_path: Path, side: str) -> None:
    """Whatever was lifted; only the configuration lets it go."""
    world = World(tmp_path, protect=["a/", "*.key"], **ALL_DELETIONS)
    world.settled({**FILES, "my.key": b"k"})
    for key in ("a/0", "b/0", "my.key"):
        (world.remove if side == "local" else world.drop)(key)
    verb = "delete_remote" if side == "local" else "delete_local"
    everything = Overrides(100, frozenset({"local", "remote"}))
    plan = world.plan(overrides=everything)
    assert plan.blocked == (f"protect: main/a/0: {verb}", f"protect: main/my.key: {verb}")
    with pytest.raises(BlockedError, match="change `protect` in the configuration"):
        world.apply(plan)
    assert ops(world.under(protect=[]).plan()) == [f"{verb} {k}" for k in ("a/0", "b/0", "my.key")]


def test_protected_is_what_would_be_deleted(tmp_path: Path) -> None:
    """Changes travel, and so do new files."""
    world = World(tmp_path, protect=["*"], **ALL_DELETIONS).settled(FILES)
    world.write("a/0", b"changed")
    world.write("new", b"1")
    world.put("b/0", b"changed there")
    assert world.plan().applyable


def test_a_plan_made_before_the_protection_is_refused(tmp_path: Path) -> None:
    """The protection is a part of what a plan was made with."""
    world = World(tmp_path, **ALL_DELETIONS).settled(FILES)
    world.remove("a/0")
    plan = world.plan()
    with pytest.raises(BuckiaError, match="the configuration has changed"):
        world.under(protect=["a/"]).apply(plan)


# -- what people are told --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("max_delete: main/a: delete_remote 3, allowed 2", "`--allow-deletes 4`"),
        ("empty_local: main", "`--accept-empty local`"),
        ("empty_remote: main", "`--accept-empty remote`"),
        ("unrecognised_local: main", "right folder"),
        ("unrecognised_remote: main", "right bucket"),
        ("protect: main/a/0: delete_remote", "`protect`"),
        ("conflicts: 1", ""),
        ("of a later version", ""),
    ],
)
def test_every_rule_has_its_own_advice(tmp_path: Path, why: str, told: str) -> None:
    world = World(tmp_path, **STRICT).settled(FILES)
    for at in range(4):
        world.remove(f"a/{at}")
    advice = safeguards.advice(why, world.plan().actions)
    assert told in advice and bool(told) == bool(advice)


def test_the_number_advised_is_enough(tmp_path: Path) -> None:
    """Also where one folder alone is over its limit."""
    world = World(tmp_path, delete_orphaned=True, limits={"max_delete": "50%", "min": 0})
    world.settled(FILES)
    for key in ("a/0", "a/1", "a/2", "a/3", "b/0"):
        world.remove(key)
    plan = world.plan()
    assert plan.blocked == ("max_delete: main/a: delete_remote 4, allowed 3",)
    assert "`--allow-deletes 5`" in safeguards.advice(plan.blocked[0], plan.actions)
    assert world.plan(overrides=Overrides(5)).applyable


def test_an_error_names_a_few_reasons_and_counts_the_rest(tmp_path: Path) -> None:
    world = World(tmp_path, protect=["*"], **ALL_DELETIONS).settled(FILES)
    shutil.rmtree(world.tree / "a")
    with pytest.raises(BlockedError) as problem:
        refuse_unfit(world.plan())
    assert str(problem.value).count("delete_remote") == 5
    assert "; and 1 more; nothing was changed; put the file back" in str(problem.value)


# -- the same plan again ---------------------------------------------------------------------------


def test_plans_of_the_same_world_do_not_differ(tmp_path: Path) -> None:
    world = World(tmp_path, **ALL_DELETIONS).settled(FILES)
    world.remove("a/0")
    assert changes.told(world.plan(), world.plan()) == []


def test_what_differs_is_counted_and_named(tmp_path: Path) -> None:
    world = World(tmp_path, **ALL_DELETIONS).settled(FILES)
    for at in range(5):
        world.write(f"new{at}", str(at).encode())
    old = world.plan()
    world.write("new0", b"changed")
    world.remove("new1")
    world.write("more", b"1")
    assert changes.told(old, world.plan()) == [
        "1 action added (upload more)",
        "1 action removed (upload new1)",
        "1 action changed (upload new0)",
    ]
    assert changes.told(old, world.plan(paths=["a/"]))[0] == (
        "5 actions removed (upload new0, upload new1, upload new2 and 2 more)"
    )


def test_a_base_that_moved_and_anything_else_is_told(tmp_path: Path) -> None:
    """Nothing but the digest is ignored."""
    world = World(tmp_path, limits=NO_LIMITS).settled(FILES)
    old = world.plan()
    world.write("new", b"1")
    world.sync()
    assert changes.told(old, world.plan()) == ["the base of `main` moved, from serial 1 to 2"]
    old = world.plan()
    world.remove("a/0")
    assert changes.told(old, world.plan()) == ["`warnings` differs"]
    world.write("a/0", FILES["a/0"])
    assert changes.told(old, world.under(exclude=["b/"]).plan(paths=["a/"])) == [
        "`config_digest` differs",
        "`scope` differs",
    ]
