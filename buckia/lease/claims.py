"""A claim: an object of our own beside the lease, gone again before the run begins.

It tells three things that no promise of a service is trusted for. The time it was written is the
service's own "now". Written twice, it shows whether the service refuses to create what is there.
And everybody's claims together say who tries at this moment, and who was first.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Final, Protocol, runtime_checkable

from buckia.errors import (
    AccessError,
    BuckiaError,
    IntegrityError,
    PreconditionError,
    StoreError,
    UnavailableError,
)
from buckia.model import Entry, replace
from buckia.rules import RESERVED_PREFIX
from buckia.stores.base import Capabilities, Store

PREFIX: Final = f"{RESERVED_PREFIX}claims/"
"""Where claims are for a moment."""

SETTLE: Final = 2.0
"""Seconds between writing a claim and asking who was first. Longer than the second in which
services tell times, so that who comes after the question is younger than who asked it."""

STALE: Final = 60 * 1_000_000_000
"""Nanoseconds after which a claim is what a killed run left."""

_TRIAL: Final = "~"
"""In the name of an object that only tries what the service does."""

_NO_VERSION: Final = "0" * 32


@runtime_checkable
class Provable(Protocol):
    """A store that can find out what its service enforces, and then relies on just that."""

    def prove(self) -> Capabilities:
        """Try it on scratch objects."""


@contextmanager
def claim(store: Store, run_id: str) -> Iterator[Entry]:
    """A claim as the service reports it: `modified` is its time, in nanoseconds since 1970."""
    key = PREFIX + run_id
    try:
        try:
            mine = _put(store, key, "claim", None)
        except PreconditionError:  # an earlier one that could not be removed
            withdraw(store, run_id)
            mine = _put(store, key, "claim", None)
        yield _seen(store, mine)
    finally:
        withdraw(store, run_id)


def withdraw(store: Store, run_id: str) -> None:
    """Remove a claim, if it is there. One that cannot be removed is stale soon."""
    with suppress(BuckiaError):
        if entry := store.head(PREFIX + run_id):
            store.delete(entry)


def proved(store: Store) -> Capabilities:
    """What a store promises; what it does not promise is tried, where it can be."""
    told = store.capabilities
    if isinstance(store, Provable) and not (told.create_if_absent and told.replace_if_match):
        return store.prove()
    return told


def trusted(store: Store, run_id: str) -> tuple[bool, bool]:
    """Whether the service itself refuses to create what is there, and to replace what is not.

    The first is proved here by creating one object twice. Raises `StoreError` where the service
    refuses even to create a new one.
    """
    told = proved(store)
    if not told.create_if_absent:
        return False, False
    through = _created(store, run_id)
    if through == 0 and isinstance(store, Provable):
        store.prove()  # from now on the store looks for itself
    elif through == 0:
        raise StoreError(
            f"{store.url}: refuses to create objects under a condition; look for a proxy"
        )
    return through == 1, through == 1 and told.replace_if_match


def _created(store: Store, run_id: str) -> int:
    """How often of two times one new object can be created.

    Both times where the condition is ignored; never where it is inverted, or not known.
    """
    key = f"{PREFIX}{run_id}{_TRIAL}{secrets.token_hex(4)}"
    try:
        return sum(_creates(store, key, number) for number in "12")
    finally:
        withdraw(store, key.removeprefix(PREFIX))


def _creates(store: Store, key: str, number: str) -> bool:
    try:
        _put(store, key, number, None)
    except (AccessError, UnavailableError, IntegrityError):
        raise
    except StoreError:
        return False
    return True


def replaces_exactly(store: Store, mine: Entry) -> bool:
    """Whether the service refuses to replace a version that is not there, tried on a claim."""
    try:
        _put(store, mine.key, "other", replace(mine, version=_NO_VERSION))
    except PreconditionError:
        return True
    return False


def present(store: Store, mine: Entry) -> list[Entry]:
    """The claims of all who try at this moment, ours among them, the oldest first.

    What killed runs left is removed. Empty where even our own is not listed: then the listing
    tells nothing.
    """
    found = {entry.key: entry for entry in store.entries(PREFIX)}
    own = found.pop(mine.key, None)
    if own is None:
        return []
    fresh = [own]
    for entry in found.values():
        if _moment(own) - _moment(entry) > STALE:
            with suppress(StoreError):
                store.delete(entry)
        elif _TRIAL not in entry.key:
            fresh.append(entry)
    return sorted(fresh, key=lambda entry: (_moment(entry), entry.key))


def _put(store: Store, key: str, text: str, replacing: Entry | None) -> Entry:
    data = f"{key} {text}\n".encode()
    return store.put(Entry(key, len(data)), BytesIO(data), replacing=replacing)


def _seen(store: Store, written: Entry) -> Entry:
    """A claim with the time the service gave it."""
    return written if written.modified is not None else store.head(written.key) or written


def _moment(entry: Entry) -> int:
    """The time a claim was written at."""
    return entry.modified or 0
