"""Bunny's Core API, as far as publishing needs it: which pull zones there are, and purging them.

It takes the account's key, which may do everything to the whole account and never goes to the
storage API.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Final, TypeVar

import msgspec
import requests
from msgspec import Struct

from buckia.errors import AccessError, NotFoundError, StoreError, UnavailableError
from buckia.stores.bunny_errors import persist, shown
from buckia.stores.bunny_session import pooled

Told = TypeVar("Told")

CORE: Final = "https://api.bunny.net"

EXACT, PREFIXES = 100, 20
"""Most URLs and most prefixes purged at once. Bunny takes 120 and 20 before it slows down, then 5
URLs or half a prefix a second (Bunny, "Purge cache")."""

_TIMES: Final = (10, 60)
"""Seconds to wait for a connection, and for the answer."""

_PAGE: Final = 1000
"""Pull zones asked for at once, the most there may be."""


_ROOT: Final = 3
"""Slashes in `https://host/`."""


class Hostname(Struct, frozen=True, rename="pascal"):
    """A name that a pull zone answers to; the system's own one ends in `.b-cdn.net`."""

    value: str
    is_system_hostname: bool = False


class PullZone(Struct, frozen=True, rename="pascal"):
    """A cache in front of a storage zone."""

    id: int
    name: str
    hostnames: tuple[Hostname, ...] = ()
    storage_zone_id: int | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """Its host names, the owner's before the system's: URLs under each are cached apart."""
        ordered = sorted(self.hostnames, key=lambda host: host.is_system_hostname)
        return tuple(host.value for host in ordered)


class _Page(Struct, rename="pascal"):
    items: list[PullZone]
    has_more_items: bool = False


class _Problem(Struct, rename="pascal"):
    error_key: str = ""


class BunnyCore:
    """One account. Safe for many threads."""

    def __init__(self, account_key: str, *, endpoint: str = CORE) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._http = pooled(4, {"AccessKey": account_key, "Accept": "application/json"})

    def pull_zones(self) -> Iterator[PullZone]:
        """Every pull zone of the account."""
        page, more = 1, True  # from 1: older accounts answer page 0 with an array
        while more:
            body = self._ask("GET", "pullzone", {"page": str(page), "perPage": str(_PAGE)})
            if body.lstrip().startswith(b"["):
                yield from _decode(body, list[PullZone])
                return
            found = _decode(body, _Page)
            yield from found.items
            page, more = page + 1, found.has_more_items and bool(found.items)

    def pull_zone(self, name: str) -> PullZone:
        """The pull zone of that name or host name. Raises `NotFoundError` when there is none."""
        for zone in self.pull_zones():
            if name == zone.name or name in zone.hosts:
                return zone
        raise NotFoundError(f"{name}: this account has no such pull zone; check `pull_zone`")

    def purge(self, urls: Iterable[str]) -> tuple[str, ...]:
        """Drop URLs from every cache, or prefixes of them when they are many; what was purged."""
        folded = fold(urls)
        for url in folded:
            self._ask("POST", "purge", {"url": url, "async": "false"})
        return folded

    def purge_zone(self, zone: PullZone) -> None:
        """Drop everything a pull zone has in its caches."""
        self._ask("POST", f"pullzone/{zone.id}/purgeCache")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _ask(self, method: str, path: str, query: dict[str, str] | None = None) -> bytes:
        def step(_: int) -> bytes:
            answer = self._http.request(
                method, place, params=query, timeout=_TIMES, allow_redirects=False
            )
            if answer.status_code not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
                raise _explain(answer, place)
            return answer.content

        place = f"{self._endpoint}/{path}"
        return persist(step, place)


def fold(urls: Iterable[str], *, exact: int = EXACT, prefixes: int = PREFIXES) -> tuple[str, ...]:
    """What to purge so that all URLs are: each once, or above `exact` at most `prefixes` prefixes.

    The deepest folders are widened first. One prefix for each host is the least there can be.
    """
    wanted = sorted(set(urls))
    if len(wanted) <= exact:
        return tuple(wanted)
    folders = {url.rpartition("/")[0] + "/" for url in wanted}
    while len(folders) > prefixes:
        deepest = max(folder.count("/") for folder in folders)
        if deepest <= _ROOT:
            break
        folders = {_parent(f) if f.count("/") == deepest else f for f in folders}
    return tuple(
        f"{folder}*"
        for folder in sorted(folders)
        if not any(folder != other and folder.startswith(other) for other in folders)
    )


def _parent(folder: str) -> str:
    return folder[:-1].rpartition("/")[0] + "/"


def _explain(answer: requests.Response, place: str) -> StoreError:
    status = answer.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return UnavailableError(f"{place}: the service is busy or failing; try again later")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return AccessError(
            f"{place}: refused ({status}): `api_key` is not the account's API key (the password of "
            "a storage zone is another one), or the id is a storage zone's and not a pull zone's"
        )
    try:
        key = shown(_decode(answer.content, _Problem).error_key)
    except StoreError:
        key = ""
    error = NotFoundError if status == HTTPStatus.NOT_FOUND else StoreError
    return error(f"{place}: refused ({' '.join(filter(None, (str(status), key)))})")


def _decode(body: bytes, kind: type[Told]) -> Told:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeError):
        raise StoreError(f"{CORE}: the answer is not Bunny's; check proxies") from None
