"""Uploads without their local files, as they are carried out; files that headers change for."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest

from buckia.decisions.preflight import State, View
from buckia.errors import PreconditionError
from buckia.execution.steps import _mine, perform
from buckia.model import KEPT, Action, Content, Entry, Op, Source, Undo, content_of, replace
from buckia.planfile import Plan
from buckia.stores.base import Capabilities, Store
from buckia.stores.memory import MemoryStore
from tests.helpers import World, read_all
from tests.test_steps import TRASH, Bench

pytestmark = pytest.mark.usefixtures("hurried")


class Counted(MemoryStore):
    """A bucket that notes what below `demo/` is sent to it and what it copies by itself; what is
    `lost` it only says it has copied."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []
        self.copied: list[str] = []
        self.lost = ""

    def put(self, entry: Entry, body: Any, *, replacing: Entry | None) -> Entry:
        self.sent += [entry.key] if entry.key.startswith("demo/") else []
        return super().put(entry, body, replacing=replacing)

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        self.copied += [key] if key.startswith("demo/") else []
        made = super().copy(source, entry, key=key, replacing=replacing)
        if made and key == self.lost:
            self.delete(made)
        return made


class Bare(Counted):
    """One that knows no headers, so that any copy is as good."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, headers=frozenset())


def staged(world: World, root: Path) -> tuple[World, Plan]:
    """A clone without files, and a plan that needs none."""
    with world.open() as project:
        plan = project.stage(project.plan()).plan
    twin = world.clone(root)
    shutil.rmtree(twin.tree)
    return twin, plan


def test_what_a_staged_upload_overwrites_is_kept_first(tmp_path: Path) -> None:
    """As with any upload, in a bucket without versions."""
    world = World(tmp_path / "one").settled({"demo/a": b"before", "demo/b": b"same"})
    world.write("demo/a", b"after")
    twin, plan = staged(world, tmp_path / "two")
    assert not twin.apply(plan).failed
    assert twin.remote() == {"demo/a": b"after", "demo/b": b"same"}
    kept = {k: v for k, v in read_all(twin.store()).items() if k.startswith(".buckia/trash/")}
    assert list(kept.values()) == [b"before"]


@pytest.mark.parametrize("store", [Counted, Bare])
def test_a_content_is_copied_only_under_the_type_that_it_is_staged_with(
    tmp_path: Path, store: type[Counted]
) -> None:
    """Once for all files that hold it: where another type is wanted it is sent. Where a bucket
    knows no headers nothing is."""
    bucket = store()
    world = World(tmp_path / "one", {"main": bucket})
    world.write("demo/a.txt", b"twice")
    world.write("demo/b.png", b"twice")
    twin, plan = staged(world, tmp_path / "two")
    assert not twin.apply(plan).failed
    assert sorted(bucket.sent + bucket.copied) == ["demo/a.txt", "demo/b.png"]
    assert len(bucket.copied) == (1 if store is Counted else 2)
    found = [bucket.head(key) for key in ("demo/a.txt", "demo/b.png")]
    if store is Counted:
        assert [entry and entry.type for entry in found] == ["text/plain", "image/png"]


def test_a_copy_from_the_stage_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    """What the bucket says is looked at."""
    bucket = Counted()
    world = World(tmp_path / "one", {"main": bucket})
    world.write("demo/a", b"1")
    twin, plan = staged(world, tmp_path / "two")
    bucket.lost = "demo/a"
    assert [item.key for item in twin.apply(plan).failed] == ["demo/a"]
    assert "demo/a" not in twin.lock().state("main").entries


def _overwriting(undo: Undo) -> Action:
    content = Content(size=3, sha256="0" * 64, version="v")
    source = Source(path="tree/a", key=".buckia/stage/x", version="v", staged=True)
    return Action("1", Op.UPLOAD, "main", "a", "changed", source, content, content, undo)


@pytest.mark.parametrize(("undo", "kept"), [(Undo.TRASH, b"old"), (Undo.VERSION, None)])
def test_what_has_a_version_needs_no_trash(tmp_path: Path, undo: Undo, kept: bytes | None) -> None:
    """The plan says where the loser is found."""
    bench = Bench(tmp_path)
    old, origin = bench.put("a", b"old"), bench.put(".buckia/stage/x", b"new")
    action = replace(_overwriting(undo), content=content_of(origin), expect=content_of(old))
    outcome = perform(bench.task(action, View(None, old, origin)))
    assert outcome.done, outcome.error
    assert bench.bytes_at("a") == b"new"
    assert bench.bytes_at(f"{TRASH}a") == kept


# -- the local file of an object whose headers change ----------------------------------------------


def _dressing(*, path: str | None = "tree/a", staged: bool = False) -> Action:
    content = Content(size=1, sha256="a" * 64, version="v")
    source = Source(path=path, key="a", version="v", staged=staged)
    return Action("1", Op.COPY, "main", "a", "headers", source, content, content, None)


def test_headers_are_changed_for_the_file_that_was_planned(tmp_path: Path) -> None:
    """Not for another, and not for none, unless the plan says that it need not be there."""
    bench = Bench(tmp_path)
    right, wrong = Entry("a", 1, sha256="a" * 64), Entry("a", 1, sha256="b" * 64)
    assert _mine(bench.task(_dressing(), View(right, None))) == right
    for mine in (wrong, None):
        with pytest.raises(PreconditionError, match="has changed meanwhile; plan again"):
            _mine(bench.task(_dressing(), View(mine, None)))
    assert _mine(bench.task(_dressing(staged=True), View(right, None))) == right
    assumed = _mine(bench.task(_dressing(staged=True), View(None, None)))
    assert (assumed.key, assumed.sha256, assumed.path) == ("a", "a" * 64, "tree/a")
    with pytest.raises(PreconditionError):
        _mine(bench.task(_dressing(staged=True), View(wrong, None)))


def test_a_kept_side_that_is_there_is_recorded_with_its_copy(tmp_path: Path) -> None:
    """The download of a conflict that keeps both leaves no entry: its copy in the bucket does."""
    bench = Bench(tmp_path)
    mine = bench.write("tree/a", b"1")
    content, source = content_of(mine), Source(bucket="main", key="b", version="v")
    action = Action("1", Op.DOWNLOAD, "main", "a", KEPT, source, content, None, None)
    outcome = perform(bench.task(action, View(mine, None), State.SATISFIED))
    assert (outcome.done, outcome.entry) == (True, None)
    other = perform(bench.task(replace(action, reason="new"), View(mine, None), State.SATISFIED))
    assert other.entry and other.entry.sha256 == mine.sha256


def test_a_download_tells_how_many_bytes_it_is(tmp_path: Path) -> None:
    """So that what watches large ones knows which those are."""
    bench = Bench(tmp_path)
    told: list[int] = []

    class Passing:
        def metered(self, body: Any, size: int) -> Any:
            told.append(size)
            return body

    passing: Any = Passing()
    stores = replace(bench.stores, passing=passing)
    stores.watch(io.BytesIO(b"1"), _dressing())
    stores.watch(io.BytesIO(b"1"), replace(_dressing(), content=None))
    assert told == [1, 0]
