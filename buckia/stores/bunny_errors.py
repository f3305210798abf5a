"""The border between Bunny's answers and buckia's errors: one table, one way to try again.

Statuses are those of Bunny's storage documentation and of what its users report. The same number
means different things for different operations: a 400 is "too many at once" for a listing or a
deletion, and "not the bytes of the checksum" for an upload.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from enum import Enum
from http import HTTPStatus
from itertools import count
from typing import Final, TypeVar

import requests

from buckia.errors import (
    AccessError,
    IntegrityError,
    NotFoundError,
    PreconditionError,
    StoreError,
    UnavailableError,
)
from buckia.stores import retry
from buckia.stores.usage import Kind

Result = TypeVar("Result")

ATTEMPTS: Final = 5
"""How often a request is sent before its failure counts."""

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 10.0
"""Seconds before the second and before any later attempt, doubled in between, with jitter. Bunny
sends no `Retry-After`."""


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

    `genuine` is False when its form shows that somebody else gave it, such as a proxy.
    """

    def __init__(self, doing: Doing, status: int, *, genuine: bool = True) -> None:
        super().__init__(f"{doing.name} {status}")
        self.doing = doing
        self.status = status
        self.genuine = genuine

    @property
    def is_absence(self) -> bool:
        """Whether Bunny says that there is no such file or folder."""
        return self.status == HTTPStatus.NOT_FOUND and self.genuine


class MangledError(IntegrityError):
    """Bytes that left this machine as announced and did not arrive as such."""


FAILURES: Final = (BadAnswer, requests.RequestException)
"""Everything a request that failed raises."""

_Row = tuple[type[StoreError], str]

_REFUSED: Final[_Row] = (
    AccessError,
    "refused (401), for one of these reasons: `storage_api_key` is not the password of this "
    "storage zone (the account's key is another one, the read-only password cannot write), "
    "`storage_zone` is misspelt, `region` or `domain` is not the zone's primary region, the "
    "account is suspended, or a proxy changes the body",
)
_MANGLED: Final[_Row] = (
    MangledError,
    "refused (400): the bytes changed on the way, or Bunny keeps no such name; look for a proxy",
)
_BUSY: Final[_Row] = (UnavailableError, "the service is busy or failing; try again later")
_STRANGER: Final[_Row] = (StoreError, "the answer is not Bunny's; check `domain` and proxies")

_ROWS: Final[dict[int, _Row]] = {
    401: _REFUSED,
    403: (AccessError, "refused (403); check proxies, and whether the account is suspended"),
    404: (NotFoundError, "the object is gone; plan again"),
    408: _BUSY,
    413: (StoreError, "the object is too large for this service"),
    416: (PreconditionError, "the object became shorter while it was read; plan again"),
    429: _BUSY,
}

_SYMPTOMS: Final[tuple[tuple[type[Exception], _Row], ...]] = (
    (requests.exceptions.SSLError, (StoreError, "the certificate of the service is not trusted")),
    (requests.Timeout, (UnavailableError, "no answer in time; check the network")),
    (ValueError, (StoreError, "not the host or URL of a service; check `domain`")),
    (
        requests.RequestException,
        (UnavailableError, "no connection; check `region` or `domain`, and the network"),
    ),
)
"""What an exception without an answer means, the narrower classes first."""


def translate(problem: Exception, place: str) -> StoreError:
    """The error a person gets, naming `place`. Never the text of the problem: it may hold URLs."""
    if isinstance(problem, StoreError):
        return problem
    error, why = _row(problem)
    return error(f"{place}: {why}")


def _row(problem: Exception) -> _Row:
    if not isinstance(problem, BadAnswer):
        return next(row for kind, row in _SYMPTOMS if isinstance(problem, kind))
    status, doing = problem.status, problem.doing
    if status == HTTPStatus.BAD_REQUEST and doing is Doing.PUT:
        return _MANGLED
    if status in doing.crowded or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _BUSY
    if not problem.genuine or HTTPStatus.OK <= status < HTTPStatus.BAD_REQUEST:
        return _STRANGER
    return _ROWS.get(status, (StoreError, f"refused ({status})"))


def shown(key: str) -> str:
    """A key as one line that every terminal can print."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in key)


def persist(step: Callable[[int], Result], place: str, *, attempts: int = ATTEMPTS) -> Result:
    """Call `step` with the number of the attempt, from 0, until it succeeds; with growing pauses.

    It is tried again while the service is unavailable, and once after bytes were mangled.
    """
    again: dict[type[StoreError], int] = {UnavailableError: attempts, MangledError: 2}
    for number in count():
        try:
            return step(number)
        except (*FAILURES, StoreError) as problem:
            error = translate(problem, place)
            if number + 1 >= again.get(type(error), 1):
                raise error from None
        pause(number)
    raise AssertionError  # counting does not end


def pause(number: int) -> None:
    """Wait after the attempt of that number, from 0."""
    retry.repeating()
    time.sleep(random.uniform(0.5, 1) * min(_FIRST_WAIT * 2**number, _LONGEST_WAIT))  # noqa: S311
