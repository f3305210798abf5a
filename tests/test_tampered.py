"""Plans that were touched: damaged, edited, or made by somebody who knows how to make a digest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from buckia import planfile
from buckia.errors import DocumentError, StaleError
from tests.helpers import ALL_DELETIONS, World, ops
from tests.tampering import (
    NEW,
    Values,
    action,
    apply,
    delete,
    download,
    eventful,
    forged,
    only,
    refused,
    upload,
)

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world with every kind of step ahead of it."""
    return eventful(tmp_path)


# -- documents that were touched -------------------------------------------------------------------


@pytest.mark.promise("INV-16")
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
@pytest.mark.promise("INV-16")
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
