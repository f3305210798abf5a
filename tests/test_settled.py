"""Folders are flushed before what was done in them counts, and once for many files."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from buckia.execution import portions
from buckia.journal import Journal
from buckia.model import Entry, Op, Outcome
from buckia.stores import files, folders
from buckia.stores.local import LocalStore
from buckia.stores.writing import Writer
from tests.helpers import World


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[os.stat_result]:
    """The folders that were flushed, in that order."""
    real, seen = folders.flush, list[os.stat_result]()

    def flush(handle: int) -> None:
        seen.append(os.fstat(handle))
        real(handle)

    monkeypatch.setattr(folders, "flush", flush)
    return seen


def times(flushed: list[os.stat_result], folder: Path) -> int:
    """How often a folder was."""
    return sum(os.path.samestat(stat, folder.stat()) for stat in flushed)


def handles() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def put(store: LocalStore, key: str, data: bytes, replacing: Entry | None = None) -> Entry:
    return store.put(Entry(key, len(data)), BytesIO(data), replacing=replacing)


# -- an action -------------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path) -> Iterator[World]:
    """A world with many small downloads ahead: new ones in two folders, and some that replace."""
    world = World(tmp_path, max_workers=2)
    world.settled({f"old/{n:03}": b"%d" % n for n in range(40)})
    for n in range(40):
        world.put(f"old/{n:03}", b"new %d" % n)
        world.put(f"new/a/{n:03}", b"%d" % n)
        world.put(f"new/b/{n:03}", b"%d" % n)
    yield world
    assert world.local() == world.remote()
    assert world.left_behind() == []


@pytest.mark.promise("INV-7")
def test_no_outcome_is_told_before_its_folder_is_flushed(
    many: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of a file that is new nor of one that takes the place of another; of new folders the
    one that they lie in is flushed, too."""
    plan = many.plan()
    events: list[tuple[str, Any]] = []
    flush, record, looked = folders.flush, Journal.record, Writer._stored

    def flushing(handle: int) -> None:
        flush(handle)
        events.append(("flush", os.fstat(handle)))

    def placed(self: Writer, key: str, *given: Any, **named: Any) -> Entry:
        events.append(("place", key))
        return looked(self, key, *given, **named)

    def recording(self: Journal, outcomes: list[Outcome]) -> None:
        events.extend(("told", item.key) for item in outcomes if item.op is Op.DOWNLOAD)
        record(self, outcomes)

    monkeypatch.setattr(folders, "flush", flushing)
    monkeypatch.setattr(Writer, "_stored", placed)
    monkeypatch.setattr(Journal, "record", recording)
    many.apply(plan)
    told = [what for kind, what in events if kind == "told"]
    assert len(told) == 120
    for key in told:
        first, last = events.index(("place", key)), events.index(("told", key))
        between = [stat for kind, stat in events[first:last] if kind == "flush"]
        assert times(between, (many.tree / key).parent), key
    before = [stat for kind, stat in events[: events.index(("told", told[0]))] if kind == "flush"]
    assert "new/" not in told[0] or times(before, many.tree / "new")


def test_many_small_files_of_a_folder_are_flushed_together(
    many: World, flushed: list[os.stat_result]
) -> None:
    """Which is what it is for: about once for each portion."""
    plan = many.plan()
    flushed.clear()
    many.apply(plan)
    for name in ("old", "new/a", "new/b"):
        assert 40 // portions.TOGETHER <= times(flushed, many.tree / name) <= 20


# -- together --------------------------------------------------------------------------------------


def test_a_folder_is_flushed_once_at_the_end(tmp_path: Path, flushed: list[os.stat_result]) -> None:
    """Outside at once, and no descriptor is left open."""
    (tmp_path / "d").mkdir()
    store, before = LocalStore(tmp_path), handles()
    with folders.together():
        for key in ("a", "b", "d/c", "d/e"):
            put(store, key, b"1")
        assert times(flushed, tmp_path) == times(flushed, tmp_path / "d") == 0
    assert times(flushed, tmp_path) == times(flushed, tmp_path / "d") == 1
    put(store, "f", b"1")
    assert times(flushed, tmp_path) == 2
    assert handles() == before


@pytest.mark.promise("INV-7")
def test_a_folder_that_takes_the_place_of_another_is_flushed_beside_it(
    tmp_path: Path, flushed: list[os.stat_result]
) -> None:
    """A path is not what tells one folder from another."""
    store = LocalStore(tmp_path)
    with folders.together():
        put(store, "d/a", b"1")
        (tmp_path / "d").rename(tmp_path / "aside")
        put(store, "d/b", b"1")
    assert times(flushed, tmp_path / "d") == times(flushed, tmp_path / "aside") == 1


