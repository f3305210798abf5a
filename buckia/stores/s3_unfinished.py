"""Multipart uploads that were begun and neither completed nor ended: they cost room for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import TypeVar, cast
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from buckia.model import Entry, replace
from buckia.stores.s3_errors import persist, shown, symptom
from buckia.stores.s3_listing import nanoseconds
from buckia.stores.s3_parts import Request
from buckia.stores.s3_session import S3Session

Result = TypeVar("Result")


class S3Uploads:
    """See `Uploads`: what is below the store's prefix."""

    def __init__(self, session: S3Session) -> None:
        self._session = session
        self._prefix = session.options.prefix

    def begun(self) -> Iterator[Entry]:
        """By ListMultipartUploads."""
        for upload in unfinished_uploads(self._session):
            yield replace(upload, key=upload.key.removeprefix(self._prefix))

    def weigh(self, upload: Entry) -> Entry | None:
        """By ListParts."""
        found = weigh_upload(self._session, self._full(upload))
        return replace(found, key=upload.key) if found else None

    def end(self, upload: Entry) -> None:
        """By AbortMultipartUpload."""
        abort_upload(self._session, self._full(upload))

    def _full(self, upload: Entry) -> Entry:
        return replace(upload, key=self._prefix + upload.key)


def unfinished_uploads(session: S3Session, prefix: str | None = None) -> Iterator[Entry]:
    """Every unfinished upload below a prefix of the bucket, by default the store's own.

    An entry's version is the id of the upload, `modified` when it was begun; the size is not told.
    """
    wanted = session.options.prefix if prefix is None else prefix
    marker: Request | None = {}
    while marker is not None:
        page = _fetch(session, wanted, marker)
        for item in page.get("Uploads", ()):
            begun = nanoseconds(item["Initiated"])
            told = Entry(item["Key"], 0, version=item["UploadId"], modified=begun)
            if upload := _decoded(session, told, certain=_is_coded(page)):
                yield upload
        marker = _following(page, marker)


def _is_coded(page: Request) -> bool:
    """Whether a service says that it coded the keys."""
    return bool(page.get("EncodingType") == "url")


def _decoded(session: S3Session, told: Entry, *, certain: bool) -> Entry | None:
    """An upload under its true key, None where there is none.

    Ceph codes keys and does not say so, others neither code nor say anything. Where it makes a
    difference, the upload is asked for under both.
    """
    spelt = replace(told, key=unquote_plus(told.key))
    if certain or spelt.key == told.key:
        return spelt
    return next((one for one in (told, spelt) if weigh_upload(session, one)), None)


def _fetch(session: S3Session, prefix: str, marker: Request) -> Request:
    """One page. Keys are asked for coded, because XML cannot hold all of them."""
    bucket, ask = session.options.bucket, session.client.list_multipart_uploads
    return cast(
        Request,
        persist(
            lambda: ask(Bucket=bucket, Prefix=prefix, EncodingType="url", **marker),
            f"unfinished uploads of s3://{bucket}",
        ),
    )


def _following(page: Request, marker: Request) -> Request | None:
    """Where to go on; None after the last page, and where a service repeats itself."""
    key = page.get("NextKeyMarker", "")
    found = {
        "KeyMarker": unquote_plus(key) if _is_coded(page) else key,
        "UploadIdMarker": page.get("NextUploadIdMarker", ""),
    }
    return found if page.get("IsTruncated") and found != marker else None


def weigh_upload(session: S3Session, upload: Entry) -> Entry | None:
    """The upload with the size of its parts and the time of its newest: somebody may still send.

    None where it is not unfinished any more.
    """
    pages = session.client.get_paginator("list_parts").paginate
    found = _unless_gone(session, upload, lambda which: list(pages(**which)))
    if found is None:
        return None
    parts = [part for page in found for part in page.get("Parts", ())]
    times = [nanoseconds(part["LastModified"]) for part in parts]
    newest = max([upload.modified or 0, *times])
    return replace(upload, size=sum(part["Size"] for part in parts), modified=newest)


def abort_upload(session: S3Session, upload: Entry) -> None:
    """End an upload for good; one that is gone by now is ended."""
    end = session.client.abort_multipart_upload
    _unless_gone(session, upload, lambda which: end(**which))


def _unless_gone(
    session: S3Session, upload: Entry, act: Callable[[Request], Result]
) -> Result | None:
    """Do something with an upload; None where it was completed or ended meanwhile."""
    bucket = session.options.bucket
    which: Request = {"Bucket": bucket, "Key": upload.key, "UploadId": upload.version}

    def step() -> Result | None:
        try:
            return act(which)
        except ClientError as problem:
            code, status = symptom(problem)
            if status == HTTPStatus.NOT_FOUND and code != "NoSuchBucket":
                return None
            raise

    return persist(step, f"upload of s3://{bucket}/{shown(upload.key)}")
