"""What a Bunny store makes of each fact of the service, and of both sides of the disputed ones."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from buckia.errors import (
    PreconditionError,
    UnavailableError,
)
from buckia.model import replace
from buckia.stores.bunny import BunnyOptions, BunnyStore
from buckia.stores.retry import ATTEMPTS
from tests.servers.bunny import Bunny
from tests.servers.bunny_zone import Zone
from tests.stores.contract import entry_for, listed, read, write

DATA = b"0123456789" * 20
ENTRY = entry_for("key", DATA)


# listings


def test_listings_go_four_at_once_and_no_more(
    bunny: Bunny, bunny_zone: Zone, bunny_store: BunnyStore
) -> None:
    """Also when two ask at once."""
    keys = [f"{folder}/{deeper}/file" for folder in range(12) for deeper in range(2)]
    for key in keys:
        bunny_zone.put(key, b"x")
    together = threading.Barrier(4, timeout=20)
    numbers = iter(range(1000))

    def gate(kind: str) -> None:
        if 2 <= next(numbers) < 6:  # behind those of the root
            together.wait()
        time.sleep(0.01)  # so that any more would be seen

    bunny.gate = gate
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: listed(bunny_store), range(2)))
    assert found == [sorted(keys)] * 2
    assert bunny.peaks["LIST"] == 4


def test_the_server_refuses_a_sixth_listing(bunny: Bunny, bunny_zone: Zone) -> None:
    """What the store must never come to is real on the server of these tests."""
    together = threading.Barrier(6, timeout=20)

    def gate(kind: str) -> None:
        together.wait()

    bunny.gate = gate

    def ask(_: int) -> int:
        headers = {"AccessKey": bunny_zone.password}
        return requests.get(
            f"{bunny.endpoint}/{bunny_zone.name}/", headers=headers, timeout=20
        ).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(ask, range(6))) == [200] * 5 + [400]


def test_a_tree_is_whole_though_requests_fail(
    bunny: Bunny, bunny_zone: Zone, bunny_store: BunnyStore
) -> None:
    """Two of a hundred, limits on, never above five listings at once."""
    keys = sorted(f"{folder}/{deeper}/file" for folder in range(9) for deeper in range(9))
    for key in keys:
        bunny_zone.put(key, b"x")
    bunny.switches.faults = 0.02
    bunny.gate = lambda kind: time.sleep(0.005)  # so that any sixth would be seen
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda _: listed(bunny_store), range(6))) == [keys] * 6
    assert bunny.failed
    assert bunny.peaks["LIST"] <= 5


def test_a_400_on_a_listing_means_later(
    bunny: Bunny, bunny_zone: Zone, bunny_store: BunnyStore
) -> None:
    """It is tried again, slower; after some times it is an error."""
    bunny_zone.put("key", b"x")
    bunny.planned["LIST"] = ["400", "400"]
    assert listed(bunny_store) == ["key"]
    bunny.planned["LIST"] = ["400"] * ATTEMPTS
    with pytest.raises(UnavailableError, match="too many listings or deletions at once"):
        listed(bunny_store)
    assert bunny.planned["LIST"] == []


@pytest.mark.parametrize("answer", ["[]", "404"])
def test_a_missing_folder_holds_nothing(bunny: Bunny, bunny_store: BunnyStore, answer: str) -> None:
    """However the zone says so."""
    bunny.switches.missing_folder = answer  # type: ignore[assignment]
    assert listed(bunny_store, "no/such/") == []
    assert listed(bunny_store) == []


def test_empty_folders_stay_and_hold_nothing(bunny_zone: Zone, bunny_store: BunnyStore) -> None:
    """A folder outlives its files; nobody deletes it, and nobody sees it."""
    bunny_store.delete(write(bunny_store, "a/b/c", b"x"))
    assert sorted(bunny_zone.folders) == ["a/", "a/b/"]
    assert listed(bunny_store) == []
    assert bunny_store.head("a") is bunny_store.head("a/b") is None


@pytest.mark.parametrize("prefix", ["/", "/a", "a//b", "../a", "a/../b", "./", "a/./b"])
def test_a_prefix_that_means_another_is_not_sent(
    bunny: Bunny, bunny_zone: Zone, bunny_store: BunnyStore, prefix: str
) -> None:
    """A doubled slash would be answered with an empty listing, which looks like a loss."""
    bunny_zone.put("a/b", b"x")
    assert listed(bunny_store, prefix) == []
    assert not bunny.counts


def test_a_prefix_of_the_options_is_seen_by_nobody(bunny: Bunny, bunny_zone: Zone) -> None:
    """Keys are below it in the zone and above it everywhere else."""
    bunny_zone.put("other", b"x")
    store = BunnyStore(
        BunnyOptions(bunny_zone.name, bunny_zone.password, bunny.endpoint, prefix="in/side/")
    )
    entry = write(store, "a/key", DATA)
    assert "in/side/a/key" in bunny_zone.files
    assert listed(store) == ["a/key"]
    assert read(store, entry) == DATA
    assert store.url == f"bunny://{bunny_zone.name}/in/side"
    store.close()


# versions


@pytest.mark.parametrize("decimals", [0, 1, 2, 3])
@pytest.mark.parametrize("null", [False, True])
def test_listing_and_describe_tell_one_version(
    bunny: Bunny, bunny_store: BunnyStore, decimals: int, null: bool
) -> None:
    """With checksums or without, however exact the dates are."""
    bunny.switches.decimals, bunny.switches.null_checksums = decimals, null
    entries = [write(bunny_store, f"key-{number}", DATA) for number in range(6)]
    for entry, found in zip(entries, bunny_store.entries(), strict=True):
        head = bunny_store.head(entry.key)
        assert head and entry.version == head.version == found.version
        assert (found.sha256 is None) == null
        assert found.modified


def test_without_checksums_every_write_is_another_version(
    bunny: Bunny, bunny_store: BunnyStore
) -> None:
    """Also of the same bytes, whether ids are new or not."""
    bunny.switches.null_checksums = True
    for bunny.switches.new_guids in (True, False):
        first = write(bunny_store, f"{bunny.switches.new_guids}", DATA)
        second = write(bunny_store, first.key, DATA, first)
        assert second.version != first.version
        assert second.sha256 == first.sha256 == ENTRY.sha256
        for stale in (first, replace(first, version="0" * 64)):
            with pytest.raises(PreconditionError):
                bunny_store.delete(stale)
            with pytest.raises(PreconditionError):
                read(bunny_store, stale)
        assert read(bunny_store, second) == DATA


def test_a_version_holds_when_its_checksum_becomes_known(
    bunny: Bunny, bunny_store: BunnyStore
) -> None:
    """A zone that begins to keep checksums has not changed."""
    bunny.switches.null_checksums = True
    entry = write(bunny_store, "key", DATA)
    bunny.switches.null_checksums = False
    assert read(bunny_store, entry) == DATA
    bunny_store.delete(entry)
    assert listed(bunny_store) == []


def test_the_same_bytes_again_are_no_change(bunny_zone: Zone, bunny_store: BunnyStore) -> None:
    """Where checksums are kept, the content is all that counts."""
    entry = write(bunny_store, "key", DATA)
    bunny_zone.put("key", DATA)
    assert read(bunny_store, entry) == DATA
    bunny_store.delete(entry)
    assert bunny_zone.files == {}
