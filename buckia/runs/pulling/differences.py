"""What a folder lacks to be what a manifest says, and which parts of a file have to come. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain

from msgspec import Struct

from buckia import manifest
from buckia.errors import DocumentError
from buckia.layout import collisions, fold, parents, shadowed
from buckia.manifest import NAME, File, Manifest
from buckia.model import Entry
from buckia.sqlite import SIDECARS


class Known(Struct, frozen=True, forbid_unknown_fields=True):
    """A file that a pull put here: what the manifest called it, and what it was afterwards.

    `version` is the sha256 of a plain file and the row hash of a database, whose bytes may change
    without a change.
    """

    path: str
    sha256: str
    version: str


class Work(Struct, frozen=True):
    """What has to be done, by paths.

    fetch      files that are missing or others
    removed    files that pulls put here and the manifest does not name
    kept       those of either whose present content no pull put here
    in_way     those of `removed` that go before files come
    unchanged  how many are right
    """

    fetch: tuple[File, ...]
    removed: tuple[str, ...]
    kept: frozenset[str]
    in_way: frozenset[str]
    unchanged: int


Ours = Mapping[str, Collection[Known]]
"""What pulls put at each path. More than one where a run was cut while it put something there."""


def demand_sound(found: Manifest) -> None:
    """Raise `DocumentError` for a manifest that no folder on every disk can be."""
    paths = [file.path for file in found.files]
    names = set(paths)
    if twins := collisions(paths):
        _refuse(f"{twins[0][0]!r} and {twins[0][1]!r} are one file on many disks")
    if files := shadowed(paths):
        _refuse(f"{files[0]!r} is a file and a folder")
    for path in paths:
        main = next((path.removesuffix(end) for end in SIDECARS if path.endswith(end)), None)
        if main in names:
            _refuse(f"{path!r} would be taken for a part of the database {main!r}")
    sizes = {file.sha256: file.size for file in found.files}
    for file in found.files:
        if file.size != sizes[file.sha256]:
            _refuse(f"{file.path!r} has the digest of another file and not its size")
        if file.blocks is not None and file.block_size != manifest.block_size(file.size):
            _refuse(f"{file.path!r} has blocks of another size than its own makes")


def _refuse(why: str) -> None:
    raise DocumentError(f"{NAME} is not sound: {why}; nothing was changed; publish it anew")


def compare(found: Manifest, ours: Ours, here: Mapping[str, Entry]) -> Work:
    """What makes `here`, the files at the paths of the manifest and of `ours`, what it says."""
    named = {file.path for file in found.files}
    removed = tuple(sorted(path for path in ours if path not in named and path in here))
    going = {fold(path) for path in removed}
    fetch = tuple(
        file
        for file in found.files
        if fold(file.path) in going or not _is_right(file, ours, here.get(file.path))
    )
    touched = chain(removed, (file.path for file in fetch))
    kept = (path for path in touched if path in here and not _is_ours(here[path], ours, path))
    in_way = _in_way(removed, [file.path for file in fetch])
    return Work(fetch, removed, frozenset(kept), in_way, len(found.files) - len(fetch))


def _is_right(file: File, ours: Ours, entry: Entry | None) -> bool:
    """Whether a file holds what the manifest says: by its bytes, or as what was made of them."""
    if entry is None:
        return False
    if entry.sha256 == file.sha256 and entry.size == file.size:
        return True
    same = (known for known in ours.get(file.path, ()) if known.sha256 == file.sha256)
    return any(known.version == entry.version for known in same)


def _is_ours(entry: Entry, ours: Ours, path: str) -> bool:
    return any(known.version == entry.version for known in ours.get(path, ()))


def _in_way(removed: Iterable[str], coming: Iterable[str]) -> frozenset[str]:
    """Files that go where a folder comes, that lie in a folder where a file comes, or that some
    disks take for a file that comes."""
    names = {fold(path) for path in coming}
    folders = {fold(parent) for path in coming for parent in parents(path)}
    return frozenset(
        path
        for path in removed
        if fold(path) in names | folders or not names.isdisjoint(map(fold, parents(path)))
    )


def spans(missing: Iterable[int], block: int, size: int) -> Iterator[tuple[int, int]]:
    """The parts of a file of `size` bytes, as first and last byte, that these blocks are: one for
    each run of blocks that follow on each other. `missing` is sorted."""
    begin = end = -1
    for index in missing:
        if index != end:
            if end > begin:
                yield begin * block, min(end * block, size) - 1
            begin = index
        end = index + 1
    if end > begin:
        yield begin * block, min(end * block, size) - 1
