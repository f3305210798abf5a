"""Filters: what is in scope, on both sides alike, and what happens to what leaves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buckia.rules import Rules, built_in_exclude
from tests.helpers import ALL_DELETIONS, World, codes, ops

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.mark.parametrize(
    ("globs", "matched", "others"),
    [
        (("*.png",), ["a.png", "x/y/b.png"], ["a.jpg", "png"]),
        (("/top.txt",), ["top.txt"], ["x/top.txt"]),
        (("images/",), ["images/a", "x/images/b/c"], ["image/a"]),
        (("*.log", "!keep.log"), ["a.log", "x/b.log"], ["keep.log", "x/keep.log"]),
        (("a/**/z",), ["a/z", "a/b/z", "a/b/c/z"], ["z", "b/z"]),
        (("Grüße/*",), ["Grüße/x"], ["Gruesse/x"]),
    ],
)
def test_globs_are_those_of_gitignore(
    globs: tuple[str, ...], matched: list[str], others: list[str]
) -> None:
    """As `exclude` they put keys out of scope, as `include` all others."""
    exclude, include = Rules(exclude=globs), Rules(include=globs)
    for key in matched:
        assert exclude.excludes(key) == "matches `exclude`"
        assert include.excludes(key) is None
    for key in others:
        assert exclude.excludes(key) is None
        assert include.excludes(key) == "matches none of `include`"


def test_patterns_are_regular_expressions_over_keys() -> None:
    """The example of the Python API: pictures, but nothing hidden at the top."""
    rules = Rules(include_pattern=r".*\.(jpg|png|gif)$", exclude_pattern=r"^\..*")
    assert rules.excludes("a/b.png") is None
    assert rules.excludes("a/b.txt") == "does not match `include_pattern`"
    assert rules.excludes(".hidden.png") == "matches `exclude_pattern`"


def test_an_exclusion_beats_an_inclusion() -> None:
    """And no configuration includes what is nobody's content."""
    rules = Rules(include=("*.png",), exclude=("secret/",))
    assert rules.excludes("secret/a.png") == "matches `exclude`"
    assert Rules(include=("**",)).excludes(".buckia.lock") == built_in_exclude(".buckia.lock")
    assert built_in_exclude("App.sqlite") is None


@pytest.mark.parametrize("side", ["local", "remote", "both"])
def test_what_a_filter_leaves_out_is_invisible_on_both_sides(tmp_path: Path, side: str) -> None:
    """Present here, there or on both sides: no action, no report, no deletion."""
    world = World(tmp_path, exclude=["*.tmp"], **ALL_DELETIONS).settled({"a": b"1", "b": b"2"})
    if side != "remote":
        world.write("x.tmp", b"here")
    if side != "local":
        world.put("x.tmp", b"there")
    plan = world.plan()
    assert (ops(plan), codes(plan)) == ([], [])


@pytest.mark.parametrize(
    "narrower",
    [
        {"exclude": ["x/"]},
        {"include": ["a"]},
        {"folders": ["other"]},
        {"exclude_pattern": "^x/"},
        {"paths": [{"path": "tree/", "prefix": "elsewhere/"}]},
    ],
)
@pytest.mark.promise("INV-8")
def test_a_narrower_scope_forgets_and_never_deletes(
    tmp_path: Path, narrower: dict[str, Any]
) -> None:
    """A filter, folder or mapping that changes moves no byte of what it left behind."""
    wide = World(tmp_path, **{**ALL_DELETIONS, "delete_orphaned": "all"})
    world = wide.settled({"a": b"1", "x/y": b"2", "x/z": b"3"}).under(**narrower)
    before = world.both()
    plan = world.plan()
    assert {"forget x/y", "forget x/z"} <= set(ops(plan))
    assert not [op for op in ops(plan) if op.startswith(("delete", "download", "move"))]
    world.apply(plan)
    assert world.local() == before[0]
    assert before[1].items() <= world.remote().items()


def test_a_wider_scope_takes_up_what_it_finds(tmp_path: Path) -> None:
    """What comes back into scope is adopted where it is equal, and a conflict where it is not."""
    world = World(tmp_path).settled({"a": b"1"})
    narrow = world.under(exclude=["x/"])
    world.write("x/y", b"2")
    world.put("x/y", b"2")
    world.write("x/z", b"3")
    world.put("x/z", b"other")
    assert ops(narrow.plan()) == []
    plan = world.plan(skip_conflicts=True)
    assert (ops(plan), codes(plan)) == (["adopt x/y"], ["conflict_skipped x/z"])
