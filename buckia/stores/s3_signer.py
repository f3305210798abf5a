"""Signatures of requests to S3 by botocore, which is told the digest of a body that is known."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from urllib3.exceptions import InvalidHeader

EMPTY: Final = hashlib.sha256(b"").hexdigest()
"""The digest of no body."""

Keys = Credentials | ReadOnlyCredentials


class _Signer(S3SigV4Auth):
    def __init__(self, keys: Keys, region: str, sha256: str) -> None:
        super().__init__(keys, "s3", region)
        self._sha256 = sha256

    def payload(self, request: AWSRequest) -> str:
        return self._sha256


def signed(
    keys: Keys, region: str, method: str, url: str, headers: Mapping[str, str], sha256: str = EMPTY
) -> dict[str, str]:
    """The headers to send, all of them signed. So is the host of the URL, which whoever sends them
    adds.

    Raises `InvalidHeader` for what no request can have in it, and does not say what that was: it
    may be a secret.
    """
    request = AWSRequest(method, url, headers=dict(headers))
    try:
        "".join(headers.values()).encode()
        _Signer(keys, region, sha256).add_auth(request)
    except UnicodeEncodeError:
        raise InvalidHeader("a character that no request can have in it") from None
    return dict(request.headers.items())
