"""Runs cut between what they did and the journal: the next one knows what is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from buckia.errors import StaleError
from buckia.model import Entry, replace
from buckia.planfile import Plan
from buckia.sides import contents
from buckia.stores.memory import MemoryStore
from tests.helpers import World
from tests.sqlite_helpers import make, names


class Taciturn(MemoryStore):
    """A bucket that tells no digest in listings, as after uploads in parts; `mute`: nor ever."""

    mute = False

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        return map(_bare, super().entries(prefix))

    def head(self, key: str) -> Entry | None:
        found = super().head(key)
        return _bare(found) if found and self.mute else found


def _bare(entry: Entry) -> Entry:
    return replace(entry, sha256=None, md5=None, sha1=None)


def cut(world: World, plan: Plan) -> None:
    """Apply a plan and die before the first line of the journal."""

    def die(*args: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("buckia.journal.Journal.record", die)
        world.apply(plan)


@pytest.fixture
def store() -> Taciturn:
    return Taciturn()


@pytest.fixture
def world(tmp_path: Path, store: Taciturn) -> World:
    return World(tmp_path, {"main": store}).settled({"a": b"then"})


def test_a_changed_object_is_asked_for_a_digest_whatever_the_size_of_the_file(world: World) -> None:
    """So that its download is verified, and recognised after a crash."""
    world.put("a", b"changed since")
    (action,) = world.plan().actions
    assert action.content and action.content.sha256


def test_a_download_of_bytes_that_nobody_has_a_digest_of(world: World, store: Taciturn) -> None:
    store.mute = True
    world.put("a", b"changed since")
    plan = world.plan()
    cut(world, plan)
    assert world.local() == {"a": b"changed since"}
    assert not world.apply(plan).failed
    assert world.plan().actions == ()


def test_an_edit_after_the_crash_is_not_taken_for_the_download(
    world: World, store: Taciturn
) -> None:
    store.mute = True
    world.put("a", b"changed since")
    plan = world.plan()
    cut(world, plan)
    world.write("a", b"edited by us!")
    with pytest.raises(StaleError, match="a: the local file has changed since the plan"):
        world.apply(plan)
    assert world.local() == {"a": b"edited by us!"}


def test_a_database_too_large_to_be_compared_in_a_plan(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live database gets the rows of the object, not its bytes."""
    monkeypatch.setattr(contents, "MOST_BYTES", 0)
    live = make(world.tree / "live", "abc", mode="wal")
    world.sync()
    world.put("live", make(tmp_path / "new", "theirs").read_bytes())
    plan = world.plan()
    cut(world, plan)
    assert names(live) == "theirs"
    assert not world.apply(plan).failed
    assert world.plan().actions == ()
