"""What the hash cache keeps where several buckets ask for different digests of one folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from buckia.model import replace
from buckia.stores import hashing, reading
from buckia.stores.base import Capabilities
from buckia.stores.hashing import Digests, HashCache
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from tests.helpers import World

HOUR = 3600 * 10**9
COUNT = 12
A, B, SHA1, MD5 = "a" * 64, "b" * 64, "1" * 40, "5" * 32


class Telling(MemoryStore):
    """A bucket whose service tells these digests and no others."""

    def __init__(self, name: str, *digests: str) -> None:
        super().__init__(name)
        self._told = frozenset(digests)

    @property
    def capabilities(self) -> Capabilities:
        """Those of memory, but for what is told."""
        return replace(super().capabilities, digests=self._told)


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock be an hour ahead, so that every file has come to rest."""
    real = hashing.now
    monkeypatch.setattr(reading, "now", lambda: real() + HOUR)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many files were read: one element each."""
    counted: list[int] = []

    def counting(read: Callable[..., Digests]) -> Callable[..., Digests]:
        def count(*what: object, **how: object) -> Digests:
            counted.append(1)
            return read(*what, **how)

        return count

    for name in ("hash_file", "hash_bytes"):
        monkeypatch.setattr(reading, name, counting(getattr(hashing, name)))
    return counted


def world(root: Path) -> World:
    """One folder, and two buckets of which one tells md5 and the other sha1."""
    made = World(root, {"one": Telling("one", "md5"), "two": Telling("two", "sha256", "sha1")})
    for number in range(COUNT):
        made.write(f"f/{number}", b"%d" % number)
    return made


def test_two_buckets_on_one_folder_read_it_once_each(tmp_path: Path, reads: list[int]) -> None:
    """What the one had read for it is still known after the other had its own read."""
    made = world(tmp_path)
    made.plan()
    assert len(reads) == 2 * COUNT
    for names in ((), ("one",), ("two",), ("one",), ()):
        made.plan(names)
        assert len(reads) == 2 * COUNT, names


def test_a_second_read_in_one_run_takes_nothing_from_the_first(
    tmp_path: Path, reads: list[int]
) -> None:
    """Whether the first was in this run or in one before."""
    (tmp_path / "f").write_bytes(b"1")
    cache = HashCache(tmp_path / "cache")
    stores = {
        name: LocalStore(tmp_path, digests=frozenset({name}), cache=cache)
        for name in ("md5", "sha1")
    }
    stores["md5"].head("f")
    cache.save()
    for name in ("sha1", "md5", "sha1"):
        stores[name].head("f")
    assert len(reads) == 2
    cache.save()
    both = LocalStore(tmp_path, digests=frozenset(stores), cache=HashCache(tmp_path / "cache"))
    assert both.head("f")
    assert len(reads) == 2


OTHERWISE = [
    Digests(1, B, sha1=SHA1),
    Digests(2, A, sha1=SHA1),
    Digests(1, A, sha1=SHA1, logical=B),
    Digests(1, A, sha1=SHA1, dirty="wal"),
]
"""What a read told of a file of which `Digests(1, A, md5=MD5)` was known."""


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("told", OTHERWISE)
def test_digests_of_other_bytes_are_never_brought_together(
    tmp_path: Path, told: Digests, saved: bool
) -> None:
    """The later read counts, and what it did not tell is not known."""
    path = tmp_path / "f"
    path.touch()
    cache, stat = HashCache(tmp_path / "cache"), path.stat()
    cache.remember(stat, "f", Digests(1, A, md5=MD5), stat.st_ctime_ns + HOUR)
    if saved:
        cache.save()
    cache.remember(stat, "f", told, stat.st_ctime_ns + HOUR)
    assert cache.find(stat, "f") == told
    cache.save()
    assert HashCache(tmp_path / "cache").find(stat, "f") == told


@pytest.mark.parametrize("saved", [False, True])
def test_digests_of_another_state_of_a_file_are_forgotten(tmp_path: Path, saved: bool) -> None:
    """Be it of the same bytes: what was known of them may have been known too early."""
    path = tmp_path / "f"
    path.touch()
    cache, stat = HashCache(tmp_path / "cache"), path.stat()
    cache.remember(stat, "f", Digests(0, A, md5=MD5), stat.st_ctime_ns + HOUR)
    if saved:
        cache.save()
    os.utime(path, ns=(0, stat.st_mtime_ns - 1))
    stat = path.stat()
    told = Digests(0, A, sha1=SHA1)
    cache.remember(stat, "f", told, stat.st_ctime_ns + HOUR)
    assert cache.find(stat, "f") == told
    cache.save()
    assert HashCache(tmp_path / "cache").find(stat, "f") == told
