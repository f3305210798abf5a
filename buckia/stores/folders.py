"""Folders reached through no link, and held open so that nobody can put a link in their place."""

from __future__ import annotations

import contextlib
import os
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
    if make:
        root.mkdir(parents=True, exist_ok=True)
    handle = os.open(root, _FLAGS)
    try:
        for part in parts:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=handle)
            inner = _enter(part, handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def _enter(part: str, inside: int) -> int:
    try:
        return os.open(part, _NO_LINK, dir_fd=inside)
    except OSError:
        if is_link(part, inside):
            raise LocalError(f"the folder {part!r} is a symbolic link; refused") from None
        raise


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


def flush(handle: int) -> None:
    """Make a change of names in an open folder survive a power cut."""
    with contextlib.suppress(OSError):  # some network file systems cannot; nothing is better
        os.fsync(handle)


def prune(root: Path, parts: Sequence[str]) -> None:
    """Remove the folders that a deletion left empty, the innermost first, but not `root`."""
    with contextlib.suppress(OSError, LocalError):
        for depth in range(len(parts), 0, -1):
            with opened(root, parts[: depth - 1]) as outer:
                os.rmdir(parts[depth - 1], dir_fd=outer)
