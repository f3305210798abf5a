"""Many objects deleted by one request: for what nobody but buckia writes.

A Ceph gateway deletes 1,000 objects by one request in the time of 120 requests. Only Amazon checks
an ETag for each key; elsewhere nothing stands between the listing and the deletion, which is why
content is deleted one by one.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from botocore.exceptions import ClientError

from buckia.model import Entry
from buckia.stores.s3_errors import persist, symptom
from buckia.stores.s3_session import S3Session

_UNTOLD: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What a key may hold and XML 1.0 may not."""

_NOT_HERE: Final = {"NotImplemented", "MethodNotAllowed", "MissingContentMD5", "InvalidRequest"}
"""How services say that they do not offer it, or not as it was asked for."""


def delete_many(
    session: S3Session,
    entries: Iterable[Entry],
    name: Callable[[Entry], str],
    alone: Callable[[Entry], None],
) -> Iterator[Entry]:
    """Delete objects and give each that is gone.

    `name` is an object's key in the bucket. `alone` deletes one by itself, where the service does
    not offer more, and for those of many it did not delete; what it raises, this raises.
    """
    rest = iter(entries)
    while batch := list(itertools.islice(rest, session.service.bulk or 1)):
        left = _left(session, {name(entry): entry for entry in batch})
        for entry in batch:
            if name(entry) in left:
                alone(entry)
            yield entry


def _left(session: S3Session, batch: dict[str, Entry]) -> set[str]:
    """Send one request; which keys it did not delete."""
    told = {key: entry for key, entry in batch.items() if not _UNTOLD.search(key)}
    if len(told) < 2 or not session.service.bulk:
        return set(batch)
    checked = session.service.conditions.bulk
    objects = [
        {"Key": key, "ETag": entry.version} if checked and entry.version else {"Key": key}
        for key, entry in told.items()
    ]
    request: dict[str, Any] = {
        "Bucket": session.options.bucket,
        "Delete": {"Objects": objects, "Quiet": True},
    }
    if not session.service.crc32:
        event = "before-sign.s3.DeleteObjects"
        session.client.meta.events.register_first(event, _say_md5, unique_id="buckia-md5")

    def send() -> Any:
        try:
            return session.client.delete_objects(**request)
        except ClientError as problem:
            if symptom(problem)[0] in _NOT_HERE:
                return {"Errors": [{"Key": key} for key in told]}
            raise

    answer = persist(send, f"s3://{session.options.bucket} at {session.endpoint}")
    return (batch.keys() - told.keys()) | {item["Key"] for item in answer.get("Errors", ())}


def _say_md5(request: Any, **_: object) -> None:
    """Put a Content-MD5, which every service understands, in place of botocore's CRC32."""
    for header in list(request.headers.keys()):
        if header.lower().startswith(("x-amz-checksum-", "x-amz-sdk-checksum")):
            del request.headers[header]
    digest = hashlib.md5(request.data or request.body, usedforsecurity=False).digest()
    request.headers["Content-MD5"] = base64.b64encode(digest).decode()
