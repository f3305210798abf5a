"""What an app keeps for a user becomes what the demo is, or gains what it has; nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from buckia.config import Config
from buckia.errors import LocalError, StaleError, UsageError
from buckia.model import Direction
from buckia.project import Project
from buckia.runs.appfolders import directed, find, in_bucket
from buckia.stores.local import LocalStore
from tests.helpers import World, tree_of
from tests.sqlite_helpers import hash_of, make, names, program, sql

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A user's folder and a demo's, each with a database and a file of its own."""
    world = World(tmp_path)
    world.write("user/mine.txt", b"mine")
    world.write("user/logo.png", b"old logo")
    world.write("demo/logo.png", b"new logo")
    world.write("demo/deep/more.txt", b"more")
    make(world.tree / "user/App.sqlite", "abc", mode="wal")
    make(world.tree / "demo/App.sqlite", "aXcd", mode="wal")
    return world


def trash(world: World) -> dict[str, bytes]:
    """What is in the local trash, by its path in the user's folder."""
    found = tree_of(world.root / ".buckia.d" / "trash")
    return {key.partition("/tree/user/")[2]: data for key, data in found.items()}


def reset(world: World) -> None:
    with world.open() as project:
        project.reset(project.plan_reset("user", "demo"))


def same(world: World, room: Path) -> bool:
    """Whether both folders hold the same."""
    user, demo = world.tree / "user", world.tree / "demo"
    files = [{k: v for k, v in tree_of(f).items() if "sqlite" not in k} for f in (user, demo)]
    hashes = [hash_of(folder / "App.sqlite", room) for folder in (user, demo)]
    return files[0] == files[1] and hashes[0] == hashes[1]


def test_a_reset_folder_is_the_demo_and_all_that_was_there_is_in_the_trash(
    world: World, tmp_path: Path
) -> None:
    """Row by row, and again there is nothing to do."""
    reset(world)
    assert same(world, tmp_path)
    kept = trash(world)
    assert {kept["mine.txt"], kept["logo.png"]} == {b"mine", b"old logo"}
    assert set(kept) == {"mine.txt", "logo.png", "App.sqlite"}
    (old,) = (world.root / ".buckia.d" / "trash").rglob("App.sqlite")
    assert names(old) == "abc"
    with world.open() as project:
        made = project.plan_reset("user", "demo")
    assert (made.copied, made.removed, made.unchanged) == ((), (), 3)


def test_a_database_that_is_open_elsewhere_is_reset_under_its_program(
    world: World, tmp_path: Path
) -> None:
    """The program reads the demo's rows next."""
    with program(world.tree / "user/App.sqlite") as run:
        assert run("SELECT count(*) FROM items") == [(3,)]
        reset(world)
        assert run("SELECT count(*) FROM items") == [(4,)]
    assert same(world, tmp_path)


def test_files_and_folders_that_are_in_the_way_make_room(world: World, tmp_path: Path) -> None:
    world.write("user/deep", b"a file where a folder comes")
    world.remove("user/logo.png")
    world.write("user/logo.png/inside", b"a folder where a file comes")
    reset(world)
    assert same(world, tmp_path)
    assert {"deep", "logo.png/inside"} <= set(trash(world))


def test_what_changed_since_it_was_shown_is_not_reset(world: World) -> None:
    """Nothing was changed then."""
    with world.open() as project:
        made = project.plan_reset("user", "demo")
        world.write("user/mine.txt", b"just written")
        before = tree_of(world.tree)
        with pytest.raises(StaleError, match="nothing was changed"):
            project.reset(made)
    assert tree_of(world.tree) == before
    assert trash(world) == {}


