"""What a plan needs is staged on one machine and applied on another that has none of the files."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from buckia.errors import (
    DocumentError,
    IntegrityError,
    PreconditionError,
    StaleError,
    UnavailableError,
)
from buckia.model import Action, Entry, Op, action_id, replace
from buckia.planfile import Plan, read, seal, write
from buckia.project import Project
from buckia.rules import STAGE
from buckia.runs.applying import Applied
from buckia.stores.base import Store
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World, ops, read_all

pytestmark = pytest.mark.usefixtures("hurried")

MANY = 40
"""More actions than preflight looks at one by one."""


def database(path: Path, rows: int) -> None:
    """A database in WAL mode of so many rows."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, name TEXT)")
        connection.executemany(
            "INSERT OR IGNORE INTO items VALUES (?, 'x')", [(n,) for n in range(rows)]
        )


def edited(root: Path, store: Store) -> World:
    """A world with one of everything to do in the bucket."""
    world = World(root, {"main": store}, **ALL_DELETIONS)
    files = {"demo/old": b"moved", "demo/b": b"before", "demo/gone": b"gone", "demo/same": b"same"}
    world.settled(files)
    (world.tree / "demo/old").rename(world.tree / "demo/new")
    world.remove("demo/gone")
    world.write("demo/b", b"after")
    world.write("demo/c.txt", b"twice")
    world.write("demo/d.txt", b"twice")
    world.write("demo/e.png", b"twice")
    database(world.tree / "demo/App.sqlite", 3)
    world.put("demo/known", b"on both sides")
    world.write("demo/known", b"on both sides")
    return world


def stage(world: World, plan: Plan | None = None) -> tuple[Plan, int]:
    """A plan that is staged, and how many contents were sent for it."""
    with world.open() as project:
        staged = project.stage(plan or project.plan())
    return read(write(staged.plan)), len(staged.sent)


def elsewhere(world: World, root: Path) -> World:
    """A clone without any of the files."""
    twin = world.clone(root)
    shutil.rmtree(twin.tree)
    return twin


def below_stage(world: World) -> dict[str, bytes]:
    return {k: v for k, v in read_all(world.store()).items() if k.startswith(STAGE)}


def done(applied: Applied) -> None:
    assert not applied.failed, applied.failed


def test_a_staged_plan_is_applied_in_an_empty_clone(
    tmp_path: Path, make: Callable[[], Store]
) -> None:
    """Done and verified: the bucket holds what the first machine has, both lockfiles agree, nothing
    is left in the stage, and planned again where the files are there is nothing to do."""
    world = edited(tmp_path / "one", make())
    plan, sent = stage(world)
    renamed = 0 if world.store().capabilities.copy else 1
    assert sent == len(below_stage(world)) == 3 + renamed
    assert sum(plan.summary.actions.values()) == len(plan.actions) >= 7
    twin = elsewhere(world, tmp_path / "two")
    done(twin.apply(plan))
    assert not twin.tree.exists()
    assert below_stage(twin) == {}
    with closing(sqlite3.connect(":memory:")) as there:
        there.deserialize(twin.remote()["demo/App.sqlite"])
        assert there.execute("SELECT count(*) FROM items").fetchone() == (3,)
    files = {name: data for name, data in world.local().items() if "App.sqlite" not in name}
    assert {k: v for k, v in twin.remote().items() if k != "demo/App.sqlite"} == files
    shutil.copy(twin.root / ".buckia.lock", world.root)
    assert ops(world.plan()) == []
    with Project(twin.config, stores=twin.stores) as project:
        assert project.apply(plan).already


def test_the_lockfile_is_the_one_that_the_files_would_give(tmp_path: Path) -> None:
    """Whoever applies, the same is remembered."""
    here, there = (edited(tmp_path / name, MemoryStore()) for name in ("one", "two"))
    plan, _ = stage(there)
    twin = elsewhere(there, tmp_path / "three")
    done(twin.apply(plan))
    done(here.apply(here.plan()))

    def known(world: World) -> dict[str, object]:
        entries = world.lock().state("main").entries
        return {key: replace(entry, token="") for key, entry in entries.items()}

    assert known(twin) == known(here)


def test_many_files_are_applied_from_the_stage(tmp_path: Path) -> None:
    """Also where preflight lists both sides instead of asking for each key."""
    world = World(tmp_path / "one")
    for number in range(MANY):
        world.write(f"demo/{number}", b"%d" % number)
    plan, sent = stage(world)
    assert sent == MANY
    twin = elsewhere(world, tmp_path / "two")
    done(twin.apply(plan))
    assert twin.remote() == world.local()


def test_what_is_staged_already_is_not_sent_again(tmp_path: Path) -> None:
    """A second time nothing is sent, and the plan is the same."""
    world = edited(tmp_path, MemoryStore())
    first, sent = stage(world)
    assert sent == 3
    assert stage(world) == (first, 0)


