"""List a bucket: signed ListObjectsV2 requests and a parser that trusts nothing.

A listing is complete or it raises. Keys are taken byte for byte as the service has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache, partial
from http import HTTPStatus
from itertools import islice
from operator import itemgetter, lt
from typing import Final
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from buckia.errors import StoreError
from buckia.model import Entry
from buckia.stores.s3_classes import USUAL
from buckia.stores.s3_errors import BadAnswer, persist
from buckia.stores.s3_session import S3Session
from buckia.stores.s3_signed import ask_bucket, error_code, name_of, parsed
from buckia.stores.usage import Kind

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MD5: Final = re.compile("[0-9a-f]{32}")

Listed = tuple[str, str, str, str]
"""One object: its key, byte for byte, and its date, ETag and size as they are told."""


class Page(Struct, frozen=True):
    """One answer: objects in order, where to go on (None: that was all), and the storage classes
    that are not the usual one (None: not every object tells its own)."""

    objects: list[Listed]
    following: str | None
    classes: dict[str, str] | None = None


class Elsewhere(StoreError):
    """The service did not begin a listing where it was told."""


def list_pages(
    session: S3Session, prefix: str, after: bytes = b"", most: int | None = None
) -> Iterator[list[Listed]]:
    """Every object below `prefix` whose key comes after `after`, page by page in order; `most` are
    the objects of a page.

    Raises `StoreError` for any doubt, `Elsewhere` where the first key does not come after `after`.
    """
    place, most = _place(session), most or session.options.page_size
    start = prefix.encode("utf-8", "surrogateescape")
    seen: set[str] = set()
    token, last = None, after
    while True:
        page = persist(partial(_fetch, session, prefix, token, after, most), place)
        if last is after:
            _demand_beginning(page.objects, after, place)
        last = _demand_order(page.objects, last, start, place)
        yield page.objects
        token = page.following
        if token is None:
            return
        if token in seen:
            raise StoreError(
                f"{place}: the service repeats itself; nothing was used; look for a proxy"
            )
        seen.add(token)


def list_page(session: S3Session, prefix: str, after: bytes, most: int) -> Page:
    """So many objects at the most below `prefix` whose key comes after `after`, asked for once.

    Raises as `list_pages` does. All that is up to the last of them is in it; where nothing follows,
    all that there is.
    """
    place = _place(session)
    page = persist(partial(_fetch, session, prefix, None, after, most), place, attempts=1)
    _demand_beginning(page.objects, after, place)
    _demand_order(page.objects, after, as_bytes(prefix), place)
    return page


def _place(session: S3Session) -> str:
    return f"listing of s3://{session.options.bucket} at {session.endpoint}"


def _demand_beginning(objects: list[Listed], after: bytes, place: str) -> None:
    """Raise unless a first page begins where it was told to."""
    if after and objects and as_bytes(objects[0][0]) <= after:
        raise Elsewhere(
            f"{place}: it does not begin after a key; nothing was used; look for a proxy"
        )


def _demand_order(objects: list[Listed], last: bytes, start: bytes, place: str) -> bytes:
    """The last key of a page whose keys are proved to ascend from `last`, all below `start`."""
    if not objects:
        return last
    keys = [item[0].encode("utf-8", "surrogateescape") for item in objects]
    ascending = keys[0] > last and all(map(lt, keys, islice(keys, 1, None)))
    if not (ascending and keys[0].startswith(start) and keys[-1].startswith(start)):
        raise StoreError(
            f"{place}: keys out of order or out of place; nothing was used; look for a proxy"
        )
    return keys[-1]


def as_bytes(key: str) -> bytes:
    """A key as the bucket has it, and by which it is sorted."""
    return key.encode("utf-8", "surrogateescape")


def before(key: str) -> bytes:
    """A key that comes before this one, with hardly any between: where to begin a page with it."""
    stem, end = key[:-1], key[-1:]
    close = end.isascii() and end.isalnum()
    return as_bytes(stem + chr(ord(end) - 1) + "~" if close else stem)


def facts(listed: Listed) -> tuple[int, str, int]:
    """Size, ETag and time of one object. Raises `ValueError` for what is none of them."""
    _, date, told, length = listed
    return int(length), told.strip('"'), _moment(date)


def entry_of(key: str, listed: Listed, *, md5_etags: bool) -> Entry:
    """What a listing tells of one object. Raises `ValueError` where it tells too little."""
    size, etag, modified = facts(listed)
    if not etag or size < 0:
        raise ValueError(key)
    md5 = etag if md5_etags and _MD5.fullmatch(etag) else None
    return Entry(key, size, None, md5, None, None, etag, modified)


def is_md5(etag: str) -> bool:
    """Whether an ETag has the form of an md5. Those of multipart uploads have not."""
    return _MD5.fullmatch(etag) is not None


@lru_cache(maxsize=1000)
def _moment(date: str) -> int:
    """A time as a listing tells it: of many objects the same, since services tell whole seconds."""
    return nanoseconds(datetime.fromisoformat(date))


def nanoseconds(moment: datetime) -> int:
    """A time as nanoseconds since 1970, exactly."""
    passed = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000_000 + passed.microseconds * 1000


def _fetch(session: S3Session, prefix: str, token: str | None, after: bytes, most: int) -> Page:
    query = {
        "list-type": "2",
        "encoding-type": "url",
        "max-keys": str(most),
        "prefix": prefix,
    }
    if token is not None:
        query["continuation-token"] = token
    elif after:
        query["start-after"] = after.decode("utf-8", "surrogateescape")
    page = _parse(ask_bucket(session, query, Kind.LIST))
    session.classes.learn((item[0] for item in page.objects), page.classes)
    session.traffic.listed(len(page.objects))
    return page


def keeps_versions(session: S3Session) -> bool:
    """Whether the bucket is told to keep what is overwritten in it."""
    root = parsed(ask_bucket(session, {"versioning": ""}, Kind.SETTINGS))
    return any(name_of(child) == "Status" and child.text == "Enabled" for child in root)


_OBJECT: Final = re.compile(
    r"<Contents><Key>([!-%\'-;=-~]+)</Key><LastModified>([0-9TZ:.+-]+)</LastModified>"
    r"<ETag>(?:&quot;|&#34;|\")([0-9A-Za-z-]+)(?:&quot;|&#34;|\")</ETag>"
    r"(?:<ChecksumAlgorithm>\w*</ChecksumAlgorithm>|<ChecksumType>\w*</ChecksumType>)*"
    r"<Size>([0-9]+)</Size>(?:<StorageClass>\w*</StorageClass>)?"
    r"(?:<Owner><ID>[\w-]*</ID>(?:<DisplayName>[\w-]*</DisplayName>)?</Owner>)?"
    r"(?:<StorageClass>\w*</StorageClass>)?(?:<Type>Normal</Type>)?</Contents>",
    re.ASCII,
)
"""An object as most services spell it. What is spelt otherwise is left to a real parser."""


def _parse(body: bytes) -> Page:
    quick: list[Listed] = []
    tell = body.count(b"<StorageClass>")
    alike = tell == body.count(b"<StorageClass>%b</StorageClass>" % USUAL.encode())
    whole = None if alike else body
    escaped = b"%" in body or b"+" in body
    if body.isascii():
        # what stands between the objects, then four fields of one, and so on in turn
        parts = _OBJECT.split(body.decode("ascii"))
        rest = "".join(parts[::5])
        if "<Contents" not in rest:
            quick = list(zip(parts[1::5], parts[2::5], parts[3::5], parts[4::5], strict=True))
            body = rest.encode()  # a whole document still, without the objects
    root = parsed(body)
    if name_of(root) == "Error":
        raise BadAnswer(HTTPStatus.OK, error_code(body))
    space = root.tag[: root.tag.rindex("}") + 1] if "}" in root.tag else ""
    more = {"true": True, "false": False}.get(root.findtext(f"{space}IsTruncated", ""))
    following = root.findtext(f"{space}NextContinuationToken")
    if name_of(root) != "ListBucketResult" or more is None or (more and not following):
        raise BadAnswer(HTTPStatus.OK, "bad answer")
    coded = root.findtext(f"{space}EncodingType") == "url"
    names = [space + name for name in ("Key", "LastModified", "ETag", "Size")]
    objects: list[Listed] = quick or [
        tuple(node.findtext(name, "") for name in names)  # type: ignore[misc]
        for node in root.findall(f"{space}Contents")
    ]
    if not all(map(itemgetter(0), objects)):
        raise BadAnswer(HTTPStatus.OK, "bad answer")
    if coded and (escaped or not quick):
        decoded = _all_decoded([item[0] for item in objects])
        objects = [(name, *item[1:]) for name, item in zip(decoded, objects, strict=True)]
    classes = None if tell != len(objects) else _classes(whole, coded=coded) if whole else {}
    return Page(objects, following if more else None, classes)


def _classes(body: bytes, *, coded: bool) -> dict[str, str]:
    """The storage classes of a page that are not the usual one, by key."""
    root = parsed(body)
    found: dict[str, str] = {}
    for node in root:
        told = {name_of(child): child.text or "" for child in node}
        if name_of(node) == "Contents" and told.get("StorageClass") != USUAL:
            key = told["Key"]
            found[_decoded(key) if coded else key] = told.get("StorageClass", "")
    return found


def _all_decoded(keys: list[str]) -> list[str]:
    """What `_decoded` makes of each of many keys, made at once where it can be."""
    text = "\n".join(keys).replace("%2F", "/").replace("%2f", "/")  # some escape no more than that
    found = (_decoded(text) if "%" in text or "+" in text else text).split("\n")
    return found if len(found) == len(keys) else list(map(_decoded, keys))


def _decoded(key: str) -> str:
    return unquote_to_bytes(key.replace("+", " ")).decode("utf-8", "surrogateescape")
