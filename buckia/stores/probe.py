"""Find out what a service really does with conditions, by trying them on scratch objects.

Documentation, release notes and servers disagree; a condition that is ignored looks like success.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from itertools import chain
from typing import Final

from msgspec import Struct

from buckia.errors import (
    AccessError,
    NotFoundError,
    PreconditionError,
    StoreError,
    UnavailableError,
)
from buckia.pool import each

SCRATCH: Final = ".buckia/probe/"
"""Where scratch objects live for a moment."""

ABSENT: Final = ""
"""The condition that there is no object; any other text is the version that must be there."""

_WRITERS: Final = 8
_TURNS: Final = 3
"""How many write at once in a contest, and how often it is held."""

Put = Callable[[str, bytes, str | None], str]
"""Write bytes to a key under a condition (None: whatever is there), without looking first; the
new version."""

Delete = Callable[[str, str | None], None]
"""Delete a key under a condition, without looking first."""


class Verdict(StrEnum):
    """What a service does with one kind of condition.

    ENFORCED  it holds each request to it
    IGNORED   it goes on whether the condition holds or not
    INVERTED  it goes on only where the condition does not hold
    REFUSED   it takes no request that has one
    RACY      it keeps its word to one writer and breaks it to several at once
    """

    ENFORCED = "enforced"
    IGNORED = "ignored"
    INVERTED = "inverted"
    REFUSED = "refused"
    RACY = "racy"


class Proof(Struct, frozen=True):
    """The verdicts on creating, replacing and deleting."""

    create: Verdict
    replace: Verdict
    delete: Verdict


def probe(put: Put, delete: Delete, *, wrong: str, scratch: str = SCRATCH) -> Proof:
    """Try every condition where it must hold and where it must fail, each on its own object.

    `wrong` is a version no object has. About fifteen requests; leaves nothing behind. Raises
    `StoreError` where the bucket cannot be written at all.
    """
    name = f"{scratch}{secrets.token_hex(8)}"
    new, old, missing, one, other = keys = [f"{name}-{number}" for number in range(5)]
    try:
        version = {key: put(key, b"1", None) for key in (old, one, other)}
        return Proof(
            create=judge(lambda: put(new, b"1", ABSENT), lambda: put(old, b"2", ABSENT)),
            replace=judge(
                lambda: put(one, b"2", version[one]),
                lambda: put(other, b"2", wrong),
                lambda: put(missing, b"2", wrong),
            ),
            delete=judge(lambda: delete(new, put(new, b"3", None)), lambda: delete(old, wrong)),
        )
    finally:
        for key in keys:
            with suppress(NotFoundError):
                delete(key, None)


def contest(put: Put, delete: Delete, scratch: str, *, creating: bool) -> Verdict:
    """Whether several writers at once are held to one condition, which is enforced for one writer.

    Each of them asks that the object is absent, or still the same version; one may win. A service
    that settles a race by asking to try again is right, too.
    """
    for turn in range(_TURNS):
        key = f"{scratch}contest-{turn}"
        condition = ABSENT if creating else put(key, b"0", None)

        def enter(number: int, key: str = key, condition: str = condition) -> bool:
            try:
                put(key, b"%d" % number, condition)
            except (PreconditionError, NotFoundError, UnavailableError):
                return False
            return True

        try:
            batches = each(enter, range(1, _WRITERS + 1), workers=_WRITERS, name="contest")
            if sum(chain.from_iterable(batches)) > 1:
                return Verdict.RACY
        finally:
            with suppress(NotFoundError):
                delete(key, None)
    return Verdict.ENFORCED


def judge(right: Callable[[], object], *wrongs: Callable[[], object]) -> Verdict:
    """The verdict from one request that must succeed and others that must not."""
    try:
        right()
    except (PreconditionError, NotFoundError):
        return Verdict.INVERTED
    except (AccessError, UnavailableError):
        raise
    except StoreError:
        return Verdict.REFUSED
    return Verdict.ENFORCED if all(map(_is_refused, wrongs)) else Verdict.IGNORED


def _is_refused(request: Callable[[], object]) -> bool:
    try:
        request()
    except (PreconditionError, NotFoundError):
        return True
    return False
