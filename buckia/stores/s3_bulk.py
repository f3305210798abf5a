"""Many objects deleted by one request: for what nobody but buckia writes, and for content where the
service checks no condition of a deletion anyway.

A Ceph gateway deletes 1,000 objects by one request in the time of 120 requests. Only Amazon checks
an ETag for each key; elsewhere nothing stands between a look and the deletion. Where a single one
could be held to a condition, content is deleted one by one.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import ClientError

from buckia.errors import BuckiaError
from buckia.model import Entry
from buckia.pool import batches
from buckia.stores import retry
from buckia.stores.s3_errors import persist, symptom
from buckia.stores.s3_guard import Guard
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
    for batch in batches(entries, session.service.bulk or 1):
        left = _left(session, {name(entry): entry for entry in batch})
        for entry in batch:
            if name(entry) in left:
                alone(entry)
            yield entry


def clear(
    guard: Guard, entries: Sequence[Entry], alone: Callable[[Entry], None]
) -> list[BuckiaError | None]:
    """Delete objects that still are what they were, and tell in their order why one was not.

    `alone` deletes one by itself after a look of its own: so go all where the service would check
    a condition, and those that a single attempt to delete many has left.
    """
    told: dict[str, BuckiaError | None] = {}
    rest = list(entries)
    if not guard.conditions.delete and guard.session.service.bulk:
        rest = [entry for entry in entries if _is_there(guard, entry, told)]
        rest = _tried(guard, rest)
    for entry in rest:
        with _noting(told, entry):
            alone(entry)
    return [told.get(entry.key) for entry in entries]


def _is_there(guard: Guard, entry: Entry, told: dict[str, BuckiaError | None]) -> bool:
    """Whether an object is to be deleted: it is what it was. Else it is noted what is wrong."""
    with _noting(told, entry):
        if held := guard.held(entry.key):
            guard.compare(held, entry)
            return True
    return False


def _tried(guard: Guard, entries: list[Entry]) -> list[Entry]:
    """Delete what was just looked at, once: by a second attempt it may be somebody else's. What is
    not known to be gone is given."""
    left: list[Entry] = []
    for batch in batches(entries, guard.session.service.bulk):
        named = {guard.full(entry.key): entry for entry in batch}
        try:
            stayed = _left(guard.session, named, attempts=1)
        except BuckiaError:
            stayed = set(named)
        for key in named:
            guard.looks.forget(key)
        left += [named[key] for key in named if key in stayed]
    return left


@contextmanager
def _noting(told: dict[str, BuckiaError | None], entry: Entry) -> Iterator[None]:
    try:
        yield
    except BuckiaError as problem:
        told[entry.key] = problem


def _left(session: S3Session, batch: dict[str, Entry], attempts: int = retry.ATTEMPTS) -> set[str]:
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

    place = f"s3://{session.options.bucket} at {session.endpoint}"
    answer = persist(send, place, attempts=attempts)
    return (batch.keys() - told.keys()) | {item["Key"] for item in answer.get("Errors", ())}


def _say_md5(request: Any, **_: object) -> None:
    """Put a Content-MD5, which every service understands, in place of botocore's CRC32."""
    for header in list(request.headers.keys()):
        if header.lower().startswith(("x-amz-checksum-", "x-amz-sdk-checksum")):
            del request.headers[header]
    digest = hashlib.md5(request.data or request.body, usedforsecurity=False).digest()
    request.headers["Content-MD5"] = base64.b64encode(digest).decode()
