"""The trash: all that was replaced or deleted is in it, comes back, and goes when told to."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from buckia import trash as module
from buckia.config import BucketConfig
from buckia.errors import (
    BuckiaError,
    ConfigError,
    Interrupted,
    LockedError,
    StoreError,
    UsageError,
)
from buckia.model import Entry
from buckia.rules import seconds
from buckia.runs import expiry
from buckia.runs.expiry import expire, older
from buckia.stores.hashing import now
from buckia.stores.memory import MemoryStore
from buckia.trash import Kept
from tests.helpers import ALL_DELETIONS, World, ops, read_all
from tests.sqlite_helpers import make, names, sql

pytestmark = pytest.mark.usefixtures("hurried")

DAY = 24 * 3600 * 1_000_000_000


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A project whose bucket tells true times."""
    store = MemoryStore(clock=lambda: vars(module)["now"]())
    return World(tmp_path, {"main": store}, **ALL_DELETIONS).settled(
        {"a": b"1", "d/b": b"2", "d/c": b"3", "k": b"k"}
    )


def kept(world: World, *names: str) -> list[tuple[str | None, str]]:
    """What is in the trash, by bucket and name."""
    with world.open() as project, project.trash(names) as trash:
        return sorted(((item.bucket, item.name) for item in trash.kept()), key=str)


def restore(world: World, what: str, *, plan: str = "", to: str | None = None) -> None:
    """Bring something back."""
    with world.open() as project, project.trash(alone=True) as trash:
        for path, item in trash.find(what, plan).items():
            trash.restore(item, to or path)


def empty(world: World, *names: str) -> None:
    """Delete all of it for good."""
    with world.open() as project, project.trash(names, alone=True) as trash:
        trash.empty(trash.kept())


def ages(monkeypatch: pytest.MonkeyPatch, by: int) -> None:
    """Let so many nanoseconds pass, here and there."""
    for where in (module, expiry):
        monkeypatch.setattr(where, "now", lambda: now() + by)


# -- what is in it ---------------------------------------------------------------------------------


def test_nothing_was_deleted_yet(world: World) -> None:
    assert kept(world) == []


@pytest.mark.promise("INV-15")
def test_all_that_was_replaced_or_deleted_is_listed(world: World) -> None:
    """On either side: by its path here, by its key there, with its size, time and plan."""
    world.write("a", b"one")
    world.remove("d/b")
    world.put("d/c", b"three")
    world.drop("k")
    began = now()
    plan = world.plan()
    world.apply(plan)
    assert kept(world) == [
        ("main", "a"), ("main", "d/b"), (None, "tree/d/c"), (None, "tree/k"),
    ]  # fmt: skip
    with world.open() as project, project.trash() as trash:
        for item in trash.kept():
            assert item.size == 1
            assert item.plan == plan.digest.removeprefix("sha256:")[:12]
            assert item.deleted and abs(item.deleted - began) < DAY


def test_the_last_deleted_comes_first(world: World) -> None:
    for data in (b"one", b"two", b"three"):
        world.write("a", data)
        world.sync()
    with world.open() as project, project.trash() as trash:
        times = [item.deleted or 0 for item in trash.kept()]
        assert [item.size for item in trash.kept()] == [3, 3, 1]
    assert times == sorted(times, reverse=True)


def test_the_time_is_that_of_the_deletion_and_not_of_the_content(world: World) -> None:
    """An old photograph that was deleted today is no day in the trash."""
    path = world.write("old", b"photograph", modified=1_000_000_000)
    world.sync()
    assert path.stat().st_mtime == 1_000_000_000
    world.drop("old")
    world.sync()
    place = next((world.root / ".buckia.d" / "trash").rglob("old"))
    assert place.stat().st_mtime == 1_000_000_000
    with world.open() as project, project.trash() as trash:
        assert older(trash.kept(), seconds("1d")) == []


