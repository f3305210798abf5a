"""What a plan says of databases: whether both sides hold the same rows, and what differs.

A listing tells bytes, and the bytes of a database are not its content. So where one changed, the
bucket's copy is fetched, compared and thrown away again. Nothing here changes either side.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from msgspec import Struct

from buckia import pool, sqlite
from buckia.columns import amended, loose
from buckia.decisions.planner import BucketPlan
from buckia.errors import LocalError, StoreError
from buckia.model import (
    Action,
    Base,
    Conflict,
    Entry,
    Notice,
    Op,
    Progress,
    Tick,
    replace,
    same_content,
)
from buckia.reconcile import Scope, is_base
from buckia.snapshot import Sides
from buckia.sqlite import Difference
from buckia.stores import files
from buckia.stores.base import Store
from buckia.stores.local import LocalStore

MOST_BYTES: Final = 64 * 1024**2
"""Databases larger than this, on either side, are not fetched to be compared: a plan is waited
for."""

_LINES: Final = 20
_WIDTH: Final = 200

_LARGE: Final = "is too large to say what changes in it: more than 64 MB"
_PLAIN: Final = "is a database here, its object in the bucket is none"
_NO_LONGER: Final = "was a database and is none here any more"
_UNREAD: Final = "cannot be read from the bucket to say what changes in it"
_DAMAGED: Final = "cannot be compared: a copy is damaged or in use"


class Look(Struct, frozen=True):
    """What looking into the two copies of a database told.

    logical     the row hash of the bucket's copy, `sha256` that of its bytes
    difference  from the bucket's copy to the local one; None where there is none to tell
    why         what a person is told where it cannot be known
    """

    logical: str | None = None
    sha256: str | None = None
    difference: Difference | None = None
    why: str | None = None


class Databases:
    """The databases of one bucket for as long as it is planned; each pair is looked at once."""

    def __init__(
        self, local: LocalStore, remote: Store, base: Base, workers: int, progress: Progress
    ) -> None:
        self._local = local
        self._remote = remote
        self._base = base
        self._workers = workers
        self._progress = progress
        self._looks: dict[str, Look] = {}

    def recognise(self, sides: Sides, scope: Scope) -> Sides:
        """The same sides with the row hash of every object that may hold the rows of its file.

        Only databases in scope that differ from their object, which itself is new, are fetched.
        """
        doubtful = [
            (mine, theirs)
            for key, mine in loose(sides.local.entries).items()
            if mine.logical
            and (theirs := sides.remote.entries.get(key))
            and self._doubtful(mine, theirs)
            and scope.selected(key, mine.path)
            and scope.direction_of(key, mine.path)
        ]
        self._look_at(doubtful)
        known: dict[str, Entry] = {}
        for _, theirs in doubtful:
            look = self._looks[theirs.key]
            if look.logical:
                known[theirs.key] = replace(theirs, logical=look.logical, sha256=look.sha256)
        entries = amended(sides.remote.entries, known) if known else sides.remote.entries
        return Sides(sides.local, replace(sides.remote, entries=entries))

    def _doubtful(self, mine: Entry, theirs: Entry) -> bool:
        then = self._base.get(theirs.key)
        settled = same_content(mine, theirs) or (then is not None and is_base(theirs, then))
        return not settled and max(mine.size, theirs.size) <= MOST_BYTES

    def describe(self, part: BucketPlan, sides: Sides) -> BucketPlan:
        """The same part of a plan with what changes in each database that it copies or contests."""
        pairs = {
            item.key: (mine, sides.remote.entries.get(item.key))
            for item in _claims(part)
            if (mine := sides.local.entries.get(item.key))
            and (mine.logical or self._was_database(item.key))
        }
        self._look_at(pair for key, pair in pairs.items() if key not in self._looks)
        told = {key: self._looks[key] for key in pairs}
        return replace(
            part,
            actions=[_told(item, told.get(item.key)) for item in part.actions],
            conflicts=[_told(item, told.get(item.key)) for item in part.conflicts],
            notices=part.notices + list(_doubts(part, told)),
        )

    def look(self, mine: Entry, theirs: Entry) -> Look:
        """What looking into one pair tells; looked at once."""
        if mine.key not in self._looks:
            self._looks[mine.key] = self._look(mine, theirs)
        return self._looks[mine.key]

    def _was_database(self, key: str) -> bool:
        then = self._base.get(key)
        return then is not None and then.logical is not None

    def _look_at(self, pairs: Iterable[tuple[Entry, Entry | None]]) -> None:
        todo = list(pairs)
        looks = pool.each(
            lambda pair: (pair[0].key, self._look(*pair)),
            todo,
            workers=self._workers,
            name="compare",
        )
        for batch in looks:
            self._looks.update(batch)
            done = sum(mine.key in self._looks for mine, _ in todo)
            self._progress(Tick("compare", batch[-1][0], done, 0, len(todo)))

    def _look(self, mine: Entry, theirs: Entry | None) -> Look:
        if not mine.logical:
            return Look(why=_NO_LONGER)
        if max(mine.size, theirs.size if theirs else 0) > MOST_BYTES:
            return Look(why=_LARGE)
        try:
            return self._compare(mine, theirs)
        except StoreError:
            return Look(why=_UNREAD)
        except LocalError:
            return Look(why=_DAMAGED)

    def _compare(self, mine: Entry, theirs: Entry | None) -> Look:
        with ExitStack() as stack:
            old = NOTHING
            if theirs:
                old = stack.enter_context(fetched(self._remote, theirs, self._local))
                if old.database is None:
                    return Look(why=_DAMAGED if old.damaged else _PLAIN)
            if old.logical == mine.logical:
                return Look(old.logical, old.sha256)
            new = stack.enter_context(self._local.temporary())
            with (
                files.explained(mine.key),
                self._local.open(mine) as body,
                files.open_new(new, files.PRIVATE) as file,
            ):
                shutil.copyfileobj(body, file)
            return Look(old.logical, old.sha256, sqlite.difference(old.database, new))


class Fetched(Struct, frozen=True):
    """An object's bytes by their sha256, and the database in them: its row hash and a snapshot.

    `damaged` is a database that SQLite cannot read.
    """

    sha256: str | None = None
    logical: str | None = None
    database: Path | None = None
    damaged: bool = False


NOTHING: Final = Fetched()
"""What there is where there is no object."""


@contextmanager
def fetched(remote: Store, entry: Entry, local: LocalStore) -> Iterator[Fetched]:
    """An object's bytes in a temporary file of the local side, gone at the end.

    Raises `StoreError` when it cannot be read or is not what was listed, `LocalError` when there is
    no room for it.
    """
    with local.temporary() as raw, local.temporary() as copy:
        try:
            with remote.open(entry) as body:
                written = files.write(raw, body, entry)
        except OSError as problem:
            raise files.explain(entry.key, problem) from None
        yield _recognised(raw, copy, written.digests["sha256"])


def _recognised(raw: Path, copy: Path, sha256: str) -> Fetched:
    if not sqlite.is_database(raw):
        return Fetched(sha256)
    try:
        sqlite.snapshot(raw, copy)
        return Fetched(sha256, sqlite.logical_hash(copy), copy)
    except LocalError:
        return Fetched(sha256, damaged=True)


def _claims(part: BucketPlan) -> Iterator[Action | Conflict]:
    """Whatever may overwrite content with other content."""
    yield from (item for item in part.actions if item.op in (Op.UPLOAD, Op.DOWNLOAD))
    yield from part.conflicts


_Item = TypeVar("_Item", bound=Action | Conflict)


def _told(item: _Item, look: Look | None) -> _Item:
    """An action or conflict with what changes in its database, in lines."""
    if look is None or look.difference is None:
        return item
    down = isinstance(item, Action) and item.op is Op.DOWNLOAD
    return replace(item, changes=_lines(_reversed(look.difference) if down else look.difference))


def told_lines(look: Look) -> tuple[str, ...]:
    """In what the local database differs, in lines; none where that is not known."""
    if look.difference is None:
        return (look.why,) if look.why else ()
    return _lines(look.difference)


def _lines(difference: Difference) -> tuple[str, ...]:
    lines = sqlite.describe(difference)
    shown = [line if len(line) <= _WIDTH else f"{line[:_WIDTH]}..." for line in lines[:_LINES]]
    if len(lines) > _LINES:
        shown.append(f"and {len(lines) - _LINES:,} more")
    return tuple(shown)


def _doubts(part: BucketPlan, told: dict[str, Look]) -> Iterator[Notice]:
    for item in _claims(part):
        look = told.get(item.key)
        if look is not None and look.why:
            yield Notice("unread_database", item.bucket, item.key, look.why)


def _reversed(difference: Difference) -> Difference:
    """The same difference seen from the other side."""
    before, after = difference.user_version
    return replace(
        difference,
        tables_added=difference.tables_removed,
        tables_removed=difference.tables_added,
        tables=tuple(
            replace(table, added=table.removed, removed=table.added) for table in difference.tables
        ),
        user_version=(after, before),
    )
