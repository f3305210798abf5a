"""Find out what a service really does with conditions, by trying them on scratch objects.

Documentation, release notes and servers disagree; a condition that is ignored looks like success.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import Final

from msgspec import Struct

from buckia.errors import (
    AccessError,
    NotFoundError,
    PreconditionError,
    StoreError,
    UnavailableError,
)

SCRATCH: Final = ".buckia/probe/"
"""Where scratch objects live for a moment."""

ABSENT: Final = ""
"""The condition that there is no object; any other text is the version that must be there."""

Put = Callable[[str, bytes, str | None], str]
"""Write bytes to a key under a condition (None: whatever is there), without looking first; the
new version."""

Delete = Callable[[str, str | None], None]
"""Delete a key under a condition, without looking first."""


class Verdict(StrEnum):
    """What a service does with one kind of condition."""

    ENFORCED = "enforced"
    IGNORED = "ignored"
    INVERTED = "inverted"
    REFUSED = "refused"


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
            create=_judge(lambda: put(new, b"1", ABSENT), lambda: put(old, b"2", ABSENT)),
            replace=_judge(
                lambda: put(one, b"2", version[one]),
                lambda: put(other, b"2", wrong),
                lambda: put(missing, b"2", wrong),
            ),
            delete=_judge(lambda: delete(new, put(new, b"3", None)), lambda: delete(old, wrong)),
        )
    finally:
        for key in keys:
            with suppress(NotFoundError):
                delete(key, None)


def _judge(right: Callable[[], object], *wrongs: Callable[[], object]) -> Verdict:
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
