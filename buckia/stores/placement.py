"""A file that takes its place, or leaves it: the last look and the change of names, as close
together as can be."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from buckia import sqlite
from buckia.errors import PreconditionError
from buckia.model import Entry
from buckia.stores import files, folders


@dataclass(frozen=True)
class Placement:
    """One name in a folder that is held open.

    path       the file's own, relative to the root
    prove      gives the same, absolute, and raises where it leads through a link: for SQLite alone,
               which opens files by path
    inside     the open folder
    trash      where what stands there goes first; None: its bytes are gone
    room       for temporary files
    databases  whether SQLite files are replaced through SQLite
    demand     gives the file that stands there, and raises unless it is what is expected
    """

    path: str
    prove: Callable[[], Path]
    inside: int
    trash: Path | None
    room: Path
    databases: bool
    demand: Callable[[Entry | None], Entry | None]

    def put(self, temporary: Path, replacing: Entry | None, *, inherit: bool) -> bool:
        """Give a finished file its name; whether it is, or replaces, a database. With `inherit` it
        has the permissions of the old one."""
        if self.databases and sqlite.is_database(temporary):
            if replacing is None:
                folders.make_room(self._name, self.inside)
            self.demand(replacing)
            sqlite.replace(temporary, self.prove(), self._keeper)
            return True
        if replacing is not None:
            return self._supersede(temporary, replacing, inherit=inherit)
        try:
            self._create(temporary)
        except FileExistsError:
            raise PreconditionError(f"{self.path}: a file has appeared; plan again") from None
        return False

    def _create(self, temporary: Path) -> None:
        try:
            files.create(temporary, self._name, self.inside)
        except FileExistsError:  # an empty folder may be what stands there
            folders.make_room(self._name, self.inside)
            files.create(temporary, self._name, self.inside)

    def _supersede(self, temporary: Path, replacing: Entry, *, inherit: bool) -> bool:
        found = self.demand(replacing)
        if inherit:
            files.inherit(temporary, self._name, self.inside)
        if found and found.logical:
            sqlite.displace(temporary, self.prove(), self._keeper)
            return True
        if self.trash:
            files.keep(Path(self.path), self.trash / self.path, self.room, self.inside)
        files.supersede(temporary, self._name, self.inside)
        return False

    def discard(self, *, database: bool) -> None:
        """Take the file away, a database with its companions."""
        if database:
            self.room.mkdir(mode=0o700, parents=True, exist_ok=True)
            sqlite.discard(self.prove(), self._keeper, self.room)
        elif self.trash:
            files.discard(Path(self.path), self.trash / self.path, self.room, self.inside)
        else:
            os.unlink(self._name, dir_fd=self.inside)

    @property
    def _name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def _keeper(self) -> Callable[[Path], None] | None:
        """What puts old files into the trash first, each under its own name; None where there is
        none."""
        if self.trash is None:
            return None
        folder = (self.trash / self.path).parent
        return lambda old: files.keep(old, folder / old.name, self.room)
