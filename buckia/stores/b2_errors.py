"""The border between b2sdk's errors and buckia's: one table, one translation.

Rows are named by b2sdk's exception classes, of which it does not export all; the nearest class
counts. Those in lower case are codes of the native API ("Calling the API"), and ours for failures
without an answer.
"""

from __future__ import annotations

import re
import warnings
from json import JSONDecodeError
from typing import Final

from b2sdk.v3.exception import B2Error, BadRequest, UnknownError  # type: ignore[import-untyped]

from buckia.errors import AccessError, NotFoundError, StoreError, UnavailableError
from buckia.stores.border import (
    BUSY,
    GONE,
    LATE,
    MANGLED,
    UNTRUSTED,
    Border,
    NoBucketError,
    Row,
    refused,
)
from buckia.stores.border import shown as shown

FAILURES: Final = (B2Error, JSONDecodeError, UnicodeDecodeError, KeyError)
"""Everything that b2sdk raises for a request that failed or an answer that is none."""

# b2sdk warns about a code it does not know and then raises it all the same.
warnings.filterwarnings("ignore", message="bad request exception with an unknown `code`")


class Unanswered(B2Error):  # type: ignore[misc]
    """No answer, or "not now". b2sdk does not repeat what raises this: `persist` does.

    `why` is a row of the table, `wait` the seconds the service asks to wait.
    """

    def __init__(self, why: str, wait: float = 0) -> None:
        super().__init__(why)
        self.why = why
        self.wait = wait


_RIGHTS: Row = (AccessError, "access denied; check the application key and what it is limited to")
_LINE: Row = (UnavailableError, "no connection; check `domain` and the network")
_FOREIGN: Row = (StoreError, "the answer is not B2's; check `domain`")
_CAP: Row = (StoreError, "a cap of the account is reached; raise it at Backblaze, Caps & Alerts")

ROWS: Final[dict[str, Row]] = {
    "FileOrBucketNotFound": GONE,
    "ResourceNotFound": (NotFoundError, "there is no such thing; check `bucket_name` and `domain`"),
    "FileAlreadyHidden": (NotFoundError, "the object is hidden already; plan again"),
    "NonExistentBucket": (NoBucketError, "there is no such bucket; check `bucket_name`"),
    "BucketIdNotFound": (NoBucketError, "the bucket is gone; check `bucket_name`"),
    "RestrictedBucket": (
        AccessError,
        "the application key is limited to other buckets; make one for this bucket",
    ),
    "Unauthorized": _RIGHTS,
    "InvalidAuthToken": (
        AccessError,
        "the service does not accept the application key; check `api_key` and `password`",
    ),
    "email_not_verified": (
        AccessError,
        "the email address of the account is not verified yet; verify it at Backblaze",
    ),
    "no_payment_history": (
        AccessError,
        "the account needs a payment before it may do this; pay at Backblaze, Billing",
    ),
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
    "FileSha1Mismatch": MANGLED,
    "PartSha1Mismatch": MANGLED,
    "ChecksumMismatch": MANGLED,
    "TruncatedOutput": MANGLED,
    "Conflict": (UnavailableError, "another change is under way; try again"),
    "TransientErrorMixin": BUSY,
    "TooManyRequests": BUSY,
    "UploadTokenUsedConcurrently": BUSY,
    "BadUploadUrl": BUSY,
    "BrokenPipe": _LINE,
    "ConnectionReset": _LINE,
    "B2ConnectionError": _LINE,
    "UnknownHost": _LINE,
    "B2RequestTimeout": LATE,
    "UnusableFileName": (StoreError, "B2 cannot hold this name; rename the file"),
    "InvalidJsonResponse": _FOREIGN,
    "ValueError": _FOREIGN,
    "KeyError": _FOREIGN,
    "busy": BUSY,
    "no connection": _LINE,
    "timeout": LATE,
    "certificate": UNTRUSTED,
}


def _meaning(problem: Exception) -> Row:
    """Of the problem's own text only what the service says of a bad request is passed on."""
    if isinstance(problem, Unanswered):
        return ROWS[problem.why]
    if isinstance(problem, BadRequest):
        return _judge_refusal(str(problem.message), str(problem.code))
    if isinstance(problem, UnknownError):
        status, code = re.match(r"(?:(\d{3}) )?(\w*)", str(problem.args[0])).groups()  # type: ignore[union-attr]
        return _CAP if "cap_exceeded" in code else refused(f"{status} {code}")
    causes = getattr(problem, "exception_info_list", None)
    if causes:  # MaxRetriesExceeded: what failed is inside
        return _meaning(causes[-1])
    names = (kind.__name__ for kind in type(problem).__mro__)
    for name in (getattr(problem, "code", None), *names):
        if row := ROWS.get(str(name)):
            return row
    return refused(type(problem).__name__)


def _judge_refusal(message: str, code: str) -> Row:
    """A bad request. A wrong SHA-1 has no code of its own, only words."""
    if re.search(r"checksum|sha-?1", message, re.I):
        return MANGLED
    return refused(f"{shown(code)}: {shown(message)[:200]}")


def _asked(problem: Exception) -> float:
    """The seconds that `Retry-After` asks for."""
    return problem.wait if isinstance(problem, Unanswered) else 0.0


BORDER: Final = Border(FAILURES, _meaning, _asked)
translate, persist = BORDER.translate, BORDER.persist
