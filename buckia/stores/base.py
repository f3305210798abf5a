"""The contract of every store: a folder tree, a bucket, a dictionary in memory.

The docstrings here are the contract; `tests/stores/test_contract*.py` hold one test for each
sentence and run against every store and against real servers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import BinaryIO, Protocol, runtime_checkable

from msgspec import Struct

from buckia.errors import BuckiaError, StoreError
from buckia.model import Entry, Value
from buckia.stores.traffic import Traffic


class Caches(Struct, frozen=True):
    """What the caches in front of a bucket take at once, and what they show.

    exact    most addresses that are dropped one by one; more go by folder
    folders  most folders that are dropped
    index    the name of the object that is shown for the address of its folder
    """

    exact: int
    folders: int
    index: str = "index.html"


class Capabilities(Struct, frozen=True):
    """What a store can promise. Each flag is proved by the contract suite.

    digests          which digests `entries` reports without reading bodies
    create_if_absent the service itself refuses `put(replacing=None)` onto an existing key
    replace_if_match the service itself refuses `put(replacing=e)` when the object is not `e`
    delete_if_match  the service itself refuses `delete(e)` when the object is not `e`
    guarded          up to how many bytes of a body it refuses so at `put`; None for any
    guards_copies    what the service refuses at `put` it refuses at `copy`
    copy             `copy` can work without the bytes passing through this machine
    versions         overwritten and deleted objects remain as versions
    headers          which headers an upload sets, of `buckia.headers.ALL`
    headers_in_place `put_headers` changes them without an upload, and `head` tells them
    folders          keys are paths of files: `a` and `a/b` exclude each other
    caches           those in front of the bucket, from which the store drops what has changed
    """

    digests: frozenset[str] = frozenset()
    create_if_absent: bool = False
    replace_if_match: bool = False
    delete_if_match: bool = False
    guarded: int | None = None
    guards_copies: bool = False
    copy: bool = False
    versions: bool = False
    headers: frozenset[str] = frozenset()
    headers_in_place: bool = False
    folders: bool = False
    caches: Caches | None = None


class Store(Protocol):
    """Objects by key. Safe to call from many threads.

    Where a capability flag is False the store looks, then writes: the same errors, with a window
    for a race. Retries are the store's own affair: an `UnavailableError` means "after retries".
    Keys are `/`-separated; a prefix of the bucket is the store's business and never seen above.
    """

    @property
    def url(self) -> str:
        """A name for people and plans, such as `s3://bucket`. Holds no secret."""

    @property
    def capabilities(self) -> Capabilities:
        """What this store promises."""

    @property
    def traffic(self) -> Traffic:
        """What it asked of its service so far; nothing where there is none to ask."""

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Every object whose key starts with `prefix`, each once, each with its `version`.

        Complete or it raises: an error on any page, a page out of order, a repeated or missing
        continuation token raise `StoreError`; a partial listing is never returned as a whole one.
        Keys come exactly as the service has them, hostile ones included.
        """

    def head(self, key: str) -> Entry | None:
        """The object at `key`, with every digest the service knows, or None when there is none."""

    def open(self, entry: Entry) -> AbstractContextManager[BinaryIO]:
        """Read the bytes of exactly `entry.version`.

        Raises `NotFoundError` when the object is gone, `PreconditionError` when it has changed.
        """

    def put(self, entry: Entry, body: BinaryIO, *, replacing: Entry | None) -> Entry:
        """Write the whole body at `entry.key`; return what the store now holds.

        Whole or not at all, and no reader ever sees a part. `entry.size` and each digest of `entry`
        are checked against the bytes that were sent: `IntegrityError` when they differ, and then
        nothing has changed. The object gets `entry.type` and, of `entry.headers`, what the store
        can set. `replacing=None` means the key must be absent, `replacing=e` that it
        must still hold `e.version`, else `PreconditionError` and nothing has changed.
        """

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        """Copy `entry` of `source` to `key` inside the service; None when this pair cannot.

        Copies exactly `entry.version` (else `PreconditionError`) with the headers it has;
        `replacing` as in `put`.
        """

    def put_headers(self, entry: Entry, *, replacing: Entry) -> Entry:
        """Give the object `replacing` other headers and leave its bytes where they are.

        Its type becomes `entry.type`, unless that is None, and it gets `entry.headers`. Those of
        `replacing.headers` that `entry.headers` lacks go, whatever else it has stays. Raises
        `PreconditionError` as `put` does, `StoreError` where the service cannot do it.
        """

    def copies(self, source: Store) -> bool:
        """Whether `copy` from that store works inside the service; if not, it gives None."""

    def delete(self, entry: Entry) -> None:
        """Delete the object if it still is `entry.version`.

        What is already gone counts as deleted; what has changed raises `PreconditionError`.
        """

    def public_url(self, key: str) -> str:
        """Where those who may read it without credentials find the object; no request is made."""

    def close(self) -> None:
        """Give connections back. The store is not used afterwards."""


class Configurable(Protocol):
    """The settings of a bucket, by the names and in the documents of `buckia.settings`.

    A store whose bucket has settings has one of these as its attribute `settings`.
    """

    def names(self) -> tuple[str, ...]:
        """The settings that can be asked about here."""

    def read(self, wanted: Mapping[str, Value | None]) -> dict[str, Value | StoreError | None]:
        """What each setting is now: its document, None where it is absent, or why it cannot be
        told, such as a right that is missing.

        Of a setting that is declared in parts, only the parts that `wanted` has are told, or all
        where that is None. Raises `StoreError` where nothing can be told at all.
        """

    def configure(self, name: str, document: Value | None, *, expect: Value | None) -> None:
        """Set a setting, or remove it, and see that the service keeps it so.

        Raises `PreconditionError`, and nothing has changed, unless it is `expect`. What already is
        `document` counts as set.
        """


