"""One object at a time, by two clients with one face: obstore, with requests of our own where one
takes the whole body, and botocore for what these refuse.

Each raises its library's own errors; `s3_errors` translates them.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol

import obstore

from buckia.model import Entry, Headers
from buckia.stores import s3_signed
from buckia.stores.download import Body
from buckia.stores.probe import ABSENT
from buckia.stores.s3_errors import BadAnswer
from buckia.stores.s3_headers import SHA256, for_boto, of_boto, of_obstore, to_http
from buckia.stores.s3_listing import is_md5, nanoseconds
from buckia.stores.s3_session import MIB, S3Session
from buckia.stores.s3_traffic import asking
from buckia.stores.usage import Kind

if TYPE_CHECKING:
    from obstore import GetOptions

Condition = str | None
"""What the service checks before it writes: `ABSENT`, a version, or nothing."""

_REWRITTEN: Final = re.compile(r"(^|/)(\.{0,2})(/|$)|[\x00-\x1f\x7f]")
"""Keys with an empty, `.` or `..` segment, a slash at an end, or a control character: obstore
refuses some and quietly changes others."""


class Carrier(Protocol):
    """What both clients do, each request sent once. Keys are the bucket's, versions are ETags
    without quotes."""

    def head(self, key: str) -> Entry:
        """The object at a key."""

    def get(self, key: str, version: str, offset: int = 0) -> tuple[int, Body]:
        """The bytes of one version from an offset on, and how many they are."""

    def put(self, key: str, data: bytes, announced: Entry, condition: Condition) -> str:
        """Write; the new ETag, empty where the service does not tell."""

    def delete(self, key: str, condition: Condition) -> None:
        """Delete. A missing object is an error only where a condition makes it one."""


def carrier_for(session: S3Session, key: str) -> Carrier:
    """obstore, unless it would touch a different key."""
    return Boto(session) if is_rewritten(key) else Obstore(session)


def is_rewritten(key: str) -> bool:
    """Whether clients other than botocore would ask for another key."""
    return _REWRITTEN.search(key) is not None


def carriers_for(session: S3Session, key: str) -> Iterator[Carrier]:
    """Who carries the first attempt, and who the later ones: botocore tells what `Retry-After`
    says, obstore does not."""
    yield carrier_for(session, key)
    yield from itertools.repeat(Boto(session))


class Obstore:
    """Through obstore, and by signed requests of our own. A body's sha256 is signed, so the service
    refuses changed bytes."""

    def __init__(self, session: S3Session) -> None:
        self._session = session

    def head(self, key: str) -> Entry:
        """The object at a key."""
        with asking(self._session.traffic, Kind.LOOK):
            found = obstore.get(self._session.reader, key, options={"head": True})
        return _describe(
            key,
            found.meta["size"],
            found.meta["e_tag"],
            found.meta["last_modified"],
            found.attributes.get(SHA256),
            found.attributes.get("Content-Type"),
            of_obstore(found.attributes),
        )

    def get(self, key: str, version: str, offset: int = 0) -> tuple[int, Body]:
        """The bytes of one version from an offset on, and how many they are."""
        options: GetOptions = {"if_match": version}
        if offset:
            options["range"] = {"offset": offset}
        with asking(self._session.traffic, Kind.READ):
            found = obstore.get(self._session.reader, key, options=options)
        _demand(version, found.meta["e_tag"])
        chunks = found.stream(min_chunk_size=MIB)
        return found.meta["size"] - offset, Body(iter(chunks), _nothing)

    def get_part(self, key: str, version: str, first: int, end: int) -> tuple[int, memoryview]:
        """The size of one version, and its bytes from `first` up to, not including, `end`; up to
        its own end, if that is nearer."""
        options: GetOptions = {"if_match": version, "range": (first, end)}
        with asking(self._session.traffic, Kind.READ, end - first):
            found = obstore.get(self._session.reader, key, options=options)
            _demand(version, found.meta["e_tag"])
            data = memoryview(found.bytes())
        size = found.meta["size"]
        if found.range[0] != first or len(data) != min(end, size) - first:
            raise BadAnswer(HTTPStatus.OK, "bad answer")
        return size, data

    def put(self, key: str, data: bytes, announced: Entry, condition: Condition) -> str:
        """Write; the new ETag, empty where the service does not tell.

        By a signed request of our own. Where uploads have to be slow, or go by an address of their
        own, botocore does it, which also sends a body piece by piece.
        """
        if self._session.traffic.slows_uploads or self._session.options.acceleration:
            return Boto(self._session).put(key, data, announced, condition)
        sha256 = announced.sha256 or hashlib.sha256(data, usedforsecurity=False).hexdigest()
        told = {**to_http(announced), **condition_headers(condition)}
        return s3_signed.put(self._session, key, data, sha256, told)

    def delete(self, key: str, condition: Condition) -> None:
        """Delete. A missing object is an error only where a condition makes it one."""
        s3_signed.delete(self._session, key, condition_headers(condition))


class Boto:
    """Through botocore, which sends any key as it is."""

    def __init__(self, session: S3Session) -> None:
        self._client, self._mover = session.client, session.mover
        self._bucket = session.options.bucket
        self._classes = session.options.tell_classes

    def head(self, key: str) -> Entry:
        """The object at a key."""
        found = self._client.head_object(Bucket=self._bucket, Key=key)
        return _describe(
            key,
            found["ContentLength"],
            found["ETag"],
            found["LastModified"],
            found["Metadata"].get(SHA256),
            found.get("ContentType"),
            of_boto(found, classes=self._classes),
        )

    def get(self, key: str, version: str, offset: int = 0) -> tuple[int, Body]:
        """The bytes of one version from an offset on, and how many they are."""
        span: dict[str, Any] = {"Range": f"bytes={offset}-"} if offset else {}
        found = self._mover.get_object(Bucket=self._bucket, Key=key, IfMatch=version, **span)
        body = found["Body"]
        try:
            if offset and not found.get("ContentRange"):
                raise BadAnswer(HTTPStatus.OK, "bad answer")
            _demand(version, found.get("ETag"))
        except BadAnswer:
            body.close()
            raise
        return found["ContentLength"], Body(body.iter_chunks(MIB), body.close)

    def put(self, key: str, data: bytes, announced: Entry, condition: Condition) -> str:
        """Write; the new ETag, empty where the service does not tell."""
        result = self._mover.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=data,
            **for_boto(announced),
            **conditions(condition),
        )
        return result.get("ETag", "").strip('"')

    def delete(self, key: str, condition: Condition) -> None:
        """Delete. A missing object is an error only where a condition makes it one."""
        self._client.delete_object(Bucket=self._bucket, Key=key, **conditions(condition))


def _nothing() -> None:
    """obstore lets go of a connection when nobody holds its stream any more."""


def _demand(version: str, etag: str | None) -> None:
    """Raise where the answer is of another version: services exist that ignore the condition."""
    if etag and etag.strip('"') != version:
        raise BadAnswer(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")


def conditions(condition: Condition) -> dict[str, Any]:
    """A condition, as botocore wants it. ETags go without quotes: Ceph insists, Amazon does not."""
    if condition is None:
        return {}
    return {"IfNoneMatch": "*"} if condition == ABSENT else {"IfMatch": condition}


def condition_headers(condition: Condition) -> dict[str, str]:
    """The same as headers."""
    if condition is None:
        return {}
    return {"if-none-match": "*"} if condition == ABSENT else {"if-match": condition}


def _describe(
    key: str,
    size: int,
    etag: str | None,
    modified: datetime,
    sha256: str | None,
    kind: str | None,
    headers: Headers,
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
        headers=headers,
    )
