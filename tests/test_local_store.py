"""A folder tree as a store: links, changes under the reading, the cache, the trash, temporaries."""

from __future__ import annotations

import io
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from buckia.errors import (
    AccessError,
    ConfigError,
    LocalError,
    NotFoundError,
)
from buckia.layout import Layout, Mapping
from buckia.model import Entry
from buckia.stores import hashing, reading
from buckia.stores.hashing import Digests, HashCache
from buckia.stores.local import LocalStore
from tests.helpers import lock_up

HOUR = 3600


def put(store: LocalStore, key: str, data: bytes, replacing: Entry | None = None) -> Entry:
    return store.put(Entry(key, len(data)), io.BytesIO(data), replacing=replacing)


def tree(root: Path, *paths: str) -> Path:
    """Files that hold their own names, an hour old."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
        age(root / path)
    return root


def age(path: Path) -> None:
    """Make a file look as if it had not changed for an hour."""
    then = path.stat().st_mtime_ns - HOUR * 10**9
    os.utime(path, ns=(then, then))


def leftovers(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and "tmp" in path.parts]


# -- links and odd files ---------------------------------------------------------------------------


def test_nothing_is_read_or_written_through_a_linked_folder(tmp_path: Path) -> None:
    """A link that appears inside a mapping after the plan leads nowhere."""
    outside = tree(tmp_path / "outside", "x")
    store = LocalStore(tree(tmp_path / "root", "a"))
    (store.root / "link").symlink_to(outside)
    attempts: list[Callable[[], object]] = [
        lambda: store.head("link/x"),
        lambda: put(store, "link/new", b"1"),
        lambda: store.delete(Entry("link/x", 1, version="v")),
        lambda: store.open(Entry("link/x", 1)).__enter__(),
    ]
    for attempt in attempts:
        with pytest.raises(LocalError, match="symbolic link; remove it"):
            attempt()
    assert [path.name for path in outside.iterdir()] == ["x"]


def test_links_and_devices_are_skipped_and_everything_behind_them(tmp_path: Path) -> None:
    """Reported, never followed, and what lies behind a linked folder counts as unknown."""
    root = tree(tmp_path / "root", "a", "real/b")
    (root / "file").symlink_to(root / "a")
    (root / "folder").symlink_to(root / "real")
    (root / "broken").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    listing = LocalStore(root).listing()
    assert list(listing.entries) == ["a", "real/b"]
    assert {item.place for item in listing.skipped} >= {"file", "folder/", "broken", "pipe"}
    assert listing.complete


def test_a_mapping_may_itself_be_a_link(tmp_path: Path) -> None:
    """Whoever links the mapped folder elsewhere means it."""
    tree(tmp_path / "elsewhere", "x")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "media").symlink_to(tmp_path / "elsewhere")
    store = LocalStore(tmp_path / "root", layout=Layout((Mapping("media/"),)))
    assert list(store.listing().entries) == ["x"]
    put(store, "y", b"1")
    assert (tmp_path / "elsewhere" / "y").read_bytes() == b"1"


def test_a_link_at_the_place_of_a_new_file_is_not_overwritten(tmp_path: Path) -> None:
    """Not even one that leads nowhere."""
    store = LocalStore(tree(tmp_path / "root", "a"))
    (store.root / "new").symlink_to(tmp_path / "target")
    with pytest.raises(LocalError, match="symbolic link"):
        put(store, "new", b"1")
    assert not (tmp_path / "target").exists()


def test_two_files_for_one_key_are_an_error_that_names_both(tmp_path: Path) -> None:
    """By two mappings, or by two spellings of one name."""
    root = tree(tmp_path / "root", "a/x", "b/x")
    store = LocalStore(root, layout=Layout((Mapping("a/"), Mapping("b/"))))
    with pytest.raises(ConfigError, match=r"'x': 'a/x' and 'b/x'"):
        store.listing()
    twins = LocalStore(tree(tmp_path / "twins", "\u00e9", "e\u0301"))
    with pytest.raises(ConfigError, match="two local files"):
        twins.listing()


def test_names_that_can_be_no_keys_are_reported(tmp_path: Path) -> None:
    """Bytes that are no text, control characters, device names."""
    root = tree(tmp_path / "root", "fine", "con", "line\nbreak")
    (root / os.fsdecode(b"\xff")).write_bytes(b"")
    listing = LocalStore(root).listing()
    assert list(listing.entries) == ["fine"]
    assert len(listing.skipped) == 3
    for item in listing.skipped:
        item.place.encode()


@pytest.mark.promise("INV-1")
def test_a_bucket_that_is_not_there_is_not_an_empty_bucket(tmp_path: Path) -> None:
    """The folder of a `local` bucket has to exist."""
    with pytest.raises(NotFoundError, match="there is no folder 'bucket'"):
        LocalStore(tmp_path / "bucket").listing()


@pytest.mark.promise("INV-1")
def test_a_folder_that_cannot_be_read_makes_the_listing_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a side it is unknown below that place, as a bucket it is no listing at all."""
    store = LocalStore(tree(tmp_path / "root", "a", "locked/b"))
    lock_up(monkeypatch, "root/locked")
    listing = store.listing()
    assert (list(listing.entries), listing.complete) == (["a"], False)
    assert [item.place for item in listing.skipped] == ["locked/"]
    with pytest.raises(AccessError, match="the listing is refused"):
        list(store.entries())


