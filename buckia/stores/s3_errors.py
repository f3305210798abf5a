"""The border between S3's errors and buckia's: one table, one translation, one way to try again.

Codes are those of the Amazon S3 API reference, "Error responses", and of the services that copy
it; those in lower case are ours, for failures without an answer.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, TypeVar

import requests
from boto3.exceptions import Boto3Error
from botocore import exceptions as boto
from obstore.exceptions import BaseError

from buckia.errors import (
    AccessError,
    IntegrityError,
    NotFoundError,
    PreconditionError,
    StoreError,
    UnavailableError,
)
from buckia.stores import retry

Result = TypeVar("Result")

ATTEMPTS: Final = 5
"""How often a request is sent before its failure counts."""

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 10.0
"""Seconds before the second and before any later attempt, doubled in between, with jitter."""

_PATIENCE: Final = 60.0
"""Seconds that a service may ask to be left alone; one that asks for more has failed."""


class BadAnswer(Exception):
    """An HTTP answer that is not what was asked for: status, and where it has them the S3 code and
    what `Retry-After` says."""

    def __init__(self, status: int, code: str = "", after: str = "") -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.after = after


class NoBucketError(NotFoundError):
    """The bucket itself is missing, which no absence of an object may be taken for."""


FAILURES: Final = (
    BadAnswer,
    BaseError,
    FileNotFoundError,  # what obstore raises for 404
    Boto3Error,
    boto.BotoCoreError,
    boto.ClientError,
    requests.RequestException,
)
"""Everything the three libraries raise for a request that failed."""

_Row = tuple[type[StoreError], str]

_REGION: _Row = (StoreError, "the bucket is in another region; set `region` or `domain`")
_RIGHTS: _Row = (AccessError, "access denied; check the key and the rights it has on this bucket")
_TOKEN: _Row = (AccessError, "the session has expired; sign in again")
_MANGLED: _Row = (IntegrityError, "the bytes changed on the way; apply again, look for a proxy")
_RACE: _Row = (UnavailableError, "another write to this object is under way; try again")
_BUSY: _Row = (UnavailableError, "the service is busy or failing; try again later")
_KEY_GONE: _Row = (NotFoundError, "the object is gone; plan again")

CODES: Final[dict[str, _Row]] = {
    "NoSuchKey": _KEY_GONE,
    "NoSuchVersion": _KEY_GONE,
    "NoSuchBucket": (NoBucketError, "there is no such bucket; check `bucket_name` and `domain`"),
    "NoSuchUpload": (UnavailableError, "the upload was ended by somebody else; apply again"),
    "PreconditionFailed": (PreconditionError, "the object is not what was reviewed; plan again"),
    "ConditionalRequestConflict": _RACE,
    "OperationAborted": _RACE,
    "AccessDenied": _RIGHTS,
    "InvalidAccessKeyId": (AccessError, "the service does not know this access key"),
    "SignatureDoesNotMatch": (AccessError, "the secret key does not belong to the access key"),
    "ExpiredToken": _TOKEN,
    "InvalidToken": _TOKEN,
    "TokenRefreshRequired": _TOKEN,
    "RequestTimeTooSkewed": (AccessError, "the clock of this computer is wrong; set it"),
    "RequestExpired": (AccessError, "the clock of this computer is wrong; set it"),
    "PermanentRedirect": _REGION,
    "TemporaryRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "BadDigest": _MANGLED,
    "InvalidDigest": _MANGLED,
    "XAmzContentSHA256Mismatch": _MANGLED,
    "XAmzContentChecksumMismatch": _MANGLED,
    "EntityTooLarge": (StoreError, "the object is too large for this service"),
    "KeyTooLongError": (StoreError, "the key is too long for this service; rename the file"),
    "QuotaExceeded": (StoreError, "the quota of the account or bucket is used up"),
    "InvalidObjectState": (StoreError, "the object is archived; restore it first"),
    "NotImplemented": (StoreError, "the service does not offer this operation"),
    "SlowDown": _BUSY,
    "ServiceUnavailable": _BUSY,
    "InternalError": _BUSY,
    "RequestTimeout": _BUSY,
    "no credentials": (
        AccessError,
        "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
    ),
    "no profile": (AccessError, "there is no such profile; check `profile` and ~/.aws/config"),
    "sign in": (AccessError, "the credentials of the profile cannot be used; sign in again"),
    "certificate": (StoreError, "the certificate of the service is not trusted"),
    "timeout": (UnavailableError, "no answer in time; check the network"),
    "no connection": (UnavailableError, "no connection; check `domain` and the network"),
    "bad answer": (StoreError, "the answer is not S3; check `domain`"),
}

_STATUSES: Final[dict[int, _Row]] = {
    301: _REGION,
    307: _REGION,
    401: _RIGHTS,
    403: _RIGHTS,
    404: _KEY_GONE,
    408: _BUSY,
    409: _RACE,
    412: CODES["PreconditionFailed"],
    429: _BUSY,
    501: CODES["NotImplemented"],
}

_SYMPTOMS: Final[tuple[tuple[tuple[type[Exception], ...], str], ...]] = (
    ((boto.NoCredentialsError, boto.PartialCredentialsError), "no credentials"),
    ((boto.ProfileNotFound,), "no profile"),
    (
        (
            boto.CredentialRetrievalError,
            boto.TokenRetrievalError,
            boto.SSOError,
            boto.MetadataRetrievalError,
        ),
        "sign in",
    ),
    ((boto.SSLError, requests.exceptions.SSLError), "certificate"),
    ((boto.ConnectTimeoutError, boto.ReadTimeoutError, requests.Timeout), "timeout"),
    (
        (
            boto.ConnectionError,
            boto.HTTPClientError,
            boto.IncompleteReadError,
            requests.RequestException,
        ),
        "no connection",
    ),
)
"""What an exception without an answer means, the narrower classes first."""

_WORDS: Final = (
    (re.compile(r"credential provider"), "sign in"),
    (re.compile(r"certificate", re.I), "certificate"),
    (re.compile(r"BareRedirect|without LOCATION"), "PermanentRedirect"),
    (re.compile(r"TimedOut|timed out|kind: Timeout"), "timeout"),
    (
        re.compile(r"HTTP error|error sending request|Connect|Interrupted|body", re.I),
        "no connection",
    ),
)
"""The same for obstore, which tells it in words only."""


def translate(problem: Exception, place: str) -> StoreError:
    """The error a person gets, naming `place`. Never the text of the problem: it may hold URLs."""
    if isinstance(problem, StoreError):
        return problem
    code, status = symptom(problem)
    row = CODES.get(code) or _STATUSES.get(status)
    if row is None and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        row = _BUSY
    if row is None:
        told = " ".join(str(part) for part in (status or "", code) if part)
        row = (StoreError, f"refused ({told or type(problem).__name__})")
    return row[0](f"{place}: {row[1]}")


def shown(key: str) -> str:
    """A key as one line that every terminal can print."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in key)


