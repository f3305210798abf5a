"""One object at a time, by two clients with one face: obstore, and boto3 for what obstore refuses.

Both raise their library's own errors; `s3_errors` translates them.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

import obstore
from obstore.exceptions import BaseError

from buckia.errors import IntegrityError
from buckia.model import Entry
from buckia.stores.probe import ABSENT
from buckia.stores.s3_errors import ATTEMPTS, FAILURES, translate
from buckia.stores.s3_listing import is_md5, nanoseconds
from buckia.stores.s3_session import MIB, S3Session
from buckia.stores.s3_traffic import asking
from buckia.stores.traffic import Traffic
from buckia.stores.usage import Kind

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from botocore.response import StreamingBody
    from obstore import PutMode

Condition = str | None
"""What the service checks before it writes: `ABSENT`, a version, or nothing."""

_SHA256: Final = "sha256"
"""The user metadata (`x-amz-meta-sha256`) that carries the digest of the content."""

_REWRITTEN: Final = re.compile(r"(^|/)(\.{0,2})(/|$)|[\x00-\x1f\x7f]")
"""Keys with an empty, `.` or `..` segment, a slash at an end, or a control character: obstore
refuses some and quietly changes others."""


class Carrier(Protocol):
    """What both clients do. Keys are the bucket's, versions are ETags without quotes.

    `reads` is how often opening a body is worth trying; anything else is sent once.
    """

    reads: int

    def head(self, key: str) -> Entry:
        """The object at a key."""

    def get(self, key: str, version: str) -> tuple[int, Iterator[bytes]]:
        """The size and the bytes of one version."""

    def put(self, key: str, data: bytes, announced: Entry, condition: Condition) -> str:
        """Write; the new ETag, empty where the service does not tell."""

    def delete(self, key: str, condition: Condition) -> None:
        """Delete. A missing object is an error only where a condition makes it one."""


def carrier_for(session: S3Session, key: str) -> Carrier:
    """obstore, unless it would touch a different key."""
    return Boto(session) if _REWRITTEN.search(key) else Obstore(session)


def carriers_for(session: S3Session, key: str) -> Iterator[Carrier]:
    """Who carries the first attempt, and who the later ones: boto3 tells what `Retry-After` says,
    obstore does not."""
    yield carrier_for(session, key)
    yield from itertools.repeat(Boto(session))


class Obstore:
    """Through obstore. It signs the body's sha256, so the service refuses changed bytes."""

    reads = 1  # it repeats them itself

    def __init__(self, session: S3Session) -> None:
        self._session = session

    def head(self, key: str) -> Entry:
        """The object at a key."""
        with asking(self._session.traffic, Kind.LOOK):
            found = obstore.get(self._session.asker, key, options={"head": True})
        return _describe(
            key,
            found.meta["size"],
            found.meta["e_tag"],
            found.meta["last_modified"],
            found.attributes.get(_SHA256),
            found.attributes.get("Content-Type"),
        )

    def get(self, key: str, version: str) -> tuple[int, Iterator[bytes]]:
        """The size and the bytes of one version."""
        with asking(self._session.traffic, Kind.READ):
            found = obstore.get(self._session.reader, key, options={"if_match": version})
        return found.meta["size"], _count(found.stream(min_chunk_size=MIB), self._session.traffic)

    def put(self, key: str, data: bytes, announced: Entry, condition: Condition) -> str:
        """Write; the new ETag, empty where the service does not tell."""
        mode: PutMode = "create" if condition == ABSENT else {"e_tag": condition}
        attributes = {_SHA256: announced.sha256, "Content-Type": announced.type}
        try:
            with asking(self._session.traffic, Kind.WRITE):
                result = obstore.put(
                    self._session.writer,
                    key,
                    data,
                    attributes={name: value for name, value in attributes.items() if value},
                    mode="overwrite" if condition is None else mode,
                    use_multipart=False,
                )
                self._session.traffic.sent(len(data))
        except BaseError as problem:
            if "MissingEtag" in str(problem):  # written all the same
                return ""
            raise
        return (result["e_tag"] or "").strip('"')

    def delete(self, key: str, condition: Condition) -> None:
        """Delete; conditions are beyond obstore and left to boto3."""
        if condition is None:
            with asking(self._session.traffic, Kind.DELETE):
                obstore.delete(self._session.writer, key)
        else:
            Boto(self._session).delete(key, condition)


