"""Options that are each in order and yet contradict each other: errors a schema cannot see."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from buckia import globs
from buckia.config.header_rules import unfit_rules
from buckia.config.schema import Problem
from buckia.config.transfers import unfit_transfers
from buckia.layout import clean, refuse_key
from buckia.rules import built_in_exclude
from buckia.settings import complaints
from buckia.stores.s3_services import absolute, find_service

if TYPE_CHECKING:
    from buckia.config import BucketConfig

_SOMEWHERE = Path("/", *"0123456789abcdef")
"""A root for checks that need none: deep enough for any sensible number of `..`."""


def contradictions(bucket: BucketConfig) -> Iterator[Problem]:
    """Everything wrong with a bucket whose options the schema has passed."""
    yield from _bad_place(bucket)
    yield from _bad_keys(bucket)
    yield from _twice(bucket)
    yield from _bad_patterns(bucket)
    yield from unfit_rules(bucket)
    yield from unfit_transfers(bucket)
    yield from _unfit_query(bucket.media_refs)
    for where, what in complaints(bucket.provider, bucket.settings):
        yield Problem(("settings", *where), what, on_key=True)
    for name in sorted({"pull_zone", "edge_rules"} & bucket.settings.keys()):
        if not bucket.pull_zone:
            what = "which pull zone? name it as `pull_zone` of the bucket"
            yield Problem(("settings", name), what, on_key=True)
    if why := nesting(bucket, _SOMEWHERE):
        yield Problem(("bucket_name",), why)


def _unfit_query(query: str | None) -> Iterator[Problem]:
    if query:
        from buckia.sqlite import references  # loaded late: few buckets have one

        if why := references.refuse(query):
            yield Problem(("media_refs",), f"no query that can be asked: {why}")


def nesting(bucket: BucketConfig, root: Path) -> str | None:
    """Why a `local` bucket would sync into itself, or None. `root` is what paths are relative to.

    Links count where `root` and what lies below it exist.
    """
    if bucket.provider != "local":
        return None
    if re.match(r"[/~]|[A-Za-z]:", bucket.bucket_name) or "\\" in bucket.bucket_name:
        return "a `local` bucket is a directory relative to the folder of .buckia, written with `/`"
    there = _absolute(root, bucket.bucket_name)
    for place in bucket.layout.mappings:
        mapped = _absolute(root, place.path)
        if there.startswith(mapped) or mapped.startswith(there):
            how = "lies inside" if there.startswith(mapped) else "contains"
            shown = f"`{bucket.bucket_name}` {how} the mapped path `{place.path or './'}`"
            return f"{shown} and would sync into itself; put it outside, such as `../buckets/`"
    return None


def _absolute(root: Path, path: str) -> str:
    return os.path.realpath(root / path) + os.sep


def _bad_place(bucket: BucketConfig) -> Iterator[Problem]:
    """Addresses of S3 services that cannot be right."""
    if bucket.provider == "bunny" and bucket.api == "s3" and bucket.domain is None:
        region = (bucket.region or "DE").lower()
        if not find_service("bunny", None).has(region):
            yield Problem(("region",), f"`{bucket.region}` has no S3; leave `api: s3` out")
    if bucket.provider not in ("s3", "linode"):
        return
    service = find_service("linode" if bucket.provider == "linode" else bucket.service, None)
    if bucket.domain is None and bucket.region and not service.has(bucket.region):
        yield Problem(
            ("region",),
            f"`{bucket.region}` is no endpoint of `{service.name}`, which are called like "
            f"`us-east-1`; or name its host in `domain`",
        )
    host = urlsplit(absolute(bucket.domain)).hostname if bucket.domain else None
    _, found, rest = (host or "").partition(f"{bucket.bucket_name.lower()}.")
    if found and host == found + rest and find_service(None, f"https://{rest}").hosts:
        yield Problem(("domain",), f"is the host without the bucket: `{rest}`")


def _bad_keys(bucket: BucketConfig) -> Iterator[Problem]:
    if bucket.prefix and (why := _refuse(bucket.prefix.rstrip("/"))):
        yield Problem(("prefix",), f"`{bucket.prefix}` {why}")
    for index, folder in enumerate(bucket.folders):
        if why := _refuse(folder.rstrip("/")):
            yield Problem(("folders", index), f"`{folder}` {why}")
    for index, entry in enumerate(bucket.paths):
        prefix = "" if isinstance(entry, str) else clean(entry.get("prefix", ""))
        if prefix and (why := _refuse(prefix)):
            yield Problem(("paths", index, "prefix"), f"`{prefix}` {why}")
    for table, path, key in _singles(bucket):
        if why := _refuse(key):
            yield Problem((table, path), f"the key `{key}` {why}")
        if why := built_in_exclude(clean(path)):
            yield Problem((table, path), f"`{path}` is {why}", on_key=True)


def _refuse(key: str) -> str | None:
    if why := refuse_key(key):
        return why
    return f"is {why}" if (why := built_in_exclude(key)) else None


def _singles(bucket: BucketConfig) -> Iterator[tuple[str, str, str]]:
    for table in ("files", "upload_files"):
        for path, key in getattr(bucket, table).items():
            yield table, path, key


def _twice(bucket: BucketConfig) -> Iterator[Problem]:
    """Two local files for one key, and one local file that two keys would write."""
    by_key: dict[str, str] = {}
    written: dict[str, str] = {}
    for table, path, key in _singles(bucket):
        other = by_key.setdefault(key, path)
        if clean(other) != clean(path):
            message = f"`{other}` and `{path}` are two local files for one key, `{key}`"
            yield Problem((table, path), message, on_key=True)
        elif other != path or (table == "upload_files" and path in bucket.files):
            yield Problem((table, path), f"`{path}` stands here twice for `{key}`", on_key=True)
        elif table == "files" and (first := written.setdefault(clean(path), key)) != key:
            message = f"`{path}` would be written from two keys, `{first}` and `{key}`"
            yield Problem((table, path), message, on_key=True)


def _bad_patterns(bucket: BucketConfig) -> Iterator[Problem]:
    for option in ("include_pattern", "exclude_pattern"):
        if pattern := getattr(bucket, option):
            try:
                re.compile(pattern)
            except (re.error, RecursionError, OverflowError) as problem:
                message = f"is not a regular expression: {problem}"
                yield Problem((option,), message)
    for option in ("include", "exclude"):
        for index, glob in enumerate(getattr(bucket, option)):
            if why := globs.refuse(glob):
                yield Problem((option, index), f"`{glob}` is not a pattern: {why}")
