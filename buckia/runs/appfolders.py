"""Which folder is meant by the id of a user or of demo content, here and in a bucket."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from buckia.config import BucketConfig, Config
from buckia.errors import UsageError
from buckia.layout import Mapping, refuse_key
from buckia.model import Direction, Policy
from buckia.rules import RESERVED_PREFIX

_OWN: Final = (RESERVED_PREFIX.rstrip("/"), ".buckia.d")


class Folder(Struct, frozen=True):
    """A top-level folder of a bucket: where it is here and there. Both end in `/`."""

    name: str
    bucket: str
    path: str
    prefix: str


def find(config: Config, name: str, bucket: str | None = None) -> Folder:
    """The local folder of that id. Raises `UsageError` when there is none, or more than one."""
    found = _found(config, name, [bucket] if bucket else list(config.buckets))
    if not found:
        raise UsageError(
            f"there is no folder {name} in {_places(config, bucket)}; check the id, or make the "
            "folder first if it is new"
        )
    return _only(found, name)


def source(config: Config, name: str, bucket: str | None = None) -> Folder:
    """The folder of a set with one folder, or of that id. `bucket` decides between several."""
    folders = config.settings.sets.get(name, (name,))
    if len(folders) != 1:
        raise UsageError(f"--from {name}: the set has {len(folders)} folders; name one of them")
    folder = folders[0].rstrip("/")
    found = _found(config, folder, list(config.buckets))
    if not found:
        raise UsageError(
            f"--from {name}: there is no folder {folder} in {_places(config)}; name another"
        )
    if len(found) > 1 and bucket:
        found = [item for item in found if item.bucket == bucket] or found
    return _only(found, folder)


def _found(config: Config, name: str, buckets: Sequence[str]) -> list[Folder]:
    """Every local folder of that id, once, in the order of the configuration."""
    _demand_id(name)
    found: dict[str, Folder] = {}
    for bucket in buckets:
        for mapping in known(config, bucket).layout.mappings:
            if folder := _inside(mapping, name, bucket):
                place = config.root / folder.path
                if place.is_dir() and not place.is_symlink():
                    found.setdefault(folder.path, folder)
    return list(found.values())


def known(config: Config, bucket: str) -> BucketConfig:
    """A bucket whose secrets nobody needs here. `ConfigError` for one that is not there."""
    return config.buckets[bucket] if bucket in config.buckets else config.bucket(bucket)


def _demand_id(name: str) -> None:
    why = refuse_key(name)
    if why is None and "/" in name:
        why = "has a slash in it"
    if why is None and name in _OWN:
        why = "is buckia's own"
    if why:
        raise UsageError(f"{name!r} is no folder id: it {why}; `buckia id new` makes one")


def _inside(mapping: Mapping, name: str, bucket: str) -> Folder | None:
    """The folder of that name as a mapping has it, or None where it has no such."""
    prefix = f"{mapping.prefix}{name}/"
    if mapping.single or not mapping.covers(f"{prefix}x"):
        return None
    return Folder(name, bucket, f"{mapping.path}{name}/", prefix)


def _only(found: list[Folder], name: str) -> Folder:
    if len(found) > 1:
        named = " and ".join(f"{item.path} (`{item.bucket}`)" for item in found)
        raise UsageError(f"{name} is more than one folder: {named}; say which with --bucket")
    return found[0]


def _places(config: Config, bucket: str | None = None) -> str:
    buckets = [config.bucket(bucket)] if bucket else config.buckets.values()
    paths = (m.path for b in buckets for m in b.layout.mappings if not m.single)
    return ", ".join(dict.fromkeys(path or "./" for path in paths)) or "any mapping"


def in_bucket(config: Config, name: str, bucket: str | None = None) -> Folder:
    """A folder that need not be here: the local one, or else where it would come to be.

    Raises `UsageError` where more than one bucket could be meant.
    """
    buckets = [bucket] if bucket else list(config.buckets)
    for item in buckets:
        known(config, item)
    found = _found(config, name, buckets)
    possible = [
        next((item for item in found if item.bucket == one), None) or folder
        for one in buckets
        for folder in [_first(config, name, one)]
        if folder
    ]
    if not possible:
        raise UsageError(f"no mapping takes the folder {name}; see `folders` and `paths`")
    if len(possible) > 1:
        named = ", ".join(f"`{item.bucket}`" for item in possible)
        raise UsageError(f"{name} can be in more than one bucket: {named}; name one")
    return possible[0]


def _first(config: Config, name: str, bucket: str) -> Folder | None:
    folders = (_inside(mapping, name, bucket) for mapping in known(config, bucket).layout.mappings)
    return next((folder for folder in folders if folder), None)


def directed(config: Config, folder: Folder, direction: Direction) -> Config:
    """The configuration with the mapping of a folder one way.

    Down, the bucket wins over what has changed here, which is kept in the trash. Up, what has
    changed in the bucket stays a conflict.
    """
    bucket = config.bucket(folder.bucket)
    places = [m for m in bucket.layout.mappings if not m.single]
    entries = [
        {"path": entry} if isinstance(entry, str) else dict(entry) for entry in bucket.paths
    ] or [{"path": "./"}]
    for place, entry in zip(places, entries, strict=True):
        mine = _inside(place, folder.name, folder.bucket) == folder
        entry["direction"] = direction if mine else place.direction
    policy = Policy.REMOTE_WINS if direction is Direction.DOWNLOAD else bucket.conflict_resolution
    changed = dataclasses.replace(bucket, paths=entries, conflict_resolution=policy)
    return dataclasses.replace(config, buckets={**config.buckets, folder.bucket: changed})
