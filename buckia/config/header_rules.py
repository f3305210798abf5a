"""The option `headers`: rules as people write them, and what no schema sees in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from buckia import globs
from buckia.config.schema import Problem
from buckia.headers import FIELDS, META, METADATA, MOST_METADATA, STORAGE, HeaderRule

if TYPE_CHECKING:
    from buckia.config import BucketConfig

_OPTIONS: Final = {name.replace("-", "_"): name for name in FIELDS}
"""Headers by the options that set them."""


def header_rules(bucket: BucketConfig) -> Iterator[HeaderRule]:
    """The rules of a bucket, in their order; first that for all keys which `storage_class` is."""
    if bucket.storage_class:
        yield HeaderRule(("*",), {STORAGE: bucket.storage_class})
    for said in bucket.headers:
        found = {_OPTIONS[option]: said[option] for option in said if option in _OPTIONS}
        found |= {META + name: value for name, value in said.get(METADATA, {}).items()}
        yield HeaderRule(_globs(said), found)


def unfit_rules(bucket: BucketConfig) -> Iterator[Problem]:
    """Patterns that are none, and more metadata than an object can have."""
    for index, said in enumerate(bucket.headers):
        for glob in _globs(said):
            if why := globs.refuse(glob):
                yield Problem(("headers", index, "match"), f"`{glob}` is not a pattern: {why}")
        if all(glob.startswith("!") for glob in _globs(said)):
            message = "matches nothing: `!` only takes back what another pattern matches"
            yield Problem(("headers", index, "match"), message)
    if (size := _metadata(bucket)) > MOST_METADATA:
        message = f"sets up to {size} bytes of `metadata` on an object; at most {MOST_METADATA} fit"
        yield Problem(("headers",), message)


def _globs(said: Mapping[str, Any]) -> tuple[str, ...]:
    match = said["match"]
    return (match,) if isinstance(match, str) else tuple(match)


def _metadata(bucket: BucketConfig) -> int:
    """The most bytes of names and values that an object can get."""
    most: dict[str, int] = {}
    for said in bucket.headers:
        for name, value in said.get(METADATA, {}).items():
            most[name] = max(most.get(name, 0), len(name) + len(value))
    return sum(most.values())