class Boto:
    """Through boto3, which sends any key as it is."""

    reads = ATTEMPTS

    def __init__(self, session: S3Session) -> None:
        self._client = session.client
        self._traffic = session.traffic
        self._bucket = session.options.bucket

    def head(self, key: str) -> Entry:
        """The object at a key."""
        found = self._client.head_object(Bucket=self._bucket, Key=key)
        return _describe(
            key,
            found["ContentLength"],
            found["ETag"],
            found["LastModified"],
            found["Metadata"].get(_SHA256),
            found.get("ContentType"),
        )

    def get(self, key: str, version: str) -> tuple[int, Iterator[bytes]]:
        """The size and the bytes of one version."""
        found = self._client.get_object(Bucket=self._bucket, Key=key, IfMatch=version)
        return found["ContentLength"], _count(_pass_on(found["Body"]), self._traffic)

    def put(self, key: str, data: bytes, announced: Entry, condition: Condition) -> str:
        """Write; the new ETag, empty where the service does not tell."""
        result = self._client.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=data,
            **headers(announced),
            **conditions(condition),
        )
        return result.get("ETag", "").strip('"')

    def delete(self, key: str, condition: Condition) -> None:
        """Delete. A missing object is an error only where a condition makes it one."""
        self._client.delete_object(Bucket=self._bucket, Key=key, **conditions(condition))


def _count(chunks: Iterable[bytes], traffic: Traffic) -> Iterator[bytes]:
    for chunk in chunks:
        traffic.received(len(chunk))
        yield chunk


def _pass_on(body: StreamingBody) -> Iterator[bytes]:
    with closing(body):
        yield from body.iter_chunks(MIB)


class Download(io.RawIOBase):
    """The bytes of one object as a stream that cannot end early without an error."""

    def __init__(self, chunks: Iterator[bytes], size: int, place: str) -> None:
        self._chunks = chunks
        self._left = size
        self._place = place
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """The next bytes; 0 once all have come."""
        if not self._chunk:
            self._chunk = memoryview(self._next())
        target = memoryview(buffer)
        size = min(len(target), len(self._chunk))
        target[:size] = self._chunk[:size]
        self._chunk = self._chunk[size:]
        return size

    def close(self) -> None:
        """Let go of the connection."""
        if isinstance(self._chunks, Generator):
            self._chunks.close()
        super().close()

    def _next(self) -> bytes:
        try:
            chunk = next(self._chunks, b"")
        except FAILURES as problem:
            raise translate(problem, self._place) from None
        self._left -= len(chunk)
        if self._left < 0 or (self._left and not chunk):
            raise IntegrityError(f"{self._place}: the service sent a part only; try again")
        return chunk


def headers(announced: Entry) -> dict[str, Any]:
    """What an object carries beside its bytes, as boto3 wants it."""
    kind = {"ContentType": announced.type} if announced.type else {}
    return {"Metadata": {_SHA256: announced.sha256} if announced.sha256 else {}, **kind}


def conditions(condition: Condition) -> dict[str, Any]:
    """A condition, as boto3 wants it. ETags go without quotes: Ceph insists, Amazon does not."""
    if condition is None:
        return {}
    return {"IfNoneMatch": "*"} if condition == ABSENT else {"IfMatch": condition}


def _describe(
    key: str,
    size: int,
    etag: str | None,
    modified: datetime,
    sha256: str | None,
    kind: str | None,
) -> Entry:
    version = (etag or "").strip('"')
    return Entry(
        key,
        size,
        sha256=sha256 if sha256 and re.fullmatch("[0-9a-f]{64}", sha256) else None,
        md5=version if is_md5(version) else None,
        version=version,
        modified=nanoseconds(modified),
        type=kind,
    )
