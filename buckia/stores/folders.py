"""Folders reached through no link, and held open so that nobody can put a link in their place."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from buckia.errors import LocalError

_FLAGS: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_NO_LINK: Final = _FLAGS | getattr(os, "O_NOFOLLOW", 0)


@contextlib.contextmanager
def opened(root: Path, parts: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """The descriptor of a folder below `root`; `make` makes what is missing, `root` included.

    Raises `LocalError` where a link is on the way; `root` itself may be one.
    """
    handle = _begin(root, make=make)
    try:
        for part in parts:
            inner = _enter(part, handle, make=make)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def _begin(root: Path, *, make: bool) -> int:
    try:
        return os.open(root, _FLAGS)
    except FileNotFoundError:
        if not make:
            raise
    root.mkdir(parents=True, exist_ok=True)
    return os.open(root, _FLAGS)


def _enter(part: str, inside: int, *, make: bool) -> int:
    try:
        return os.open(part, _NO_LINK, dir_fd=inside)
    except OSError as problem:
        if is_link(part, inside):
            raise LocalError(f"the folder {part!r} is a symbolic link; remove it") from None
        if not (make and isinstance(problem, FileNotFoundError)):
            raise
    with contextlib.suppress(FileExistsError), _MAKING:
        os.mkdir(part, dir_fd=inside)
        flush(inside)
    return _enter(part, inside, make=False)


def is_link(name: str, inside: int) -> bool:
    """Whether a name in an open folder is a link."""
    with contextlib.suppress(OSError):
        os.readlink(name, dir_fd=inside)
        return True
    return False


def stands(name: str, inside: int) -> bool:
    """Whether a name in an open folder is taken, be it by a link that leads nowhere."""
    with contextlib.suppress(FileNotFoundError):
        os.stat(name, dir_fd=inside, follow_symlinks=False)
        return True
    return False


def make_room(name: str, inside: int) -> None:
    """Remove an empty folder that stands where a file comes. `IsADirectoryError` for any other."""
    try:
        os.rmdir(name, dir_fd=inside)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as problem:
        if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name) from None


A_FILE: Final = "a file stands where a folder is needed; move it away"
A_FOLDER: Final = "a folder stands where the file belongs; move it away"
"""What can be in the way."""


def obstacle(root: Path, parts: Sequence[str], name: str) -> str | None:
    """Why a new file of this name could not be made there, as far as a look tells; else None."""
    try:
        with opened(root, parts) as inside:
            return A_FOLDER if _holds_something(name, inside) else None
    except NotADirectoryError:
        return A_FILE
    except LocalError as problem:
        return str(problem)
    except OSError:  # nothing there yet, or nothing to be seen: the write will tell
        return None


def _holds_something(name: str, inside: int) -> bool:
    """Whether a name in an open folder is a folder that is not empty."""
    try:
        handle = os.open(name, _NO_LINK, dir_fd=inside)
    except OSError:
        return False
    try:
        with os.scandir(handle) as items:
            return any(items)
    finally:
        os.close(handle)


def flush(handle: int) -> None:
    """Make a change of names in an open folder survive a power cut."""
    with contextlib.suppress(OSError):  # some network file systems cannot; nothing is better
        os.fsync(handle)


_MAKING: Final = threading.Lock()
"""Held while a folder is made and flushed into the one that it lies in: another thread may find it
before that, and what it puts there must not count sooner."""


class _Changed(threading.local):
    """The folders that this thread is to flush, by device and inode; None: each at once."""

    held: dict[tuple[int, int], int] | None = None


_CHANGED: Final = _Changed()


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Have folders that this thread settles meanwhile flushed at the end, once each: what was done
    in them counts no sooner."""
    outer, mine = _CHANGED.held, dict[tuple[int, int], int]()
    _CHANGED.held = mine
    try:
        yield
    finally:
        _CHANGED.held = outer
        for handle in mine.values():
            _flush_whole(handle)
            os.close(handle)


def settle(handle: int) -> None:
    """Flush an open folder before what was done in it counts: now, or at the end of `together`."""
    held = _CHANGED.held
    if held is None:
        _flush_whole(handle)
        return
    stat = os.fstat(handle)
    if (stat.st_dev, stat.st_ino) not in held:
        held[stat.st_dev, stat.st_ino] = os.dup(handle)


def _flush_whole(handle: int) -> None:
    """Flush an open folder, once it survives a power cut itself."""
    with _MAKING:
        pass
    flush(handle)


def prune(root: Path, parts: Sequence[str]) -> None:
    """Remove the folders that a deletion left empty, the innermost first, but not `root`."""
    with contextlib.suppress(OSError, LocalError):
        for depth in range(len(parts), 0, -1):
            with opened(root, parts[: depth - 1]) as outer:
                os.rmdir(parts[depth - 1], dir_fd=outer)
