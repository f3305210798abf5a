"""What a plan must not do: delete too much, empty a side, put two names where one fits."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from buckia.errors import BlockedError
from buckia.rules import Limits
from tests.helpers import ALL_DELETIONS, World, codes, ops
from tests.sqlite_helpers import make

pytestmark = pytest.mark.usefixtures("hurried")


def folders(names: str, each: int) -> dict[str, bytes]:
    """Some files in each of some folders, all different."""
    return {f"{name}/{at}": f"{name}{at}".encode() for name in names for at in range(each)}


def limited(root: Path, files: dict[str, bytes], most: int | str, least: int = 0) -> World:
    """A world in which deletions travel within limits."""
    limits = {"max_delete": most, "min": least}
    return World(root, delete_orphaned=True, limits=limits).settled(files)


# -- limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "base", "allowed"),
    [
        (Limits(), 1000, 100),
        (Limits(), 50, 10),
        (Limits("10%", 0), 9, 0),
        (Limits("0%", 0), 1000, 0),
        (Limits(3, 0), 1000, 3),
        (Limits(3, 5), 1000, 5),
    ],
)
def test_limits_are_a_share_or_a_count_and_a_least(limits: Limits, base: int, allowed: int) -> None:
    """Whichever allows more of `max_delete` and `min`."""
    assert limits.allowed(base) == allowed
    assert Limits("100%").off
    assert not limits.off


@pytest.mark.parametrize("side", ["local", "remote"])
@pytest.mark.promise("INV-4")
def test_a_bucket_that_would_lose_too_much_is_blocked(tmp_path: Path, side: str) -> None:
    """One deletion more than is allowed, spread over folders, and apply refuses the plan."""
    world = limited(tmp_path, folders("abcd", 5), "20%", 1)
    lose = world.drop if side == "remote" else world.remove
    for name in "abcd":
        lose(f"{name}/0")
    assert world.plan().applyable
    lose("a/1")
    plan = world.plan()
    verb = "delete_local" if side == "remote" else "delete_remote"
    assert plan.blocked == (
        f"max_delete: main/a: {verb} 2, allowed 1",
        f"max_delete: main: {verb} 5, allowed 4",
    )
    with pytest.raises(BlockedError, match="nothing was changed"):
        world.apply(plan)


def test_files_at_the_top_do_not_hide_the_rest_from_the_limit(tmp_path: Path) -> None:
    """The bucket as a whole is counted also where files lie in no folder."""
    world = limited(tmp_path, {**folders("abcdef", 4), "top": b"t"}, "10%", 2)
    world.remove("top")
    for name in "abcdef":
        world.remove(f"{name}/0")
    assert world.plan().blocked == ("max_delete: main: delete_remote 7, allowed 2",)


def test_files_at_the_top_do_not_lower_the_limit_of_the_rest(tmp_path: Path) -> None:
    """What the folders may lose is a share of everything, not of the files at the top."""
    world = limited(tmp_path, {**folders("abcd", 10), "top": b"t"}, "10%")
    for name in "abcd":
        world.remove(f"{name}/0")
    assert world.plan().applyable


@pytest.mark.promise("INV-4")
def test_one_folder_cannot_use_up_the_limit_of_the_bucket(tmp_path: Path) -> None:
    """A top-level folder, often one person's, is held to the same share."""
    world = limited(tmp_path, folders("abcd", 10), "10%")
    for at in range(4):
        world.remove(f"a/{at}")
    assert world.plan().blocked == ("max_delete: main/a: delete_remote 4, allowed 1",)


@pytest.mark.promise("INV-4")
def test_renames_are_no_deletions(tmp_path: Path) -> None:
    """A renamed folder does not count, on the side it was renamed on or on the other."""
    for side in ("local", "remote"):
        world = limited(tmp_path / side, folders("ab", 6), 0)
        for at in range(6):
            if side == "local":
                world.remove(f"a/{at}")
                world.write(f"c/{at}", f"a{at}".encode())
            else:
                world.drop(f"a/{at}")
                world.put(f"c/{at}", f"a{at}".encode())
        plan = world.plan()
        assert plan.applyable
        assert len(plan.actions) == (6 if side == "local" else 12)


