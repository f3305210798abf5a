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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from buckia.errors import LocalError
from buckia.model import Entry
from buckia.stores import folders
from buckia.stores.hashing import CHUNK
from buckia.stores.meter import Meter, announced

BESIDE = ".buckia."
"""How the names of temporary files beside their target begin."""

PRIVATE = 0o600
"""Files that may hold somebody's content are readable by their owner alone until placed."""


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A name for a temporary file in `folder`, removed at the end if it still exists."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / secrets.token_hex(8)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def near(folder: Path, target: Path) -> Iterator[Path]:
    """A name for a temporary file that a rename can make `target`, removed at the end.

    It is in `folder` if that is in one file system with the target, else beside the target, where
    no scan includes it. Then a link in `folder` leads there, so that `sweep` finds it after a
    crash.
    """
    with scratch(folder) as path:
        if folder.stat().st_dev == target.parent.stat().st_dev:
            yield path
            return
        beside = target.parent.absolute() / f"{BESIDE}{path.name}"
        path.symlink_to(beside)
        try:
            yield beside
        finally:
            beside.unlink(missing_ok=True)


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
    Atomic where the file system has hard links."""
    try:
        os.link(temporary, name, dst_dir_fd=inside, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        if folders.stands(name, inside):
            raise FileExistsError(name) from None
        os.replace(temporary, name, dst_dir_fd=inside)
    else:
        temporary.unlink()
    folders.flush(inside)


def supersede(temporary: Path, name: str, inside: int) -> None:
    """Give a finished file the name of another in an open folder, atomically."""
    os.replace(temporary, name, dst_dir_fd=inside)
    folders.flush(inside)


def keeper(trash: Path | None, path: str) -> Callable[[Path], None] | None:
    """What keeps the old file of a path in the trash; None where there is no trash."""
    return (lambda old: keep(old, trash / path)) if trash else None


def keep(path: Path, trash: Path, inside: int | None = None) -> None:
    """Put a second name for a file's bytes into the trash, or a copy where links do not reach.

    `inside` is the open folder of the file.
    """
    place = _free(trash)
    try:
        name = path if inside is None else path.name
        os.link(name, place, src_dir_fd=inside, follow_symlinks=False)
    except OSError:
        shutil.copy2(path, place, follow_symlinks=False)


def discard(path: Path, trash: Path, inside: int) -> None:
    """Move a file out of an open folder to the trash: whatever stands there at that moment, it is
    not lost."""
    place = _free(trash)
    try:
        os.rename(path.name, place, src_dir_fd=inside)
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
        shutil.copy2(path, place, follow_symlinks=False)
        os.unlink(path.name, dir_fd=inside)


def _free(trash: Path) -> Path:
    """A name in the trash that nothing has yet: what is kept there is never overwritten."""
    _make_private(trash.parent)
    names = itertools.chain(
        [trash], (trash.with_name(f"{trash.name}.~{n}~") for n in itertools.count(1))
    )
    return next(name for name in names if not os.path.lexists(name))


def _make_private(folder: Path) -> None:
    """Make a folder, and those it lies in, for their owner alone."""
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def write(path: Path, body: BinaryIO, wanted: Entry) -> Meter:
    """Write a body to a new file and flush it; what was written, sha256 included.

    Raises `IntegrityError` if it is not what was announced.
    """
    meter = Meter({"sha256", *announced(wanted)})
    with open_new(path) as file:
        while chunk := body.read(CHUNK):
            file.write(chunk)
            meter.add(chunk)
        file.flush()
        os.fsync(file.fileno())
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


def open_new(path: Path, mode: int = 0o666) -> BinaryIO:
    """A new file for writing; an existing one, or a link, is never opened."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")


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
        supersede(temporary, path.name, inside)


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
