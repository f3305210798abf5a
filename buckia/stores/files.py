"""Steps that change a local folder tree so that a crash leaves the old file or the new one.

Order is everything (sqlite.org "Atomic Commit", git's lockfile code): the new bytes are on the disk
under another name before the name changes hands, and the folder is flushed after.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from buckia.errors import LocalError
from buckia.model import Entry
from buckia.stores import folders
from buckia.stores.filling import fill
from buckia.stores.hashing import CHUNK
from buckia.stores.meter import Meter

BESIDE = ".buckia."
"""How the names of temporary files beside their target begin."""

PRIVATE = 0o600
"""Files that may hold somebody's content are readable by their owner alone until placed."""

PERMISSIONS: Final = 0o777
"""What a file may take over from another: never that it runs as somebody else."""


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A name for a temporary file in `folder`, removed at the end if it still exists."""
    refuse_links(folder.parent, folder)
    if not os.path.isdir(folder):  # noqa: PTH112  (asked for every file)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / secrets.token_hex(8)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def refuse_links(*folders: Path) -> None:
    """Raise `LocalError` for a folder of buckia's own that leads somewhere else: who shares the
    place may have put it there."""
    for folder in folders:
        if os.path.islink(folder):  # noqa: PTH114
            raise LocalError(
                f"{folder.parent.name}/{folder.name} is a symbolic link; buckia keeps its own "
                "there and writes nowhere else; remove it"
            )


@contextlib.contextmanager
def near(folder: Path, target: Path) -> Iterator[Path]:
    """A name for a temporary file that a rename can make `target`, removed at the end.

    It is in `folder` if a rename leads from there to the target, else beside the target, where no
    scan includes it. Then a link in `folder` leads there, so that `sweep` finds it after a crash.
    """
    with scratch(folder) as path:
        if _reaches(path, target.parent):
            yield path
            return
        beside = target.parent.absolute() / f"{BESIDE}{path.name}"
        path.symlink_to(beside)
        try:
            yield beside
        finally:
            beside.unlink(missing_ok=True)


def _reaches(path: Path, folder: Path) -> bool:
    """Whether a rename leads from a name that is free to a folder: not to another file system, nor
    to another mount of the same one, which a container may have."""
    if path.parent.stat().st_dev != folder.stat().st_dev:
        return False
    try:
        path.rename(f"{folder}/.")  # never possible, and where mounts differ for that reason
    except OSError as problem:
        return problem.errno != errno.EXDEV
    return True


def sweep(folder: Path) -> None:
    """Remove a folder of temporary files, and what lies beside targets that its links lead to."""
    for stray in folder.glob("*"):
        _sweep_linked(stray)
    shutil.rmtree(folder, ignore_errors=True)


def strays(folder: Path) -> dict[Path, os.stat_result]:
    """What is in a folder of temporary files; what a link leads to stands for the link."""
    found: dict[Path, os.stat_result] = {}
    for path in sorted(folder.glob("*")):
        beside = _beside(path)
        with contextlib.suppress(FileNotFoundError):
            found[path] = path.lstat()
            found[path] = (beside or path).lstat()
    return found


def drop_stray(path: Path) -> None:
    """Remove one of them."""
    _sweep_linked(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _beside(link: Path) -> Path | None:
    """The temporary file beside its target that a link in the folder leads to."""
    beside = link.readlink() if link.is_symlink() else None
    return beside if beside and beside.name == f"{BESIDE}{link.name}" else None


def _sweep_linked(link: Path) -> None:
    beside = _beside(link)
    if beside is None:
        return
    for stray in (beside, *beside.parent.glob(f"{beside.name}-*")):
        stray.unlink(missing_ok=True)
    for room in beside.parent.glob(".buckia-????????"):
        shutil.rmtree(room, ignore_errors=True)


def sweep_beside(folder: Path) -> None:
    """Remove the temporary files of `write_atomically` in a folder."""
    for stray in folder.glob(f"{BESIDE}{'[0-9a-f]' * 16}"):
        stray.unlink(missing_ok=True)


def create(temporary: Path, name: str, inside: int) -> None:
    """Give a finished file its name in an open folder; `FileExistsError` if the name is taken.
    Atomic where the file system has hard links: then the other name is left to whoever made it."""
    try:
        os.link(temporary, name, dst_dir_fd=inside, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        if folders.stands(name, inside):
            raise FileExistsError(name) from None
        os.replace(temporary, name, dst_dir_fd=inside)
    folders.settle(inside)


def supersede(temporary: Path, name: str, inside: int) -> None:
    """Give a finished file the name of another in an open folder, atomically."""
    os.replace(temporary, name, dst_dir_fd=inside)
    folders.settle(inside)


def inherit(temporary: Path, name: str, inside: int) -> None:
    """Give a finished file the permissions of the one it replaces in an open folder, and its owner
    where that is allowed: what was private stays so."""
    stat = os.stat(name, dir_fd=inside, follow_symlinks=False)
    with contextlib.suppress(PermissionError):
        os.chown(temporary, stat.st_uid, stat.st_gid)
    temporary.chmod(stat.st_mode & PERMISSIONS)


def keep(path: Path, trash: Path, room: Path, inside: int | None = None) -> None:
    """Put a second name for a file's bytes into the trash, or a copy where links do not reach.

    `inside` is the open folder of the file. A copy is made in `room` and then moved: what is in the
    trash is whole. A file that has its name there already, from a run that was cut, gets no other.
    """
    name = path if inside is None else path.name
    if _is_link_of(trash, name, inside):
        return
    place = _free(trash)
    try:
        os.link(name, place, src_dir_fd=inside, follow_symlinks=False)
    except OSError:
        with scratch(room) as copy, folders.opened(place.parent, ()) as there:
            _copy(name, copy, inside)
            create(copy, place.name, there)
    _flush(place.parent)


def _is_link_of(place: Path, name: Path | str, inside: int | None) -> bool:
    """Whether two names are of one file."""
    with contextlib.suppress(OSError):
        stat = os.stat(name, dir_fd=inside, follow_symlinks=False)
        return os.path.samestat(place.lstat(), stat)
    return False


def discard(path: Path, trash: Path, room: Path, inside: int) -> None:
    """Move a file out of an open folder to the trash: whatever stands there at that moment, it is
    not lost. `room` is as for `keep`."""
    place = _free(trash)
    try:
        os.rename(path.name, place, src_dir_fd=inside)
        _flush(place.parent)
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
        keep(path, trash, room, inside)
        os.unlink(path.name, dir_fd=inside)


def _copy(name: Path | str, place: Path, inside: int | None) -> None:
    """Copy a file to a new one that is on the disk afterwards, with its times and permissions."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
    source = os.open(name, flags, dir_fd=inside)
    with os.fdopen(source, "rb") as old, open_new(place, PRIVATE) as new:
        shutil.copyfileobj(old, new, CHUNK)
        stat = os.fstat(old.fileno())
        os.fchmod(new.fileno(), stat.st_mode & PERMISSIONS)
        new.flush()
        os.utime(new.fileno(), ns=(stat.st_atime_ns, stat.st_mtime_ns))
        os.fsync(new.fileno())


