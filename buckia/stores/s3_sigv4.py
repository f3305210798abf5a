"""Signatures of requests to S3, whose bodies are signed with them.

As "Authenticating Requests: Using the Authorization Header" of the Amazon S3 API reference has it
(AWS Signature Version 4, in a single chunk). botocore signs requests of any kind for nine times
the CPU, which is felt where there are thousands; tests hold these signatures against its own.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
EMPTY: Final = hashlib.sha256(b"").hexdigest()
"""The digest of no body."""


class Signer(Struct, frozen=True):
    """Who signs, and for which region; never shown.

    token  goes along with credentials that last for a while only; None for others
    """

    access_key: str
    secret_key: str
    token: str | None
    region: str

    def __repr__(self) -> str:
        return f"Signer({self.region!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("region", self.region)]

    def sign(
        self,
        method: str,
        host: str,
        target: str,
        headers: Mapping[str, str],
        now: datetime,
        sha256: str = EMPTY,
    ) -> dict[str, str]:
        """The headers to send, `headers` included, all of them signed. So is the host, which
        whoever sends them adds.

        host    as the request names it, its port included where that is not the usual one
        target  path and query as they are sent; the names of the query ascend, each has a `=`
        now     in UTC; a service takes a quarter of an hour more or less
        sha256  of the body
        """
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        sent = {name.lower(): value for name, value in headers.items()}
        sent |= {"host": host, "x-amz-content-sha256": sha256, "x-amz-date": stamp}
        if self.token:
            sent["x-amz-security-token"] = self.token
        path, _, query = target.partition("?")
        names = ";".join(sorted(sent))
        lines = [f"{name}:{' '.join(sent[name].split())}" for name in sorted(sent)]
        asked = "\n".join((method, path, query, *lines, "", names, sha256))
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        digest = hashlib.sha256(_bytes(asked)).hexdigest()
        text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}"
        key = _key(self.secret_key, stamp[:8], self.region)
        proof = hmac.digest(key, _bytes(text), "sha256").hex()
        who = f"{_ALGORITHM} Credential={self.access_key}/{scope}"
        del sent["host"]
        sent["authorization"] = f"{who}, SignedHeaders={names}, Signature={proof}"
        return sent


@lru_cache(maxsize=8)
def _key(secret: str, day: str, region: str) -> bytes:
    """What signs all requests of a day."""
    key = _bytes(f"AWS4{secret}")
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, _bytes(part), "sha256")
    return key


def _bytes(text: str) -> bytes:
    """Any text, also what is no Unicode: an error that says so would hold the secret."""
    return text.encode("utf-8", "surrogatepass")
