"""The border between Bunny's answers and buckia's errors: one table, one translation.

Statuses are those of Bunny's storage documentation and of what its users report. The same number
means different things for different operations: a 400 is "too many at once" for a listing or a
deletion, and "not the bytes of the checksum" for an upload.
"""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from typing import Final

import requests

from buckia.errors import (
    AccessError,
    PreconditionError,
    StoreError,
    UnavailableError,
)
from buckia.stores.border import BUSY, GONE, LATE, UNTRUSTED, Border, MangledError, Row, refused
from buckia.stores.border import shown as shown
from buckia.stores.retry import seconds_in
from buckia.stores.usage import Kind


class Doing(Enum):
    """The operations of the storage API, by their HTTP methods."""

    LIST = "list"
    DESCRIBE = "DESCRIBE"
    GET = "GET"
    PUT = "PUT"
    DELETE = "DELETE"

    @property
    def method(self) -> str:
        """The HTTP method. Never HEAD: Bunny answers it with 401, whatever the password."""
        return "GET" if self is Doing.LIST else self.value

    @property
    def kind(self) -> Kind:
        """The class of requests that it is."""
        return _KINDS[self.value]

    @property
    def crowded(self) -> frozenset[int]:
        """The statuses that say "too many at once"."""
        return _CROWDED | {400} if self in (Doing.LIST, Doing.DELETE) else _CROWDED


_CROWDED: Final = frozenset({429, 503})

_KINDS: Final = {
    "list": Kind.LIST,
    "DESCRIBE": Kind.LOOK,
    "GET": Kind.READ,
    "PUT": Kind.WRITE,
    "DELETE": Kind.DELETE,
}


class BadAnswer(Exception):
    """An HTTP answer that is not what was asked for.

    `genuine` is False when its form shows that somebody else gave it, such as a proxy; `after` is
    what `Retry-After` says.
    """

    def __init__(self, doing: Doing, status: int, *, genuine: bool = True, after: str = "") -> None:
        super().__init__(f"{doing.name} {status}")
        self.doing = doing
        self.status = status
        self.genuine = genuine
        self.after = after

    @property
    def is_absence(self) -> bool:
        """Whether Bunny says that there is no such file or folder."""
        return self.status == HTTPStatus.NOT_FOUND and self.genuine


FAILURES: Final = (BadAnswer, requests.RequestException)
"""Everything a request that failed raises."""

_REFUSED: Final[Row] = (
    AccessError,
    "refused (401); check each of these reasons: `storage_api_key` is not the password of this "
    "storage zone (the account's key is another one, the read-only password cannot write), "
    "`storage_zone` is misspelt, `region` or `domain` is not the zone's primary region, the "
    "account is suspended, or a proxy changes the body",
)
_MANGLED: Final[Row] = (
    MangledError,
    "refused (400): the bytes changed on the way, or Bunny keeps no such name; look for a proxy",
)
_CROWD: Final[Row] = (
    UnavailableError,
    "refused (400), which means too many listings or deletions at once (Bunny takes 5 and 30), "
    "those of other clients included; try again later",
)
_STRANGER: Final[Row] = (StoreError, "the answer is not Bunny's; check `domain` and proxies")

_ROWS: Final[dict[int, Row]] = {
    401: _REFUSED,
    403: (AccessError, "refused (403); check proxies, and whether the account is suspended"),
    404: GONE,
    408: BUSY,
    413: (StoreError, "the object is too large for this service; exclude it"),
    416: (PreconditionError, "the object became shorter while it was read; plan again"),
    429: (
        UnavailableError,
        "refused (429), too many connections from this address or to this zone (Bunny takes 100 "
        "and 250); try again later",
    ),
}

_SYMPTOMS: Final[tuple[tuple[type[Exception], Row], ...]] = (
    (requests.exceptions.SSLError, UNTRUSTED),
    (requests.Timeout, LATE),
    (ValueError, (StoreError, "not the host or URL of a service; check `domain`")),
    (
        requests.RequestException,
        (UnavailableError, "no connection; check `region` or `domain`, and the network"),
    ),
)
"""What an exception without an answer means, the narrower classes first."""


def meaning(problem: Exception) -> Row:
    """What a failure means."""
    if not isinstance(problem, BadAnswer):
        return next(row for kind, row in _SYMPTOMS if isinstance(problem, kind))
    status, doing = problem.status, problem.doing
    if status == HTTPStatus.BAD_REQUEST and doing is Doing.PUT:
        return _MANGLED
    if status == HTTPStatus.BAD_REQUEST and status in doing.crowded:
        return _CROWD
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _ROWS[status]
    if status in doing.crowded or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return BUSY
    if not problem.genuine or HTTPStatus.OK <= status < HTTPStatus.BAD_REQUEST:
        return _STRANGER
    return _ROWS.get(status, refused(str(status)))


def _asked(problem: Exception) -> float:
    """The seconds that `Retry-After` asks for; Bunny's documentation promises none."""
    return seconds_in(problem.after) if isinstance(problem, BadAnswer) else 0.0


BORDER: Final = Border(FAILURES, meaning, _asked)
translate, persist = BORDER.translate, BORDER.persist
