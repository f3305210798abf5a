"""Both sides of a conflict are kept, on every kind of bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from buckia.decisions import resolving
from buckia.model import Policy
from tests.helpers import World
from tests.stores.conftest import Maker

BOTH: Final = {
    "a.txt": b"here",
    "a.remote.txt": b"there!",
    "demo/new": b"mine",
    "demo/new.remote": b"theirs",
}


def test_both_contents_are_kept_under_two_names(make: Maker, tmp_path: Path) -> None:
    """One that changed on both sides and one that is new on both, planned, settled and applied."""
    world = World(tmp_path, {"main": make()}).settled({"a.txt": b"base"})
    world.write("a.txt", BOTH["a.txt"])
    world.put("a.txt", BOTH["a.remote.txt"])
    world.write("demo/new", BOTH["demo/new"])
    world.put("demo/new", BOTH["demo/new.remote"])
    old = world.plan()
    new = world.plan(ask=resolving.again(old, resolving.answering(Policy.KEEP_BOTH, None)))
    resolving.refuse_moved(old, new)
    applied = world.apply(new)
    assert not applied.failed, applied.failed
    assert (world.local(), world.remote()) == (BOTH, BOTH)
    again = world.plan()
    assert (again.actions, again.conflicts) == ((), ())
