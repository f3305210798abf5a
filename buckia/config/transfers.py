"""Options about how content travels to the S3 family, and what contradicts each other in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from buckia.config.schema import Problem

if TYPE_CHECKING:
    from buckia.config import BucketConfig

_UNITS: Final = {"MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}
_SIZE: Final = re.compile(r"(\d+) ?([MG]i?B)")
_LEAST, _MOST = 5 * 2**20, 2**30


def part_bytes(size: int | str | None) -> int | None:
    """What `part_size` says, in bytes."""
    if isinstance(size, str) and (match := _SIZE.fullmatch(size)):
        return int(match[1]) * _UNITS[match[2]]
    return int(size) if size is not None else None


def unfit_transfers(bucket: BucketConfig) -> Iterator[Problem]:
    """What cannot be had together, or nowhere."""
    size = part_bytes(bucket.part_size)
    if size is not None and not _LEAST <= size <= _MOST:
        yield Problem(("part_size",), f"is {size:,} bytes; from 5 MiB to 1 GiB are possible")
    if bucket.kms_key and not bucket.encryption.startswith("aws:kms"):
        message = "is for `encryption: aws:kms` or `aws:kms:dsse`"
        yield Problem(("kms_key",), message, on_key=True)
    if bucket.acceleration:
        yield from (Problem(("acceleration",), why, on_key=True) for why in _slow(bucket))


def _slow(bucket: BucketConfig) -> Iterator[str]:
    """Why a bucket cannot be accelerated (Amazon S3 user guide, "transfer acceleration")."""
    if bucket.provider != "s3" or bucket.domain or bucket.service not in (None, "aws"):
        yield "is Amazon's own: a bucket elsewhere, or with a `domain`, has none"
    if "." in bucket.bucket_name:
        yield "needs a bucket without dots in its name"
    if bucket.addressing == "path":
        yield "needs the bucket in the host: leave `addressing` out"