def test_one_new_copy_excuses_one_deletion(tmp_path: Path) -> None:
    """Two files of the same content gone and one come back: one was deleted."""
    world = limited(tmp_path, {"a": b"same", "b": b"same", "c": b"other"}, 0)
    world.remove("a")
    world.remove("b")
    world.write("n", b"same")
    assert world.plan().blocked == ("max_delete: main: delete_remote 1, allowed 0",)


def test_a_limit_of_everything_is_none(tmp_path: Path) -> None:
    """`max_delete: 100%` switches the limit off."""
    world = World(tmp_path, **ALL_DELETIONS).settled(folders("ab", 10))
    shutil.rmtree(world.tree / "a")
    assert world.plan().applyable


# -- an empty side ---------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["local", "remote"])
@pytest.mark.promise("INV-2")
def test_a_side_that_is_suddenly_empty_deletes_nothing(tmp_path: Path, side: str) -> None:
    """An unmounted disk or a wrong bucket looks like a wish to delete everything, and is refused
    even without a limit."""
    world = World(tmp_path, **ALL_DELETIONS).settled(folders("a", 3))
    for at in range(3):
        (world.remove if side == "local" else world.drop)(f"a/{at}")
    plan = world.plan()
    assert plan.blocked == (f"empty_{side}: main",)
    with pytest.raises(BlockedError, match=f"empty_{side}"):
        world.apply(plan)


def test_a_side_of_one_file_may_become_empty(tmp_path: Path) -> None:
    """Deleting the only file there was is no accident to guard against."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"only": b"1"})
    world.remove("only")
    assert ops(world.plan()) == ["delete_remote only"]
    assert world.plan().applyable


# -- names that clash ------------------------------------------------------------------------------

CLASHES = [
    ({"a.txt": b"1"}, {"A.txt": b"2"}),
    ({}, {"a.txt": b"1", "A.TXT": b"2"}),
    ({"straße": b"1", "STRASSE": b"2"}, {}),
    ({"\u017f": b"1", "S": b"2"}, {}),
    ({}, {"x": b"1", "x/y": b"2"}),
]


@pytest.mark.parametrize(("here", "there"), CLASHES)
@pytest.mark.promise("INV-13")
def test_names_that_are_one_file_somewhere_are_not_brought_together(
    tmp_path: Path, here: dict[str, bytes], there: dict[str, bytes]
) -> None:
    """Each is reported, neither travels, everything else does, and the next plan says the same."""
    world = World(tmp_path)
    for key, data in here.items():
        world.write(key, data)
    for key, data in there.items():
        world.put(key, data)
    world.write("fine", b"3")
    clashing = {*here, *there} - {"x/y"}
    plan = world.plan()
    assert {code for code in codes(plan) if code.startswith("coll")} == {
        f"collision {key}" for key in clashing
    }
    assert not clashing & {action.key for action in plan.actions}
    world.sync()
    assert world.remote()["fine"] == b"3"
    assert ops(world.plan()) == []


def test_a_rename_to_another_case_is_no_clash(tmp_path: Path) -> None:
    """Where the old name goes, only one of the two is left."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"a.txt": b"1", "b": b"2"})
    (world.tree / "a.txt").rename(world.tree / "A.txt")
    assert ops(world.plan()) == ["move A.txt"]