@pytest.mark.promise("INV-7")
def test_a_failure_on_the_way_flushes_what_was_done(
    tmp_path: Path, flushed: list[os.stat_result]
) -> None:
    """And what comes after it is flushed at once again."""
    store, before = LocalStore(tmp_path), handles()
    with pytest.raises(ZeroDivisionError), folders.together():
        put(store, "a", b"1")
        _ = 1 / 0
    assert times(flushed, tmp_path) == 1
    put(store, "b", b"1")
    assert times(flushed, tmp_path) == 2
    assert handles() == before


def test_one_within_another_ends_by_itself(tmp_path: Path, flushed: list[os.stat_result]) -> None:
    """What the inner one promised holds when it ends."""
    store = LocalStore(tmp_path)
    with folders.together():
        with folders.together():
            put(store, "a", b"1")
        assert times(flushed, tmp_path) == 1
        put(store, "b", b"1")
        assert times(flushed, tmp_path) == 1
    assert times(flushed, tmp_path) == 2


@pytest.mark.promise("INV-15")
def test_an_old_file_is_in_the_trash_for_good_before_it_is_replaced(
    tmp_path: Path, flushed: list[os.stat_result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder there is not flushed later with others: a power cut would leave neither."""
    (tmp_path / "root").mkdir()
    store = LocalStore(tmp_path / "root", trash=tmp_path / "trash")
    put(store, "d/a", b"old")
    real, seen = files.supersede, [0][:0]

    def supersede(temporary: Path, name: str, inside: int) -> None:
        seen.append(times(flushed, tmp_path / "trash/d"))
        real(temporary, name, inside)

    monkeypatch.setattr(files, "supersede", supersede)
    with folders.together():
        put(store, "d/a", b"new", store.head("d/a"))
    assert seen == [1]


def test_small_documents_are_flushed_at_once(tmp_path: Path, flushed: list[os.stat_result]) -> None:
    """A lockfile or a lease counts the moment it is written."""
    with folders.together():
        files.write_atomically(tmp_path / "a", b"1")
        assert times(flushed, tmp_path) == 1


# -- a name that is free ---------------------------------------------------------------------------


def test_an_empty_folder_makes_room_for_a_file(tmp_path: Path) -> None:
    """One that holds something does not, nor does anything else that stands there."""
    store = LocalStore(tmp_path)
    (tmp_path / "a").mkdir()
    put(store, "a", b"1")
    assert (tmp_path / "a").read_bytes() == b"1"


def test_where_a_rename_leads_is_tried_once_for_each_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that takes the place of another is another."""
    real, tried = files._reaches, [tmp_path][:0]

    def reaches(path: Path, folder: Path) -> bool:
        tried.append(folder)
        return real(path, folder)

    monkeypatch.setattr(files, "_reaches", reaches)
    store = LocalStore(tmp_path)
    for key in ("d/a", "d/b", "e/a", "d/c"):
        put(store, key, b"1")
    assert tried == [tmp_path / "d", tmp_path / "e"]
    (tmp_path / "d").rename(tmp_path / "aside")
    put(store, "d/d", b"1")
    assert tried[2:] == [tmp_path / "d"]


def test_what_is_put_into_a_folder_counts_when_the_folder_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread makes it and is slow to flush it in; another has put a file there meanwhile, and
    is not done before."""
    made, go = threading.Event(), threading.Event()
    events: list[str] = []
    flush = folders.flush

    def slow(handle: int) -> None:
        if threading.current_thread().name == "maker":
            made.set()
            assert go.wait(30)
        flush(handle)
        events.append(f"{threading.current_thread().name} flushed")

    def make() -> None:
        with folders.opened(tmp_path, ["new"], make=True):
            pass

    def put() -> None:
        with folders.together(), folders.opened(tmp_path, ["new"], make=True) as inside:
            (tmp_path / "new" / "file").touch()
            folders.settle(inside)
        events.append("put counts")

    monkeypatch.setattr(folders, "flush", slow)
    maker = threading.Thread(target=make, name="maker")
    putter = threading.Thread(target=put, name="putter")
    maker.start()
    assert made.wait(30)
    putter.start()
    putter.join(0.2)  # more than it needs, if it does not wait
    go.set()
    for thread in (maker, putter):
        thread.join(30)
    assert events == ["maker flushed", "putter flushed", "put counts"]
