"""The pull zone in front of a storage zone: where the public reads, and what its caches drop."""

from __future__ import annotations

import time
from threading import Lock
from typing import Final
from urllib.parse import quote

from buckia.errors import ConfigError
from buckia.stores import bunny_core
from buckia.stores.base import Caches
from buckia.stores.bunny_core import EXACT, PREFIXES, BunnyCore, PullZone
from buckia.stores.bunny_urls import Grant, sign_url
from buckia.stores.traffic import Traffic

CACHES: Final = Caches(EXACT, PREFIXES)
"""A storage zone's `index.html` is what its pull zone shows for a folder."""


class Cdn:
    """One pull zone. Making it asks nothing. Safe for many threads.

    pull_zone    its name, or a host name or URL of its own; None: there is none
    account_key  the account's API key, which purging needs
    token_key    the pull zone's security key, which signs URLs

    Paths are those of the storage zone, without a slash in front.
    """

    def __init__(
        self,
        pull_zone: str | None,
        account_key: str | None,
        token_key: str | None,
        traffic: Traffic,
    ) -> None:
        self._named = pull_zone
        self._account_key = account_key
        self._token_key = token_key
        self._traffic = traffic
        self._lock = Lock()
        self._core: BunnyCore | None = None
        self._zone: PullZone | None = None

    @property
    def caches(self) -> Caches | None:
        """What purges there may be; None where a pull zone or the account's key is not given."""
        return CACHES if self._named and self._account_key else None

    @property
    def site(self) -> str | None:
        """Where the public finds the root of the zone. A name without a dot is a pull zone's."""
        if not self._named:
            return None
        named = self._named if "." in self._named else f"{self._named}.b-cdn.net"
        return (named if "://" in named else f"https://{named}").rstrip("/")

    def url(self, path: str) -> str | None:
        """Where the public finds a file."""
        return f"{self.site}/{coded(path)}" if self.site else None

    @property
    def signs(self) -> bool:
        """Whether it can sign URLs."""
        return bool(self._named and self._token_key)

    def signed_url(self, path: str, seconds: int) -> str:
        """A URL that the pull zone serves until so many seconds from now (token authentication).

        Raises `ConfigError` without a pull zone and its security key.
        """
        found = self.url(path)
        if found is None or not self._token_key:
            raise ConfigError(
                "a signed URL of Bunny needs more; set `pull_zone` and `token_key`, the key that "
                "the pull zone has under Security, Token authentication"
            )
        return sign_url(found, self._token_key, Grant(expires=int(time.time()) + seconds))

    def purge(self, path: str) -> None:
        """Drop a file, or for a path that ends in `/` all below it, from every cache.

        Without a path, everything. Variants by query string go with their file.
        """
        zone, core = self.zone("purging"), self.account("purging")
        if not path:
            core.purge_zone(zone)
            return
        below = path.endswith("/") or not zone.ignore_query_strings
        for host in zone.purge_hosts:
            core.purge(f"https://{host}/{coded(path)}{'*' if below else ''}")

    def close(self) -> None:
        """Close the connections."""
        if self._core:
            self._core.close()

    def account(self, what: str) -> BunnyCore:
        """The account. Raises `ConfigError` where `what` it is wanted for lacks its key."""
        with self._lock:
            if not self._account_key:
                raise ConfigError(f"{what} needs more; set `api_key`, the account's key")
            if self._core is None:
                self._core = BunnyCore(
                    self._account_key, endpoint=bunny_core.CORE, traffic=self._traffic
                )
            return self._core

    def zone(self, what: str) -> PullZone:
        """The pull zone, looked up once. Raises `ConfigError` where none is named."""
        if not (self._named and self._account_key):
            raise ConfigError(
                f"{what} needs more; set `pull_zone` and `api_key`, the account's key"
            )
        core = self.account(what)
        with self._lock:
            if self._zone is None:
                name = self._named.rpartition("://")[2].partition("/")[0]
                self._zone = core.pull_zone(name)
            return self._zone

    def forget(self) -> None:
        """Look the pull zone up anew: it was changed."""
        with self._lock:
            self._zone = None


def coded(path: str) -> str:
    """A path as part of a URL. A `*` is encoded, so that only a purge of all below has one."""
    return quote(path, safe="/~", errors="surrogateescape")
