"""What a person wants to know of both sides of a conflict, read when it is asked for."""

from __future__ import annotations

from buckia import media
from buckia.errors import BuckiaError
from buckia.media import Facts, Media
from buckia.model import Entry
from buckia.reconcile import Decision
from buckia.sides.contents import Databases, told_lines
from buckia.stores.base import Store


class Describer:
    """Looks into the two sides of a conflict. What cannot be read is left open, not an error."""

    def __init__(self, near: Store, remote: Store, databases: Databases | None = None) -> None:
        self._near = near
        self._remote = remote
        self._databases = databases

    def __call__(self, conflict: Decision) -> Facts:
        """The facts of one conflict."""
        mine, theirs = conflict.local, conflict.remote
        changes: tuple[str, ...] = ()
        if self._databases and mine and theirs and mine.logical:
            changes = told_lines(self._databases.look(mine, theirs))
        return Facts(_media(self._near, mine), _media(self._remote, theirs), changes)


def _media(store: Store, entry: Entry | None) -> Media | None:
    if entry is None:
        return None
    try:
        with store.open(entry) as body:
            return media.recognise(body.read(media.HEAD))
    except (BuckiaError, OSError):
        return None