def test_where_a_disk_keeps_no_time_of_renaming_the_journal_tells(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that did it began then; a journal that is damaged tells nothing and harms nothing."""
    world.drop("a")
    world.sync()
    folder = world.root / ".buckia.d" / "journal"
    (folder / "000099-damaged.jsonl").write_bytes(b"\xff{\n")
    began = module._began(folder)
    assert all(abs(when - now()) < DAY for when in began.values())
    lstat = Path.lstat

    def timeless(path: Path) -> Any:
        stat = lstat(path)
        return os.stat_result([*stat[:9], 0], {"st_ctime_ns": 0, "st_size": stat.st_size})

    monkeypatch.setattr(Path, "lstat", timeless)
    with world.open() as project, project.trash() as trash:
        (item,) = trash._kept_here()
    assert item.deleted == began[item.plan] > 0


def test_buckets_can_be_asked_about_alone(tmp_path: Path) -> None:
    """Then the local trash is that of their folders."""
    stores: dict[str, Any] = {"one": MemoryStore("1"), "two": MemoryStore("2")}
    world = World(tmp_path, stores, **ALL_DELETIONS).settled({"a": b"1", "b": b"2", "c": b"3"})
    world.remove("a")
    world.drop("b", "one")
    world.drop("b", "two")
    world.sync()
    assert kept(world, "two") == [("two", "a"), (None, "tree/b")]
    elsewhere = world.under(paths=["other/"])
    (world.root / "other").mkdir()
    assert kept(elsewhere, "two") == [("two", "a")]
    assert (None, "tree/b") in kept(elsewhere)
    with pytest.raises(ConfigError, match="no bucket"):
        kept(world, "three")


# -- bringing back ---------------------------------------------------------------------------------


@pytest.mark.promise("INV-15")
def test_a_deleted_file_comes_back_from_the_local_trash(world: World) -> None:
    """It leaves the trash, and the next plan sees a new file."""
    world.drop("a")
    world.sync()
    restore(world, "tree/a")
    assert world.local()["a"] == b"1"
    assert kept(world) == []
    assert ops(world.plan()) == ["upload a"]
    assert list((world.root / ".buckia.d" / "trash").iterdir()) == []


def test_an_object_comes_back_as_a_local_file(world: World) -> None:
    """By its key or its path; the bucket and its trash stay as they are."""
    world.remove("a")
    world.sync()
    before = read_all(world.store())
    for what in ("a", "tree/a"):
        world.remove("a")
        restore(world, what)
        assert world.local()["a"] == b"1"
    assert read_all(world.store()) == before


def test_a_folder_comes_back_whole(world: World) -> None:
    shutil.rmtree(world.tree / "d")
    world.sync()
    assert not world.tree.joinpath("d").exists()
    restore(world, "d/")
    assert world.local() == {"a": b"1", "d/b": b"2", "d/c": b"3", "k": b"k"}


def test_the_last_of_several_comes_back_or_that_of_a_plan(world: World) -> None:
    plans = []
    for data in (b"one", b"two", b"three"):
        world.write("a", data)
        plans.append(world.plan())
        world.apply(plans[-1])
    restore(world, "a")
    assert world.local()["a"] == b"two"
    restore(world, "a", plan=plans[0].digest)
    assert world.local()["a"] == b"1"
    restore(world, "a", plan=plans[1].digest.removeprefix("sha256:")[:5])
    assert world.local()["a"] == b"one"


def test_what_stands_in_the_way_goes_to_the_trash(world: World) -> None:
    """Twice, and nothing is lost."""
    world.remove("a")
    world.sync()
    world.write("a", b"new")
    restore(world, "a", plan=_plan_of(world, "a"))
    assert world.local()["a"] == b"1"
    assert (None, "tree/a") in kept(world)
    restore(world, "tree/a", plan="restored")
    assert world.local()["a"] == b"new"
    assert {b"1", b"new"} <= world.everything()


def _plan_of(world: World, name: str) -> str:
    with world.open() as project, project.trash() as trash:
        return next(item.plan for item in trash.kept() if item.name == name)


def test_a_file_can_come_back_elsewhere(world: World) -> None:
    world.remove("a")
    world.sync()
    restore(world, "a", to="tree/new/place")
    assert world.local()["new/place"] == b"1"
    assert "a" not in world.local()


@pytest.mark.parametrize(
    ("to", "error"),
    [
        (".buckia.d/x", UsageError),
        (".buckia", UsageError),
        ("tree/x-wal/../../../out", StoreError),
        ("/tmp/out", StoreError),
        ("tree/App.sqlite-wal", UsageError),
        ("tree/link/out", BuckiaError),
    ],
)
def test_nothing_comes_back_where_no_file_can_be(
    world: World, tmp_path: Path, to: str, error: type[Exception]
) -> None:
    world.remove("a")
    world.sync()
    (world.tree / "link").symlink_to(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error):
        restore(world, "a", to=to)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_not_there_cannot_come_back(world: World) -> None:
    for what, plan in (("none", ""), ("a", "restored")):
        with pytest.raises(UsageError, match="in the trash"):
            restore(world, what, plan=plan)


def test_a_database_comes_back_into_the_live_file(world: World) -> None:
    """Through SQLite, so that what another program has open stays sound."""
    make(world.tree / "db", "abc")
    world.sync()
    sql(world.tree / "db", "PRAGMA journal_mode=WAL", "DELETE FROM items WHERE id = 1")
    world.sync()
    restore(world, "db")
    assert names(world.tree / "db") == "abc"
    with world.open() as project, project.trash() as trash:
        (item,) = (one for one in trash.kept() if one.plan == "restored")
    copy = world.root / ".buckia.d" / "trash" / item.plan / item.name
    assert names(copy) == "bc"


def test_only_one_run_changes_the_trash(world: World) -> None:
    with world.open() as one, one.trash(alone=True), world.open() as other:
        assert kept(world) == []
        with pytest.raises(LockedError), other.trash(alone=True):
            pass


# -- for good --------------------------------------------------------------------------------------


class Sweeper(MemoryStore):
    """A service that deletes many objects by one request."""

    swept: list[list[str]]

    def sweep(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        together = list(entries)
        self.swept.append([entry.key for entry in together])
        for entry in together:
            self.delete(entry)
            yield entry


def test_many_go_by_one_request(tmp_path: Path) -> None:
    """Where the service takes many at once, the trash and nothing else goes that way."""
    store = Sweeper(clock=now)
    store.swept = []
    world = World(tmp_path, {"main": store}, **ALL_DELETIONS).settled({"a": b"1", "b": b"2"})
    for name in "ab":
        world.remove(name)
    world.write("c", b"3")
    world.sync()
    assert store.swept == []
    empty(world)
    assert [len(keys) for keys in store.swept] == [2]
    assert all(key.startswith(".buckia/trash/") for key in store.swept[0])
    assert kept(world) == []
    assert world.remote() == {"c": b"3"}


def test_emptied_is_gone_on_both_sides(world: World) -> None:
    """And nothing else is."""
    world.remove("a")
    world.drop("k")
    world.sync()
    before = world.both()
    assert len(kept(world)) == 2
    empty(world)
    assert kept(world) == []
    assert world.both() == before
    assert not [key for key in read_all(world.store()) if "trash" in key]
    empty(world)


def test_only_what_is_old_enough_is_emptied(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.remove("a")
    world.drop("k")
    world.sync()
    with world.open() as project, project.trash(alone=True) as trash:
        assert older(trash.kept(), seconds("30d")) == []
        ages(monkeypatch, 31 * DAY)
        assert len(older(trash.kept(), seconds("30d"))) == 2
        assert older(trash.kept(), seconds("32d")) == []


def test_what_has_no_time_is_never_old() -> None:
    assert older([Kept("b", "p", "n", 1, None)], 0) == []


@pytest.mark.parametrize(
    ("text", "value"), [("12h", 43200), ("30d", 2592000), ("4w", 2419200), ("0d", 0)]
)
def test_durations(text: str, value: int) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "d", "30", "30 d", "-1d", "1.5d", "30D", "1y", "٣d", "9" * 6])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="12h, 30d or 4w"):
        seconds(text)


# -- kept for a time -------------------------------------------------------------------------------


def test_an_apply_empties_what_is_older_than_the_configuration_keeps(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On both sides, once it is done, counted from the deletion."""
    keeping = world.under(trash={"keep": "30d"})
    world.remove("a")
    world.drop("k")
    keeping.sync()
    assert len(kept(world)) == 2
    ages(monkeypatch, 31 * DAY)
    world.write("new", b"1")
    world.sync()
    assert len(kept(world)) == 2, "without `keep` nothing goes by itself"
    world.write("new", b"2")
    keeping.sync()
    assert kept(world) == [("main", "new")], "which went just now"


@pytest.mark.parametrize("by", [400 * DAY, -400 * DAY])
@pytest.mark.promise("INV-14")
def test_a_wrong_clock_empties_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, by: int
) -> None:
    """By a clock that is a year ahead even what was deleted just now is old."""
    keeping = world.under(trash={"keep": "30d"})
    world.remove("a")
    world.drop("k")
    monkeypatch.setattr(world.store(), "_clock", now)
    ages(monkeypatch, by)
    keeping.sync()
    assert len(kept(world)) == 2
    assert ("clock of this computer and that of `main`" in caplog.text) == (by > 0)