def _flush(folder: Path) -> None:
    with folders.opened(folder, ()) as handle:
        folders.flush(handle)


def _free(trash: Path) -> Path:
    """A name in the trash that nothing has yet: what is kept there is never overwritten."""
    folder = _make_private(trash.parent)
    return next(name for name in _names(folder / trash.name) if not os.path.lexists(name))


def _make_private(folder: Path) -> Path:
    """Make a folder, and those it lies in, for their owner alone; under another name where a file
    has this one."""
    if folder.is_dir():
        return folder
    parent = _make_private(folder.parent)
    for name in _names(parent / folder.name):
        with contextlib.suppress(FileExistsError):
            name.mkdir(mode=0o700)
            _flush(parent)
        if name.is_dir():
            return name
    raise AssertionError  # the names never end


def _names(first: Path) -> Iterator[Path]:
    """A name, and others that are like it."""
    yield first
    yield from (first.with_name(f"{first.name}.~{n}~") for n in itertools.count(1))


def write(path: Path, body: BinaryIO, wanted: Entry) -> Meter:
    """Write a body to a new file and flush it; what was written, sha256 included.

    Raises `IntegrityError` if it is not what was announced; a body that does not end is not
    written any further.
    """
    with open_new(path, buffering=0) as file:
        meter = fill(file, body, wanted)
    meter.check(wanted)
    return meter


def stream_atomically(path: Path, body: BinaryIO, wanted: Entry) -> None:
    """Replace a file with a body that is checked against what was announced."""
    temporary = path.parent / f"{BESIDE}{secrets.token_hex(8)}"
    try:
        write(temporary, body, wanted)
        _replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def open_new(path: Path, mode: int = 0o666, buffering: int = -1) -> BinaryIO:
    """A new file for writing; an existing one, or a link, is never opened."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    return os.fdopen(handle, "wb", buffering)


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a small file whole: a reader sees the old bytes or the new, after a crash too."""
    temporary = path.parent / f"{BESIDE}{secrets.token_hex(8)}"
    try:
        with open_new(temporary, mode) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _replace(temporary: Path, path: Path) -> None:
    with folders.opened(path.parent, ()) as inside:
        os.replace(temporary, path.name, dst_dir_fd=inside)
        folders.flush(inside)


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Have an error of the operating system told by `explain`."""
    try:
        yield
    except OSError as problem:
        raise explain(path, problem) from None


def explain(path: str, problem: OSError) -> LocalError:
    """An error of the operating system as one for a person; `path` is the file it is about."""
    hint = {
        errno.ENOSPC: "free some space",
        errno.EDQUOT: "free some space or raise the quota",
        errno.EROFS: "mount the file system writable",
        errno.EACCES: "check the permissions of its folder",
        errno.ENOTDIR: folders.A_FILE,
        errno.EISDIR: folders.A_FOLDER,
        errno.ENAMETOOLONG: "the file system takes no name that long",
    }.get(problem.errno or 0, "check the disk")
    return LocalError(f"{path}: {problem.strerror}; {hint}")
