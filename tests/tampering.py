"""Plans that must be refused: a world with much ahead of it, and pens to forge with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from buckia import documents, planfile
from buckia.errors import BuckiaError
from buckia.model import Op, action_id
from buckia.planfile import Plan
from buckia.runs.applying import Applied
from buckia.stores.base import Store
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World

Values = dict[str, Any]

NEW: Final = {"size": 5, "sha256": documents.digest("")[7:]}


def eventful(root: Path, store: Store | None = None) -> World:
    """A world with every kind of step ahead of it."""
    made = World(root, {"main": store or MemoryStore()}, **ALL_DELETIONS)
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


def apply(world: World, plan: Plan | bytes) -> Applied:
    """Apply a plan, or what claims to be one."""
    return world.apply(planfile.read(plan) if isinstance(plan, bytes) else plan)


def forged(world: World, change: Callable[[Values], None]) -> bytes:
    """A plan changed by somebody who knows how to make a digest."""
    value = json.loads(planfile.write(world.plan()))
    change(value)
    del value["digest"]
    return json.dumps({**value, "digest": documents.digest(value)}).encode()


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
