"""The border between b2sdk's errors and buckia's: one table, one translation, one way to try again.

Rows are named by b2sdk's exception classes, of which it does not export all; the nearest class
counts. Those in lower case are codes of the native API ("Calling the API"), and ours for failures
without an answer.
"""

from __future__ import annotations

import random
import re
import time
import warnings
from collections.abc import Callable
from json import JSONDecodeError
from typing import Final, TypeVar

from b2sdk.v3.exception import B2Error, BadRequest, UnknownError  # type: ignore[import-untyped]

from buckia.errors import (
    AccessError,
    IntegrityError,
    NotFoundError,
    StoreError,
    UnavailableError,
)
from buckia.stores import retry

Result = TypeVar("Result")

ATTEMPTS: Final = 5
"""How often a request is sent before its failure counts; Backblaze asks for as many upload URLs."""

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 30.0
"""Seconds before the second and before any later attempt, doubled in between, with jitter. What a
`Retry-After` asks for counts up to the longest: the service has been seen to ask for hours."""

FAILURES: Final = (B2Error, JSONDecodeError, UnicodeDecodeError, KeyError)
"""Everything that b2sdk raises for a request that failed or an answer that is none."""

# b2sdk warns about a code it does not know and then raises it all the same.
warnings.filterwarnings("ignore", message="bad request exception with an unknown `code`")


class NoBucketError(NotFoundError):
    """The bucket itself is missing, which no absence of an object may be taken for."""


class Unanswered(B2Error):  # type: ignore[misc]
    """No answer, or "not now". b2sdk does not repeat what raises this: `persist` does.

    `why` is a row of the table, `wait` the seconds the service asks to wait.
    """

    def __init__(self, why: str, wait: float = 0) -> None:
        super().__init__(why)
        self.why = why
        self.wait = wait


_Row = tuple[type[StoreError], str]

_RIGHTS: _Row = (AccessError, "access denied; check the application key and what it is limited to")
_BUSY: _Row = (UnavailableError, "the service is busy or failing; try again later")
_LINE: _Row = (UnavailableError, "no connection; check `domain` and the network")
_LATE: _Row = (UnavailableError, "no answer in time; check the network")
_MANGLED: _Row = (IntegrityError, "the bytes changed on the way; apply again, look for a proxy")
_FOREIGN: _Row = (StoreError, "the answer is not B2's; check `domain`")
_CAP: _Row = (StoreError, "a cap of the account is reached; raise it at Backblaze, Caps & Alerts")

ROWS: Final[dict[str, _Row]] = {
    "FileOrBucketNotFound": (NotFoundError, "the object is gone; plan again"),
    "ResourceNotFound": (NotFoundError, "there is no such thing; check `bucket_name` and `domain`"),
    "FileAlreadyHidden": (NotFoundError, "the object is hidden already"),
    "NonExistentBucket": (NoBucketError, "there is no such bucket; check `bucket_name`"),
    "BucketIdNotFound": (NoBucketError, "the bucket is gone; check `bucket_name`"),
    "RestrictedBucket": (AccessError, "the application key is limited to other buckets"),
    "Unauthorized": _RIGHTS,
    "InvalidAuthToken": (
        AccessError,
        "the service does not accept the application key; check `api_key` and `password`",
    ),
    "email_not_verified": (AccessError, "the email address of the account is not verified yet"),
    "no_payment_history": (AccessError, "the account needs a payment before it may do this"),
    "AccessDenied": _RIGHTS,
    "NotAllowedByAppKeyError": _RIGHTS,
    "CapExceeded": _CAP,
    "StorageCapExceeded": (
        StoreError,
        "the storage cap of the account is reached; raise it at Backblaze, Caps & Alerts",
    ),
    "TransactionCapExceeded": (
        StoreError,
        "the daily transaction cap of the account is reached; raise it at Backblaze, Caps & Alerts",
    ),
    "FileSha1Mismatch": _MANGLED,
    "PartSha1Mismatch": _MANGLED,
    "ChecksumMismatch": _MANGLED,
    "TruncatedOutput": _MANGLED,
    "Conflict": (UnavailableError, "another change is under way; try again"),
    "TransientErrorMixin": _BUSY,
    "TooManyRequests": _BUSY,
    "UploadTokenUsedConcurrently": _BUSY,
    "BadUploadUrl": _BUSY,
    "BrokenPipe": _LINE,
    "ConnectionReset": _LINE,
    "B2ConnectionError": _LINE,
    "UnknownHost": _LINE,
    "B2RequestTimeout": _LATE,
    "UnusableFileName": (StoreError, "B2 cannot hold this name; rename the file"),
    "InvalidJsonResponse": _FOREIGN,
    "ValueError": _FOREIGN,
    "KeyError": _FOREIGN,
    "busy": _BUSY,
    "no connection": _LINE,
    "timeout": _LATE,
    "certificate": (StoreError, "the certificate of the service is not trusted"),
}


def translate(problem: Exception, place: str) -> StoreError:
    """The error a person gets, naming `place`.

    Of the problem's own text only what the service says of a bad request is passed on.
    """
    if isinstance(problem, StoreError):
        return problem
    kind, words = _row(problem)
    return kind(f"{place}: {words}")


def _row(problem: Exception) -> _Row:
    if isinstance(problem, Unanswered):
        return ROWS[problem.why]
    if isinstance(problem, BadRequest):
        return _judge_refusal(str(problem.message), str(problem.code))
    if isinstance(problem, UnknownError):
        status, code = re.match(r"(?:(\d{3}) )?(\w*)", str(problem.args[0])).groups()  # type: ignore[union-attr]
        return _CAP if "cap_exceeded" in code else (StoreError, f"refused ({status} {code})")
    causes = getattr(problem, "exception_info_list", None)
    if causes:  # MaxRetriesExceeded: what failed is inside
        return _row(causes[-1])
    names = (kind.__name__ for kind in type(problem).__mro__)
    for name in (getattr(problem, "code", None), *names):
        if row := ROWS.get(str(name)):
            return row
    return StoreError, f"refused ({type(problem).__name__})"


def _judge_refusal(message: str, code: str) -> _Row:
    """A bad request. A wrong SHA-1 has no code of its own, only words."""
    if re.search(r"checksum|sha-?1", message, re.I):
        return _MANGLED
    return StoreError, f"refused: {shown(message)[:200]} ({shown(code)})"


def shown(key: str) -> str:
    """A key as one line that every terminal can print."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in key)


def persist(
    step: Callable[[], Result],
    place: str,
    *,
    recognise: Callable[[], Result | None] = lambda: None,
) -> Result:
    """Call `step` until it succeeds, with growing pauses while the service is unavailable.

    An attempt whose answer was lost may have worked, and then the next one is refused because of
    our own write. So when a later attempt is refused, `recognise` looks whether what is there is
    ours: a result other than None is the result.
    """
    for number in range(ATTEMPTS):
        try:
            return step()
        except (*FAILURES, StoreError) as problem:
            error = translate(problem, place)
            if number and not isinstance(error, UnavailableError | AccessError):
                own = recognise()
                if own is not None:
                    return own
            tired = error is problem or number + 1 == ATTEMPTS  # a buckia error was tried before
            if tired or not isinstance(error, UnavailableError):
                raise error from None
            asked = getattr(problem, "wait", 0)
        pause = max(asked, random.uniform(0.5, 1) * _FIRST_WAIT * 2**number)  # noqa: S311
        time.sleep(min(pause, _LONGEST_WAIT))
        retry.repeating()
    raise AssertionError  # the last attempt returns or raises
