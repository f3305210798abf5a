"""Bodies on their way to B2: small ones whole, large files in parts that end properly."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Final

from b2sdk.v3.exception import InvalidAuthToken  # type: ignore[import-untyped]

from buckia.model import Entry
from buckia.stores.b2_errors import BORDER, FAILURES, Unanswered, persist
from buckia.stores.b2_headers import LARGE_SHA1, SHA256, to_info
from buckia.stores.b2_session import MIB, Account
from buckia.stores.meter import Meter
from buckia.stores.parts import MOST, each_part, in_pieces
from buckia.stores.parts import read_exactly as read_exactly

_LARGEST_PART: Final = 1024 * MIB
"""Bytes of a part that is copied: large enough for 10 TB, small enough to be done again."""

_BY_NAME: Final = "b2/x-auto"
"""The content type that has B2 judge by the name."""


def send_small(account: Account, name: str, data: bytes, known: Entry) -> Any:
    """Send a body at once, with the SHA-1 that the service holds it against; its answer."""
    kind, info = about(known, whole=True)

    def send() -> Any:
        return account.session.upload_file(
            account.bucket_id, name, len(data), kind, known.sha1, info, data
        )

    return _by_upload_url(account, send)


@contextmanager
def large_file(account: Account, name: str, kind: str, info: dict[str, str]) -> Iterator[str]:
    """Begin a large file and give its id; cancel it if anything goes wrong.

    Type and file info are what `about` gives: B2 takes them now and never again.
    """
    begin = account.session.start_large_file
    place = f"large file in {account.place}"
    file_id = str(persist(lambda: begin(account.bucket_id, name, kind, info), place)["fileId"])
    try:
        yield file_id
    except BaseException:
        with suppress(*FAILURES):
            account.session.cancel_large_file(file_id)
        raise
    finally:
        account.info.clear_large_file_upload_urls(file_id)


def about(known: Entry, *, whole: bool = False) -> tuple[str, dict[str, str]]:
    """The content type and the file info of an object; B2 keeps the SHA-1 of a `whole` one."""
    info = {SHA256: known.sha256, LARGE_SHA1: None if whole else known.sha1}
    own = {name: value for name, value in info.items() if value}
    return known.type or _BY_NAME, to_info(known.headers) | own


def read_parts(account: Account, body: BinaryIO, size: int, meter: Meter) -> Iterator[bytes]:
    """The body in pieces, hashed as they pass; ends early when there is more than announced."""
    wanted = min(account.options.part_size, account.options.large_threshold)
    step = _part_size(account, size, wanted)
    return in_pieces(body, size, step, meter)


def send_parts(account: Account, file_id: str, chunks: Iterator[bytes]) -> list[str]:
    """Send pieces, some at once, each held against its SHA-1; the SHA-1 of each, in order."""

    def send(number: int, chunk: bytes) -> str:
        digest = hashlib.sha1(chunk, usedforsecurity=False).hexdigest()
        _by_upload_url(
            account,
            lambda: account.session.upload_part(file_id, number, len(chunk), digest, chunk),
            file_id,
        )
        return digest

    return each_part(account.crew, chunks, send, BORDER, account.place)


def copy_parts(account: Account, file_id: str, source: str, size: int) -> list[str]:
    """Copy a version in ranges inside the service; the SHA-1 of each, in order."""
    step = _part_size(account, size, min(account.options.copy_limit, _LARGEST_PART))

    def copy(number: int, start: int) -> str:
        span = (start, min(start + step, size) - 1)
        return str(account.session.copy_part(source, file_id, number, span)["contentSha1"])

    return each_part(account.crew, iter(range(0, size, step)), copy, BORDER, account.place)


def _by_upload_url(account: Account, send: Callable[[], Any], file_id: str | None = None) -> Any:
    """Send to an upload URL. One that failed is not used again; expired ones are all dropped."""
    try:
        return send()
    except InvalidAuthToken:
        if file_id:
            account.info.clear_large_file_upload_urls(file_id)
        else:
            account.info.clear_bucket_upload_data(account.bucket_id)
        raise Unanswered("busy") from None


def _part_size(account: Account, size: int, wanted: int) -> int:
    """Bytes of a part: what is wanted, unless B2 wants more of them or fewer parts."""
    return max(wanted, account.smallest_part, math.ceil(size / MOST))
