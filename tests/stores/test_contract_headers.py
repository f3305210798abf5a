"""The contract of a store: what an object has beside its bytes."""

from __future__ import annotations

import io
from typing import Final

import pytest

from buckia.errors import StoreError
from buckia.headers import TYPE, kind_of
from buckia.model import Entry, Headers, replace
from buckia.stores.base import Store
from tests.stores.contract import LARGE, Claims, entry_for, listed, read, write

HEADERS: Final = {
    "cache-control": "public, max-age=60",
    "content-disposition": 'attachment; filename="a b.txt"',
    "content-encoding": "gzip",
    "meta-author": "Ada  Lovelace",
}
SIZES: Final = pytest.mark.parametrize("data", [b"{}", LARGE], ids=["small", "large"])


def dress(store: Store, entry: Entry, more: Headers | None = None) -> Entry:
    """The same with headers, as far as the store can set them."""
    able = store.capabilities.headers
    wanted = {**HEADERS, **(more or {})}
    return replace(entry, headers={n: v for n, v in wanted.items() if kind_of(n) in able})


def put(store: Store, entry: Entry, data: bytes) -> Entry:
    return store.put(entry, io.BytesIO(data), replacing=None)


def told(store: Store, key: str) -> tuple[str | None, Headers | None]:
    """What a look tells of type and headers."""
    held = store.head(key)
    assert held is not None
    return held.type, held.headers


@SIZES
def test_put_sets_type_and_headers(store: Store, claims: Claims, data: bytes) -> None:
    """An object gets the type and the headers that the store can set.

    Its bytes stay as they are, whatever the headers say of them.
    """
    dressed = dress(store, entry_for("key", data, "application/json"))
    entry = put(store, dressed, data)
    assert entry.type == (dressed.type if claims("headers") else None)
    kind, known = told(store, "key")
    if claims("headers_in_place"):
        assert (kind, known) == (dressed.type, dressed.headers)
    assert kind in (None, dressed.type)
    assert known in (None, dressed.headers)
    assert read(store, entry) == data
    assert [held.version for held in store.entries()] == [entry.version]


def test_a_look_tells_that_there_are_no_headers(store: Store, claims: Claims) -> None:
    """A look tells an object without headers from one whose headers nobody knows."""
    write(store, "key", b"x")
    assert told(store, "key")[1] in ([{}] if claims("headers_in_place") else [{}, None])


@SIZES
def test_put_headers_leaves_the_bytes(store: Store, claims: Claims, data: bytes) -> None:
    """Headers change without an upload, and what others have set stays; or the store says so."""
    old = dress(store, entry_for("key", data, "text/plain"), {"meta-theirs": "1", "meta-ours": "2"})
    entry = put(store, old, data)
    before = store.head("key")
    given = {name: value for name, value in HEADERS.items() if name != "content-encoding"}
    given["meta-author"] = "Grace"
    replacing = replace(entry, headers={"meta-ours": "2", "content-encoding": "gzip"})
    new = replace(entry, type="text/css", headers={**given, TYPE: "text/css"})
    if not claims("headers_in_place"):
        with pytest.raises(StoreError):
            store.put_headers(new, replacing=replacing)
        assert store.head("key") == before
        return
    changed = store.put_headers(new, replacing=replacing)
    assert told(store, "key") == ("text/css", {**given, "meta-theirs": "1"})
    held = store.head("key")
    assert held is not None
    assert (held.version, held.sha256, held.size) == (changed.version, entry.sha256, len(data))
    assert read(store, changed) == data
    assert listed(store) == ["key"]


def test_put_headers_keeps_a_type_that_is_not_given(store: Store, claims: Claims) -> None:
    """Where no type is given, the object keeps the one it has."""
    entry = put(store, entry_for("key", b"{}", "text/css"), b"{}")
    if claims("headers_in_place"):
        store.put_headers(replace(entry, type=None, headers={"meta-a": "b"}), replacing=entry)
        assert told(store, "key") == ("text/css", {"meta-a": "b"})
    else:
        with pytest.raises(StoreError):
            store.put_headers(replace(entry, type=None), replacing=entry)


def test_put_headers_refuses_what_is_not_the_version_it_names(store: Store) -> None:
    """An object that has changed, or is gone, keeps its headers."""
    old = write(store, "key", b"old")
    new = write(store, "key", b"new", old)
    for stale in (old, replace(old, version=None), replace(old, key="other")):
        with pytest.raises(StoreError):
            store.put_headers(replace(stale, headers={"meta-a": "b"}), replacing=stale)
    held = store.head("key")
    assert held is not None
    assert not held.headers
    assert held.version == new.version
    assert listed(store) == ["key"]


@SIZES
def test_a_copy_has_the_headers_of_its_source(store: Store, claims: Claims, data: bytes) -> None:
    """A copy has type and headers of its source, those that others have set included."""
    dressed = dress(store, entry_for("from", data, "application/json"))
    entry = put(store, dressed, data)
    copied = store.copy(store, entry, key="to", replacing=None)
    assert (copied is not None) == claims("copy")
    if copied is not None:
        assert told(store, "to") == told(store, "from")
        assert not claims("headers") or told(store, "to") == (dressed.type, dressed.headers)