def test_cut_anywhere_a_reset_goes_on(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deletions are last: while something is missing, nothing has gone."""
    for step in range(1, 6):
        count = iter(range(step))

        def put(*args: object, copy: object = LocalStore.copy, **more: object) -> object:
            if next(count, None) is None:  # noqa: B023 - called within this round
                raise KeyboardInterrupt
            return copy(*args, **more)  # type: ignore[operator]

        with monkeypatch.context() as patch:
            patch.setattr(LocalStore, "copy", put)
            try:
                reset(world)
            except KeyboardInterrupt:
                assert (world.tree / "user/mine.txt").exists()
                continue
        break
    else:
        raise AssertionError("it never came to its end")
    assert same(world, tmp_path)


def test_an_update_adds_and_overwrites_no_file(world: World) -> None:
    """Rows follow by key, missing files come, the state before is in the trash."""
    with world.open() as project:
        told = project.update("user", "demo", dry_run=True)
        assert names(world.tree / "user/App.sqlite") == "abc"
        assert not (world.tree / "user/deep").exists()
        assert trash(world) == {}
        done = project.update("user", "demo")
        assert done == told
        again = project.update("user", "demo")
    assert done.copied == ("deep/more.txt",)
    ((database,),) = (done.databases,)
    assert [(t.name, t.inserted, t.updated) for t in database.tables] == [("items", 1, 1)]
    assert (again.copied, again.databases) == ((), ())
    assert names(world.tree / "user/App.sqlite") == "aXcd"
    assert (world.tree / "user/logo.png").read_bytes() == b"old logo"
    assert set(trash(world)) == {"App.sqlite"}


def test_an_update_of_a_database_that_is_written_to_changes_nothing(world: World) -> None:
    with program(world.tree / "user/App.sqlite") as run, world.open() as project:
        run("BEGIN IMMEDIATE")
        with pytest.raises(LocalError, match="in use by another program"):
            project.update("user", "demo", timeout=0)
        run("ROLLBACK")
    assert not (world.tree / "user/deep").exists()
    assert trash(world) == {}


def test_an_update_that_does_not_fit_changes_nothing(world: World) -> None:
    sql(world.tree / "demo/App.sqlite", "ALTER TABLE items ADD COLUMN more")
    with world.open() as project, pytest.raises(LocalError, match=r"column `items\.more`"):
        project.update("user", "demo")
    assert not (world.tree / "user/deep").exists()


def test_the_folder_meant_has_to_be_one(world: World, tmp_path: Path) -> None:
    """No path, no buckia's own, no other than what is there."""
    for wrong in ("nobody", "..", "user/deep", ".buckia.d", "", "user\n"):
        with pytest.raises(UsageError):
            find(world.config, wrong)
    two = World(tmp_path / "two", {"one": None, "other": None})
    two.write("user/a", b"a")
    assert find(two.config, "user").bucket == "one"
    assert find(two.config, "user", "other").bucket == "other"
    with pytest.raises(UsageError, match="more than one bucket"):
        in_bucket(two.config, "user")


def carry(config: Config, world: World, direction: Direction) -> None:
    """Back up or restore."""
    folder = in_bucket(config, "user")
    with Project(directed(config, folder, direction), stores=world.stores) as project:
        plan = project.plan(paths=[folder.prefix], direction=direction)
        assert not project.apply(plan).failed


def test_a_backup_comes_back_whatever_has_happened_here(world: World) -> None:
    """The bucket wins, what was here is in the trash, and other folders are left alone."""
    carry(world.config, world, Direction.UPLOAD)
    assert {key.partition("/")[0] for key in world.remote()} == {"user"}
    world.write("user/mine.txt", b"spoilt")
    world.remove("user/logo.png")
    sql(world.tree / "user/App.sqlite", "DELETE FROM items")
    world.write("user/new.txt", b"never backed up")
    carry(world.config, world, Direction.DOWNLOAD)
    assert names(world.tree / "user/App.sqlite") == "abc"
    assert (world.tree / "user/mine.txt").read_bytes() == b"mine"
    assert (world.tree / "user/logo.png").read_bytes() == b"old logo"
    assert (world.tree / "user/new.txt").exists()
    assert trash(world)["mine.txt"] == b"spoilt"