def settings_of(store: Store) -> Configurable | None:
    """The settings of a store's bucket; None where it has none."""
    found: Configurable | None = getattr(store, "settings", None)
    return found


@runtime_checkable
class Remembering(Protocol):
    """What a store is beside, whose bucket can keep versions: they can be had back."""

    def past(self, prefix: str = "") -> Iterator[Entry]:
        """What was overwritten or deleted below `prefix` and is still there: by key, the newest
        first; complete, or it raises. What was overwritten by the same bytes, because its headers
        changed, is not lost and left out.

        An entry's `version` is what the service calls that version, which is no `version` of an
        object that is there now; `modified` is when it was overwritten or deleted.
        """

    def open_past(self, entry: Entry) -> AbstractContextManager[BinaryIO]:
        """Read one of `past`. Raises `NotFoundError` when it has ended meanwhile."""


Hold = Callable[[str, int, str, int], bool]
"""Told of an object that is listed, by its key, size, md5 that is its token, and time (ns since
1970): whether that is all there is to know, and no entry is to be made."""


@runtime_checkable
class Ranging(Protocol):
    """What a store is beside, that can list parts of a bucket at the same time."""

    def ranged(
        self, prefix: str, known: Iterable[str], hold: Hold | None = None
    ) -> Iterator[Entry]:
        """The same as `entries`, whatever is `known`: keys that may be there. It says only where
        to cut. What `hold` takes is not given; it is asked from many threads."""


@runtime_checkable
class Sweeping(Protocol):
    """What a store is beside, that can delete many objects with few requests."""

    def sweep(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Delete objects that nobody but buckia writes, and give each once it is gone.

        Whether an object still is `entry.version` is checked only where the service checks it for
        many at once, so this is not for content. What cannot go ends the sweep with its error; what
        is gone already counts as deleted.
        """


class Use(Enum):
    """What is about to be done with an object, for which a store may have to look at it."""

    READ = "read"
    """It is the source of a copy."""
    COPY = "copy"
    """A copy is written there."""
    KEEP = "keep"
    """A copy of what will be overwritten or deleted is written there."""
    DELETE = "delete"
    SEEN = "seen"
    """A copy was written there, and what it was made for waits until it is seen."""


@runtime_checkable
class Glancing(Protocol):
    """What a store is beside, that can look at many keys with one request."""

    @property
    def glances(self) -> frozenset[Use]:
        """Before what it would look at each key, where the service checks no condition; and
        `SEEN`, for which every service is asked."""

    def glance(self, uses: Mapping[Use, Collection[str]]) -> AbstractContextManager[None]:
        """Look at keys that lie close together, and be spared to look at each before what follows.

        What was seen counts for one write of a key by this thread until the context ends, or some
        seconds later; then, and where a write is tried again, the key is looked at by itself.
        So the same is refused, with a longer moment for a race. It may see nothing, and never
        raises.
        """

    def seen(self, key: str) -> Entry | None:
        """The object at a key with a digest of its bytes, as a look since its last write told; None
        where that did not tell so much, and `head` has to."""


def glances_of(store: Store) -> frozenset[Use]:
    """What a store would rather see many of; nothing where it has no glances. Asked for each task:
    to try whether it has the whole protocol takes as long as to sign a request."""
    found: frozenset[Use] = getattr(store, "glances", frozenset())
    return found


@runtime_checkable
class Clearing(Protocol):
    """What a store is beside, that can delete many objects of content with few requests."""

    def clear(self, entries: Sequence[Entry]) -> list[BuckiaError | None]:
        """Do for each what `delete` does; in their order why one was not deleted."""


@runtime_checkable
class Signing(Protocol):
    """What a store is beside, that can let others read one object for a while."""

    def signed_url(self, key: str, seconds: int) -> str:
        """A URL that reads `key` without credentials until so many seconds from now.

        Whether there is such an object is not asked. Raises `UsageError` where the service signs
        for less time, naming its limit, and `AccessError` where the credentials may not share.
        """


class Purging(Protocol):
    """What a store is beside, that has caches in front of it (`Capabilities.caches`)."""

    def purge(self, key: str) -> None:
        """Drop a key, or all below a folder that ends in `/`, from the caches; `/` is everything.

        Done when they have taken it; twice is once. Raises `AccessError` where the credentials do
        not reach so far, `UnavailableError` after retries.
        """


class Uploads(Protocol):
    """Uploads in parts of one store that were begun and neither finished nor ended.

    As entries: the key, the service's id as `version`, and when it was begun as `modified`.
    """

    def begun(self) -> Iterator[Entry]:
        """Every one there is, whoever began it."""

    def weigh(self, upload: Entry) -> Entry | None:
        """With the size of its parts, and `modified` the time of the newest: somebody may still be
        sending. None where it is not unfinished any more."""

    def end(self, upload: Entry) -> None:
        """End it for good, parts and all. One that is gone by now has ended."""


@runtime_checkable
class Uploading(Protocol):
    """What a store is beside, that sends large objects in parts."""

    @property
    def uploads(self) -> Uploads:
        """Those that were never finished."""
