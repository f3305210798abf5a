"""The contract, continued: what is copied, deleted and kept, and what a store says of itself."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import fields
from typing import Any
from urllib.parse import unquote

import pytest

from buckia.errors import NotFoundError, PreconditionError
from buckia.model import Entry, replace
from buckia.stores.base import Remembering, Store
from buckia.stores.memory import MemoryStore
from tests.stores.contract import (
    LARGE,
    UNICODE,
    Claims,
    content,
    entry_for,
    listed,
    read,
    write,
)

SILENT = ("local", "b2-simulator")
"""Where there is no service on a line whose requests could be counted."""

# copy


def test_copy_takes_exactly_one_version(
    make: Callable[[], Store], store: Store, claims: Claims
) -> None:
    """A copy from another bucket has the bytes and the content type of the version it names."""
    source, target = store, make()
    data = b"{}"
    entry = source.put(
        entry_for("from", data, "application/json"), io.BytesIO(data), replacing=None
    )
    copied = target.copy(source, entry, key="to/here", replacing=None)
    assert (copied is not None) == target.copies(source) == claims("copy")
    if copied is None:
        assert listed(target) == []
        return
    assert copied.key == "to/here"
    held = target.head("to/here")
    assert held and copied == replace(held, modified=copied.modified)  # when, is told by a look
    assert read(target, copied) == data
    assert copied.type == entry.type
    assert content(source, "from") == data


def test_copy_works_inside_a_store(store: Store, claims: Claims) -> None:
    """A store that can copy copies its own objects; one that cannot says so and does nothing."""
    entry = write(store, "from", b"x")
    copied = store.copy(store, entry, key="to", replacing=None)
    assert (copied is not None) == claims("copy")
    assert content(store, "to") == (b"x" if copied else None)
    assert content(store, "from") == b"x"


def test_copy_refuses_a_changed_source(store: Store, claims: Claims) -> None:
    """A source that is no longer the version named is not copied, whoever named it: that a listing
    told of it spares no store the question."""
    old = write(store, "from", b"old")
    (seen,) = store.entries()
    write(store, "from", b"new", old)
    assert refused(store, old, None) == claims("copy")
    assert refused(store, seen, None) == claims("copy")
    assert store.head("to") is None


def test_copy_refuses_a_missing_source(store: Store, claims: Claims) -> None:
    """A source that is gone is not copied."""
    old = write(store, "from", b"old")
    store.delete(old)
    assert refused(store, old, None) == claims("copy")
    assert listed(store) == []


@pytest.mark.parametrize("data", [b"new", LARGE], ids=["small", "large"])
def test_copy_replaces_only_what_it_names(store: Store, claims: Claims, data: bytes) -> None:
    """A copy of any size is held to the conditions of a put."""
    entry = write(store, "from", data)
    old = write(store, "to", b"old")
    for wrong in (None, replace(old, version="0" * 32), replace(old, version=None)):
        assert refused(store, entry, wrong) == claims("copy")
        assert content(store, "to") == b"old"
    copied = store.copy(store, entry, key="to", replacing=old)
    assert content(store, "to") == (data if copied else b"old")


def refused(store: Store, entry: Entry, replacing: Entry | None) -> bool:
    """Whether a copy onto `to` is refused; one that cannot be made at all is None."""
    try:
        copied = store.copy(store, entry, key="to", replacing=replacing)
    except (NotFoundError, PreconditionError):
        return True
    assert copied is None
    return False


def test_copy_keeps_a_large_object(store: Store, claims: Claims) -> None:
    """A large object is copied whole."""
    entry = write(store, "from", LARGE)
    copied = store.copy(store, entry, key="to", replacing=None)
    assert (copied is not None) == claims("copy")
    assert copied == store.head("to")
    assert content(store, "to") == (LARGE if copied else None)


def test_copy_from_another_kind_of_store_is_none(store: Store) -> None:
    """From a store of another kind nothing is copied: the answer is None and nothing changes."""
    stranger = Stranger()
    entry = write(stranger, "from", b"x")
    assert store.copy(stranger, entry, key="to", replacing=None) is None
    assert not store.copies(stranger)
    assert listed(store) == []


class Stranger:
    """A store of a kind that no other knows."""

    def __init__(self) -> None:
        self._inner = MemoryStore()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


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


# what remains


def test_what_is_overwritten_or_deleted_remains(store: Store, claims: Claims) -> None:
    """What was overwritten or deleted is still there as a version, where the store promises it."""
    write(store, "keys", b"another")
    data, held = [b"%d" % number for number in range(9)], None
    for number in data:
        held = write(store, "key", number, held)
    assert held
    store.delete(held)
    assert listed(store) == ["keys"]
    kept = list(store.past()) if isinstance(store, Remembering) else []
    if not claims("versions"):
        assert kept == []
        return
    assert isinstance(store, Remembering)
    assert [read_past(store, entry) for entry in kept] == data[::-1]
    assert {entry.key for entry in kept} == {"key"}
    assert list(store.past("key")) == kept
    assert list(store.past("keys")) == []
    assert all(entry.modified for entry in kept)


def read_past(store: Remembering, entry: Entry) -> bytes:
    """The bytes of a version."""
    with store.open_past(entry) as body:
        return body.read()


# traffic


def test_what_is_asked_is_counted(store: Store, kind: str) -> None:
    """Requests are counted by class, and the bytes of bodies; where nothing is asked, nothing."""
    began = store.traffic.usage
    entry = write(store, "key", b"content")
    assert listed(store) == ["key"]
    assert read(store, entry) == b"content"
    store.delete(entry)
    used = store.traffic.usage - began
    if kind in SILENT:
        assert used.requests == {}
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


def test_nothing_shown_holds_a_secret(store: Store) -> None:
    """Neither its name, nor its text form, nor a public URL shows a credential of the store."""
    shown = f"{store.url} {store!r} {store.public_url('key')}"
    options = getattr(store, "_options", None)
    hidden = [field.name for field in fields(options) if not field.repr] if options else []
    named = {
        getattr(options, "bucket", None)
    }  # with Bunny, the bucket's name is half of a credential
    secrets = [value for name in hidden if (value := getattr(options, name)) not in (*named, None)]
    assert [secret for secret in secrets if secret in f"{shown} {options!r}"] == []


def test_close_can_be_called_twice(store: Store) -> None:
    """Closing gives everything back, once or twice."""
    list(store.entries())
    store.close()
    store.close()
