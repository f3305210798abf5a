"""Multipart uploads that were begun and neither completed nor ended: they cost room for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from botocore.exceptions import ClientError

from buckia.model import Entry, replace
from buckia.stores.s3_errors import persist, shown, symptom
from buckia.stores.s3_listing import nanoseconds
from buckia.stores.s3_parts import Request
from buckia.stores.s3_session import S3Session

Result = TypeVar("Result")


def unfinished_uploads(session: S3Session, prefix: str | None = None) -> Iterator[Entry]:
    """Every unfinished upload below a prefix of the bucket, by default the store's own.

    An entry's version is the id of the upload, `modified` when it was begun; the size is not told.
    """
    place = f"unfinished uploads of s3://{session.options.bucket}"
    wanted = session.options.prefix if prefix is None else prefix
    pages = session.client.get_paginator("list_multipart_uploads").paginate
    ask = partial(pages, Bucket=session.options.bucket, Prefix=wanted)
    for page in persist(lambda: list(ask()), place):
        for item in page.get("Uploads", ()):
            begun = nanoseconds(item["Initiated"])
            yield Entry(item["Key"], 0, version=item["UploadId"], modified=begun)


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
            if symptom(problem)[0] == "NoSuchUpload":
                return None
            raise

    return persist(step, f"upload of s3://{bucket}/{shown(upload.key)}")
