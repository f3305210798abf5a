"""List a bucket: signed ListObjectsV2 requests and a parser that trusts nothing.

A listing is complete or it raises. Keys are taken byte for byte as the service has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, unquote_to_bytes
from xml.etree import ElementTree

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from msgspec import Struct

from buckia.errors import StoreError
from buckia.model import Entry
from buckia.stores.network import QUICK
from buckia.stores.s3_errors import BadAnswer, persist
from buckia.stores.s3_extras import for_http
from buckia.stores.s3_session import S3Session
from buckia.stores.s3_traffic import asking
from buckia.stores.usage import Kind

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Fields = dict[str, str]


class Page(Struct, frozen=True):
    """One answer: keys as bytes with their objects, and where to go on (None: that was all)."""

    objects: list[tuple[bytes, Fields]]
    following: str | None


def list_objects(session: S3Session, prefix: str) -> Iterator[tuple[str, Fields]]:
    """Every object below `prefix`: its key and what ListObjectsV2 tells of it, by element name."""
    place = f"listing of s3://{session.options.bucket} at {session.endpoint}"
    start = prefix.encode("utf-8", "surrogateescape")
    seen: set[str] = set()
    token, last = None, b""
    while True:
        page = persist(partial(_fetch, session, prefix, token), place)
        for key, fields in page.objects:
            if key <= last or not key.startswith(start):
                raise StoreError(f"{place}: keys out of order or out of place; nothing was used")
            last = key
            yield key.decode("utf-8", "surrogateescape"), fields
        token = page.following
        if token is None:
            return
        if token in seen:
            raise StoreError(f"{place}: the service repeats itself; nothing was used")
        seen.add(token)


def entry_of(key: str, fields: Fields, *, md5_etags: bool) -> Entry:
    """What a listing tells of one object. Raises `ValueError` where it tells too little."""
    etag = fields.get("ETag", "").strip('"')
    size = int(fields.get("Size", ""))
    if not etag or size < 0:
        raise ValueError(key)
    changed = datetime.fromisoformat(fields["LastModified"])
    return Entry(
        key,
        size,
        md5=etag if md5_etags and is_md5(etag) else None,
        version=etag,
        modified=nanoseconds(changed),
    )


def is_md5(etag: str) -> bool:
    """Whether an ETag has the form of an md5. Those of multipart uploads have not."""
    return len(etag) == 32 and all(letter in "0123456789abcdef" for letter in etag)


def nanoseconds(moment: datetime) -> int:
    """A time as nanoseconds since 1970, exactly."""
    passed = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000_000 + passed.microseconds * 1000


def _fetch(session: S3Session, prefix: str, token: str | None) -> Page:
    query = {
        "list-type": "2",
        "encoding-type": "url",
        "max-keys": str(session.options.page_size),
        "prefix": prefix,
    }
    if token is not None:
        query["continuation-token"] = token
    url = f"{session.bucket_url}/?" + "&".join(
        f"{name}={quote(value, safe='', errors='surrogateescape')}"
        for name, value in sorted(query.items())
    )
    request = AWSRequest("GET", url, headers=for_http(session.options))
    S3SigV4Auth(session.credentials.get_frozen_credentials(), "s3", session.region).add_auth(
        request
    )
    with asking(session.traffic, Kind.LIST):
        answer = session.http.get(
            url,
            headers=dict(request.headers),
            timeout=QUICK,
            allow_redirects=False,
        )
        if answer.status_code != HTTPStatus.OK:
            after = answer.headers.get("Retry-After", "")
            raise BadAnswer(answer.status_code, _error_code(answer.content), after)
    page = _parse(answer.content)
    session.traffic.listed(len(page.objects))
    return page


def _parse(body: bytes) -> Page:
    try:
        root = ElementTree.fromstring(body)  # noqa: S314  (expat bounds what entities expand to)
    except ElementTree.ParseError:
        raise BadAnswer(HTTPStatus.OK, "bad answer") from None
    if _name(root) == "Error":
        raise BadAnswer(HTTPStatus.OK, _error_code(body))
    top = _fields(root)
    more = {"true": True, "false": False}.get(top.get("IsTruncated", ""))
    following = top.get("NextContinuationToken")
    if _name(root) != "ListBucketResult" or more is None or (more and not following):
        raise BadAnswer(HTTPStatus.OK, "bad answer")
    coded = top.get("EncodingType") == "url"
    objects = [_object(node, coded) for node in root if _name(node) == "Contents"]
    return Page(objects, following if more else None)


def _object(node: ElementTree.Element, coded: bool) -> tuple[bytes, Fields]:
    fields = _fields(node)
    key = fields.get("Key", "")
    raw = unquote_to_bytes(key.replace("+", " ")) if coded else key.encode()
    if not raw:
        raise BadAnswer(HTTPStatus.OK, "bad answer")
    return raw, fields


def _error_code(body: bytes) -> str:
    try:
        return _fields(ElementTree.fromstring(body)).get("Code", "")  # noqa: S314  (as above)
    except ElementTree.ParseError:
        return ""


def _fields(node: ElementTree.Element) -> Fields:
    return {_name(child): child.text or "" for child in node}


def _name(node: ElementTree.Element) -> str:
    """The name of an element without its namespace: services differ in whether they give one."""
    return node.tag.rpartition("}")[2]