# -- reading what does not hold still --------------------------------------------------------------


def after_each(monkeypatch: pytest.MonkeyPatch, then: Callable[[Digests], Digests]) -> None:
    """Have something happen whenever a file was read, be it at once or in pieces."""
    for name in ("hash_file", "hash_bytes"):
        real: Callable[..., Digests] = getattr(hashing, name)
        monkeypatch.setattr(reading, name, lambda *what, real=real, **how: then(real(*what, **how)))


def meddling(monkeypatch: pytest.MonkeyPatch, path: Path, times: int) -> None:
    """Change a file behind the back of each of the first readings."""
    left = [times]

    def meddle(found: Digests) -> Digests:
        if left[0]:
            left[0] -= 1
            path.write_bytes(b"changed %d" % left[0])
        return found

    after_each(monkeypatch, meddle)


def test_a_file_that_changes_under_the_reading_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry is of one version, the later one."""
    store = LocalStore(tree(tmp_path / "root", "a"))
    meddling(monkeypatch, store.root / "a", 1)
    entry = store.head("a")
    assert entry is not None
    assert entry.size == len(b"changed 0")


@pytest.mark.promise("INV-11")
def test_a_file_that_keeps_changing_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not taken for absent, and no half-read digest is believed."""
    store = LocalStore(tree(tmp_path / "root", "a"))
    meddling(monkeypatch, store.root / "a", 99)
    with pytest.raises(LocalError, match="keeps changing"):
        store.head("a")
    assert not store.listing().complete


def test_a_disk_that_fails_under_the_reading_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An input error says nothing of the file's content, and ends no plan with a traceback."""

    def fail(found: Digests) -> Digests:
        raise OSError(5, "Input/output error")

    store = LocalStore(tree(tmp_path / "root", "a"))
    after_each(monkeypatch, fail)
    with pytest.raises(LocalError, match="Input/output error"):
        store.head("a")
    assert not store.listing().complete


# -- the cache -------------------------------------------------------------------------------------


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many files were read: one element each."""
    reads = [0][:0]

    def count(found: Digests) -> Digests:
        reads.append(1)
        return found

    after_each(monkeypatch, count)
    return reads


def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock be an hour ahead, so that every file has come to rest."""
    real = hashing.now
    monkeypatch.setattr(reading, "now", lambda: real() + HOUR * 10**9)


