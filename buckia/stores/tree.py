"""A local folder tree walked without following links."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from buckia.errors import ConfigError, LocalError
from buckia.layout import Layout, Mapping, as_text, refuse_key
from buckia.model import Skipped
from buckia.stores import folders

Refuse = Callable[[str], str | None]
"""Why a key is out of scope, or None."""


class Found(Struct, frozen=True, gc=False):
    """A regular file of the tree: its key, its path relative to the root, its stat."""

    key: str
    path: str
    stat: os.stat_result


def walk(
    root: Path, layout: Layout, refuse: Refuse, skip: Callable[[Skipped], None]
) -> list[Found]:
    """Every regular file in the layout, sorted by the bytes of its key.

    Links, devices, sockets and names that cannot be keys are handed to `skip`, not followed. What
    cannot be read is handed to `skip` as unknown. Two files for one key: `ConfigError`.
    """
    found: dict[str, Found] = {}
    for mapping in layout.mappings:
        for file in _walk_mapping(root, mapping, refuse, skip):
            twin = found.setdefault(file.key, file)
            if twin.path != file.path:
                raise ConfigError(
                    f"two local files map to the key {file.key!r}: {twin.path!r} and "
                    f"{file.path!r}; rename one, or give one mapping a `prefix`"
                )
    return [found[key] for key in sorted(found, key=_key_bytes)]


def _key_bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _walk_mapping(
    root: Path, mapping: Mapping, refuse: Refuse, skip: Callable[[Skipped], None]
) -> Iterator[Found]:
    if mapping.single:
        yield from _single(root, mapping, refuse, skip)
        return
    for place in mapping.roots:
        pending = [place]
        if place != mapping.path and (root / place.rstrip("/")).is_symlink():
            skip(Skipped(mapping.prefix + place[len(mapping.path) :], "is a symbolic link"))
            continue
        while pending:
            yield from _folder(root, pending.pop(), mapping, refuse, skip, pending)


def _folder(
    root: Path,
    folder: str,
    mapping: Mapping,
    refuse: Refuse,
    skip: Callable[[Skipped], None],
    pending: list[str],
) -> Iterator[Found]:
    parts = Path(folder[len(mapping.path) :]).parts
    try:
        with folders.opened(root / mapping.path, parts) as inside, os.scandir(inside) as items:
            for item in items:
                path = folder + item.name
                if item.is_dir(follow_symlinks=False):
                    if not _own(f"{mapping.key_of(path + '/x') or item.name}", refuse):
                        pending.append(path + "/")
                    continue
                key = mapping.key_of(path)
                if key is not None and not refuse(key):
                    yield from _file(key, path, item, skip)
    except FileNotFoundError:
        return
    except (OSError, LocalError) as problem:
        place = mapping.prefix + folder[len(mapping.path) :]
        why = problem.strerror if isinstance(problem, OSError) else problem
        skip(Skipped(place or "./", f"cannot be read: {why}", unknown=True))


def _own(key: str, refuse: Refuse) -> bool:
    """Whether a folder is buckia's own, so that it is not even looked into."""
    return "/.buckia.d/" in f"/{key}" and refuse(key) is not None


def _file(
    key: str, path: str, item: os.DirEntry[str], skip: Callable[[Skipped], None]
) -> Iterator[Found]:
    if why := refuse_key(key):
        skip(Skipped(as_text(key), f"the name {why}"))
        return
    if item.is_symlink():
        skip(Skipped(key, "is a symbolic link"))
        skip(Skipped(key + "/", "is a symbolic link"))
        return
    try:
        stat = item.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as problem:
        skip(Skipped(key, f"cannot be read: {problem.strerror}", unknown=True))
        return
    if modes.S_ISREG(stat.st_mode):
        yield Found(key, path, stat)
    else:
        skip(Skipped(key, "is not a regular file"))


def _single(
    root: Path, mapping: Mapping, refuse: Refuse, skip: Callable[[Skipped], None]
) -> Iterator[Found]:
    if refuse(mapping.prefix):
        return
    parent = (root / mapping.path).parent
    try:
        with os.scandir(parent) as items:
            match = next((item for item in items if item.name == Path(mapping.path).name), None)
    except FileNotFoundError:
        return
    except OSError as problem:
        skip(Skipped(mapping.prefix, f"cannot be read: {problem.strerror}", unknown=True))
        return
    if match is not None and not match.is_dir(follow_symlinks=False):
        yield from _file(mapping.prefix, mapping.path, match, skip)
