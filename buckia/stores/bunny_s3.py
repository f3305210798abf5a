"""Storage zones of Bunny.net through its S3 preview: an S3 service as its row has it, behind a pull
zone.

The zone's name is the key id and its password the secret. What a zone holds is the same by either
API; what this one lacks (metadata, and with it our sha256) is said in `s3_services`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace as replaced
from functools import cached_property
from typing import Any, Final

from buckia.errors import StoreError
from buckia.headers import TYPE
from buckia.model import Entry, replace
from buckia.stores.base import Capabilities, Store
from buckia.stores.bunny_cdn import Cdn
from buckia.stores.bunny_errors import persist, shown
from buckia.stores.bunny_listing import File, find
from buckia.stores.bunny_session import TRANSFERS, BunnyOptions, BunnySession, reject
from buckia.stores.bunny_settings import BunnySettings
from buckia.stores.s3 import S3Store
from buckia.stores.s3_session import S3Options

_SERVICE: Final = "bunny"


class BunnyS3Store(S3Store):
    """One storage zone that was made with S3, or what is below a prefix of it.

    `options.endpoint` is here the address of the S3 service. `native` is that of the storage API,
    which alone tells the sha256 of an object; it is known where the region tells both. `more` are
    options of `S3Options`.
    """

    def __init__(self, options: BunnyOptions, *, native: str | None = None, **more: Any) -> None:
        s3: dict[str, Any] = {
            "endpoint": options.endpoint,
            "region": options.region.lower(),
            "service": _SERVICE,
            "access_key_id": options.zone,
            "secret_access_key": options.password,
            "prefix": options.prefix,
            "workers": min(options.workers, TRANSFERS),
            "addressing": "path",
            "versions": False,
            "rates": options.rates,
        }
        super().__init__(S3Options(options.zone, **{**s3, **more}))
        known = native or not options.endpoint
        self._native = BunnySession(replaced(options, endpoint=native)) if known else None
        self._keys = options.secrets
        self._cdn = Cdn(options.pull_zone, options.account_key, options.token_key, self.traffic)

    @property
    def capabilities(self) -> Capabilities:
        """What the preview promises, and what a pull zone adds."""
        return replace(
            super().capabilities,
            copy=False,
            headers=frozenset({TYPE}),
            headers_in_place=False,
            caches=self._cdn.caches,
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """What it is signed in with, for those who look for it in documents."""
        return self._keys

    @cached_property
    def settings(self) -> BunnySettings:  # type: ignore[override]
        """The settings of the storage zone, and of the pull zone in front of it: those of S3 the
        preview does not have."""
        return BunnySettings(self._cdn, self._options.bucket)

    def head(self, key: str) -> Entry | None:
        """The object at `key`, with its sha256, which the storage API has to be asked for."""
        found = super().head(key)
        if found is None or self._native is None:
            return found
        file = self._describe(self._native, key)
        if file is None or not _is_same(file, found):
            return found
        return replace(found, sha256=file.sha256)

    def copies(self, source: Store) -> bool:
        """Never: a copy would lose its content type."""
        return False

    def put_headers(self, entry: Entry, *, replacing: Entry) -> Entry:
        """Not without the bytes: what a copy says of its type is not heard."""
        raise StoreError(
            f"{self.url}/{shown(entry.key)}: takes a content type by upload only; plan again"
        )

    def past(self, prefix: str = "") -> Iterator[Entry]:
        """Nothing: the preview keeps no versions, and refuses to be asked."""
        return iter(())

    def public_url(self, key: str) -> str:
        """The object behind the pull zone; without one, in the service, which wants a signature."""
        return self._cdn.url(self._guard.full(key)) or super().public_url(key)

    def signed_url(self, key: str, seconds: int) -> str:
        """See `Signing.signed_url`: a token of the pull zone, else a signature of the service."""
        if self._cdn.signs:
            return self._cdn.signed_url(self._guard.full(key), seconds)
        return super().signed_url(key, seconds)

    def purge(self, key: str) -> None:
        """See `Purging.purge`."""
        self._cdn.purge(self._guard.full("" if key == "/" else key))

    def close(self) -> None:
        """Close the connections."""
        super().close()
        self._cdn.close()
        if self._native:
            self._native.close()

    def _describe(self, native: BunnySession, key: str) -> File | None:
        """What the storage API tells of an object. None also where it is not to be reached: without
        its word an object is only less known."""
        full = self._guard.full(key)
        if reject(full):
            return None
        try:
            return persist(lambda: find(native, full), f"{native.url}/{shown(full)}", attempts=1)
        except StoreError:
            return None


def _is_same(file: File, found: Entry) -> bool:
    """Whether both APIs speak of the same write: by size, and by time to the second."""
    written = (found.modified or 0) // _SECOND
    return file.length == found.size and file.changed // _SECOND == written


_SECOND: Final = 1_000_000_000
