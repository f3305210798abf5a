"""Where the files of a folder tree are: from key to path, and on the way through no link.

A folder is held open while something in it is looked at, read or changed, so that nobody can put a
link in its place meanwhile. Only SQLite opens its files by path: `Paths.full` proves that one right
before.
"""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Final

from buckia.errors import LocalError, NotFoundError, StoreError
from buckia.layout import EVERYTHING, Layout, parents, refuse_key
from buckia.layout import Mapping as Place
from buckia.stores import folders

_READ: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Never through a link, and never waiting for the other end of a pipe."""


class Paths:
    """The paths of a layout below `root`, with the spellings that a disk has of its own.

    `told` are spellings by key. Only those count that are a file of this layout with this key:
    lockfiles and plans are written by others too.
    """

    def __init__(self, root: Path, layout: Layout, told: Mapping[str, str]) -> None:
        self.root = root
        self.layout = layout
        self._usual: dict[str, str] = {}  # of each key that was asked for
        self._ways: dict[str, tuple[Path, tuple[str, ...]]] = {}  # of each folder
        self._spelt = {key: path for key, path in told.items() if self._spells(path, key)}

    def _spells(self, path: str, key: str) -> bool:
        return refuse_key(key) is None and any(
            mapping.key_of(path) == key for mapping in self.layout.mappings
        )

    def remember(self, key: str, path: str) -> bool:
        """Take this path for this key from now on; whether it is the one the layout would make."""
        if path == self.usual(key):
            if self._spelt:
                self._spelt.pop(key, None)
            return True
        self._spelt[key] = path
        return False

    @cached_property
    def usual(self) -> Callable[[str], str | None]:
        """The path that the layout makes of a key."""
        mappings = self.layout.mappings
        if len(mappings) != 1 or mappings[0].single:
            return self.layout.path_of
        path, cut = mappings[0].path, len(mappings[0].prefix)
        return lambda key: path + key[cut:]

    def of(self, key: str) -> str:
        """The path of a key relative to the root. `StoreError` for a key that can have none."""
        path = self._spelt.get(key) or self._usual.get(key)
        if path is None:
            path = self.layout.path_of(key)
            if path is None or (why := refuse_key(key)):
                why = why if path else "maps to no local path"
                raise StoreError(f"the key {key!r} {why}; rename it")
            self._usual[key] = path
        return path

    def full(self, path: str) -> Path:
        """The absolute path, proved to lead through no link below its mapping."""
        start, parts = self.way(path)
        place = str(start)
        for part in parts:
            place = os.path.join(place, part)  # noqa: PTH118  (asked twice for every file)
            if os.path.islink(place):  # noqa: PTH114
                raise LocalError(f"{path}: its folder {part!r} is a symbolic link; remove it")
        return self.root / path

    def way(self, path: str) -> tuple[Path, tuple[str, ...]]:
        """The folder of a path's mapping, which may be a link, and the way on from there."""
        folder = path.rpartition("/")[0]
        found = self._ways.get(folder)
        if found is None:
            found = self._ways[folder] = self._find_way(path)
        return found

    def _find_way(self, path: str) -> tuple[Path, tuple[str, ...]]:
        start = max(
            (m.path for m in self.layout.mappings if path.startswith(m.path) and not m.single),
            key=len,
            default="",
        )
        return self.root / start, Path(path[len(start) :]).parent.parts

    def may_hold(self, folder: str) -> bool:
        """Whether files of the layout can lie in a folder, whose path ends in a slash."""
        places = (m.path for m in self.layout.mappings)
        return any(place.startswith(folder) or folder.startswith(place) for place in places)

    def reach(self, within: tuple[str, ...]) -> Layout:
        """What has to be walked. In a folder that is a bucket every key is its path, so that one
        folder of it is found without the others; unless it may be spelt otherwise, or is a link."""
        folder = within[0].rpartition("/")[0] if len(within) == 1 else ""
        if self.layout != EVERYTHING or not folder.isascii() or refuse_key(folder):
            return self.layout
        if any((self.root / part).is_symlink() for part in parents(f"{folder}/")):
            return self.layout
        return Layout((Place(f"{folder}/", f"{folder}/"),))

    def folder(self, path: str, *, make: bool = False) -> AbstractContextManager[int]:
        """The folder of a path, held open; see `folders.opened`."""
        return folders.opened(*self.way(path), make=make)

    def look(self, path: str, inside: int | None = None) -> os.stat_result | None:
        """What the system knows of the file at a path; None where there is none. `inside` is its
        folder, where that is open already.

        Raises `LocalError` for anything else that stands there but a folder: it is no content, and
        the name is not free either.
        """
        try:
            if inside is None:
                with self.folder(path) as opened:
                    return self.look(path, opened)
            stat = os.stat(_name(path), dir_fd=inside, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as problem:
            raise LocalError(f"{path}: {problem.strerror}; check its permissions") from None
        if modes.S_ISDIR(stat.st_mode):
            return None
        if not modes.S_ISREG(stat.st_mode):
            kind = "a symbolic link" if modes.S_ISLNK(stat.st_mode) else "no plain file"
            raise LocalError(f"{path}: it is {kind}; refused; move it away or exclude it")
        return stat

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading; see `handle`."""
        return os.fdopen(self.handle(path), "rb")

    def handle(self, path: str) -> int:
        """The descriptor of a file, to be read and closed. `NotFoundError` where there is none."""
        try:
            with self.folder(path) as inside:
                handle = os.open(_name(path), _READ, dir_fd=inside)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFoundError(f"{path}: the file is gone; plan again") from None
        except OSError as problem:
            raise LocalError(f"{path}: {problem.strerror}; check its permissions") from None
        if not modes.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise LocalError(f"{path}: it is no plain file; refused; move it away or exclude it")
        return handle

    def obstacle(self, key: str) -> str | None:
        """Why a key that is no file yet could not become one, as far as a look tells; else None."""
        path = self.of(key)
        return folders.obstacle(*self.way(path), _name(path))


class Nearby:
    """Opens files one after the other, for one thread. The folder of the last one is held open for
    those beside it, so that many small files of a folder cost the way there once."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._folder: str | None = None
        self._inside = -1
        self._held = ExitStack()

    def open(self, path: str) -> int:
        """The descriptor of a file, to be read and closed. Whatever goes wrong is raised as it is;
        whether it is a plain file is for the caller to see."""
        self._reach(path)
        return os.open(_name(path), _READ, dir_fd=self._inside)

    def look(self, path: str) -> os.stat_result | None:
        """See `Paths.look`."""
        try:
            self._reach(path)
        except OSError:
            return self._paths.look(path)  # which tells what is wrong, if anything is
        return self._paths.look(path, self._inside)

    def _reach(self, path: str) -> None:
        folder = path.rpartition("/")[0]
        if folder != self._folder:
            self.close()
            self._inside = self._held.enter_context(self._paths.folder(path))
            self._folder = folder

    def close(self) -> None:
        """Let the folder go."""
        self._folder = None
        self._held.close()


def _name(path: str) -> str:
    return path.rpartition("/")[2]
