"""Uploads, downloads and deletions of a Bunny store, when the service fails in the midst."""

from __future__ import annotations

from io import BytesIO

import pytest
import requests

from buckia.errors import (
    IntegrityError,
    NotFoundError,
    PreconditionError,
    StoreError,
    UnavailableError,
)
from buckia.model import replace
from buckia.stores.bunny import BunnyStore
from buckia.stores.retry import ATTEMPTS
from tests.servers.bunny import Bunny
from tests.servers.bunny_zone import Zone
from tests.stores.contract import content, entry_for, listed, read, write

DATA = b"0123456789" * 20
LARGE = bytes(range(256)) * 4096
ENTRY = entry_for("key", DATA)


# uploads


@pytest.mark.parametrize("null", [False, True])
@pytest.mark.parametrize("mismatch", [400, 201])
@pytest.mark.parametrize("before", [None, b"before", DATA[1:] + b"x"])
def test_an_upload_that_was_mangled_is_sent_again_and_then_refused(
    bunny: Bunny, bunny_store: BunnyStore, mismatch: int, before: bytes | None, null: bool
) -> None:
    """Whether the server refuses it or says 201 and stores nothing; checksums told or not."""
    bunny.switches.mismatch = mismatch  # type: ignore[assignment]
    bunny.switches.null_checksums = null
    held = None if before is None else write(bunny_store, "key", before)
    bunny.planned["PUT"] = ["mangled", "mangled"]
    with pytest.raises(IntegrityError, match=r"key: (refused \(400\)|not stored)"):
        write(bunny_store, "key", DATA, held)
    assert content(bunny_store, "key") == before
    bunny.planned["PUT"] = ["mangled"]
    assert read(bunny_store, write(bunny_store, "key", DATA, held)) == DATA


@pytest.mark.parametrize("fault", ["lost before", "lost after", "500", "503", "429", "cut"])
@pytest.mark.parametrize("null", [False, True])
def test_an_upload_without_an_answer_is_looked_for(
    bunny: Bunny, bunny_store: BunnyStore, fault: str, null: bool
) -> None:
    """What arrived is not sent again, and is no condition that failed."""
    bunny.switches.null_checksums = null
    for key, held in (("new", None), ("old", write(bunny_store, "old", b"old"))):
        bunny.counts.clear()
        bunny.planned["PUT"] = [fault]
        assert read(bunny_store, write(bunny_store, key, DATA, held)) == DATA
        assert bunny.counts["PUT"] == (1 if fault in ("lost after", "cut") else 2)


def test_checksums_are_sent_in_capital_letters(bunny: Bunny, bunny_zone: Zone) -> None:
    """Small letters are a mismatch on one side of the dispute."""
    url, key = f"{bunny.endpoint}/{bunny_zone.name}/key", {"AccessKey": bunny_zone.password}
    for bunny.switches.lower_case, status in ((False, 400), (True, 201)):
        headers = {**key, "Checksum": str(ENTRY.sha256)}
        assert requests.put(url, DATA, headers=headers, timeout=20).status_code == status


def test_a_file_that_is_too_large_is_refused_once(bunny: Bunny, bunny_store: BunnyStore) -> None:
    """Wherever the limit is, which nobody has told."""
    bunny.switches.largest = len(DATA) - 1
    with pytest.raises(StoreError, match="too large for this service"):
        write(bunny_store, "key", DATA)
    assert bunny.counts["PUT"] == 1
    assert bunny_store.head("key") is None


@pytest.mark.parametrize("kept", [False, True])
def test_no_condition_is_relied_on(bunny: Bunny, bunny_store: BunnyStore, kept: bool) -> None:
    """Nobody has shown that Bunny keeps one; buckia sends none, and replaces what it has seen."""
    bunny.switches.conditions = kept
    first = write(bunny_store, "key", b"first")
    with pytest.raises(PreconditionError):
        write(bunny_store, "key", DATA)
    assert read(bunny_store, write(bunny_store, "key", DATA, first)) == DATA