@pytest.mark.parametrize(
    ("old", "new"), [("x", "x/y"), ("x/y", "x"), ("x/y", "x/y/z"), ("x/y/z", "x/y")]
)
def test_a_file_that_became_a_folder_waits_for_a_person(tmp_path: Path, old: str, new: str) -> None:
    """In the bucket a file can become a folder in one step, on a disk it cannot: the local file
    stays where it is, both names are reported, and the rest of the plan is carried out."""
    world = World(tmp_path, **ALL_DELETIONS).settled({old: b"1", "k": b"2", "gone": b"3"})
    world.drop(old)
    world.put(new, b"new")
    world.drop("gone")
    plan = world.plan()
    assert ops(plan) == ["delete_local gone"]
    assert {f"collision {old}", f"collision {new}"} <= set(codes(plan))
    world.sync()
    assert world.local() == {old: b"1", "k": b"2"}
    assert ops(world.plan()) == []
    world.remove(old)
    shutil.rmtree(world.tree / old.partition("/")[0], ignore_errors=True)
    world.sync()
    assert world.local() == {new: b"new", "k": b"2"}


@pytest.mark.parametrize(
    ("old", "new"), [("x", "x/y"), ("x/y", "x"), ("x/y", "x/y/z"), ("x/y/z", "x/y")]
)
@pytest.mark.parametrize("content", [b"new", b"1"], ids=["new", "renamed"])
def test_a_bucket_that_is_a_folder_waits_for_a_person_too(
    tmp_path: Path, old: str, new: str, content: bytes
) -> None:
    """The deletion that would make room comes last, so the plan does not promise the upload; in any
    other bucket both names have room, and it does."""
    world = World(tmp_path, {"main": None}, **ALL_DELETIONS)
    world.settled({old: b"1", "k": b"2", "gone": b"3"})
    world.remove("gone")
    world.remove(old)
    shutil.rmtree(world.tree / old.partition("/")[0], ignore_errors=True)
    world.write(new, content)
    plan = world.plan()
    assert ops(plan) == ["delete_remote gone"]
    assert {f"collision {old}", f"collision {new}"} <= set(codes(plan))
    world.sync()
    assert world.remote() == {old: b"1", "k": b"2"}
    world.drop(old)
    world.sync()
    assert world.remote() == {new: content, "k": b"2"} == world.local()
    assert ops(world.plan()) == []


@pytest.mark.parametrize(("new", "standing", "why"), [
    ("x/y", "x", "a file stands where a folder is needed"),
    ("x", "x/y", "a folder stands where the file belongs"),
])  # fmt: skip
@pytest.mark.parametrize("down", [True, False], ids=["download", "upload"])
def test_what_is_out_of_scope_can_be_in_the_way(
    tmp_path: Path, new: str, standing: str, why: str, down: bool
) -> None:
    """The plan says so, instead of a run that could not end."""
    world = World(tmp_path, {"main": None}, exclude_pattern=f"^{standing}$")
    for key in (new, "k"):
        (world.put if down else world.write)(key, b"1")
    (world.write if down else world.put)(standing, b"2")
    plan = world.plan()
    assert [action.key for action in plan.actions] == ["k"]
    (notice,) = [item for item in plan.warnings if item.code == "collision"]
    assert notice.key == new and notice.message.startswith(why)
    world.sync()
    (world.remove if down else world.drop)(standing)
    world.sync()
    assert {**world.local(), standing: b"2"} == {**world.remote(), standing: b"2"}
    assert world.local().keys() >= {new, "k"}


@pytest.mark.parametrize("database", [False, True])
def test_an_empty_folder_makes_room(tmp_path: Path, database: bool) -> None:
    """It is no content of anybody."""
    world = World(tmp_path)
    make(tmp_path / "db")
    world.put("x", (tmp_path / "db").read_bytes() if database else b"1")
    (world.tree / "x").mkdir()
    world.sync()
    assert (world.tree / "x").is_file()
    assert ops(world.plan()) == []


@pytest.mark.promise("INV-2")
def test_the_only_file_on_a_disk_that_is_not_mounted(tmp_path: Path) -> None:
    """The folder that shows instead is empty, and not the one that was."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"App.sqlite": b"1"})
    world.tree.rename(world.root / "disk")
    world.tree.mkdir()
    with pytest.raises(BlockedError, match="empty_local: main"):
        world.sync()
    world.tree.rmdir()
    (world.root / "disk").rename(world.tree)
    world.remove("App.sqlite")
    world.sync()
    assert world.remote() == {}
