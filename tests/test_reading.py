"""Many files of a folder read one after the other: what may happen between two of them."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from buckia.errors import LocalError, PreconditionError
from buckia.model import Entry, Listing
from buckia.stores import hashing, reading, scanning
from buckia.stores.hashing import Digests
from buckia.stores.local import LocalStore
from buckia.stores.paths import Nearby

ALL = frozenset({"md5", "sha1"})


def store(root: Path, **sizes: int) -> LocalStore:
    """One with files in the folder `d/e/`; one thread reads them in the order of their names."""
    (root / "d/e").mkdir(parents=True)
    for name, size in sizes.items():
        (root / "d/e" / name).write_bytes(os.urandom(size))
    return LocalStore(root, digests=ALL, databases=True, workers=1)


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def before(monkeypatch: pytest.MonkeyPatch, name: str, happens: Callable[[], None]) -> None:
    """Have something happen right before a file is opened in its turn."""
    real = Nearby.open

    def late(nearby: Nearby, path: str) -> int:
        if path.endswith(name):
            happens()
        return real(nearby, path)

    monkeypatch.setattr(Nearby, "open", late)


def problems(listing: Listing) -> list[str]:
    return [f"{item.place} {item.why}" for item in listing.skipped if item.unknown]


@pytest.mark.parametrize("size", [0, 1, 100, reading.SMALL, reading.SMALL + 1])
def test_what_is_read_at_once_is_what_is_read_in_pieces(tmp_path: Path, size: int) -> None:
    """Every digest is of the whole file."""
    local = store(tmp_path, x=size)
    data = (tmp_path / "d/e/x").read_bytes()
    entry = local.listing().entries["d/e/x"]
    assert (entry.size, entry.sha256) == (size, hashlib.sha256(data).hexdigest())
    assert entry.md5 == hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert entry.sha1 == hashlib.sha1(data, usedforsecurity=False).hexdigest()
    assert entry == local.head("d/e/x")


@pytest.mark.promise("INV-12")
@pytest.mark.parametrize("folder", ["d", "d/e"])
@pytest.mark.parametrize("turn", ["x", "y"])
def test_a_folder_that_becomes_a_link_between_two_files_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, turn: str
) -> None:
    """A file is what was in the folder, or unknown; never what is behind the link."""
    local = store(tmp_path / "root", x=4, y=5)
    mine = {name: (local.root / f"d/e/{name}").read_bytes() for name in "xy"}
    outside = tmp_path / "outside"
    for name in ("x", "y", "e/x", "e/y"):
        (outside / name).parent.mkdir(parents=True, exist_ok=True)
        (outside / name).write_bytes(b"theirs"[: len(mine[name[-1]])])

    def swap() -> None:
        (local.root / folder).rename(tmp_path / "aside")
        (local.root / folder).symlink_to(outside, target_is_directory=True)

    before(monkeypatch, turn, swap)
    listing = local.listing()
    found = {key[-1]: entry.sha256 for key, entry in listing.entries.items()}
    for name, sha256 in found.items():
        assert sha256 == hashlib.sha256(mine[name]).hexdigest()
    assert len(found) == 2 if turn == "y" else not listing.complete


@pytest.mark.promise("INV-12")
def test_a_file_that_becomes_a_link_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not read through, were what lies there the same in every way that is looked at."""
    local = store(tmp_path / "root", x=4, y=5)
    (tmp_path / "theirs").write_bytes(b"theirs"[:5])

    def swap() -> None:
        (local.root / "d/e/y").unlink()
        (local.root / "d/e/y").symlink_to(tmp_path / "theirs")

    before(monkeypatch, "y", swap)
    monkeypatch.setattr(reading, "_same", lambda *stats: True)
    listing = local.listing()
    assert list(listing.entries) == ["d/e/x"]
    assert len(problems(listing)) == 1


def test_a_file_that_becomes_a_pipe_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody writes to it, and nothing waits for that; nor is it taken for an empty file, be it in
    every other way like the one that was there."""
    local = store(tmp_path, x=4, y=0)

    def swap() -> None:
        (tmp_path / "d/e/y").unlink()
        os.mkfifo(tmp_path / "d/e/y")

    before(monkeypatch, "y", swap)
    monkeypatch.setattr(reading, "_same", lambda *stats: True)
    listing = local.listing()
    assert list(listing.entries) == ["d/e/x"]
    assert "no plain file" in problems(listing)[0]


@pytest.mark.promise("INV-11")
@pytest.mark.parametrize("change", [b"1234", b"12345", b"123", b""])
def test_a_file_that_changed_since_the_walk_is_read_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: bytes
) -> None:
    """The entry is of one version, with the size and the time that it has."""
    local = store(tmp_path, x=4, y=4)
    os.utime(tmp_path / "d/e/y", ns=(1, 1))
    before(monkeypatch, "y", partial(write, tmp_path / "d/e/y", change))
    entry = local.listing().entries["d/e/y"]
    assert (entry.size, entry.sha256) == (len(change), hashlib.sha256(change).hexdigest())
    assert entry.modified == (tmp_path / "d/e/y").stat().st_mtime_ns


@pytest.mark.promise("INV-11")
def test_a_file_that_changes_while_it_is_read_at_once_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its size stays the same; what was read first is not remembered either."""
    local = store(tmp_path, y=4)
    os.utime(tmp_path / "d/e/y", ns=(1, 1))
    real = hashing.hash_bytes

    def hash_bytes(content: bytes, wanted: frozenset[str]) -> Digests:
        (tmp_path / "d/e/y").write_bytes(b"1234")
        return real(content, wanted)

    monkeypatch.setattr(reading, "hash_bytes", hash_bytes)
    entry = local.listing().entries["d/e/y"]
    assert entry.sha256 == hashlib.sha256(b"1234").hexdigest()
    again = local.head("d/e/y")
    assert again is not None and again.sha256 == entry.sha256