def test_what_lies_in_the_stage_under_a_wrong_name_is_replaced(tmp_path: Path) -> None:
    """A content that is not what its name says is never taken."""
    world = World(tmp_path / "one")
    world.write("demo/a", b"mine")
    (action,) = world.plan().actions
    assert action.content
    world.put(f"{STAGE}{action.content.sha256}", b"evil")
    plan, sent = stage(world)
    assert sent == 1
    twin = elsewhere(world, tmp_path / "two")
    done(twin.apply(plan))
    assert twin.remote() == {"demo/a": b"mine"}


def refused(world: World, plan: Plan, words: str) -> None:
    """The plan is stale for that reason, and nothing is changed."""
    before = world.remote()
    with pytest.raises(StaleError, match=words):
        world.apply(plan)
    assert world.remote() == before


@pytest.mark.parametrize(
    ("data", "words"), [(None, "staged of it is gone"), (b"other", "staged of it has changed")]
)
def test_what_is_not_staged_any_more_makes_a_plan_stale(
    tmp_path: Path, data: bytes | None, words: str
) -> None:
    """Before anything happens, and with the command that mends it."""
    world = World(tmp_path / "one")
    world.write("demo/a", b"1")
    plan, _ = stage(world)
    (key,) = below_stage(world)
    if data is None:
        world.drop(key)
    else:
        world.put(key, data)
    refused(elsewhere(world, tmp_path / "two"), plan, f"{words}.*buckia plan --stage")


def test_a_plan_that_is_not_staged_needs_its_files(tmp_path: Path) -> None:
    """It says so before anything happens, and how to plan so that it does not."""
    world = edited(tmp_path / "one", MemoryStore())
    refused(elsewhere(world, tmp_path / "two"), world.plan(), "buckia plan --stage")


def test_a_file_that_is_there_and_another_is_never_passed_over(tmp_path: Path) -> None:
    """Where there is a local file it has to be the one that was reviewed."""
    world = World(tmp_path)
    world.write("demo/a", b"1")
    plan, _ = stage(world)
    world.write("demo/a", b"2")
    refused(world, plan, "the local file has changed")


def test_a_file_that_changed_before_it_was_staged_is_not_staged(tmp_path: Path) -> None:
    """Then the plan is not written either."""
    world = World(tmp_path)
    world.write("demo/a", b"1")
    plan = world.plan()
    world.write("demo/a", b"2")
    with pytest.raises((PreconditionError, IntegrityError), match="plan again"):
        stage(world, plan)
    assert below_stage(world) == {}


def test_what_cannot_be_copied_inside_is_sent_once_more(tmp_path: Path) -> None:
    """The bucket holds the right bytes under the right type either way."""

    class Apart(MemoryStore):
        def copy(
            self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
        ) -> Entry | None:
            return None

    world = World(tmp_path / "one", {"main": Apart()})
    world.write("demo/a", b"1")
    plan, _ = stage(world)
    twin = elsewhere(world, tmp_path / "two")
    done(twin.apply(plan))
    assert twin.remote() == {"demo/a": b"1"}


def _other_key(action: Action) -> Action:
    assert action.source
    return replace(action, source=replace(action.source, key="demo/secret"))


def _no_version(action: Action) -> Action:
    assert action.source
    return replace(action, source=replace(action.source, version=None))


def _other_op(action: Action) -> Action:
    made = replace(action, op=Op.DOWNLOAD, id=action_id(Op.DOWNLOAD, action.bucket, action.key))
    return replace(made, undo=None)


@pytest.mark.parametrize("tamper", [_other_key, _no_version, _other_op])
def test_a_plan_takes_nothing_but_what_is_staged_under_its_content(
    tmp_path: Path, tamper: Callable[[Action], Action]
) -> None:
    """Whoever wrote it: another object of the bucket is not published by a staged upload."""
    world = World(tmp_path / "one")
    world.write("demo/a", b"1")
    plan, _ = stage(world)
    plan = seal(replace(plan, actions=tuple(map(tamper, plan.actions))))
    twin = elsewhere(world, tmp_path / "two")
    with pytest.raises(DocumentError, match="not sound"):
        twin.apply(plan)


def test_what_a_run_could_not_clear_goes_with_the_next(tmp_path: Path) -> None:
    """The plan is applied all the same; applied again, it takes away what is left of it."""

    class Keeping(MemoryStore):
        full = True

        def delete(self, entry: Entry) -> None:
            if self.full and entry.key.startswith(STAGE):
                raise UnavailableError("not now")
            super().delete(entry)

    store = Keeping()
    world = World(tmp_path / "one", {"main": store})
    world.write("demo/a", b"1")
    plan, _ = stage(world)
    done(world.apply(plan))
    assert len(below_stage(world)) == 1
    store.full = False
    assert world.apply(plan).already
    assert below_stage(world) == {}
