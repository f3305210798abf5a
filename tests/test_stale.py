"""Plans that no longer fit, and plans that were tampered with: refused whole, in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from buckia import documents, lockfile, planfile
from buckia.errors import BuckiaError, DocumentError, StaleError
from buckia.model import Op, action_id, replace
from buckia.planfile import Plan
from buckia.project import Applied
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World, ops

pytestmark = pytest.mark.usefixtures("hurried")

Values = dict[str, Any]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world with every kind of step ahead of it."""
    made = World(tmp_path, **ALL_DELETIONS)
    made.settled({key: key.encode() for key in ("gone", "lost", "old", "mine", "theirs", "b/kept")})
    made.remove("gone")
    made.drop("lost")
    (made.tree / "old").rename(made.tree / "renamed")
    made.write("mine", b"mine, changed")
    made.put("theirs", b"theirs, changed")
    made.write("fresh", b"fresh")
    made.put("there", b"there")
    return made


def refused(
    world: World, plan: Plan | bytes, error: type[BuckiaError], *words: str, code: int
) -> None:
    """Applying ends with this error, in one line with these words, and touches neither side."""
    before, lock, contents = world.both(), world.lock(), world.everything()
    with pytest.raises(error) as caught:
        apply(world, plan)
    text = str(caught.value)
    assert caught.value.exit_code == code
    assert "\n" not in text
    assert all(word in text for word in words), text
    assert (world.both(), world.lock(), world.everything()) == (before, lock, contents)


def stale(world: World, plan: Plan, *words: str) -> None:
    """The world moved: exit 4."""
    refused(world, plan, StaleError, "nothing was changed", *words, code=4)


def apply(world: World, plan: Plan | bytes) -> Applied:
    """Apply a plan, or what claims to be one."""
    return world.apply(planfile.read(plan) if isinstance(plan, bytes) else plan)


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


# -- documents that were touched -------------------------------------------------------------------


def test_an_edited_plan(world: World) -> None:
    """Every part is under the digest."""
    data = planfile.write(world.plan())
    edited = data.replace(b'"key":"gone"', b'"key":"mine"')
    assert edited != data
    refused(world, edited, DocumentError, "edited or damaged", code=65)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_plan(world: World, share: float) -> None:
    """A plan is whole or it is none."""
    data = planfile.write(world.plan())
    refused(world, data[: int(len(data) * share)], DocumentError, "the plan", code=65)


def test_a_plan_with_a_key_twice(world: World) -> None:
    """Two parsers would read two plans."""
    data = planfile.write(world.plan()).replace(b'"kind"', b'"actions": [],\n"kind"', 1)
    refused(world, data, DocumentError, "'actions'", "twice", code=65)


def forged(world: World, change: Callable[[Values], None]) -> bytes:
    """A plan changed by somebody who knows how to make a digest."""
    value = json.loads(planfile.write(world.plan()))
    change(value)
    del value["digest"]
    return json.dumps({**value, "digest": documents.digest(value)}).encode()


def hostile(world: World, change: Callable[[Values], None], *words: str) -> None:
    """A plan with a sound digest that buckia would never have made: exit 65."""
    refused(world, forged(world, change), DocumentError, *words, code=65)


def test_a_plan_with_unknown_fields(world: World) -> None:
    """What apply does not understand it does not carry out."""
    hostile(world, lambda value: value.update(force=True), "unknown field `force`")
    hostile(world, lambda value: value["actions"][0].update(force=True), "unknown field `force`")


def test_a_plan_with_an_unknown_op(world: World) -> None:
    """The set of ops is closed."""
    hostile(world, lambda value: value["actions"][0].update(op="explode"), "explode")


# -- hostile plans ---------------------------------------------------------------------------------

NEW: Final = {"size": 5, "sha256": documents.digest("")[7:]}


def action(op: str, key: str, **parts: Any) -> Values:
    """An action as somebody might write it by hand."""
    empty = dict.fromkeys(["source", "content", "expect", "undo"])
    made = {"id": action_id(Op(op), "main", key), "op": op, "bucket": "main", "key": key}
    return {**made, "reason": "because", **empty, **parts}


def upload(key: str, path: str) -> Values:
    return action("upload", key, source={"path": path}, content=NEW)


def download(key: str, source: str | None = None) -> Values:
    return action("download", key, source={"key": source or key, "version": "1"}, content=NEW)


def delete(op: str, key: str, version: str = "1") -> Values:
    return action(op, key, expect={**NEW, "version": version}, undo="trash")


def only(*actions: Values) -> Callable[[Values], None]:
    """A plan of these actions and no others."""
    return lambda value: value.update(actions=list(actions))


