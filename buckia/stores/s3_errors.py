"""The border between S3's errors and buckia's: one table, one translation.

Codes are those of the Amazon S3 API reference, "Error responses", and of the services that copy
it; those in lower case are ours, for failures without an answer.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from botocore import exceptions as boto
from obstore.exceptions import BaseError
from urllib3 import exceptions as plain

from buckia.errors import AccessError, PreconditionError, StoreError, UnavailableError
from buckia.stores.border import (
    BUSY,
    GONE,
    LATE,
    MANGLED,
    UNTRUSTED,
    Border,
    EndedError,
    NoBucketError,
    Row,
    refused,
)
from buckia.stores.border import shown as shown
from buckia.stores.retry import seconds_in


class BadAnswer(Exception):
    """An HTTP answer that is not what was asked for: status, and where it has them the S3 code and
    what `Retry-After` says."""

    def __init__(self, status: int, code: str = "", after: str = "") -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.after = after


FAILURES: Final = (
    BadAnswer,
    BaseError,
    FileNotFoundError,  # what obstore raises for 404
    boto.BotoCoreError,
    boto.ClientError,
    plain.HTTPError,
)
"""Everything the three libraries raise for a request that failed."""

_REGION: Row = (StoreError, "the bucket is in another region; set `region` or `domain`")
_RIGHTS: Row = (AccessError, "access denied; check the key and the rights it has on this bucket")
_TOKEN: Row = (AccessError, "the session has expired; sign in again")
_RACE: Row = (UnavailableError, "another write to this object is under way; try again")

CODES: Final[dict[str, Row]] = {
    "NoSuchKey": GONE,
    "NoSuchVersion": GONE,
    "NoSuchBucket": (NoBucketError, "there is no such bucket; check `bucket_name` and `domain`"),
    "NoSuchUpload": (EndedError, "the upload was ended by somebody else; apply again"),
    "PreconditionFailed": (PreconditionError, "the object is not what was reviewed; plan again"),
    "ConditionalRequestConflict": _RACE,
    "OperationAborted": _RACE,
    "AccessDenied": _RIGHTS,
    "InvalidAccessKeyId": (
        AccessError,
        "the service does not know this access key; check it and `domain`",
    ),
    "SignatureDoesNotMatch": (
        AccessError,
        "the secret key does not belong to the access key; give the pair anew",
    ),
    "ExpiredToken": _TOKEN,
    "InvalidToken": _TOKEN,
    "TokenRefreshRequired": _TOKEN,
    "RequestTimeTooSkewed": (AccessError, "the clock of this computer is wrong; set it"),
    "RequestExpired": (AccessError, "the clock of this computer is wrong; set it"),
    "PermanentRedirect": _REGION,
    "TemporaryRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "BadDigest": MANGLED,
    "InvalidDigest": MANGLED,
    "XAmzContentSHA256Mismatch": MANGLED,
    "XAmzContentChecksumMismatch": MANGLED,
    "EntityTooLarge": (StoreError, "the object is too large for this service; exclude it"),
    "KeyTooLongError": (StoreError, "the key is too long for this service; rename the file"),
    "QuotaExceeded": (StoreError, "the quota of the account or bucket is used up; raise it"),
    "InvalidObjectState": (StoreError, "the object is archived; restore it first"),
    "NotImplemented": (
        StoreError,
        "the service does not offer this operation; see `buckia doctor`",
    ),
    "SlowDown": BUSY,
    "ServiceUnavailable": BUSY,
    "InternalError": BUSY,
    "RequestTimeout": BUSY,
    "no credentials": (
        AccessError,
        "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
    ),
    "no profile": (AccessError, "there is no such profile; check `profile` and ~/.aws/config"),
    "sign in": (AccessError, "the credentials of the profile cannot be used; sign in again"),
    "unsendable": (
        StoreError,
        "a control character where none can be sent; check `kms_key` and the credentials",
    ),
    "certificate": UNTRUSTED,
    "timeout": LATE,
    "no connection": (UnavailableError, "no connection; check `domain` and the network"),
    "bad answer": (StoreError, "the answer is not S3; check `domain`"),
}

_STATUSES: Final[dict[int, Row]] = {
    301: _REGION,
    307: _REGION,
    401: _RIGHTS,
    403: _RIGHTS,
    404: GONE,
    408: BUSY,
    409: _RACE,
    412: CODES["PreconditionFailed"],
    429: BUSY,
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
    ((plain.InvalidHeader,), "unsendable"),
    ((boto.SSLError, plain.SSLError), "certificate"),
    ((plain.NewConnectionError,), "no connection"),
    ((boto.ConnectTimeoutError, boto.ReadTimeoutError, plain.TimeoutError), "timeout"),
    (
        (
            boto.ConnectionError,
            boto.HTTPClientError,
            boto.IncompleteReadError,
            plain.HTTPError,
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


_NO_S3: Row = (
    AccessError,
    "this storage zone does not speak S3 (403 ServiceUnavailable), which has to be chosen when one "
    "is made; leave `api: s3` out",
)
"""How Bunny puts it."""


def _meaning(problem: Exception) -> Row:
    code, status = symptom(problem)
    if (code, status) == ("ServiceUnavailable", HTTPStatus.FORBIDDEN):
        return _NO_S3
    row = CODES.get(code) or _STATUSES.get(status)
    if row is None and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        row = BUSY
    if row is None:
        told = " ".join(str(part) for part in (status or "", code) if part)
        row = refused(told or type(problem).__name__)
    return row


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


def _asked(problem: Exception) -> float:
    """The seconds that `Retry-After` asks for, where the client that carried the request tells."""
    if isinstance(problem, BadAnswer):
        return seconds_in(problem.after)
    if isinstance(problem, boto.ClientError):
        headers = problem.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return seconds_in(headers.get("retry-after", ""))
    return 0.0


BORDER: Final = Border(FAILURES, _meaning, _asked)
translate, persist = BORDER.translate, BORDER.persist
