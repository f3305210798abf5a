"""A local folder tree walked without following links."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Callable
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
    found: list[Found] = []
    for mapping in layout.mappings:
        if mapping.single:
            _single(root, mapping, refuse, skip, found)
        else:
            _walk_mapping(root, mapping, refuse, skip, found)
    by_key = {file.key: file for file in found}
    if len(by_key) != len(found):
        _refuse_twins(found, by_key)
    return [by_key[key] for key in sorted(by_key)]  # by code points, and so by bytes


def _refuse_twins(found: list[Found], by_key: dict[str, Found]) -> None:
    for file in found:
        twin = by_key[file.key]
        if twin.path != file.path:
            raise ConfigError(
                f"two local files map to the key {file.key!r}: {file.path!r} and "
                f"{twin.path!r}; rename one, or give one mapping a `prefix`"
            )


def _walk_mapping(
    root: Path,
    mapping: Mapping,
    refuse: Refuse,
    skip: Callable[[Skipped], None],
    found: list[Found],
) -> None:
    for place in mapping.roots:
        pending = [place]
        if place != mapping.path and (root / place.rstrip("/")).is_symlink():
            skip(Skipped(mapping.prefix + place[len(mapping.path) :], "is a symbolic link"))
            continue
        while pending:
            _folder(root, pending.pop(), mapping, refuse, skip, pending, found)


def _folder(
    root: Path,
    folder: str,
    mapping: Mapping,
    refuse: Refuse,
    skip: Callable[[Skipped], None],
    pending: list[str],
    found: list[Found],
) -> None:
    parts = Path(folder[len(mapping.path) :]).parts
    above = (mapping.key_of(folder + "x") or "")[:-1] if folder else mapping.prefix
    try:
        with folders.opened(root / mapping.path, parts) as inside, os.scandir(inside) as items:
            for item in items:
                name = item.name
                path = folder + name
                if item.is_dir(follow_symlinks=False):
                    if not _own(f"{mapping.key_of(path + '/x') or name}", refuse):
                        pending.append(path + "/")
                    continue
                # a name of ASCII letters is in NFC, and so is what ends in a slash before it
                key = above + name if above and name.isascii() else mapping.key_of(path)
                if key is not None and not refuse(key):
                    _file(key, path, item, skip, found)
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
    key: str,
    path: str,
    item: os.DirEntry[str],
    skip: Callable[[Skipped], None],
    found: list[Found],
) -> None:
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
        found.append(Found(key, path, stat))
    else:
        skip(Skipped(key, "is not a regular file"))


def _single(
    root: Path,
    mapping: Mapping,
    refuse: Refuse,
    skip: Callable[[Skipped], None],
    found: list[Found],
) -> None:
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
        _file(mapping.prefix, mapping.path, match, skip, found)