HOSTILE: Final[dict[str, tuple[Values, tuple[str, ...]]]] = {
    "upload from above": (upload("../../etc/passwd", "../../etc/passwd"), ("`..`",)),
    "download to above": (download("a/../../up"), ("a/../../up", "`..`")),
    "download to the root": (download("/etc/passwd"), ("empty segment",)),
    "download to a drive": (download("C:/x"), ("drive letter",)),
    "download to a stream": (download("a\\b"), ("backslash",)),
    "download of the project's lock": (download(".buckia.lock"), ("buckia's own",)),
    "delete of buckia's trash": (
        delete("delete_remote", ".buckia/trash/0/a"),
        (".buckia/trash/0/a", "buckia's own"),
    ),
    "upload to buckia's trash": (upload(".buckia/x", "tree/.buckia/x"), ("buckia's own",)),
    "delete of what is excluded": (delete("delete_remote", "secret.key"), ("`exclude`",)),
    "upload of what is excluded": (upload("secret.key", "tree/secret.key"), ("`exclude`",)),
    "delete outside the folders": (delete("delete_remote", "c/x"), ("c/x", "no mapping")),
    "delete outside, locally": (delete("delete_local", "c/x"), ("c/x", "no mapping")),
    "download outside the folders": (download("c/x"), ("c/x", "no mapping")),
    "upload from elsewhere": (upload("b/fresh", ".buckia.lock"), (".buckia.lock", "b/fresh")),
    "upload of another file": (upload("b/fresh", "tree/b/mine"), ("tree/b/mine", "b/fresh")),
    "upload of an absolute path": (upload("b/fresh", "/etc/passwd"), ("/etc/passwd",)),
    "download of another key": (download("b/x", "b/y"), ("b/y",)),
    "a move out of the trash": (
        action(
            "move",
            "b/x",
            source={"path": "tree/b/x", "key": ".buckia/trash/0/a", "version": "1"},
            content=NEW,
        ),
        ("buckia's own",),
    ),
    "a copy from outside": (
        action(
            "copy",
            "b/x",
            source={"path": "tree/b/x", "key": "c/x", "version": "1"},
            content=NEW,
        ),
        ("c/x", "no mapping"),
    ),
    "bytes that no trash keeps": (
        {**delete("delete_remote", "b/kept"), "undo": "none"},
        ("b/kept", "undo"),
    ),
    "versions that the bucket does not have": (
        {**delete("delete_remote", "b/kept"), "undo": "version"},
        ("b/kept", "undo"),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_action(tmp_path: Path, name: str) -> None:
    """Reviewed or not: apply goes nowhere that the configuration does not lead."""
    one, words = HOSTILE[name]
    folders = ["b"] if "outside" in name else []
    world = World(tmp_path, folders=folders, exclude=["*.key"], **ALL_DELETIONS)
    world.settled({"b/kept": b"kept", "b/mine": b"mine"})
    for key in (".buckia/trash/0/a", "secret.key", "c/x", "b/y"):
        world.put(key, b"12345")
    world.write("secret.key", b"12345")
    world.write("c/x", b"12345")
    hostile(world, only(one), *words)


@pytest.mark.parametrize("count", [1, 40])
def test_a_hostile_action_among_many(tmp_path: Path, count: int) -> None:
    """The same where apply lists the sides instead of looking at each key."""
    world = World(tmp_path, folders=["b"], **ALL_DELETIONS).settled({"b/kept": b"kept"})
    world.put("c/x", b"12345")
    for number in range(count):
        world.write(f"b/{number}", b"1")

    def add(value: Values) -> None:
        value["actions"].append(delete("delete_remote", "c/x"))

    hostile(world, add, "c/x", "no mapping")


def test_an_upload_that_says_nothing_is_there(world: World) -> None:
    """`expect: null` onto an existing key is an appearance, not an overwrite."""

    def forget_the_old(value: Values) -> None:
        one = next(item for item in value["actions"] if item["key"] == "mine")
        one.update(expect=None, undo=None)

    refused(
        world,
        forged(world, forget_the_old),
        StaleError,
        "mine: the object in the bucket has appeared",
        code=4,
    )


@pytest.mark.parametrize("twice", ["mine", "old", "renamed"])
def test_a_key_that_two_actions_name(world: World, twice: str) -> None:
    """One key, one action: what the second would find nobody has reviewed."""
    version = world.store().head(twice)

    def add(value: Values) -> None:
        token = version.version if version and version.version else "1"
        value["actions"].append(delete("delete_remote", twice, token))

    hostile(world, add, repr(twice), "two actions")


def test_an_action_twice(world: World) -> None:
    """One action, one outcome."""
    hostile(world, lambda value: value["actions"].append(value["actions"][0]), "twice")


def test_an_id_that_is_not_its_own(world: World) -> None:
    """Ids are made of op, bucket and key; outcomes are told apart by them."""
    hostile(world, lambda value: value["actions"][0].update(id="0" * 12), "another id")


def test_another_order(world: World) -> None:
    """Deletes written first are not what a reviewer is used to read."""
    hostile(world, lambda value: value["actions"].reverse(), "order")


def test_deletions_of_a_side_not_wholly_seen(world: World) -> None:
    """A plan that says it is not complete deletes nothing."""
    hostile(world, lambda value: value.update(complete=False), "complete")


def test_conflicts_that_are_said_to_be_none(world: World) -> None:
    """A plan with conflicts is not applyable, whatever it says."""
    world.write("b/kept", b"mine")
    world.put("b/kept", b"theirs")

    def wave_through(value: Values) -> None:
        value.update(applyable=True, blocked=[])

    hostile(world, wave_through, "conflict")


def test_a_head_that_names_another_bucket(world: World) -> None:
    """The reviewer approved a write to the bucket that the plan names."""
    hostile(world, lambda value: value["buckets"]["main"].update(bucket="test"), "test")


def test_the_plan_that_all_of_these_began_with(world: World) -> None:
    """Untouched, it applies: what was refused above was refused for its own reason."""
    data = forged(world, lambda value: None)
    assert not apply(world, data).failed
    assert ops(world.plan()) == []
