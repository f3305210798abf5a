"""Presigned URLs of S3: whoever has one reads the object until it expires."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from buckia.errors import UsageError
from buckia.stores.s3_errors import FAILURES, translate
from buckia.stores.s3_session import S3Session

LONGEST: Final = timedelta(days=7)
"""The most that Signature Version 4 allows (Amazon S3 user guide, "presigned URLs"). Temporary
credentials end sooner, and with them every URL they signed."""


def presign(session: S3Session, key: str, seconds: int) -> str:
    """A URL that reads one object, `key` being the bucket's, signed by this computer."""
    if not 0 < seconds <= LONGEST.total_seconds():
        raise UsageError(f"S3 signs URLs for at most {LONGEST.days} days; ask for less")
    place = {"Bucket": session.options.bucket, "Key": key}
    try:
        return session.client.generate_presigned_url("get_object", place, seconds)
    except FAILURES as problem:
        raise translate(problem, f"s3://{session.options.bucket}") from None
