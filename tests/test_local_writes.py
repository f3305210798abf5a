"""A folder tree as a store: whole or not at all, nothing lost, nothing left lying."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from buckia.errors import IntegrityError, LocalError, NotFoundError, PreconditionError, StoreError
from buckia.layout import Layout, Mapping
from buckia.model import Entry
from buckia.stores import files
from buckia.stores.local import LocalStore
from tests.helpers import ALL_DELETIONS, World


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A store with a trash and a file `a`."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a").write_bytes(b"old")
    return LocalStore(tmp_path / "root", trash=tmp_path / "trash")


def put(store: LocalStore, key: str, data: bytes, replacing: Entry | None = None) -> Entry:
    return store.put(Entry(key, len(data)), io.BytesIO(data), replacing=replacing)


def held(store: LocalStore) -> dict[str, bytes]:
    return {
        path.relative_to(store.root).as_posix(): path.read_bytes()
        for path in store.root.rglob("*")
        if path.is_file()
    }


def trash(store: LocalStore) -> set[bytes]:
    assert store.trash
    return {path.read_bytes() for path in store.trash.rglob("*") if path.is_file()}


class Breaking(io.BytesIO):
    """A body that ends in an error."""

    def read(self, size: int | None = -1) -> bytes:
        if data := super().read(2):
            return data
        raise OSError(5, "Input/output error")


@pytest.mark.promise("INV-15")
def test_a_replaced_and_a_deleted_file_go_to_the_trash(store: LocalStore) -> None:
    """Every version that was there is still there, also of a name used again."""
    for data in (b"one", b"two"):
        put(store, "a", data, store.head("a"))
    entry = store.head("a")
    assert entry
    store.delete(entry)
    put(store, "a", b"three")
    assert held(store) == {"a": b"three"}
    assert trash(store) == {b"old", b"one", b"two"}


@pytest.mark.promise("HYG-4")
def test_the_trash_is_private(store: LocalStore) -> None:
    """What people deleted is not everybody's to read."""
    put(store, "a", b"new", store.head("a"))
    assert store.trash
    assert stat.S_IMODE(store.trash.stat().st_mode) == 0o700


def test_a_deletion_takes_the_folders_it_empties(store: LocalStore) -> None:
    """Up to the first that holds something else, and never the root."""
    deep = put(store, "x/y/z", b"1")
    put(store, "x/other", b"1")
    store.delete(deep)
    assert not (store.root / "x" / "y").exists()
    for key in ("x/other", "a"):
        entry = store.head(key)
        assert entry
        store.delete(entry)
    assert [path.name for path in store.root.iterdir() if path.name != ".buckia"] == []


@pytest.mark.parametrize("replacing", [False, True])
@pytest.mark.promise("INV-10")
def test_a_body_that_breaks_changes_nothing(store: LocalStore, replacing: bool) -> None:
    """Too short, too long, other bytes, or an error in the middle: the old file stands."""
    key, old = ("a", store.head("a")) if replacing else ("new", None)
    for body, size, digest in (
        (io.BytesIO(b"abc"), 4, None),
        (io.BytesIO(b"abc"), 2, None),
        (io.BytesIO(b"abc"), 3, "0" * 64),
    ):
        with pytest.raises(IntegrityError):
            store.put(Entry(key, size, sha256=digest), body, replacing=old)
    with pytest.raises(LocalError, match="Input/output error"):
        store.put(Entry(key, 4), Breaking(b"abcd"), replacing=old)
    assert held(store) == {"a": b"old"}


@pytest.mark.promise("INV-10")
def test_a_run_that_died_leaves_nothing_behind(store: LocalStore) -> None:
    """Its temporary files are in one place, no listing shows them, and tidying removes them."""
    scratch = store.work / "tmp"
    scratch.mkdir(parents=True)
    (scratch / "half").write_bytes(b"half a file")
    (store.root / ".buckia.0123").write_bytes(b"beside the target")
    hidden = LocalStore(store.root, refuse=lambda key: "own" if key[:7] == ".buckia" else None)
    assert list(hidden.listing().entries) == ["a"]
    store.tidy()
    assert not scratch.exists()


