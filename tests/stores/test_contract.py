"""The contract of a store, one clause a test, for every store and for real servers.

A capability flag changes what a clause expects, never whether it is run. The first line of each
docstring is the clause in the table of docs/providers.md. Changes inside a store are in
`test_contract_changes.py`, headers in `test_contract_headers.py`, many writers at once in
`test_contract_races.py`.
"""

from __future__ import annotations

import hashlib
import io
from typing import BinaryIO

import pytest

from buckia.errors import (
    BuckiaError,
    IntegrityError,
    NotFoundError,
    PreconditionError,
    StoreError,
)
from buckia.model import DIGESTS, Entry, replace
from buckia.stores.base import Store
from tests.stores.contract import (
    HOSTILE,
    LARGE,
    OTHER,
    UNICODE,
    Broken,
    Claims,
    Trickle,
    content,
    entry_for,
    listed,
    read,
    write,
)

# entries


def test_an_empty_store_lists_nothing(store: Store) -> None:
    """An empty store lists nothing."""
    assert listed(store) == []


def test_a_listing_holds_each_object_once_in_byte_order(store: Store) -> None:
    """Every object is listed once, in the order of the UTF-8 bytes of the keys."""
    keys = {f"{folder}{number}" for folder in ("a/", "a", "b/c/", "ä/", "Z") for number in range(5)}
    for key in sorted(keys):
        write(store, key, key.encode())
    assert listed(store) == sorted(keys, key=str.encode)


def test_a_prefix_is_a_string_and_not_a_folder(store: Store) -> None:
    """A prefix selects the keys that start with it, wherever it ends."""
    for key in ("a/1", "a/2", "ab", "b/a/1"):
        write(store, key, b"x")
    assert listed(store, "a") == ["a/1", "a/2", "ab"]
    assert listed(store, "a/") == ["a/1", "a/2"]
    assert listed(store, "c") == []


def test_a_listing_tells_size_version_and_promised_digests(store: Store, claims: Claims) -> None:
    """A listed entry has the size, a version and every digest that is promised; none is wrong."""
    write(store, "key", b"content")
    (entry,) = store.entries()
    assert entry.size == len(b"content")
    assert entry.version
    promised = store.capabilities.digests if claims("digests") else frozenset()
    for name in DIGESTS:
        expected = hashlib.new(name, b"content").hexdigest()
        assert getattr(entry, name) in ({expected} if name in promised else {expected, None})


def test_listing_head_and_put_tell_the_same(store: Store) -> None:
    """What `put` returns, `head` finds and `entries` lists are one; `head` knows no less."""
    put = write(store, "folder/key", b"content")
    (entry,) = store.entries()
    head = store.head("folder/key")
    assert head is not None
    assert put.version == head.version == entry.version
    assert put.size == head.size == entry.size
    assert put.sha256 == hashlib.sha256(b"content").hexdigest()
    assert head.sha256 in (None, put.sha256)
    for name in DIGESTS:
        if getattr(entry, name):
            assert getattr(head, name) == getattr(entry, name)


# head


def test_head_of_nothing_is_none(store: Store) -> None:
    """There is no error in looking for what is not there."""
    write(store, "folder/key", b"x")
    assert store.head("other") is None
    assert store.head("folder") is None
    assert store.head("folder/key/below") is None


# open


def test_open_gives_the_bytes(store: Store) -> None:
    """The bytes read are the bytes written, read whole or in pieces."""
    entry = write(store, "key", b"0123456789")
    with store.open(entry) as body:
        assert body.read(4) == b"0123"
        assert body.read() == b"456789"
        assert body.read() == b""


def test_open_refuses_a_changed_object(store: Store) -> None:
    """Reading a version that was overwritten raises `PreconditionError`."""
    old = write(store, "key", b"old")
    write(store, "key", b"new", old)
    with pytest.raises(PreconditionError):
        read(store, old)


def test_open_refuses_a_missing_object(store: Store) -> None:
    """Reading an object that is gone raises `NotFoundError`."""
    entry = write(store, "key", b"x")
    store.delete(entry)
    with pytest.raises(NotFoundError):
        read(store, entry)


@pytest.mark.parametrize("data", [b"new", OTHER], ids=["small", "large"])
def test_a_reader_sees_one_version_to_the_end(store: Store, data: bytes) -> None:
    """What is overwritten while it is read is read to its end, or the reader is told."""
    old = write(store, "key", LARGE)
    with store.open(old) as body:
        begun = body.read(1)
        write(store, "key", data, old)
        try:
            rest = body.read()
        except StoreError:
            return
    assert begun + rest == LARGE


# put


@pytest.mark.parametrize("data", [b"", b"x", LARGE], ids=["empty", "small", "large"])
def test_put_keeps_every_byte(store: Store, data: bytes) -> None:
    """A body of any size arrives whole."""
    entry = write(store, "key", data)
    assert entry.size == len(data)
    assert read(store, entry) == data
    head = store.head("key")
    assert head is not None
    assert head.version == entry.version


@pytest.mark.parametrize("data", [b"some bytes", LARGE], ids=["small", "large"])
def test_put_reads_any_stream(store: Store, data: bytes) -> None:
    """A body needs no seek and may come in short reads."""
    body: BinaryIO = Trickle(data, 70_000)  # type: ignore[assignment]
    entry = store.put(entry_for("key", data), body, replacing=None)
    assert read(store, entry) == data