def symptom(problem: Exception) -> tuple[str, int]:
    """The S3 code and the HTTP status behind an exception; empty and 0 where there is none."""
    if isinstance(problem, BadAnswer):
        return problem.code, problem.status
    if isinstance(problem, boto.ClientError):
        status = problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return problem.response.get("Error", {}).get("Code", ""), status
    if isinstance(problem, BaseError | FileNotFoundError):
        return _read_words(str(problem))
    for classes, code in _SYMPTOMS:
        if isinstance(problem, classes):
            return code, 0
    return "", 0


def _read_words(text: str) -> tuple[str, int]:
    code = re.search(r"<Code>(\w+)</Code>", text)
    status = re.search(r"status code: (\d{3})", text)
    if code or status:
        return (code[1] if code else ""), (int(status[1]) if status else 0)
    return next((name for words, name in _WORDS if words.search(text)), ""), 0


def is_crowded(problem: Exception) -> bool:
    """Whether the service says that there are too many requests, or too fast ones."""
    code, status = symptom(problem)
    return code in _CROWDED or status in (429, 503)


_CROWDED: Final = {"SlowDown", "TooManyRequests", "RequestLimitExceeded", "BandwidthLimitExceeded"}


def asked_to_wait(problem: Exception) -> float:
    """The seconds that `Retry-After` asks for, in a number or a date; 0 where there is none."""
    said = problem.after if isinstance(problem, BadAnswer) else ""
    if isinstance(problem, boto.ClientError):
        said = (
            problem.response.get("ResponseMetadata", {})
            .get("HTTPHeaders", {})
            .get("retry-after", "")
        )
    if said.isdecimal():
        return float(said)
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return 0.0


def persist(
    step: Callable[[], Result],
    place: str,
    *,
    recognise: Callable[[], Result | None] = lambda: None,
    attempts: int = ATTEMPTS,
) -> Result:
    """Call `step` until it succeeds, with growing pauses while the service is unavailable, and no
    sooner than the service asks for.

    An attempt whose answer was lost may have worked, and then a condition fails against our own
    write. So when a condition fails after the first attempt, `recognise` looks whether what is
    there is ours: a result other than None is the result.
    """
    for number in range(attempts):
        try:
            return step()
        except (*FAILURES, StoreError) as problem:
            error = translate(problem, place)
            ours = symptom(problem)[0] == "NoSuchUpload"  # an upload that is complete is gone
            if number and (ours or isinstance(error, PreconditionError | NotFoundError)):
                own = recognise()
                if own is not None:
                    return own
            wait = asked_to_wait(problem)
            if not isinstance(error, UnavailableError) or number + 1 == attempts:
                raise error from None
            if wait > _PATIENCE:
                raise error from None
        pause = random.uniform(0.5, 1) * min(_FIRST_WAIT * 2**number, _LONGEST_WAIT)  # noqa: S311
        time.sleep(wait + pause)
        retry.repeating()
    raise AssertionError  # the last attempt returns or raises