def test_the_content_type_is_overridden(bunny: Bunny, bunny_store: BunnyStore) -> None:
    """It is sent, and told where the service tells it."""
    entry = replace(ENTRY, type="text/x-special")
    assert bunny_store.put(entry, BytesIO(DATA), replacing=None).type == "text/x-special"
    for bunny.switches.content_types, told in ((False, None), (True, "text/x-special")):
        head = bunny_store.head("key")
        assert head and head.type == told


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "a/../b",
        " a",
        "a ",
        "a/ b",
        "a\\b",
        "a\nb",
        "\udc80",
        "a" * 6001,
    ],
)
def test_a_name_bunny_cannot_hold_is_refused(
    bunny: Bunny, bunny_store: BunnyStore, key: str
) -> None:
    """Before anything is sent, and nothing can be there."""
    with pytest.raises(StoreError, match="Bunny keeps no such name"):
        write(bunny_store, key, b"x")
    assert bunny_store.head(key) is None
    bunny_store.delete(replace(ENTRY, key=key, version=ENTRY.sha256))
    with pytest.raises(NotFoundError):
        read(bunny_store, replace(ENTRY, key=key, version=ENTRY.sha256))
    assert not bunny.counts


# downloads


def test_a_broken_download_is_taken_up(bunny: Bunny, bunny_store: BunnyStore) -> None:
    """Where it broke; and given up when it goes on breaking."""
    entry = write(bunny_store, "key", LARGE)
    bunny.planned["GET"] = ["cut", "500", "lost before", "cut"]
    assert read(bunny_store, entry) == LARGE
    bunny.planned["GET"] = ["cut"] * ATTEMPTS
    with pytest.raises(UnavailableError):
        read(bunny_store, entry)


@pytest.mark.parametrize("null", [False, True])
@pytest.mark.parametrize("size", [len(LARGE), 10])
def test_a_download_is_of_one_version(
    bunny: Bunny, bunny_zone: Zone, bunny_store: BunnyStore, size: int, null: bool
) -> None:
    """An object that is replaced while it is read never comes out as a mixture."""
    bunny.switches.null_checksums = null
    entry = write(bunny_store, "key", LARGE)
    bunny.planned["GET"] = ["cut"]

    def gate(kind: str) -> None:
        if kind == "GET" and not bunny.planned["GET"]:
            bunny_zone.put("key", b"x" * size)

    with bunny_store.open(entry) as body:
        bunny.gate = gate
        with pytest.raises(PreconditionError):
            body.read()


def test_a_download_can_be_left(bunny_store: BunnyStore) -> None:
    """Closed before its end, or unread."""
    entry = write(bunny_store, "key", DATA)
    with bunny_store.open(entry) as body:
        assert body.read(1) == DATA[:1]
    with bunny_store.open(entry):
        pass


# deletions


@pytest.mark.parametrize("key", ["", "/", "folder", "folder/", "folder//"])
def test_a_folder_is_never_deleted(
    bunny: Bunny, bunny_zone: Zone, bunny_store: BunnyStore, key: str
) -> None:
    """Nor the zone; there is no request that could do it."""
    kept = write(bunny_store, "folder/key", DATA)
    bunny_store.delete(replace(kept, key=key))
    assert bunny.counts["DELETE"] == 0
    assert "folder/key" in bunny_zone.files


@pytest.mark.parametrize("fault", ["400", "429", "503", "lost before", "lost after", "cut"])
def test_a_deletion_without_an_answer_is_done_again(
    bunny: Bunny, bunny_store: BunnyStore, fault: str
) -> None:
    """After looking again; a 400 means later here too."""
    entry = write(bunny_store, "key", DATA)
    bunny.planned["DELETE"] = [fault]
    bunny_store.delete(entry)
    assert listed(bunny_store) == []


def test_a_deletion_tried_again_spares_what_came_meanwhile(
    bunny: Bunny, bunny_zone: Zone, bunny_store: BunnyStore
) -> None:
    """Each attempt looks for itself."""
    entry = write(bunny_store, "key", DATA)
    bunny.planned["DELETE"] = ["503"]
    bunny.gate = lambda kind: bunny_zone.put("key", b"newer") if kind == "DELETE" else None
    with pytest.raises(PreconditionError):
        bunny_store.delete(entry)
    assert bunny_zone.files["key"].data == b"newer"
