"""`why`: what it says of a key is what plan does about it, and it looks at nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from buckia.cli import show_why
from buckia.config.places import Places
from buckia.decisions.explanation import MEANINGS, NEXT, Explanation
from buckia.documents import schema
from buckia.model import Entry
from buckia.planfile import Plan
from buckia.reconcile import TABLE, Verdict
from buckia.stores.memory import MemoryStore
from tests.helpers import World

KEY = "folder/file.txt"


class Single(MemoryStore):
    """A bucket that is asked for single keys only, and remembers which."""

    silent = False

    def __init__(self) -> None:
        super().__init__()
        self.looked: list[str] = []

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        assert not self.silent, "a listing"
        yield from super().entries(prefix)

    def head(self, key: str) -> Entry | None:
        self.looked.append(key)
        return super().head(key)


def why(world: World, key: str = KEY, bucket: str = "main") -> Explanation:
    with world.open() as project:
        return project.why(bucket, key)


def told_by(plan: Plan) -> str:
    """What a plan does about its one key that is no bystander."""
    ops = [str(item.op) for item in plan.actions if item.key == KEY]
    clashes = ["conflict" for item in plan.conflicts if item.key == KEY]
    codes = ("orphan", "missing", "foreign", "drift")
    notes = [item.code for item in plan.warnings if item.key == KEY and item.code in codes]
    return (ops + clashes + notes + ["nothing"])[0]


STATES = [
    (local, base, remote)
    for local, base, remote in product((None, b"b", b"x"), (None, b"b"), (None, b"b", b"x", b"yy"))
    if (local, base, remote) != (None, None, None)
]


@pytest.mark.parametrize(
    ("direction", "policy", "delete"),
    [
        ("both", "ask", False),
        ("both", "local_wins", True),
        ("both", "remote_wins", True),
        ("upload", "ask", "all"),
        ("upload", "remote_wins", True),
        ("download", "ask", True),
        ("download", "local_wins", False),
    ],
)
def test_it_says_what_plan_does(
    tmp_path: Path, direction: str, policy: str, delete: bool | str
) -> None:
    """In every state of a key, in every direction, under its policies."""
    for number, (local, base, remote) in enumerate(STATES):
        world = World(
            tmp_path / str(number),
            {"main": Single()},
            direction=direction,
            conflict_resolution=policy,
            delete_orphaned=delete,
        )
        store = world.stores["main"]
        assert isinstance(store, Single)
        for key in ("other", *([KEY] if base else [])):
            world.write(key, base or b"b")
            world.put(key, base or b"b")
        world.apply(world.plan())
        world.remove(KEY) if local is None else world.write(KEY, local)
        world.drop(KEY) if remote is None else world.put(KEY, remote)
        plan = world.plan()
        store.silent, store.looked[:] = True, []
        found = why(world)
        assert str(found.verdict) == told_by(plan), (local, base, remote, found)
        assert found.row in MEANINGS
        assert set(store.looked) <= {KEY}


def test_every_row_and_verdict_has_words() -> None:
    assert MEANINGS.keys() == TABLE.keys() | {"---"}
    assert NEXT.keys() == set(Verdict)


def test_the_document_is_what_its_schema_says(tmp_path: Path) -> None:
    world = World(tmp_path, exclude=["*.tmp"], protect=["folder/"])
    world.write(KEY, b"here")
    world.put(KEY, b"there")
    found = [why(world), why(world, "a.tmp"), why(world, "a/../b"), why(world, "nowhere")]
    value = json.loads(show_why.document(KEY, found))
    Draft202012Validator(schema("why")).validate(value)
    assert [item["in_scope"] for item in value["explanations"]] == [True, False, False, True]


@pytest.mark.parametrize(
    ("options", "key", "option", "holds", "pattern"),
    [
        ({"exclude": ["*.tmp", "!keep.tmp"]}, "a.tmp", "exclude", False, "*.tmp"),
        ({"exclude": ["*.tmp", "!keep.tmp"]}, "keep.tmp", "exclude", True, "!keep.tmp"),
        ({"include": ["*.jpg", "*.png"]}, "a.png", "include", True, "*.png"),
        ({"include": ["*.jpg"]}, "a.txt", "include", False, None),
        ({"include_pattern": "^a"}, "b", "include_pattern", False, "^a"),
        ({"include_pattern": "^a"}, "a", "include_pattern", True, "^a"),
        ({"exclude_pattern": "x$"}, "ax", "exclude_pattern", False, "x$"),
        ({"protect": ["legal/"]}, "legal/a", "protect", True, "legal/"),
        ({}, "a/../b", "name", False, None),
        ({}, "x/.DS_Store", "built in", False, None),
    ],
)
def test_the_rule_that_decides_is_named(
    tmp_path: Path,
    options: dict[str, Any],
    key: str,
    option: str,
    holds: bool,
    pattern: str | None,
) -> None:
    last = why(World(tmp_path, **options), key).rules[-1]
    assert (last.option, last.holds, last.pattern) == (option, holds, pattern)


def test_a_local_path_means_its_key(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write(KEY, b"here")
    found = why(world, f"tree/{KEY}")
    assert (found.key, found.path, found.verdict) == (KEY, f"tree/{KEY}", Verdict.UPLOAD)


def test_a_link_is_no_file_and_said_to_be_none(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write("other", b"o")
    (world.tree / "file").symlink_to("other")
    found = why(world, "file")
    assert found.verdict is Verdict.NOTHING
    assert "could not be looked at" in found.notes[0]


def test_two_files_for_one_key_are_told(tmp_path: Path) -> None:
    world = World(tmp_path, paths=["tree/", "more/"])
    world.write("a", b"1")
    (world.root / "more").mkdir()
    (world.root / "more/a").write_bytes(b"2")
    assert "tree/a, more/a" in why(world, "a").notes[0]


def test_lines_of_the_file_are_told(tmp_path: Path) -> None:
    file = tmp_path / ".buckia"
    file.write_text(
        "buckia:\n  defaults:\n    exclude: ['*.tmp']\nfiles:\n  provider: local\n"
        "  paths:\n    - a/\n    - b/\n  protect: [c/]\n"
    )
    places = Places(file)
    assert places.of("files", "paths", 1) == ".buckia:8"
    assert places.of("files", "protect", 0) == ".buckia:9"
    assert places.of("files", "exclude", 0) == ".buckia:3"
    assert places.of("files", "limits") is None
    assert Places(None).of("files", "paths") is None
    assert Places(tmp_path / "gone").of("files", "paths") is None
