"""Bunny's Core API, as far as publishing needs it: which zones there are, what is set of them, and
purging.

It takes the account's key, which may do everything to the whole account and never goes to the
storage API.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec
import requests
from msgspec import Struct

from buckia.errors import AccessError, NotFoundError, StoreError, UnavailableError
from buckia.stores import bunny_errors
from buckia.stores.border import BUSY, Border, Row, refused, shown
from buckia.stores.bunny_session import TRANSFERS, pooled
from buckia.stores.network import QUICK
from buckia.stores.retry import ATTEMPTS, seconds_in
from buckia.stores.traffic import Traffic
from buckia.stores.usage import Kind

Told = TypeVar("Told")

CORE: Final = "https://api.bunny.net"

EXACT, PREFIXES = 100, 20
"""Most URLs and most prefixes of one plan. Bunny takes 120 and 20 at once, then 5 URLs and half a
prefix a second (Bunny, "Purge cache: rate limits"); others may purge with the same account."""

PATIENCE: Final = 12
"""How often a purge is sent while Bunny says "too many": for about a minute, in which it takes 30
more prefixes."""

_PAGE: Final = 1000
"""Pull zones asked for at once, the most there may be."""


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
    ignore_query_strings: bool = True
    enable_hostname_vary: bool = False

    @property
    def hosts(self) -> tuple[str, ...]:
        """Its host names, the owner's before the system's."""
        ordered = sorted(self.hostnames, key=lambda host: host.is_system_hostname)
        return tuple(host.value for host in ordered)

    @property
    def purge_hosts(self) -> tuple[str, ...]:
        """The host names under which URLs have to be purged, the system's first.

        One is enough, since a file is cached once whatever the host, unless the zone is told to
        tell hosts apart (Bunny, "Vary cache: requested hostname").
        """
        plain = [host for host in reversed(self.hosts) if "*" not in host]
        return tuple(plain if self.enable_hostname_vary else plain[:1])


class _Page(Struct, rename="pascal"):
    items: list[PullZone]
    has_more_items: bool = False


class _Zone(Struct, rename="pascal"):
    id: int
    name: str


class _Zones(Struct, rename="pascal"):
    items: list[_Zone]


class _Problem(Struct, rename="pascal"):
    error_key: str = ""


class BunnyCore:
    """One account. Safe for many threads."""

    def __init__(
        self, account_key: str, *, endpoint: str = CORE, traffic: Traffic | None = None
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._traffic = traffic or Traffic()
        self._http = pooled(TRANSFERS, {"AccessKey": account_key, "Accept": "application/json"})

    def pull_zones(self) -> Iterator[PullZone]:
        """Every pull zone of the account."""
        page, more = 1, True  # from 1: older accounts answer page 0 with an array
        while more:
            query = {"page": str(page), "perPage": str(_PAGE)}
            body = self._ask("GET", "pullzone", "the list of pull zones", query)
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

    def purge(self, url: str) -> None:
        """Drop a URL from every cache; with a `*` at its end, all URLs that begin so."""
        query = {"url": url, "async": "false"}
        self._ask("POST", "purge", f"purge of {shown(url)}", query, PATIENCE)

    def purge_zone(self, zone: PullZone) -> None:
        """Drop everything a pull zone has in its caches."""
        what = f"purge of the pull zone {shown(zone.name)}"
        self._ask("POST", f"pullzone/{zone.id}/purgeCache", what, {}, PATIENCE)

    def storage_zone(self, name: str) -> int:
        """The id of the storage zone of that name. Raises `NotFoundError` when there is none."""
        query = {"page": "1", "perPage": str(_PAGE), "search": name}
        body = self._ask("GET", "storagezone", "the list of storage zones", query)
        bare = body.lstrip().startswith(b"[")
        zones = _decode(body, list[_Zone]) if bare else _decode(body, _Zones).items
        for zone in zones:
            if zone.name == name:
                return zone.id
        raise NotFoundError(f"{name}: this account has no such storage zone; check `storage_zone`")

    def once(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        """One request about settings, sent once. Raises what `BORDER` knows the meaning of."""
        return self._send(Kind.SETTINGS, method, path, {}, body)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _ask(
        self, method: str, path: str, what: str, query: dict[str, str], attempts: int = ATTEMPTS
    ) -> bytes:
        kind = Kind.PURGE if method == "POST" else Kind.SETTINGS

        def step() -> bytes:
            return self._send(kind, method, path, query)

        return BORDER.persist(step, f"{what} at {self._endpoint}", attempts=attempts)

    def _send(
        self,
        kind: Kind,
        method: str,
        path: str,
        query: dict[str, str],
        body: dict[str, Any] | None = None,
    ) -> bytes:
        url = f"{self._endpoint}/{path}"
        with self._traffic.request(kind) as turn:
            answer = self._http.request(
                method, url, params=query, json=body, timeout=QUICK, allow_redirects=False
            )
            turn.crowded = answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
        if answer.status_code not in (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT):
            raise _refusal(answer)
        return answer.content


class Refusal(Exception):
    """An answer of the Core API that is none to what was asked: its status, the key of its error,
    and what `Retry-After` says."""

    def __init__(self, status: int, key: str, after: str) -> None:
        super().__init__(f"{status} {key}")
        self.status = status
        self.key = key
        self.after = after


_NOT_YOURS: Final = (
    "`api_key` is not the account's API key (the password of a storage zone is another one), or "
    "the id is a storage zone's and not a pull zone's; check both"
)


def _meaning(problem: Exception) -> Row:
    if not isinstance(problem, Refusal):
        return bunny_errors.meaning(problem)
    status = problem.status
    told = " ".join(filter(None, (str(status), shown(problem.key))))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return UnavailableError, "refused (429), too much at once for this account; try again later"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return BUSY
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return AccessError, f"refused ({status}): {_NOT_YOURS}"
    return NotFoundError if status == HTTPStatus.NOT_FOUND else StoreError, refused(told)[1]


def _asked(problem: Exception) -> float:
    """The seconds that `Retry-After` asks for; Bunny promises guidance without naming its form."""
    return seconds_in(problem.after) if isinstance(problem, Refusal) else 0.0


BORDER: Final = Border((Refusal, requests.RequestException), _meaning, _asked)


def _refusal(answer: requests.Response) -> Refusal:
    try:
        key = msgspec.json.decode(answer.content, type=_Problem).error_key
    except (msgspec.MsgspecError, UnicodeError):
        key = ""
    return Refusal(answer.status_code, key, answer.headers.get("Retry-After", ""))


def _decode(body: bytes, kind: type[Told]) -> Told:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeError):
        raise StoreError(f"{CORE}: the answer is not Bunny's; check proxies") from None
