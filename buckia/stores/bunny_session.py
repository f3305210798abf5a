"""One storage zone's connections: where it is, who asks, how much at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

import msgspec
import requests

from buckia.errors import AccessError, ConfigError, StoreError
from buckia.stores.bunny_errors import BadAnswer, Doing
from buckia.stores.http_session import Network
from buckia.stores.network import QUICK, SLOW, SPARE
from buckia.stores.rate import UNLIMITED, Rates
from buckia.stores.traffic import Share, Traffic
from buckia.stores.usage import Kind

HOSTS: Final = {
    "DE": "storage.bunnycdn.com",
    "UK": "uk.storage.bunnycdn.com",
    "NY": "ny.storage.bunnycdn.com",
    "LA": "la.storage.bunnycdn.com",
    "SG": "sg.storage.bunnycdn.com",
    "SE": "se.storage.bunnycdn.com",
    "BR": "br.storage.bunnycdn.com",
    "JH": "jh.storage.bunnycdn.com",
    "SYD": "syd.storage.bunnycdn.com",
}
"""The host of each primary region (Bunny, "Edge Storage: HTTP API")."""

LISTINGS, DELETIONS, TRANSFERS = 4, 16, 32
"""Most requests of a class at once. Bunny's limits are 5 listings, 30 deletions and 100 connections
(Bunny, "Edge Storage: limits"); other clients of the zone want some too."""

_SENT: Final = {"Accept-Encoding": "identity", "User-Agent": "buckia"}
"""On every request. Content must come as it is stored, and a `Referer` is refused."""

_HOSTILE: Final = ("", ".", "..")
"""Segments that would make the path another one."""

_LONGEST: Final = 6000
"""Characters a path may have (Bunny, "Edge Storage: limits")."""


@dataclass(frozen=True)
class BunnyOptions:
    """Where a storage zone is and how to talk to it.

    zone         the storage zone
    password     its password, which Bunny calls AccessKey; not the account's key
    endpoint     host or URL of its primary region; None: the host of `region`
    region       a code of `HOSTS` in any case
    pull_zone    what serves the zone to the public: its name, or a host name or URL of its own
    account_key  the account's API key, which purging needs; never sent to the storage API
    token_key    the pull zone's security key, which signs URLs; never sent anywhere
    prefix       keys are below it in the zone and above it everywhere else
    workers      threads that use the store
    rates        how fast it may go
    """

    zone: str
    password: str = field(repr=False)
    endpoint: str | None = None
    region: str = "DE"
    pull_zone: str | None = None
    account_key: str | None = field(default=None, repr=False)
    token_key: str | None = field(default=None, repr=False)
    prefix: str = ""
    workers: int = 8
    rates: Rates = UNLIMITED

    @property
    def secrets(self) -> tuple[str, ...]:
        """All three keys that are given."""
        return tuple(filter(None, (self.password, self.account_key, self.token_key)))


class BunnySession:
    """The connections of one zone. Making it asks nothing. Safe for many threads.

    `describes` turns False when something on the way does not let the method DESCRIBE through.
    """

    def __init__(self, options: BunnyOptions) -> None:
        if not options.password:
            raise AccessError(f"bunny://{options.zone}: no password; set `storage_api_key`")
        self.url = f"bunny://{options.zone}"
        self.endpoint = _endpoint(options)
        self.describes = True
        self._zone = options.zone
        self.traffic = Traffic(_shares(options.workers), tariff="bunny", rates=options.rates)
        self._http = pooled(options.workers + SPARE, {"AccessKey": options.password})

    def file_url(self, path: str) -> str:
        """The address of a file. Raises `StoreError` for what would mean another."""
        return f"{self.endpoint}/{_coded([self._zone, *path.split('/')])}"

    def folder_url(self, path: str) -> str:
        """The address of a folder's listing; `path` is empty or ends in `/`, and so does it."""
        parents = path.split("/")[:-1]
        return f"{self.endpoint}/{_coded([self._zone, *parents])}/"

    def ask(
        self,
        doing: Doing,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> requests.Response:
        """One request, sent once, when the budget of its class has room.

        What Doing.GET brings is left to be read, and to be closed by the caller. Redirects are not
        followed: the password would go with them. Raises `BadAnswer` or what requests raises.
        """
        size = len(body) if isinstance(body, Sized) else 0
        with self.traffic.request(doing.kind, size) as turn:
            answer = self._http.request(
                doing.method,
                url,
                headers=headers,
                data=body,
                stream=doing is Doing.GET,
                timeout=SLOW if doing is Doing.PUT else QUICK,
                allow_redirects=False,
            )
            turn.crowded = answer.status_code in doing.crowded
        if not HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
            with answer:
                raise BadAnswer(
                    doing,
                    answer.status_code,
                    genuine=_is_genuine(answer),
                    after=answer.headers.get("Retry-After", ""),
                )
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _shares(workers: int) -> tuple[Share, ...]:
    others = frozenset(Kind) - {Kind.LIST, Kind.DELETE}
    return (
        Share(frozenset({Kind.LIST}), LISTINGS),
        Share(frozenset({Kind.DELETE}), DELETIONS),
        Share(others, min(TRANSFERS, workers)),
    )


def pooled(size: int, headers: Mapping[str, str]) -> Network:
    """A session for one of Bunny's services."""
    return Network(size, {**_SENT, **headers})


def reject(path: str) -> str | None:
    """Why Bunny holds no file of this name, or None.

    Backslashes and control characters are refused because nobody has shown that they are kept.
    """
    if not path.isascii() and _is_broken(path):
        return "is not valid UTF-8"
    if len(path) > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    if is_hostile(path):
        return "holds an empty segment, `.` or `..`"
    if any(part != part.strip(" ") for part in path.split("/")):
        return "holds a segment that begins or ends in a space"
    if any(char in "\\\x7f" or char < " " for char in path):
        return "holds a backslash or a control character"
    return None


def is_hostile(path: str) -> bool:
    """Whether a path would be taken for another one on its way, such as one with `..`."""
    return any(part in _HOSTILE for part in path.split("/"))


def _is_broken(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return True
    return False


def _coded(parts: list[str]) -> str:
    if any(part in _HOSTILE for part in parts) or sum(map(len, parts)) > _LONGEST:
        raise StoreError(
            "a path that the storage API would take for another one; nothing was sent; rename it"
        )
    return "/".join(quote(part, safe="", errors="surrogateescape") for part in parts)


def _endpoint(options: BunnyOptions) -> str:
    given = options.endpoint or HOSTS.get(options.region.upper())
    if given is None:
        raise ConfigError(
            f"{options.region}: no storage region of Bunny; choose one of {', '.join(HOSTS)}"
        )
    return (given if "://" in given else f"https://{given}").rstrip("/")


def _is_genuine(answer: requests.Response) -> bool:
    """Whether an error has Bunny's form: JSON, or nothing at all."""
    if not answer.content:
        return True
    try:
        return isinstance(msgspec.json.decode(answer.content), dict)
    except msgspec.MsgspecError:
        return False
