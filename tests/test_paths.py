"""A plan about some paths looks at those, and decides as one that looked at everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia.layout import EVERYWHERE, Layout, Mapping, Selection, disjoint, overlap
from buckia.model import Direction, Entry
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from tests.helpers import World, codes, ops
from tests.strategies import KEYS, History, any_keys, examples, histories

pytestmark = pytest.mark.usefixtures("hurried")


class Asked(MemoryStore):
    """A bucket that remembers what was listed."""

    def __init__(self) -> None:
        super().__init__()
        self.prefixes: list[str] = []

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        if not prefix.startswith(".buckia/"):
            self.prefixes.append(prefix)
        return super().entries(prefix)


def settled(root: Path, store: MemoryStore, *users: str) -> World:
    """Folders of users, in step on both sides."""
    files = {f"{user}/{n}": f"{user} {n}".encode() for user in users for n in range(3)}
    return World(root, {"main": store}, delete_orphaned=True).settled(files)


@pytest.mark.parametrize("wish", ["ann", "ann/", "tree/ann", "./tree/ann/"])
def test_only_what_is_asked_for_is_listed(tmp_path: Path, wish: str) -> None:
    """By the plan and by apply, however the folder is named, and however many actions there are."""
    store = Asked()
    world = settled(tmp_path, store, "ann", "ben", "cat")
    for number in range(40):
        world.write(f"ann/new {number}", b"new")
    world.remove("ann/1")
    world.remove("ben/1")
    store.prefixes.clear()
    plan = world.plan(paths=[wish])
    assert not world.apply(plan).failed
    assert set(store.prefixes) <= {"ann", "tree/ann"}
    assert "ann/1" not in world.remote()
    assert "ben/1" in world.remote()


def test_a_folder_that_is_gone_altogether_is_looked_for_in_the_whole(tmp_path: Path) -> None:
    """Nothing in sight may be another bucket, or another disk: only the whole tells."""
    store = Asked()
    world = settled(tmp_path, store, "ann", "ben")
    for number in range(3):
        world.remove(f"ann/{number}")
    store.prefixes.clear()
    plan = world.plan(paths=["ann/"])
    assert ops(plan) == [f"delete_remote ann/{n}" for n in range(3)]
    assert plan.applyable
    assert store.prefixes == ["ann", ""]


def test_a_new_name_is_held_against_what_is_known_elsewhere(tmp_path: Path) -> None:
    """Two folders that are one on some disks are not brought together by a plan about one."""
    world = settled(tmp_path, MemoryStore(), "Ann", "ben")
    world.write("ann/0", b"another ann")
    plan = world.plan(paths=["ann/"])
    assert (ops(plan), codes(plan)) == ([], ["collision ann/0"])


@examples(60)
@given(
    histories,
    st.sampled_from([*KEYS, "b", "b/", "b/deep", "tree", "tree/b", "tree/Grüße", "nothing"]),
)
def test_it_decides_as_if_everything_had_been_listed(history: History, wish: str) -> None:
    """The same actions, conflicts and limits; deletions too."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        world = history.build(Path(folder), {"main": MemoryStore()})
        narrow = world.plan(paths=[wish], told=False)
        patch.setattr(Selection, "prefixes", EVERYWHERE)
        whole = world.plan(paths=[wish], told=False)
        assert narrow.actions == whole.actions
        assert narrow.conflicts == whole.conflicts
        assert narrow.blocked == whole.blocked


# -- prefixes --------------------------------------------------------------------------------------

LAYOUT = Layout(
    (
        Mapping("assets/", ""),
        Mapping("static/", "data/", Direction.UPLOAD),
        Mapping("note.txt", "docs/note.txt", single=True),
    )
)


@pytest.mark.parametrize(
    ("wishes", "prefixes"),
    [
        ((), ("",)),
        (("",), ("",)),
        (("assets",), ("",)),
        (("assets/ann",), ("ann", "assets/ann")),
        (("static",), ("data/", "static")),
        (("static/x", "data"), ("data", "static/x")),
        (("note.txt",), ("docs/note.txt", "note.txt")),
        (("gru\u0308n",), ("gru\u0308n", "grün")),
    ],
)
def test_the_prefixes_of_a_wish(wishes: tuple[str, ...], prefixes: tuple[str, ...]) -> None:
    """As a key, and as the keys that local files below it have."""
    assert Selection(LAYOUT, wishes).prefixes == prefixes


@given(any_keys, any_keys)
def test_every_key_that_is_held_lies_below_a_prefix(key: str, wish: str) -> None:
    """By its own name or by that of its local file."""
    for name in (key, wish, f"static/{wish}", f"assets/{wish}"):
        selection = LAYOUT.narrow([name])
        path = LAYOUT.path_of(key)
        if selection.holds(key, path):
            assert key.startswith(selection.prefixes)


def test_prefixes_that_begin_with_another_say_nothing_new() -> None:
    assert disjoint(["b", "a/b", "a", "ab"]) == ("a", "b")
    assert overlap(["a/", "b/"], ["a/x", "", "c"]) == ("a/", "b/")
    assert overlap(["a/"], ["a/x", "b"]) == ("a/x",)


def test_a_folder_that_is_a_bucket_is_not_walked_for_one_folder(tmp_path: Path) -> None:
    """Nor is a link followed that stands in its place."""
    for name in ("ann", "ben"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(name)
    (tmp_path / "link").symlink_to(tmp_path / "ben")
    store = LocalStore(tmp_path)
    assert [entry.key for entry in store.entries("ann/")] == ["ann/x"]
    assert [entry.key for entry in store.entries("ann/x")] == ["ann/x"]
    assert list(store.entries("ann/y")) == list(store.entries("none/")) == []
    assert list(store.entries("link/")) == []
