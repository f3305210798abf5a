"""The contract of a store, one clause a test, for every store and for real servers.

A capability flag changes what a clause expects, never whether it is run.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import BinaryIO, TypeVar
from urllib.parse import unquote

import pytest

from buckia.errors import BuckiaError, IntegrityError, NotFoundError, PreconditionError
from buckia.model import Entry, replace
from buckia.stores.base import Store
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from buckia.stores.usage import NOTHING

Made = TypeVar("Made")
LARGE = bytes(range(256)) * (12 * 1024 * 4)
"""12 MiB: three parts of a multipart upload where there are such things."""

UNICODE = ("Grüße/日本語.txt", "emoji-🎈", "a b+c%20&d=e?f#g", "quote'\"<x>&amp;", "é")
HOSTILE = (
    "/lead",
    "end/",
    "a//b",
    "../up",
    "x/../y",
    "./here",
    "x/./y",
    ".",
    "tab\there",
    "line\nbreak",
    "back\\slash",
    "%2e%2e/coded",
    "a%2Fb",
    " space ",
    "CON",
    "e\u0301",
    "del\x7f",
)


def entry_for(key: str, data: bytes, kind: str | None = None) -> Entry:
    """What an honest caller announces."""
    return Entry(key, len(data), sha256=hashlib.sha256(data).hexdigest(), type=kind)


def write(store: Store, key: str, data: bytes, replacing: Entry | None = None) -> Entry:
    """Put bytes honestly announced."""
    return store.put(entry_for(key, data), io.BytesIO(data), replacing=replacing)


def read(store: Store, entry: Entry) -> bytes:
    """The bytes of one version."""
    with store.open(entry) as body:
        return body.read()


def content(store: Store, key: str) -> bytes | None:
    """What is at a key now."""
    entry = store.head(key)
    return None if entry is None else read(store, entry)


def listed(store: Store, prefix: str = "") -> list[str]:
    """The keys of a listing, in its order."""
    return [entry.key for entry in store.entries(prefix)]


def race(count: int, step: Callable[[int], Made]) -> list[Made | PreconditionError]:
    """Run a step in many threads at once; a lost race is a result."""

    def run(number: int) -> Made | PreconditionError:
        try:
            return step(number)
        except PreconditionError as lost:
            return lost

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


class Trickle(io.RawIOBase):
    """A stream that cannot seek and gives at most `step` bytes a read."""

    def __init__(self, data: bytes, step: int) -> None:
        self._rest = memoryview(data)
        self._step = step

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        target = memoryview(buffer)  # type: ignore[arg-type]
        size = min(self._step, len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class Broken(io.RawIOBase):
    """A stream that fails after its first bytes."""

    def __init__(self, data: bytes) -> None:
        self._chunks = [data]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        if not self._chunks:
            raise OSError("the disk is gone")
        chunk = self._chunks.pop()
        memoryview(buffer)[: len(chunk)] = chunk  # type: ignore[arg-type]
        return len(chunk)


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


def test_a_listing_tells_size_version_and_promised_digests(store: Store) -> None:
    """A listed entry has the size, a version and every digest the capabilities promise."""
    write(store, "key", b"content")
    (entry,) = store.entries()
    assert entry.size == len(b"content")
    assert entry.version
    for name in store.capabilities.digests:
        assert getattr(entry, name) == hashlib.new(name, b"content").hexdigest()


def test_listing_head_and_put_tell_the_same(store: Store) -> None:
    """What `put` returns, `head` finds and `entries` lists are one object."""
    put = write(store, "folder/key", b"content")
    (entry,) = store.entries()
    head = store.head("folder/key")
    assert head is not None
    assert put.version == head.version == entry.version
    assert put.size == head.size == entry.size
    assert put.sha256 == hashlib.sha256(b"content").hexdigest()
    assert head.sha256 in (None, put.sha256)


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


def test_a_key_beside_those_below_it(store: Store) -> None:
    """Where keys are paths of files one excludes the other, and nothing changes; elsewhere both
    are."""
    for first, second in (("a", "a/b"), ("c/d", "c")):
        write(store, first, b"first")
        if store.capabilities.folders:
            with pytest.raises(BuckiaError, match="move it away"):
                write(store, second, b"second")
        else:
            write(store, second, b"second")
        assert content(store, first) == b"first"
    both = ["a", "c/d"] if store.capabilities.folders else ["a", "a/b", "c", "c/d"]
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


def test_put_keeps_the_content_type(store: Store) -> None:
    """An object keeps its content type where the store has headers."""
    entry = store.put(
        entry_for("key", b"{}", "application/json"), io.BytesIO(b"{}"), replacing=None
    )
    head = store.head("key")
    assert head is not None
    if store.capabilities.headers:
        assert head.type == entry.type == "application/json"
    assert read(store, head) == b"{}"


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


# copy


def test_copy_takes_exactly_one_version(make: Callable[[], Store]) -> None:
    """A copy has the bytes and the content type of the version it names."""
    source, target = make(), make()
    data = b"{}"
    entry = source.put(
        entry_for("from", data, "application/json"), io.BytesIO(data), replacing=None
    )
    copied = target.copy(source, entry, key="to/here", replacing=None)
    assert target.copies(source) == (copied is not None)
    if copied is None:
        assert listed(target) == []
        return
    assert copied.key == "to/here"
    assert copied == target.head("to/here")
    assert read(target, copied) == data
    assert copied.type == entry.type
    assert content(source, "from") == data


def test_copy_works_inside_a_store(store: Store) -> None:
    """Where the store can copy, it copies its own objects."""
    entry = write(store, "from", b"x")
    copied = store.copy(store, entry, key="to", replacing=None)
    assert (copied is not None) == store.capabilities.copy
    assert content(store, "to") == (b"x" if copied else None)


def test_copy_refuses_a_changed_source(store: Store) -> None:
    """A source that is no longer the version named is not copied."""
    old = write(store, "from", b"old")
    write(store, "from", b"new", old)
    with suppress(PreconditionError):
        assert store.copy(store, old, key="to", replacing=None) is None
    assert store.head("to") is None


def test_copy_refuses_a_missing_source(store: Store) -> None:
    """A source that is gone is not copied."""
    old = write(store, "from", b"old")
    store.delete(old)
    with suppress(NotFoundError, PreconditionError):
        assert store.copy(store, old, key="to", replacing=None) is None
    assert listed(store) == []


def test_copy_replaces_only_what_it_names(store: Store) -> None:
    """A copy is held to the conditions of a put."""
    entry = write(store, "from", b"new")
    old = write(store, "to", b"old")
    stale = replace(old, version="0" * 32)
    for wrong in (None, stale):
        with suppress(PreconditionError):
            assert store.copy(store, entry, key="to", replacing=wrong) is None
        assert content(store, "to") == b"old"
    copied = store.copy(store, entry, key="to", replacing=old)
    assert content(store, "to") == (b"new" if copied else b"old")


def test_copy_keeps_a_large_object(store: Store) -> None:
    """A large object is copied whole."""
    entry = write(store, "from", LARGE)
    copied = store.copy(store, entry, key="to", replacing=None)
    if copied is not None:
        assert copied == store.head("to")
        assert read(store, copied) == LARGE


def test_copy_from_another_kind_of_store_is_none(store: Store) -> None:
    """A pair that cannot copy says so and changes nothing."""

    class Stranger(MemoryStore):
        """Another service, as far as any store can tell."""

    stranger = Stranger("stranger")
    entry = write(stranger, "from", b"x")
    if not isinstance(store, MemoryStore):
        assert store.copy(stranger, entry, key="to", replacing=None) is None
        assert not store.copies(stranger)
        assert listed(store) == []


# delete


def test_delete_removes_the_version_it_names(store: Store) -> None:
    """A deleted object is neither found nor listed."""
    entry = write(store, "folder/key", b"x")
    store.delete(entry)
    assert store.head("folder/key") is None
    assert listed(store) == []


def test_delete_of_nothing_is_done(store: Store) -> None:
    """What is already gone counts as deleted."""
    entry = write(store, "key", b"x")
    store.delete(entry)
    store.delete(entry)
    assert listed(store) == []


@pytest.mark.promise("INV-5")
def test_delete_refuses_a_changed_object(store: Store) -> None:
    """An object that changed is not deleted."""
    old = write(store, "key", b"old")
    write(store, "key", b"new", old)
    for stale in (old, replace(old, version=None)):
        with pytest.raises(PreconditionError):
            store.delete(stale)
    assert content(store, "key") == b"new"


# races, for the stores that promise to be safe in them


def test_one_creator_wins(store: Store) -> None:
    """Of many that create a key at once exactly one wins, where the store promises it."""
    for number in range(5):
        key = f"key-{number}"

        def create(writer: int, key: str = key) -> Entry:
            return write(store, key, f"writer {writer}".encode())

        results = race(8, create)
        winners = [result for result in results if isinstance(result, Entry)]
        assert winners
        if store.capabilities.create_if_absent:
            assert len(winners) == 1
            assert read(store, winners[0]) == content(store, key)


def test_no_increment_is_lost(store: Store) -> None:
    """Many that add to one number by compare-and-swap lose nothing, where the store promises it."""
    write(store, "counter", b"0")

    def add(_: int) -> int:
        lost = 0
        for _ in range(4):
            while True:
                try:
                    held = store.head("counter")
                    assert held is not None
                    write(store, "counter", b"%d" % (int(read(store, held)) + 1), held)
                    break
                except PreconditionError:
                    lost += 1
        return lost

    race(4, add)
    total = int(content(store, "counter") or b"-1")
    assert total == 16 if store.capabilities.replace_if_match else 1 <= total <= 16


def test_a_delete_takes_no_newer_object(store: Store) -> None:
    """A delete that races a replacement never takes the newer object, where it is promised."""
    atomic = store.capabilities.delete_if_match and store.capabilities.replace_if_match
    for number in range(5):
        key = f"key-{number}"
        old = write(store, key, b"old")

        def act(actor: int, key: str = key, old: Entry = old) -> Entry | None:
            if actor % 2:
                return write(store, key, b"new", old)
            store.delete(old)
            return None

        replaced = any(isinstance(result, Entry) for result in race(4, act))
        if atomic:
            assert content(store, key) == (b"new" if replaced else None)


# traffic


def test_what_is_asked_is_counted(store: Store) -> None:
    """A folder is no service: it is asked nothing."""
    began = store.traffic.usage
    entry = write(store, "key", b"content")
    assert listed(store) == ["key"]
    assert read(store, entry) == b"content"
    store.delete(entry)
    used = store.traffic.usage - began
    if isinstance(store, LocalStore):
        assert used == NOTHING
        return
    assert used.list and used.pages and used.write and used.read and used.delete
    assert (used.sent, used.received) == (7, 7)
    assert (used.retries, used.throttled) == (0, 0)


# names


def test_the_url_names_the_store(store: Store) -> None:
    """The URL has a scheme, and is one line for people."""
    scheme, _, rest = store.url.partition(":")
    assert scheme and rest
    assert store.url.isprintable()


def test_a_public_url_names_the_object(store: Store) -> None:
    """A public URL is printable ASCII that ends in the key, without any request."""
    for key in UNICODE:
        url = store.public_url(key)
        assert url.isascii() and url.isprintable() and " " not in url
        assert unquote(url).endswith(f"/{key}")


def test_close_can_be_called_twice(store: Store) -> None:
    """Closing gives everything back, once or twice."""
    list(store.entries())
    store.close()
    store.close()
