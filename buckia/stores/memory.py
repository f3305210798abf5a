"""A bucket in memory: the reference for what a store does, and the quickest one to test with."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO
from urllib.parse import quote

from buckia import headers
from buckia.errors import NotFoundError, PreconditionError
from buckia.model import DIGESTS, Entry, Headers, replace
from buckia.stores.base import Capabilities, Store
from buckia.stores.meter import Meter
from buckia.stores.traffic import Traffic
from buckia.stores.usage import Kind

_CAPABILITIES = Capabilities(
    digests=frozenset(DIGESTS),
    create_if_absent=True,
    replace_if_match=True,
    delete_if_match=True,
    guards_copies=True,
    copy=True,
    versions=False,
    headers=headers.ALL,
    headers_in_place=True,
)

_NONE: Headers = {}
"""Of all objects without headers."""


class MemoryStore:
    """Objects in a dictionary behind one lock, so that every condition is atomic.

    `clock` gives nanoseconds since 1970; without one, writes are numbered, so that two runs of the
    same steps hold the same entries. Versions are never used twice, not even for the same bytes.
    """

    def __init__(self, name: str = "memory", *, clock: Callable[[], int] | None = None) -> None:
        self._name = name
        self._serials = itertools.count(1)
        self._clock = clock
        self._objects: dict[str, tuple[Entry, bytes]] = {}
        self._lock = threading.Lock()
        self._traffic = Traffic()

    @property
    def url(self) -> str:
        """`memory://` and the name."""
        return f"memory://{self._name}"

    @property
    def capabilities(self) -> Capabilities:
        """Everything but versions."""
        return _CAPABILITIES

    @property
    def traffic(self) -> Traffic:
        """One request for each call, as a service would be asked."""
        return self._traffic

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Every object below `prefix` as of the first step, by the UTF-8 bytes of the keys."""
        with self._traffic.request(Kind.LIST), self._lock:
            found = [entry for entry, _ in self._objects.values() if entry.key.startswith(prefix)]
        self._traffic.listed(len(found))
        yield from sorted(found, key=lambda entry: entry.key.encode("utf-8", "surrogatepass"))

    def head(self, key: str) -> Entry | None:
        """The object at `key`, or None."""
        with self._traffic.request(Kind.LOOK), self._lock:
            held = self._objects.get(key)
        return held[0] if held else None

    def open(self, entry: Entry) -> AbstractContextManager[BinaryIO]:
        """Read exactly `entry.version`."""
        with self._traffic.request(Kind.READ):
            data = self._held(entry)[1]
        self._traffic.received(len(data))
        return io.BytesIO(data)

    def put(self, entry: Entry, body: BinaryIO, *, replacing: Entry | None) -> Entry:
        """Write the whole body, if it is what `entry` says and replaces what `replacing` says."""
        with self._traffic.request(Kind.WRITE):
            data = body.read()
            self._traffic.sent(len(data))
            return self._write(entry, data, replacing)

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        """Copy from this or another `MemoryStore`; None for any other source."""
        if not (self.copies(source) and isinstance(source, MemoryStore)):
            return None
        with self._traffic.request(Kind.COPY):
            held, data = source._held(entry)
            return self._write(replace(held, key=key), data, replacing)

    def copies(self, source: Store) -> bool:
        """From any of its kind."""
        return isinstance(source, MemoryStore)

    def put_headers(self, entry: Entry, *, replacing: Entry) -> Entry:
        """The same bytes under other headers, as a new version."""
        held, data = self._held(replacing)
        changed = headers.merged(held.headers, replacing.headers, entry.headers)
        wanted = replace(held, type=entry.type or held.type, headers=changed)
        return self._write(wanted, data, replacing)

    def delete(self, entry: Entry) -> None:
        """Delete the object if it still is `entry.version`."""
        with self._traffic.request(Kind.DELETE), self._lock:
            if entry.key in self._objects:
                self._expect(entry.key, entry)
                del self._objects[entry.key]

    def public_url(self, key: str) -> str:
        """A name in the form of a URL: nobody outside this process finds the object."""
        return f"{self.url}/{quote(key, errors='surrogateescape')}"

    def close(self) -> None:
        """Nothing to give back."""

    def _write(self, entry: Entry, data: bytes, replacing: Entry | None) -> Entry:
        meter = Meter()
        meter.add(data)
        meter.check(entry)
        with self._lock:
            self._expect(entry.key, replacing)
            serial = next(self._serials)
            written = Entry(
                entry.key,
                meter.size,
                **meter.digests,
                version=str(serial),
                modified=self._clock() if self._clock else serial,
                type=entry.type,
                headers=headers.bare(entry.headers) or _NONE,
            )
            self._objects[entry.key] = (written, data)
        return written

    def _expect(self, key: str, expected: Entry | None) -> None:
        """Raise unless `key` holds what is expected. Call it with the lock held."""
        held = self._objects.get(key)
        if held and expected and held[0].version == expected.version:
            return
        if held or expected:
            raise PreconditionError(f"{self.url}/{key} is not what was reviewed; plan again")

    def _held(self, entry: Entry) -> tuple[Entry, bytes]:
        """The object and its bytes, if it still is `entry.version`."""
        with self._lock:
            if entry.key not in self._objects:
                raise NotFoundError(f"{self.url}/{entry.key} is gone; plan again")
            self._expect(entry.key, entry)
            return self._objects[entry.key]
