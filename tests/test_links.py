"""A folder that becomes a link, at any moment: nothing behind it is written, read or deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest

from buckia.errors import BuckiaError
from buckia.model import Entry, Tick
from buckia.planfile import Plan
from buckia.stores import files, folders
from buckia.stores.local import LocalStore
from buckia.stores.paths import Paths
from tests.helpers import ALL_DELETIONS, Side, World, codes, ops, tree_of

pytestmark = [pytest.mark.usefixtures("hurried"), pytest.mark.promise("INV-12")]

OUTSIDE: Final[Side] = {"x": b"theirs", "y": b"2", "z": b"3", "new": b"n"}
"""What lies behind the link: names of the tree, some with the content of the tree."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world with every kind of local change ahead of it in the folder `d/e/`, and a place outside
    that is the same afterwards."""
    made = World(tmp_path, **ALL_DELETIONS)
    made.settled({"d/e/x": b"1", "d/e/y": b"2", "d/e/z": b"3", "stays": b"4"})
    made.drop("d/e/y")
    made.put("d/e/x", b"changed there")
    made.put("d/e/new", b"new there")
    made.write("d/e/up", b"changed here")
    outside = tmp_path / "outside"
    for name in ("e", "."):
        (outside / name).mkdir(parents=True, exist_ok=True)
        for key, data in OUTSIDE.items():
            (outside / name / key).write_bytes(data)
    yield made
    assert tree_of(outside) == {**OUTSIDE, **{f"e/{key}": data for key, data in OUTSIDE.items()}}
    assert made.left_behind() == []


def swap(world: World, folder: str) -> None:
    """Put a link in the place of a folder, which moves aside."""
    path = world.tree / folder
    if not path.is_symlink():
        path.rename(world.root / "aside")
        path.symlink_to(world.root.parent / "outside", target_is_directory=True)


WANTED: Final = ["download d/e/new", "upload d/e/up", "download d/e/x", "delete_local d/e/y"]


def planned(world: World) -> Plan:
    plan = world.plan()
    assert ops(plan) == WANTED
    return plan


@pytest.mark.parametrize("folder", ["d", "d/e"])
def test_a_link_put_there_after_the_plan_stops_everything(world: World, folder: str) -> None:
    """Preflight looks at every action, and will not look through a link."""
    plan = planned(world)
    swap(world, folder)
    before = world.both()
    with pytest.raises(BuckiaError, match="symbolic link"):
        world.apply(plan)
    assert world.both() == before


@pytest.mark.parametrize("folder", ["d", "d/e"])
def test_what_is_behind_a_link_is_not_taken_for_deleted(world: World, folder: str) -> None:
    """A new plan leaves all below the link alone, on both sides."""
    swap(world, folder)
    plan = world.plan()
    assert ops(plan) == []
    assert {f"{notice.code} {notice.key}" for notice in plan.warnings} >= {f"skipped {folder}"}


@pytest.mark.parametrize("folder", ["d", "d/e"])
def test_a_link_put_there_after_preflight_stops_each_action(world: World, folder: str) -> None:
    """Too late for preflight: then each action refuses by itself."""
    plan = planned(world)

    def race(tick: Tick) -> None:
        if tick.stage == "apply":
            swap(world, folder)

    applied = world.apply(plan, progress=race)
    assert {item.key for item in applied.failed} >= {"d/e/new", "d/e/x", "d/e/up"}
    assert "d/e/up" not in world.remote()


# -- at the last moment, between the last look and the change -------------------------------------


class Slow(BytesIO):
    """A body in whose middle something happens."""

    def __init__(self, data: bytes, happens: Callable[[], None]) -> None:
        super().__init__(data)
        self._happens = happens

    def read(self, size: int | None = -1) -> bytes:
        self._happens()
        return super().read(size)


@pytest.mark.parametrize("key", ["d/e/new", "d/e/x"])
@pytest.mark.parametrize("folder", ["d", "d/e"])
def test_a_link_put_there_while_a_download_runs(world: World, key: str, folder: str) -> None:
    """The look before the download found a folder; the change of names finds a link."""
    store = LocalStore(world.tree, trash=world.root / ".buckia.d" / "trash")
    seen = store.head(key)
    with pytest.raises(BuckiaError, match="symbolic link"):
        store.put(Entry(key, 1), Slow(b"1", lambda: swap(world, folder)), replacing=seen)


@pytest.mark.parametrize("step", ["create", "supersede", "keep", "discard"])
@pytest.mark.parametrize("folder", ["d", "d/e"])
def test_a_link_put_there_at_the_last_moment(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str, folder: str
) -> None:
    """After the last look the folder is held open: the change goes to where it was, not through
    the link."""
    store = LocalStore(world.tree, trash=world.root / ".buckia.d" / "trash")
    real = getattr(files, step)

    def late(*given: Any) -> None:
        swap(world, folder)
        real(*given)

    seen = store.head("d/e/x")
    assert seen
    monkeypatch.setattr(files, step, late)
    key = "d/e/new" if step == "create" else "d/e/x"
    try:
        if step == "discard":
            store.delete(seen)
        else:
            store.put(Entry(key, 1), BytesIO(b"1"), replacing=None if step == "create" else seen)
    except BuckiaError as problem:
        assert "symbolic link" in str(problem)
    aside = tree_of(world.root / "aside")
    prefix = "" if folder == "d/e" else "e/"
    assert (f"{prefix}x" in aside) == (step != "discard")
    assert (f"{prefix}new" in aside) == (step == "create")


@pytest.mark.parametrize("folder", ["d", "d/e"])
def test_a_link_put_there_right_before_a_file_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """What is behind it goes to no bucket, and is not even read."""
    plan = planned(world)
    seen: list[str] = []
    real = Paths.handle

    def late(paths: Paths, path: str) -> int:
        if path.endswith("d/e/up"):
            swap(world, folder)
            seen.append(path)
        return real(paths, path)

    monkeypatch.setattr(Paths, "handle", late)
    (world.root.parent / "outside/e/up").write_bytes(b"changed here")
    (world.root.parent / "outside/up").write_bytes(b"changed here")
    with pytest.raises(BuckiaError, match="symbolic link"):
        world.apply(plan)
    assert seen and "d/e/up" not in world.remote()
    for path in (world.root.parent / "outside").rglob("up"):
        path.unlink()


@pytest.mark.parametrize("folder", ["d", "d/e"])
def test_a_link_put_there_while_the_tree_is_walked(
    world: World, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """Its folder was seen, and is not what was seen: nothing below it is known."""
    real = folders.opened

    def late(root: Path, parts: Sequence[str], **how: bool) -> AbstractContextManager[int]:
        if tuple(parts) == tuple(folder.split("/")):
            swap(world, folder)
        return real(root, parts, **how)

    monkeypatch.setattr(folders, "opened", late)
    plan = world.plan()
    assert ops(plan) == [] and not plan.complete
    assert f"unreadable {folder}/" in codes(plan)


def test_a_link_put_there_before_empty_folders_are_removed(tmp_path: Path) -> None:
    """An empty folder outside stays."""
    (tmp_path / "outside" / "e").mkdir(parents=True)
    root = tmp_path / "root"
    root.mkdir()
    (root / "d").symlink_to(tmp_path / "outside")
    folders.prune(root, ("d", "e"))
    assert (tmp_path / "outside" / "e").is_dir()


def test_folders_are_made_through_no_link(tmp_path: Path) -> None:
    """Nor is a descriptor left open after a refusal."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "d").symlink_to(tmp_path / "outside")
    before = len(list(Path("/dev/fd").iterdir()))
    with (
        pytest.raises(BuckiaError, match="'d' is a symbolic link"),
        folders.opened(tmp_path, ("d", "new"), make=True),
    ):
        pytest.fail("opened through a link")
    assert list((tmp_path / "outside").iterdir()) == []
    assert len(list(Path("/dev/fd").iterdir())) == before