def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by the next process; any change of size or times has it read again."""
    root = tree(tmp_path / "root", "a", "b")
    reads = counted(monkeypatch)
    still(monkeypatch)
    for _ in range(2):
        cache = HashCache(tmp_path / "cache")
        first = LocalStore(root, cache=cache).listing().entries
        cache.save()
    assert len(reads) == 2
    (root / "a").write_text("b")
    again = LocalStore(root, cache=HashCache(tmp_path / "cache")).listing().entries
    assert len(reads) == 3
    assert (again["a"] != first["a"], again["b"] == first["b"]) == (True, True)


def test_a_large_file_is_read_once_and_without_an_md5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it has none does not make the cache doubt what it knows."""
    root = tree(tmp_path / "root", "a", "much/larger")
    monkeypatch.setattr(reading, "LARGE", (root / "a").stat().st_size)
    (root / "much/larger").write_text("longer than the other")
    reads, cache = counted(monkeypatch), HashCache()
    still(monkeypatch)
    for _ in range(2):
        store = LocalStore(root, cache=cache, digests=frozenset({"md5", "sha1"}))
        found = store.listing().entries
    assert len(reads) == 2
    small, large = found["a"], found["much/larger"]
    assert (bool(small.md5), bool(large.md5), bool(large.sha1)) == (True, False, True)


def test_a_file_changed_just_now_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within one tick of the clock a second change would not show ("racily clean")."""
    root = tree(tmp_path / "root", "a")
    changed = (root / "a").stat().st_ctime_ns
    reads = counted(monkeypatch)
    cache = HashCache()
    monkeypatch.setattr(reading, "now", lambda: changed + 1_000_000)
    for _ in range(2):
        LocalStore(root, cache=cache).head("a")
    assert len(reads) == 2
    monkeypatch.setattr(reading, "now", lambda: changed + HOUR * 10**9)
    for _ in range(2):
        LocalStore(root, cache=cache).head("a")
    assert len(reads) == 3


@pytest.mark.parametrize(
    "damage", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 900, "table", "folder"]
)
def test_a_damaged_cache_costs_time_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes | str
) -> None:
    """It is dropped, the files are read, and the next run has a cache again."""
    root, path = tree(tmp_path / "root", "a"), tmp_path / "cache"
    if isinstance(damage, bytes):
        path.write_bytes(damage)
    elif damage == "folder":
        path.mkdir()
    else:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE digests (other)")
    still(monkeypatch)
    for _ in range(2):
        cache = HashCache(path)
        found = LocalStore(root, cache=cache).head("a")
        cache.save()
        assert found is not None
    reads = counted(monkeypatch)
    assert LocalStore(root, cache=HashCache(path)).head("a") == found
    assert len(reads) == (damage == "folder")


# -- many at once ----------------------------------------------------------------------------------


def test_many_files_are_told_as_each_by_itself(tmp_path: Path) -> None:
    """Known or not, there or not, a folder or below a file."""
    root = tree(tmp_path, "a/1", "a/2", "b/c/3", "4")
    cache = HashCache()
    LocalStore(root, cache=cache).head("a/1")
    store = LocalStore(root, cache=cache, digests=frozenset({"md5"}))
    keys = ["4", "4/below", "a", "a/1", "a/2", "a/none", "b/c/3", "no/where", "z"]
    assert store.seek("", keys) == {key: store.head(key) for key in keys}


def test_what_is_no_plain_file_is_never_told_to_be_absent(tmp_path: Path) -> None:
    """It is an error among many, as it is for a look at it alone."""
    store = LocalStore(tree(tmp_path / "root", "a/1"))
    (store.root / "link").symlink_to(tree(tmp_path / "outside", "x"))
    (store.root / "a" / "2").symlink_to(tmp_path / "outside" / "x")
    for key in ("link/x", "a/2"):
        with pytest.raises(LocalError, match="symbolic link"):
            store.seek("", ["a/1", key])


def test_only_a_walk_tells_the_form_of_a_name(tmp_path: Path) -> None:
    """A disk may have another one, so nothing is said of such a name."""
    store = LocalStore(tree(tmp_path, "a", "é"))
    assert store.seek("", ["a", "é"]).keys() == {"a"}
