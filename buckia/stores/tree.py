"""A local folder tree walked without following links."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from msgspec import Struct

from buckia.errors import ConfigError, LocalError
from buckia.layout import Layout, Mapping, all_fine, as_text, refuse_key
from buckia.model import Skipped
from buckia.stores import folders

Refuse = Callable[[str], str | None]
"""Why a key is out of scope, or None."""

_SOME: Final = 1000
"""Names of a folder that are looked at together."""


class Found(Struct, frozen=True, gc=False):
    """A regular file of the tree: its key, its path relative to the root, its stat."""

    key: str
    path: str
    stat: os.stat_result


@runtime_checkable
class Sparing(Protocol):
    """What a `Refuse` is beside, that can be asked of the names of a folder at once."""

    def spares(self, folder: str, names: Sequence[str]) -> bool:
        """Whether none of them is out of scope; False also where each has to be asked about."""


def walk(
    root: Path, layout: Layout, refuse: Refuse, skip: Callable[[Skipped], None]
) -> Iterator[Found]:
    """Every regular file in the layout; one that two mappings have comes twice.

    Links, devices, sockets and names that cannot be keys are handed to `skip`, not followed. What
    cannot be read is handed to `skip` as unknown.
    """
    for mapping in layout.mappings:
        if mapping.single:
            yield from _single(root, mapping, refuse, skip)
        else:
            yield from _walk_mapping(root, mapping, refuse, skip)


def refuse_twins(found: Iterable[Found]) -> None:
    """Raise `ConfigError` for two files that have one key."""
    found = list(found)
    by_key = {file.key: file for file in found}
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
) -> Iterator[Found]:
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
    above = (mapping.key_of(folder + "x") or "")[:-1] if folder else mapping.prefix
    try:
        with folders.opened(root / mapping.path, parts) as inside, os.scandir(inside) as items:
            while some := list(islice(items, _SOME)):
                fine = _all_fine(above, some, refuse)
                for item in some:
                    name = item.name
                    path = folder + name
                    if item.is_dir(follow_symlinks=False):
                        if not _own(f"{mapping.key_of(path + '/x') or name}", refuse):
                            pending.append(path + "/")
                        continue
                    # a name of ASCII letters is in NFC, and so is what ends in a slash before it
                    key = above + name if above and name.isascii() else mapping.key_of(path)
                    if key is not None and (fine or not refuse(key)):
                        stat = _look(key, item, skip, fine=fine)
                        if stat is not None:
                            yield Found(key, path, stat)
    except FileNotFoundError:
        return
    except (OSError, LocalError) as problem:
        place = mapping.prefix + folder[len(mapping.path) :]
        why = problem.strerror if isinstance(problem, OSError) else problem
        skip(Skipped(place or "./", f"cannot be read: {why}", unknown=True))


def _own(key: str, refuse: Refuse) -> bool:
    """Whether a folder is buckia's own, so that it is not even looked into."""
    return "/.buckia.d/" in f"/{key}" and refuse(key) is not None


def _all_fine(above: str, items: list[os.DirEntry[str]], refuse: Refuse) -> bool:
    """Whether all names of a folder are keys, and in scope, as far as one look at them tells."""
    asked: object = refuse
    if not above or not isinstance(asked, Sparing):
        return False
    names = [item.name for item in items]
    return all_fine(above, names) and asked.spares(above, names)


def _look(
    key: str, item: os.DirEntry[str], skip: Callable[[Skipped], None], *, fine: bool = False
) -> os.stat_result | None:
    """The stat of a regular file; None for anything else. `fine`: its name is known to be one."""
    if not fine and (why := refuse_key(key)):
        skip(Skipped(as_text(key), f"the name {why}"))
        return None
    try:
        stat = item.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as problem:
        skip(Skipped(key, f"cannot be read: {problem.strerror}", unknown=True))
        return None
    if modes.S_ISREG(stat.st_mode):
        return stat
    if modes.S_ISLNK(stat.st_mode):
        skip(Skipped(key, "is a symbolic link"))
        skip(Skipped(key + "/", "is a symbolic link"))
    else:
        skip(Skipped(key, "is not a regular file"))
    return None


def _single(
    root: Path,
    mapping: Mapping,
    refuse: Refuse,
    skip: Callable[[Skipped], None],
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
        stat = _look(mapping.prefix, match, skip)
        if stat is not None:
            yield Found(mapping.prefix, mapping.path, stat)