@pytest.mark.parametrize("given", [b"", b"123", b"12345"])
def test_a_disk_that_gives_another_number_of_bytes_than_it_tells_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bytes
) -> None:
    """One call may give fewer; and the size of a file may not be true."""
    local = store(tmp_path, y=4)
    monkeypatch.setattr(os, "read", lambda handle, most: given[:most])
    entry = local.listing().entries["d/e/y"]
    assert entry.sha256 == hashlib.sha256((tmp_path / "d/e/y").read_bytes()).hexdigest()


def test_a_file_that_is_gone_in_its_turn_is_no_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no doubt about the side."""
    local = store(tmp_path, x=4, y=5)
    before(monkeypatch, "y", (tmp_path / "d/e/y").unlink)
    listing = local.listing()
    assert (list(listing.entries), listing.complete) == (["d/e/x"], True)


def test_a_small_database_is_still_one(tmp_path: Path) -> None:
    """It is known by how it begins, among files that are read at once."""
    local = store(tmp_path, x=4)
    with closing(sqlite3.connect(tmp_path / "d/e/y")) as made:
        made.execute("CREATE TABLE t (a)")
    entries = local.listing().entries
    assert (bool(entries["d/e/x"].logical), bool(entries["d/e/y"].logical)) == (False, True)


# -- a file of a few bytes, to be sent -------------------------------------------------------------


def sent(local: LocalStore, entry: Entry) -> bytes:
    with local.open(entry) as body:
        return body.read()


@pytest.mark.parametrize("size", [0, 1, reading.TINY, reading.TINY + 1])
def test_what_is_sent_is_what_was_planned(tmp_path: Path, size: int) -> None:
    """Whether the cache knows it or not."""
    local = store(tmp_path, y=size)
    entry = local.listing().entries["d/e/y"]
    data = (tmp_path / "d/e/y").read_bytes()
    for side in (local, LocalStore(tmp_path, databases=True)):
        assert sent(side, entry) == data


@pytest.mark.parametrize(("size", "calls"), [(reading.TINY, 1), (reading.TINY + 1, 0)])
def test_a_disk_that_fails_is_asked_the_careful_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, calls: int
) -> None:
    """Which says what is wrong if it still is. Only a tiny file is in memory at once."""
    local, asked = store(tmp_path, y=size), [0][:0]
    entry = local.listing().entries["d/e/y"]

    def fail(handle: int, most: int) -> bytes:
        asked.append(most)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", fail)
    data = sent(local, entry)
    assert len(data) == size and len(asked) == calls


@pytest.mark.promise("INV-11")
@pytest.mark.parametrize("change", [b"1234", b"12345", b"123", b""])
def test_a_tiny_file_that_has_changed_is_not_sent(tmp_path: Path, change: bytes) -> None:
    """Its times and size may say what they like: its bytes are looked at."""
    local = store(tmp_path, y=4)
    entry = local.listing().entries["d/e/y"]
    stat = (tmp_path / "d/e/y").stat()
    (tmp_path / "d/e/y").write_bytes(change)
    os.utime(tmp_path / "d/e/y", ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    with pytest.raises(PreconditionError, match="has changed since the plan"):
        sent(local, entry)


@pytest.mark.promise("INV-12")
def test_a_tiny_file_is_read_through_no_link_and_from_no_pipe(tmp_path: Path) -> None:
    """Be what lies there the very bytes that were planned."""
    local = store(tmp_path / "root", x=0, y=4)
    entries = local.listing().entries
    path = local.root / "d/e/y"
    path.rename(tmp_path / "theirs")
    path.symlink_to(tmp_path / "theirs")
    (local.root / "d/e/x").unlink()
    os.mkfifo(local.root / "d/e/x")
    for key in ("d/e/x", "d/e/y"):
        with pytest.raises(LocalError, match="refused"):
            sent(local, entries[key])


def test_a_tiny_database_is_sent_as_a_snapshot(tmp_path: Path) -> None:
    """What is only in its log is sent, too."""
    local = store(tmp_path)
    with closing(sqlite3.connect(tmp_path / "d/e/y")) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE t (a)")
        made.commit()
        entry = local.listing().entries["d/e/y"]
        assert (tmp_path / "d/e/y-wal").stat().st_size
        (tmp_path / "copy").write_bytes(sent(local, entry))
    with closing(sqlite3.connect(tmp_path / "copy")) as copy:
        assert copy.execute("SELECT name FROM sqlite_master").fetchall() == [("t",)]


def test_no_folder_stays_open(tmp_path: Path) -> None:
    """Not even where a file in it could not be read."""
    local = store(tmp_path, x=4, y=5)
    nearby = Nearby(local._paths)
    handle = nearby.open("d/e/x")
    held = nearby._inside
    with pytest.raises(FileNotFoundError):
        nearby.open("d/e/gone")
    with pytest.raises(FileNotFoundError):
        nearby.open("gone/x")
    nearby.close()
    os.close(handle)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(held)


def test_large_files_are_begun_first_and_each_by_itself(tmp_path: Path) -> None:
    """So that no thread has all of them, and none is begun last."""
    local = store(tmp_path, a=1, b=reading.SMALL + 1, c=2, d=reading.SMALL + 2, e=0)
    found = list(local._walk(("",), lambda item: None))
    order = ["".join(file.key[-1] for file in batch) for batch in scanning._batches(found)]
    assert order == ["d", "b", "ace"]