@pytest.mark.promise("INV-6")
def test_put_onto_an_existing_key_needs_its_name(store: Store) -> None:
    """`replacing=None` refuses an existing object and leaves it alone."""
    write(store, "key", b"first")
    with pytest.raises(PreconditionError):
        write(store, "key", b"second")
    assert content(store, "key") == b"first"


def test_put_replaces_the_version_it_names(store: Store) -> None:
    """`replacing=e` overwrites `e`, and the new object has another version."""
    first = write(store, "key", b"first")
    second = write(store, "key", b"second", first)
    assert second.version != first.version
    assert content(store, "key") == b"second"


@pytest.mark.promise("INV-6")
def test_put_refuses_a_stale_version(store: Store) -> None:
    """`replacing=e` refuses when the object is no longer `e`, and leaves it alone."""
    first = write(store, "key", b"first")
    write(store, "key", b"second", first)
    with pytest.raises(PreconditionError):
        write(store, "key", b"third", first)
    assert content(store, "key") == b"second"


def test_put_refuses_to_replace_what_is_gone(store: Store) -> None:
    """`replacing=e` refuses when there is nothing, and nothing appears."""
    first = write(store, "key", b"first")
    store.delete(first)
    with pytest.raises(PreconditionError):
        write(store, "key", b"second", first)
    assert listed(store) == []


def test_put_refuses_to_replace_a_version_nobody_knows(store: Store) -> None:
    """`replacing=e` without a version matches nothing."""
    first = write(store, "key", b"first")
    unknown = replace(first, version=None)
    with pytest.raises(PreconditionError):
        write(store, "key", b"second", unknown)
    with pytest.raises(PreconditionError):
        write(store, "other", b"second", replace(unknown, key="other"))
    assert content(store, "key") == b"first"
    assert listed(store) == ["key"]


def test_a_key_beside_those_below_it(store: Store, claims: Claims) -> None:
    """A key and one below it are both objects; where keys are paths of files one excludes the
    other, and nothing changes."""
    for first, second in (("a", "a/b"), ("c/d", "c")):
        write(store, first, b"first")
        if claims("folders"):
            with pytest.raises(BuckiaError, match="move it away"):
                write(store, second, b"second")
        else:
            write(store, second, b"second")
        assert content(store, first) == b"first"
    both = ["a", "c/d"] if claims("folders") else ["a", "a/b", "c", "c/d"]
    assert listed(store) == both


@pytest.mark.parametrize("data", [b"some bytes", LARGE], ids=["small", "large"])
def test_conditions_hold_for_every_size(store: Store, data: bytes) -> None:
    """A large body is refused by the same conditions as a small one."""
    first = write(store, "key", b"first")
    second = write(store, "key", b"second", first)
    for stale in (None, first):
        with pytest.raises(PreconditionError):
            write(store, "key", data, stale)
    assert content(store, "key") == b"second"
    assert read(store, write(store, "key", data, second)) == data


@pytest.mark.parametrize(
    "lie",
    [
        {"sha256": "0" * 64},
        {"md5": "0" * 32},
        {"sha1": "0" * 40},
        {"size": +1},
        {"size": -1},
    ],
    ids=["sha256", "md5", "sha1", "short", "long"],
)
@pytest.mark.parametrize("data", [b"some bytes", LARGE], ids=["small", "large"])
@pytest.mark.parametrize("before", [None, b"before"], ids=["create", "replace"])
@pytest.mark.promise("INV-11")
def test_put_refuses_bytes_that_were_not_announced(
    store: Store, lie: dict[str, str | int], data: bytes, before: bytes | None
) -> None:
    """A body that is not what was announced raises `IntegrityError` and changes nothing."""
    held = None if before is None else write(store, "key", before)
    honest = Entry("key", len(data))
    size = lie.get("size")
    announced = (
        replace(honest, size=honest.size + size)
        if isinstance(size, int)
        else replace(honest, **lie)
    )
    with pytest.raises(IntegrityError):
        store.put(announced, io.BytesIO(data), replacing=held)
    assert content(store, "key") == before
    assert store.head("key") == (held and store.head("key"))
    assert listed(store) == ([] if before is None else ["key"])


@pytest.mark.promise("INV-10")
def test_put_changes_nothing_when_the_body_breaks(store: Store) -> None:
    """An error of the body comes out as it is, and nothing has changed."""
    for data in (b"x" * 10, LARGE):
        body: BinaryIO = Broken(b"x" * 8)  # type: ignore[assignment]
        with pytest.raises((OSError, BuckiaError)):
            store.put(entry_for("key", data), body, replacing=None)
        assert listed(store) == []


@pytest.mark.parametrize("key", UNICODE)
def test_keys_are_any_text(store: Store, key: str) -> None:
    """A key of any letters is written, listed, read and deleted as it is."""
    entry = write(store, key, b"x")
    assert listed(store) == [key]
    assert content(store, key) == b"x"
    store.delete(entry)
    assert listed(store) == []


@pytest.mark.parametrize("key", HOSTILE)
def test_a_hostile_key_is_kept_exactly_or_refused(store: Store, key: str) -> None:
    """A key is written, listed, read and deleted exactly as it is, or refused; never another."""
    try:
        entry = write(store, key, b"x")
    except BuckiaError:
        assert listed(store) == []
        return
    assert entry.key == key
    assert listed(store) == [key]
    assert content(store, key) == b"x"
    write(store, key, b"y", entry)
    assert content(store, key) == b"y"
    store.delete(next(iter(store.entries())))
    assert listed(store) == []
