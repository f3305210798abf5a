"""Warnings of `buckia validate`: what works, and will be regretted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from buckia.config import BucketConfig, Settings
from buckia.config.env import refers
from buckia.config.schema import SECRETS, Path, Problem, options
from buckia.ids import guessable
from buckia.layout import Mapping as Place
from buckia.model import Direction


def advise(
    buckets: Mapping[str, BucketConfig], settings: Settings, written: Any
) -> Iterator[Problem]:
    """The warnings for valid buckets. `written` is the file's data as it was written."""
    if isinstance(written, dict):
        yield from _inline_secrets(written)
    for name, bucket in buckets.items():
        yield from _ignored(name, bucket, written)
        yield from _vain_token(name, bucket)
        yield from _guessable((name, "folders"), bucket.folders)
        yield from _overlaps(name, bucket)
        yield from _deletes_foreign(name, bucket)
    for group, folders in settings.sets.items():
        yield from _guessable(("buckia", "sets", group), folders)


def _inline_secrets(written: dict[str, Any]) -> Iterator[Problem]:
    own = written.get("buckia")
    places: dict[Path, Any] = {(name,): said for name, said in written.items() if name != "buckia"}
    places["buckia", "defaults"] = own.get("defaults") if isinstance(own, dict) else None
    for path, said in places.items():
        for option in sorted(SECRETS & said.keys()) if isinstance(said, dict) else ():
            value = said[option]
            inner = value.items() if isinstance(value, dict) else [(None, value)]
            for key, secret in inner:
                if isinstance(secret, str) and not refers(secret):
                    place = (*path, option) if key is None else (*path, option, key)
                    yield Problem(place, "a secret stands in the file; write `${NAME}` instead")


def _ignored(name: str, bucket: BucketConfig, written: Any) -> Iterator[Problem]:
    """Options that stand in the bucket itself and that its provider has no use for."""
    said = set(written.get(name) or ()) if isinstance(written, dict) else set()
    for option, rules in options().items():
        providers = rules["x-providers"]
        if option in said and bucket.provider not in providers:
            message = f"`{bucket.provider}` ignores it; it is for {', '.join(providers)}"
            yield Problem((name, option), message, on_key=True)
    if bucket.folders and not any(place.folders for place in bucket.layout.mappings):
        message = "limits nothing: every path has a prefix of its own, or there are only files"
        yield Problem((name, "folders"), message, on_key=True)


def _vain_token(name: str, bucket: BucketConfig) -> Iterator[Problem]:
    """A token that is never looked up, or that is a secret where its name belongs."""
    if bucket.token is None:
        return
    said = [option for option in ("api_key", "password", "profile") if getattr(bucket, option)]
    said = said[1:] if bucket.provider == "bunny" else said  # its `api_key` is another credential
    if said := said + (["credentials"] if bucket.credentials else []):
        yield Problem((name, "token"), f"has no effect beside `{said[0]}`", on_key=True)
    if guessable(bucket.token) is None:
        message = "looks like a secret; it takes the name of one: `buckia auth set NAME`"
        yield Problem((name, "token"), message)


def _guessable(path: Path, folders: Sequence[str]) -> Iterator[Problem]:
    for index, folder in enumerate(folders):
        if why := guessable(folder.rstrip("/")):
            risk = "where a server has no directory access control the id is the only protection"
            message = f"`{folder}` {why} and may be guessed; {risk}; `buckia id new` makes one"
            yield Problem((*path, index), message)


def _deletes_foreign(name: str, bucket: BucketConfig) -> Iterator[Problem]:
    both = [place for place in bucket.layout.mappings if place.direction is Direction.BOTH]
    if bucket.delete_orphaned == "all" and both:
        message = (
            f"`all` only deletes foreign objects in mappings that upload; {_show(both[0])} goes"
        )
        yield Problem((name, "delete_orphaned"), f"{message} both ways and keeps them")


def _overlaps(name: str, bucket: BucketConfig) -> Iterator[Problem]:
    folders = [place for place in bucket.layout.mappings if not place.single]
    for (first, one), (second, other) in combinations(enumerate(folders), 2):
        if any(_nested(a, b) for a in one.roots for b in other.roots):
            message = f"{_show(other)} overlaps {_show(one)}: a file in both has two keys"
            if one.path == other.path and one.prefix == other.prefix:
                message = f"{_show(other)} stands here twice; entry {first + 1} counts"
            yield Problem((name, "paths", second), message)
        elif _receives(one) and _receives(other) and _shared(one, other):
            where = max(one.prefix, other.prefix, key=len) or "the root of the bucket"
            message = f"{_show(other)} and {_show(one)} both receive what is new in {where}"
            yield Problem((name, "paths", second), f"{message}; only one of them gets it")


def _shared(one: Place, other: Place) -> bool:
    return any(_nested(a, b) for a in one.prefixes for b in other.prefixes)


def _nested(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _receives(place: Place) -> bool:
    return place.direction is not Direction.UPLOAD


def _show(place: Place) -> str:
    return f"`{place.path or './'}`"