def test_an_apply_with_nothing_to_do_leaves_the_trash_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = world.under(trash={"keep": "1d"})
    world.remove("a")
    keeping.sync()
    ages(monkeypatch, 2 * DAY)
    keeping.sync()
    assert len(kept(world)) == 1


def test_a_trash_that_cannot_be_emptied_fails_no_apply(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keeping = world.under(trash={"keep": "0d"})
    world.remove("a")

    def refuse(store: MemoryStore, entry: Entry) -> None:
        raise BuckiaError("not allowed")

    delete: Callable[..., None] = MemoryStore.delete
    monkeypatch.setattr(
        MemoryStore,
        "delete",
        lambda store, entry: (refuse if "trash" in entry.key else delete)(store, entry),
    )
    keeping.sync()
    assert kept(world) == [("main", "a")]
    assert "the trash was not emptied: not allowed" in caplog.text


def test_nothing_expires_where_no_time_is_set(world: World) -> None:
    world.remove("a")
    world.sync()
    with world.open() as project, project.trash(alone=True) as trash:
        expire(trash, None)
    assert len(kept(world)) == 1


def test_how_long_is_no_part_of_what_a_plan_depends_on() -> None:
    """Whether it is kept at all is."""

    def bucket(trash: Any) -> BucketConfig:
        return BucketConfig(provider="local", bucket_name="../b", trash=trash)

    plain, keeping, off = bucket(True), bucket({"keep": "30d"}), bucket(False)
    assert plain.identity() == keeping.identity() != off.identity()
    assert (plain.keeps_trash, keeping.keeps_trash, off.keeps_trash) == (True, True, False)
    assert (plain.retention, keeping.retention, off.retention) == (None, 30 * 24 * 3600, None)
    json.dumps(keeping.identity())


@pytest.mark.parametrize(
    "trash", ["yes", 30, {"keep": "30"}, {"keep": 30}, {"kept": "30d"}, {"keep": "30d", "x": 1}]
)
def test_what_the_option_does_not_take(trash: Any) -> None:
    with pytest.raises(ConfigError, match="trash"):
        BucketConfig(provider="local", bucket_name="../b", trash=trash)


def test_a_stop_ends_it_between_two_files(world: World) -> None:
    """And the rest is still in the trash."""
    world.remove("a")
    world.drop("k")
    world.sync()
    with world.open() as project, project.trash(alone=True) as trash:
        project.stop.set()
        with pytest.raises(Interrupted):
            trash.empty(trash.kept())
        with pytest.raises(Interrupted):
            trash.restore(trash.kept()[0], "tree/a")
    assert len(kept(world)) == 2