def test_a_new_file_never_takes_the_place_of_another(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even of one that appears between the last look and the change of names."""
    real = files.create

    def create(temporary: Path, name: str, inside: int) -> None:
        (store.root / name).write_bytes(b"quicker")
        real(temporary, name, inside)

    monkeypatch.setattr(files, "create", create)
    with pytest.raises(PreconditionError):
        put(store, "new", b"slower")
    assert held(store)["new"] == b"quicker"


@pytest.mark.parametrize("key", ["new", "a"])
def test_a_finished_file_that_takes_its_place_leaves_the_other(store: LocalStore, key: str) -> None:
    """It is moved: nothing is read, and no second name of it stays."""
    finished = store.root.parent / "finished"
    finished.write_bytes(b"ready")
    store.place(Entry(key, 5), finished, replacing=store.head(key))
    assert held(store)[key] == b"ready"
    assert not finished.exists()


@pytest.mark.promise("INV-6")
def test_an_edit_during_a_download_is_not_overwritten(store: LocalStore) -> None:
    """The last look comes after the last byte."""
    old = store.head("a")

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            (store.root / "a").write_bytes(b"edited")
            return super().read(size)

    with pytest.raises(PreconditionError):
        store.put(Entry("a", 3), Slow(b"new"), replacing=old)
    assert held(store) == {"a": b"edited"}


def test_where_links_do_not_work_files_are_created_all_the_same(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on FAT; an existing file is still not replaced, and the trash gets a copy."""

    def refuse(*given: Any, **named: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    put(store, "new", b"1")
    with pytest.raises(PreconditionError):
        put(store, "new", b"2")
    put(store, "a", b"2", store.head("a"))
    assert held(store) == {"a": b"2", "new": b"1"}
    assert trash(store) == {b"old"}


def test_a_file_changed_right_after_it_was_written_is_not_taken_for_what_was_written(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store tells what it wrote: else an edit would pass for what the bucket holds."""
    real = files.supersede

    def supersede(temporary: Path, name: str, inside: int) -> None:
        real(temporary, name, inside)
        (store.root / name).write_bytes(b"edited")

    monkeypatch.setattr(files, "supersede", supersede)
    stored = put(store, "a", b"new", store.head("a"))
    assert stored.size == 3
    found = store.head("a")
    assert found
    assert found.sha256 != stored.sha256


@pytest.mark.promise("INV-6")
def test_a_stale_expectation_changes_nothing(store: LocalStore) -> None:
    """Changed, gone or appeared: refused, for writing and for deleting."""
    old = store.head("a")
    assert old
    (store.root / "a").write_bytes(b"changed")
    for replacing in (old, None):
        with pytest.raises(PreconditionError):
            put(store, "a", b"new", replacing)
    with pytest.raises(PreconditionError):
        store.delete(old)
    assert held(store) == {"a": b"changed"}
    (store.root / "a").unlink()
    with pytest.raises(PreconditionError):
        put(store, "a", b"new", old)
    with pytest.raises(NotFoundError):
        store.open(old).__enter__()
    store.delete(old)


def test_a_file_where_a_folder_is_needed_is_an_error_for_a_person(store: LocalStore) -> None:
    """In one line that says what to do."""
    with pytest.raises(LocalError, match=r"a/b: .*; "):
        put(store, "a/b", b"1")
    put(store, "folder/x", b"1")
    with pytest.raises(LocalError, match=r"folder: .*; a folder stands where the file belongs"):
        put(store, "folder", b"1")


@pytest.mark.parametrize("key", ["../up", "/abs", "a/../../b", "a//b", "", "con", "x\0y"])
def test_a_key_that_can_be_no_file_is_never_written(store: LocalStore, key: str) -> None:
    """Whatever asked for it."""
    with pytest.raises(StoreError):
        put(store, key, b"1")
    with pytest.raises(StoreError):
        store.head(key)
    assert held(store) == {"a": b"old"}


def test_a_key_outside_the_layout_is_never_written(tmp_path: Path) -> None:
    """Only mapped folders are buckia's to write."""
    store = LocalStore(tmp_path, layout=Layout((Mapping("in/", "p/"),)))
    with pytest.raises(StoreError, match="maps to no local path"):
        put(store, "q/x", b"1")
    assert put(store, "p/x", b"1").path == "in/x"


def test_a_failed_download_is_an_outcome_and_not_a_traceback(tmp_path: Path) -> None:
    """A file that took the place of a folder meanwhile fails its own action alone."""
    world = World(tmp_path, **ALL_DELETIONS)
    world.put("a/b", b"1")
    world.put("c", b"2")
    plan = world.plan()
    world.write("a", b"in the way")
    applied = world.apply(plan)
    assert [outcome.key for outcome in applied.failed] == ["a/b"]
    assert world.local() == {"a": b"in the way", "c": b"2"}
    assert world.left_behind() == []
