"""What a bucket with versions still holds of what was overwritten or deleted, and its bytes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from operator import itemgetter
from typing import Any, BinaryIO

from buckia.errors import IntegrityError, StoreError
from buckia.model import Entry
from buckia.stores.download import Body, Download
from buckia.stores.meter import Meter
from buckia.stores.s3_errors import BORDER, persist, shown
from buckia.stores.s3_headers import sha256_of
from buckia.stores.s3_listing import is_md5, nanoseconds
from buckia.stores.s3_parts import Request
from buckia.stores.s3_session import MIB, S3Session

Version = dict[str, Any]
"""A version or a delete marker, as botocore tells it; a marker has no size."""


def past_versions(session: S3Session, prefix: str) -> Iterator[Entry]:
    """Every version below `prefix` that is not the current one, by full key, the newest first.

    An entry's version is the id of the version, `modified` the time of what came after it.
    """
    for key, group in itertools.groupby(_versions(session, prefix), itemgetter("Key")):
        for newer, version in itertools.pairwise(group):
            if "Size" in version and not _is_same(session, newer, version):
                moment = nanoseconds(newer["LastModified"])
                yield Entry(key, version["Size"], version=version["VersionId"], modified=moment)


def _is_same(session: S3Session, newer: Version, version: Version) -> bool:
    """Whether a version holds the bytes of the one after it.

    A copy of what was sent in parts has another ETag, so there our sha256 decides.
    """
    if newer.get("Size") != version["Size"]:
        return False
    tags = [str(item["ETag"]).strip('"') for item in (newer, version)]
    if tags[0] == tags[1] or all(map(is_md5, tags)):
        return tags[0] == tags[1]
    known = [_sha256(session, item) for item in (newer, version)]
    return known[0] is not None and known[0] == known[1]


def _sha256(session: S3Session, version: Version) -> str | None:
    """The digest that buckia left with a version, if it did."""
    which: Request = {"Bucket": session.options.bucket, "Key": version["Key"]}
    which["VersionId"] = version["VersionId"]
    place = f"s3://{session.options.bucket}/{shown(version['Key'])}"
    return sha256_of(persist(partial(session.client.head_object, **which), place))


def _versions(session: S3Session, prefix: str) -> Iterator[Version]:
    """Versions and markers by key, the newest first; botocore tells each page as two lists."""
    place = f"versions of s3://{session.options.bucket} at {session.endpoint}"
    size = session.options.page_size
    request: Request = {"Bucket": session.options.bucket, "Prefix": prefix, "MaxKeys": size}
    seen: set[tuple[str, str]] = set()
    held: list[Version] = []
    while True:
        page: Any = persist(partial(session.client.list_object_versions, **request), place)
        held += [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        if not page.get("IsTruncated"):
            yield from sorted(held, key=_place)
            return
        after = (page.get("NextKeyMarker", ""), page.get("NextVersionIdMarker", ""))
        if not after[0] or after in seen:
            raise StoreError(
                f"{place}: the service repeats itself; nothing was used; look for a proxy"
            )
        seen.add(after)
        request |= {"KeyMarker": after[0], "VersionIdMarker": after[1]}
        yield from sorted((item for item in held if item["Key"] != after[0]), key=_place)
        held = [item for item in held if item["Key"] == after[0]]  # there may be more of it


def _place(item: Version) -> tuple[bytes, bool, float]:
    """Where a version stands among all: by the bytes of its key, the current one first."""
    key, moment = item["Key"].encode("utf-8", "surrogatepass"), item["LastModified"]
    return key, not item["IsLatest"], -moment.timestamp()


def open_version(session: S3Session, key: str, entry: Entry, place: str) -> BinaryIO:
    """The bytes of one version by its id, held against the digests that the service tells of it."""

    def ask(offset: int) -> Any:
        span: Request = {"Range": f"bytes={offset}-"} if offset else {}
        which: Request = {"Bucket": session.options.bucket, "Key": key, "VersionId": entry.version}
        return persist(lambda: session.mover.get_object(**which, **span), place)

    def body(found: Any) -> Body:
        return Body(found["Body"].iter_chunks(MIB), found["Body"].close)

    first = ask(0)
    told = _digests(first)
    meter = Meter(told)

    def check() -> None:
        if any(meter.digests[name] != digest for name, digest in told.items()):
            raise IntegrityError(
                f"{place}: this version holds other bytes than it says; take another"
            )

    rest = Download(
        lambda at: body(ask(at)), place, entry.size, BORDER, session.traffic, meter, check
    )
    return rest.opened(body(first))


def _digests(found: Any) -> dict[str, str]:
    """What an answer tells of the bytes of its version: our sha256, else the service's md5."""
    if sha256 := sha256_of(found):
        return {"sha256": sha256}
    tag = str(found["ETag"]).strip('"')
    plain = found.get("ServerSideEncryption") in (None, "AES256")
    return {"md5": tag} if plain and is_md5(tag) else {}
