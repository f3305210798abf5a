"""Storage zones of Bunny.net, through its Edge Storage API.

The API has no conditional write, no copy, no versions and no metadata. What it has is the SHA-256
of every file in its listings, so nothing needs to be downloaded to be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from typing import BinaryIO, Final
from urllib.parse import quote

import requests

from buckia.errors import IntegrityError, NotFoundError, PreconditionError, StoreError
from buckia.headers import TYPE
from buckia.model import Entry, replace
from buckia.stores.base import Capabilities, Store
from buckia.stores.border import MangledError
from buckia.stores.bunny_bench import BunnyBench
from buckia.stores.bunny_bodies import Outgoing, receive, repeatable
from buckia.stores.bunny_cdn import Cdn, coded
from buckia.stores.bunny_errors import BORDER, Doing, persist, shown
from buckia.stores.bunny_listing import File, find, is_sha256, walk
from buckia.stores.bunny_session import BunnyOptions as BunnyOptions
from buckia.stores.bunny_session import BunnySession, reject
from buckia.stores.bunny_settings import BunnySettings
from buckia.stores.download import CHUNK, Body, Download
from buckia.stores.meter import Meter
from buckia.stores.traffic import Traffic

_CAPABILITIES: Final = Capabilities(digests=frozenset({"sha256"}), headers=frozenset({TYPE}))
"""No promise but the digests. A content type is sent with an upload, yet no listing tells it."""


class BunnyStore:
    """One storage zone, or what is below a prefix of it.

    The version of an object is its sha256, else the stamp of its write. Every write looks right
    before it, and again after it whether Bunny holds what was sent.
    """

    def __init__(self, options: BunnyOptions) -> None:
        self._options = options
        self._session = BunnySession(options)
        self._cdn = Cdn(
            options.pull_zone, options.account_key, options.token_key, self._session.traffic
        )

    @property
    def url(self) -> str:
        """`bunny://zone`, or `bunny://zone/prefix`."""
        return f"{self._session.url}/{self._options.prefix}".rstrip("/")

    @property
    def capabilities(self) -> Capabilities:
        """SHA-256 in listings, and what a pull zone adds."""
        return replace(_CAPABILITIES, caches=self._cdn.caches)

    @property
    def traffic(self) -> Traffic:
        """Requests so far, and what bounds them."""
        return self._session.traffic

    @property
    def bench(self) -> BunnyBench:
        """What can be asked of the service beside the contract."""
        return BunnyBench(self._session, self._options.prefix, self._cdn)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What it is signed in with, for those who look for it in documents."""
        return self._options.secrets

    @cached_property
    def settings(self) -> BunnySettings:
        """The settings of the storage zone, and of the pull zone in front of it."""
        return BunnySettings(self._cdn, self._options.zone)

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Every object below `prefix`, by the UTF-8 bytes of the keys; complete, or it raises."""
        cut = len(self._options.prefix)
        files = walk(self._session, self._full(prefix))
        found = [file.entry(path[cut:]) for path, file in files]
        yield from sorted(found, key=lambda entry: entry.key.encode("utf-8", "surrogatepass"))

    def head(self, key: str) -> Entry | None:
        """The object at `key`, with its sha256 where Bunny knows it."""
        held = self._look(key)
        return held.entry(key) if held else None

    def open(self, entry: Entry) -> AbstractContextManager[BinaryIO]:
        """Read exactly `entry.version`: proved by its digest, else by looking before and after."""
        place, version = self._place(entry.key), entry.version
        if not version:
            raise PreconditionError(f"{place}: no version to read is known; plan again")
        if reject(self._full(entry.key)):
            raise NotFoundError(f"{place}: the object is gone; plan again")
        if not is_sha256(version):
            self._expect(entry.key, entry)
        meter = Meter({"sha256"})

        def fetch(offset: int) -> Body:
            return receive(self._fetch(entry.key, offset), offset, place)

        def prove() -> None:
            self._prove(entry, meter)

        return Download(fetch, place, None, BORDER, self.traffic, meter, prove).opened(fetch(0))

    def put(self, entry: Entry, body: BinaryIO, *, replacing: Entry | None) -> Entry:
        """Write the whole body; done only when Bunny tells its size and digest."""
        place = self._place(entry.key)
        if why := reject(self._full(entry.key)):
            raise StoreError(f"{place}: {why}, and Bunny keeps no such name; rename the file")
        with repeatable(entry, body, self.traffic.sent) as (known, begin):

            def step() -> Entry:
                self._compare(known.key, self._find(known.key), replacing)
                self._send(known, begin())
                return self._confirm(known)

            def recognise() -> Entry | None:
                held = self._look(known.key)
                return held.entry(known.key) if held and self._holds(held, known) else None

            stored = persist(step, place, recognise=recognise)
        return Entry(
            stored.key,
            stored.size,
            sha256=known.sha256,
            version=stored.version,
            modified=stored.modified,
            type=entry.type,
        )

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        """None: Bunny copies nothing by itself."""
        return None

    def copies(self, source: Store) -> bool:
        """Never."""
        return False

    def put_headers(self, entry: Entry, *, replacing: Entry) -> Entry:
        """Not without the bytes."""
        raise StoreError(
            f"{self._place(entry.key)}: Bunny takes a content type by upload only; plan again"
        )

    def delete(self, entry: Entry) -> None:
        """Delete the object if it still is `entry.version`. Never a folder, never more than one."""

        def step() -> None:
            held = self._find(entry.key)
            if held is not None:
                self._compare(entry.key, held, entry)
                self._session.ask(Doing.DELETE, self._session.file_url(self._full(entry.key)))

        with suppress(NotFoundError):
            persist(step, self._place(entry.key))

    def public_url(self, key: str) -> str:
        """The object behind the pull zone; without one, in the storage API, behind a password."""
        path = self._full(key)
        stored = f"{self._session.endpoint}/{quote(self._options.zone, safe='')}/{coded(path)}"
        return self._cdn.url(path) or stored

    def signed_url(self, key: str, seconds: int) -> str:
        """See `Signing.signed_url`: a token of the pull zone. No request is made."""
        return self._cdn.signed_url(self._full(key), seconds)

    def purge(self, key: str) -> None:
        """See `Purging.purge`: by the Core API, which knows nothing of what is stored."""
        self._cdn.purge(self._full("" if key == "/" else key))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
        self._cdn.close()

    def _send(self, known: Entry, body: Outgoing) -> None:
        headers = {
            "Checksum": (known.sha256 or "").upper(),
            "Content-Type": "application/octet-stream",
            **({"Override-Content-Type": known.type} if known.type else {}),
        }
        url = self._session.file_url(self._full(known.key))
        # requests would send an empty stream in chunks, which Bunny does not take
        self._session.ask(Doing.PUT, url, headers=headers, body=body if len(body) else body.read())

    def _fetch(self, key: str, offset: int) -> requests.Response:
        url = self._session.file_url(self._full(key))
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        return persist(lambda: self._session.ask(Doing.GET, url, headers=headers), self._place(key))

    def _confirm(self, known: Entry) -> Entry:
        """What Bunny tells of a file just sent. A 201 alone proves nothing."""
        held = self._find(known.key)
        if held is None or not self._holds(held, known):
            raise MangledError(f"{self._place(known.key)}: not stored as it was sent; try again")
        return held.entry(known.key)

    def _holds(self, held: File, known: Entry) -> bool:
        """Whether a file has the announced bytes; read back where Bunny does not tell its digest.

        Needed at all because a wrong checksum was seen answered with success and not stored.
        """
        if held.length != known.size:
            return False
        if held.sha256:
            return held.sha256 == known.sha256
        meter = Meter({"sha256"})
        with self.open(held.entry(known.key)) as body:
            while chunk := body.read(CHUNK):
                meter.add(chunk)
        return meter.digests["sha256"] == known.sha256

    def _prove(self, entry: Entry, meter: Meter) -> None:
        """Raise unless the bytes that came are those of `entry.version`."""
        sha256 = meter.digests["sha256"]
        if sha256 == entry.version:
            return
        held = self._expect(entry.key, entry)
        if held.sha256 not in (None, sha256) or held.length != meter.size:
            raise IntegrityError(
                f"{self._place(entry.key)}: the service sent other bytes than it holds; try again"
            )

    def _find(self, key: str) -> File | None:
        """The file at a key, asked once. None for a name that no file there can have."""
        full = self._full(key)
        return None if reject(full) else find(self._session, full)

    def _look(self, key: str) -> File | None:
        """The file at a key."""
        return persist(lambda: self._find(key), self._place(key))

    def _expect(self, key: str, expected: Entry) -> File:
        """What `key` holds. Raises unless it is what is expected right now."""
        held = self._look(key)
        if held is None:
            raise NotFoundError(f"{self._place(key)}: the object is gone; plan again")
        self._compare(key, held, expected)
        return held

    def _compare(self, key: str, held: File | None, expected: Entry | None) -> None:
        """Raise `PreconditionError` unless a key holds what is expected."""
        if held is None and expected is None:
            return
        if held is None or expected is None or not held.is_version(expected.version):
            raise PreconditionError(
                f"{self._place(key)}: the object is not what was reviewed; plan again"
            )

    def _full(self, key: str) -> str:
        return self._options.prefix + key

    def _place(self, key: str) -> str:
        return f"{self.url}/{shown(key)}"
