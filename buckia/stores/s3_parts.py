"""Large objects: multipart uploads and copies that are ended properly, whatever happens."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from buckia.stores.meter import Meter
from buckia.stores.parts import MOST, Piece, each_part, in_pieces
from buckia.stores.parts import read_exactly as read_exactly
from buckia.stores.s3_carriers import Condition, conditions
from buckia.stores.s3_errors import BORDER, FAILURES, persist, shown
from buckia.stores.s3_listing import is_md5
from buckia.stores.s3_session import MIB, S3Session

Request = dict[str, Any]
"""Parameters of a request, as botocore wants them."""

Part = dict[str, Any]
"""What names a part that was sent, as botocore wants it."""


@contextmanager
def multipart(session: S3Session, key: str, about: Request) -> Iterator[Request]:
    """Begin a multipart upload and give what names it; end it for good if anything goes wrong."""
    place: Request = {"Bucket": session.options.bucket, "Key": key}
    begun = persist(lambda: session.client.create_multipart_upload(**place, **about), _place(place))
    upload = {**place, "UploadId": begun["UploadId"]}
    try:
        yield upload
    except BaseException:
        with suppress(*FAILURES):
            session.client.abort_multipart_upload(**upload)
        raise


def read_parts(body: BinaryIO, size: int, part_size: int, meter: Meter) -> Iterator[bytes]:
    """The body in pieces, hashed as they pass; ends early when there is more than announced."""
    return in_pieces(body, size, _part_size(size, part_size), meter)


def send_parts(session: S3Session, upload: Request, chunks: Iterator[bytes]) -> list[Part]:
    """Send pieces, some at once. Each is signed with its sha256, so the service verifies it."""

    def send(number: int, chunk: bytes) -> str:
        sent = session.mover.upload_part(PartNumber=number, Body=chunk, **upload)
        return sent["ETag"]

    return _each_part(session, upload, chunks, send)


def copy_parts(session: S3Session, upload: Request, source: Request, size: int) -> list[Part]:
    """Copy an object in ranges inside the service."""
    step = _part_size(size, min(session.options.copy_limit, 1024 * MIB))

    def copy(number: int, start: int) -> str:
        span = f"bytes={start}-{min(start + step, size) - 1}"
        copied = session.client.upload_part_copy(
            PartNumber=number, CopySourceRange=span, **source, **upload
        )
        return copied["CopyPartResult"]["ETag"]

    return _each_part(session, upload, iter(range(0, size, step)), copy)


def complete(
    session: S3Session,
    upload: Request,
    parts: list[Part],
    condition: Condition,
) -> str:
    """Make the object of its parts appear; its ETag, empty where it is neither told nor known."""
    request = {**upload, "MultipartUpload": {"Parts": parts}, **conditions(condition)}
    made = session.client.complete_multipart_upload(**request)
    return made.get("ETag", "").strip('"') or _etag_of(parts)


def _etag_of(parts: list[Part]) -> str:
    """The ETag of an object in parts, where those of the parts are md5: Ceph 16.2 does not tell it.

    Amazon S3 user guide, "checking object integrity": the md5 of the md5s, and how many there are.
    """
    tags = [part["ETag"].strip('"') for part in parts]
    if not all(is_md5(tag) for tag in tags):
        return ""
    whole = hashlib.md5(bytes.fromhex("".join(tags)), usedforsecurity=False)
    return f"{whole.hexdigest()}-{len(tags)}"


def _each_part(
    session: S3Session, upload: Request, pieces: Iterator[Piece], act: Callable[[int, Piece], str]
) -> list[Part]:
    tags = each_part(session.crew, pieces, act, BORDER, _place(upload))
    return [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]


def _place(request: Request) -> str:
    """The object a request is about, for people."""
    return f"s3://{request['Bucket']}/{shown(request['Key'])}"


def _part_size(size: int, wanted: int) -> int:
    """Bytes of a part, in whole MiB where there would be too many parts."""
    return max(wanted, math.ceil(size / MOST / MIB) * MIB)
