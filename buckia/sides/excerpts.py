"""What is shown of two contents of one key: pictures, lines of text, rows of databases.

Nothing is changed, and what is read of each is bounded.
"""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from buckia import mime, sqlite, text
from buckia.errors import BuckiaError, LocalError, NotFoundError
from buckia.hygiene import Hygiene
from buckia.model import Content, Entry, content_of, replace, same_content
from buckia.report.previews import Database, Picture, Preview, Sample, Table
from buckia.sides import contents
from buckia.sqlite import TableDifference
from buckia.sqlite.samples import RowSample, TableSamples, samples, schema_lines
from buckia.stores import files
from buckia.stores.base import Store
from buckia.stores.local import LocalStore

PICTURE: Final = 1024**2
"""Bytes of the largest picture that is shown: it takes a library to make one smaller."""
TEXT: Final = 64 * 1024
"""Bytes of the largest text that is compared line by line."""
DATABASE: Final = 16 * 1024**2
"""Bytes of the largest database whose rows are shown."""
_LINES: Final = 300

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF8", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
    (b"ftypavif", 4, "image/avif"),
)
"""How pictures that browsers show begin (IANA "Media Types" and the formats' own documents). No
SVG: opened on its own it runs scripts, so it is told in lines, as the text that it is."""
_TEXTUAL: Final = ("json", "xml", "yaml", "javascript", "toml", "x-sh", "svg")
_CHANGED: Final = "is not what the plan was made from any more"


def kind_of(key: str, *sides: Content | None) -> str:
    """What is to be expected at a key: `picture`, `text`, `database`, or "" for none of them."""
    known = [side for side in sides if side]
    if any(side.logical for side in known):
        return "database"
    type_ = next((side.type for side in known if side.type), None) or mime.guess(key)
    if type_.startswith("image/") and "svg" not in type_:
        return "picture"
    return "text" if type_.startswith("text/") or type_.endswith(_TEXTUAL) else ""


def room_for(key: str, *sides: Content | None) -> int:
    """The bytes that a preview may come to: pictures as they are, of the rest an excerpt; 0 where
    nothing can be shown, by what is known before anything is read."""
    kind, sizes = kind_of(key, *sides), [side.size for side in sides if side]
    most = {"picture": PICTURE, "text": TEXT, "database": DATABASE}.get(kind, 0)
    if not 0 < max(sizes, default=0) <= most:
        return 0
    return sum(sizes) if kind == "picture" else min(sum(sizes), TEXT)


def weight(made: Preview) -> int:
    """The bytes that a preview has come to."""
    pictures = sum(len(side.data) for side in (made.before, made.after) if side)
    return pictures + sum(map(len, made.lines))


class Held(Struct, frozen=True):
    """A content by its key, and the store that has it; None: nothing is there."""

    store: Store
    key: str
    content: Content | None


class Excerpts:
    """Looks into contents. `room` has space for databases, `hygiene` hides credentials."""

    def __init__(self, room: LocalStore, hygiene: Hygiene) -> None:
        self._room = room
        self._hygiene = hygiene

    def of(self, before: Held, after: Held) -> Preview:
        """What is different from one to the other. What cannot be shown is told, not an error."""
        try:
            return self._of(before, after)
        except NotFoundError:
            return Preview(missing=f"It {_CHANGED}.")
        except BuckiaError as problem:
            why = text.visible(self._hygiene.scrub(str(problem)))
            return Preview(missing=f"It cannot be shown: {why}.")

    def _of(self, before: Held, after: Held) -> Preview:
        kind = kind_of(before.key, before.content, after.content)
        if kind == "database":
            with self._database(before) as old, self._database(after) as new:
                return self._compare(old, new)
        one, other = _read(before), _read(after)
        return _pictures(one, other) if kind == "picture" else self._lines(one, other)

    def _lines(self, before: bytes | None, after: bytes | None) -> Preview:
        try:
            one, other = ((data or b"").decode("utf-8").splitlines() for data in (before, after))
        except UnicodeDecodeError:
            return Preview(missing="It is no text in UTF-8.")
        found = [*difflib.unified_diff(one, other, lineterm="")][2:]
        more = [f"and {len(found) - _LINES:,} more lines"] if len(found) > _LINES else []
        return Preview(lines=self._told([*found[:_LINES], *more]))

    def _told(self, lines: Iterable[str]) -> tuple[str, ...]:
        """Lines as they may be shown: no credential that was loaded, nothing hidden."""
        return tuple(text.visible(self._hygiene.scrub(line)) for line in lines)

    @contextmanager
    def _database(self, side: Held) -> Iterator[Path | None]:
        """A database as a file that nobody else uses, gone at the end; None: it is absent."""
        if side.content is None:
            yield None
            return
        entry = _entry(side, side.content)
        if isinstance(side.store, LocalStore):
            with self._room.temporary() as copy:
                with side.store.open(entry) as body, files.open_new(copy, files.PRIVATE) as file:
                    shutil.copyfileobj(body, file)
                yield copy
            return
        with contents.fetched(side.store, entry, self._room) as found:
            if found.database is None:
                raise LocalError(f"{side.key} is no database that can be read; look at it")
            yield found.database

    def _compare(self, old: Path | None, new: Path | None) -> Preview:
        found = sqlite.difference(old, new)
        rows = {} if found.encoding_changed else {one.name: one for one in samples(old, new, found)}
        tables = tuple(self._table(one, rows.get(one.name)) for one in found.tables)
        schema = [] if found.encoding_changed else schema_lines(old, new)
        notes = sqlite.describe(replace(found, tables=(), schema_changed=()))
        return Preview(database=Database(tables, self._told(schema[:_LINES]), self._told(notes)))

    def _table(self, table: TableDifference, rows: TableSamples | None) -> Table:
        name = text.name(table.name)
        counts = table.added, table.removed, table.changed
        if rows is None:
            return Table(name, *counts)
        found = tuple(map(self._sample, rows.rows))
        return Table(name, *counts, tuple(map(text.name, rows.columns)), found)

    def _sample(self, row: RowSample) -> Sample:
        before, after = (self._told(side) if side else None for side in (row.before, row.after))
        if before and after:
            was = tuple(a if a != b else None for a, b in zip(before, after, strict=True))
            return Sample("~", after, was)
        return Sample("+" if after else "-", after or before or ())


def _entry(side: Held, content: Content) -> Entry:
    """What the plan speaks of, as it is there now. `NotFoundError` where that is something else."""
    entry = side.store.head(side.key)
    if entry is None or same_content(content_of(entry), content) is False:
        raise NotFoundError(f"{side.key} {_CHANGED}; plan again")
    return entry


def _read(side: Held) -> bytes | None:
    if side.content is None:
        return None
    with side.store.open(_entry(side, side.content)) as body:
        return body.read(max(PICTURE, TEXT))


def _pictures(before: bytes | None, after: bytes | None) -> Preview:
    one, other = (_picture(data) if data is not None else None for data in (before, after))
    sides = ((before, one), (after, other))
    if any(data is not None and shown is None for data, shown in sides):
        return Preview(one, other, missing="One side is no picture that a browser shows.")
    return Preview(one, other)


def _picture(data: bytes) -> Picture | None:
    found = (type_ for magic, at, type_ in _MAGIC if data[at:].startswith(magic))
    type_ = next(found, None)
    return Picture(type_, data) if type_ else None
