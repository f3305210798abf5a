"""What a plan changes inside pictures, texts and databases, read from both sides to be looked at.

Nothing is changed. What is read is bounded, one by one and together; what is left out is told.
"""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from buckia import contents, mime, sqlite, text
from buckia.errors import BuckiaError, LocalError, NotFoundError
from buckia.model import Action, Content, Entry, Op, Tick, Undo, content_of, replace, same_content
from buckia.planfile import Plan
from buckia.report.previews import Database, Picture, Preview, Previews, Sample, Table
from buckia.sqlite import TableDifference
from buckia.sqlite.samples import RowSample, TableSamples, samples, schema_lines
from buckia.stores import files
from buckia.stores.base import Store
from buckia.stores.local import LocalStore
from buckia.workspace import Workspace

MOST_BYTES: Final = 10 * 1024**2
"""What the contents in a report come to together, unless somebody says otherwise."""
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
"""How pictures that browsers show begin (IANA "Media Types" and the formats' own documents)."""
_TEXTUAL: Final = ("json", "xml", "yaml", "javascript", "toml", "x-sh", "svg")
_TRAVELS: Final = (Op.UPLOAD, Op.DOWNLOAD, Op.DELETE_REMOTE, Op.DELETE_LOCAL)
_CHANGED: Final = "is not what the plan was made from any more"


class _Sides(Struct, frozen=True):
    """The stores of a bucket: what an action replaces is in one, what it leaves in the other."""

    local: LocalStore
    remote: Store

    def of(self, action: Action) -> tuple[Store, Store]:
        """The store before, and the one that the new content comes from."""
        if action.op in (Op.UPLOAD, Op.DELETE_REMOTE):
            return self.remote, self.local
        return self.local, self.remote


def previews(space: Workspace, plan: Plan, most: int = MOST_BYTES) -> Previews:
    """What can be shown of a plan's contents, dangers and changes before what is new.

    `most` bounds the bytes that the report holds of them. Objects are fetched from buckets for it.
    """
    wanted = sorted(filter(_worth_it, plan.actions), key=_rank)
    sides: dict[str, _Sides] = {}
    found: dict[str, Preview] = {}
    left, held = 0, 0
    for number, action in enumerate(wanted):
        space.progress(Tick("preview", action.key, number, 0, len(wanted)))
        if held + _most(action) > most:
            left += 1
            continue
        if action.bucket not in sides:
            sides[action.bucket] = _open(space, plan, action.bucket)
        made = _preview(action, sides[action.bucket], space)
        held += _weight(made)
        found[action.id] = made
    if not left:
        return Previews(found)
    told = f"{left:,} more are not shown: this report holds at most {text.size(most)} of contents."
    return Previews(found, notes=(told,))


def _open(space: Workspace, plan: Plan, name: str) -> _Sides:
    paths = {
        item.key: item.source.path
        for item in plan.actions
        if item.bucket == name and item.source and item.source.path
    }
    return _Sides(space.local(name, paths=paths), space.remote(name))


# -- what to look at ------------------------------------------------------------------------------


def _kind(action: Action) -> str:
    """What is to be expected at a key: `picture`, `text`, `database`, or "" for none of them."""
    known = [side for side in (action.content, action.expect) if side]
    if any(side.logical for side in known):
        return "database"
    type_ = next((side.type for side in known if side.type), None) or mime.guess(action.key)
    if type_.startswith("image/") and "svg" not in type_:
        return "picture"
    return "text" if type_.startswith("text/") or type_.endswith(_TEXTUAL) else ""


def _worth_it(action: Action) -> bool:
    """Whether anything can be shown of an action, by what the plan tells of it."""
    most = {"picture": PICTURE, "text": TEXT, "database": DATABASE}.get(_kind(action), 0)
    return action.op in _TRAVELS and 0 < _largest(action) <= most


def _largest(action: Action) -> int:
    return max((side.size for side in (action.content, action.expect) if side), default=0)


def _most(action: Action) -> int:
    """The bytes that a preview may add: pictures as they are, of the rest an excerpt."""
    sizes = sum(side.size for side in (action.content, action.expect) if side)
    return sizes if _kind(action) == "picture" else min(sizes, TEXT)


def _rank(action: Action) -> tuple[bool, bool, bool]:
    return action.undo is not Undo.NONE, _kind(action) != "database", action.expect is None


def _weight(made: Preview) -> int:
    pictures = sum(len(side.data) for side in (made.before, made.after) if side)
    return pictures + sum(map(len, made.lines))


# -- looking --------------------------------------------------------------------------------------


def _preview(action: Action, sides: _Sides, space: Workspace) -> Preview:
    before, after = sides.of(action)
    try:
        if _kind(action) == "database":
            with (
                _database(before, action.key, action.expect, sides.local) as old,
                _database(after, action.key, action.content, sides.local) as new,
            ):
                return _compare(old, new, space)
        one, other = (
            _read(store, action.key, side)
            for store, side in ((before, action.expect), (after, action.content))
        )
    except NotFoundError:
        return Preview(missing=f"It {_CHANGED}.")
    except BuckiaError as problem:
        why = text.visible(space.hygiene.scrub(str(problem)))
        return Preview(missing=f"It cannot be shown: {why}.")
    if _kind(action) == "picture":
        return _pictures(one, other)
    return _lines(one, other, space)


def _entry(store: Store, key: str, content: Content) -> Entry:
    """What the plan speaks of, as it is there now. `NotFoundError` where that is something else."""
    entry = store.head(key)
    if entry is None or same_content(content_of(entry), content) is False:
        raise NotFoundError(f"{key} {_CHANGED}")
    return entry


def _read(store: Store, key: str, content: Content | None) -> bytes | None:
    if content is None:
        return None
    entry = _entry(store, key, content)
    with store.open(entry) as body:
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


def _lines(before: bytes | None, after: bytes | None, space: Workspace) -> Preview:
    try:
        one, other = ((data or b"").decode("utf-8").splitlines() for data in (before, after))
    except UnicodeDecodeError:
        return Preview(missing="It is no text in UTF-8.")
    found = [*difflib.unified_diff(one, other, lineterm="")][2:]
    more = [f"and {len(found) - _LINES:,} more lines"] if len(found) > _LINES else []
    return Preview(lines=_told([*found[:_LINES], *more], space))


def _told(lines: Iterable[str], space: Workspace) -> tuple[str, ...]:
    """Lines as they may be shown: no credential that was loaded, nothing hidden."""
    return tuple(text.visible(space.hygiene.scrub(line)) for line in lines)


# -- databases ------------------------------------------------------------------------------------


@contextmanager
def _database(
    store: Store, key: str, content: Content | None, local: LocalStore
) -> Iterator[Path | None]:
    """A side of a database as a file that nobody else uses, gone at the end; None: it is absent."""
    if content is None:
        yield None
        return
    entry = _entry(store, key, content)
    if isinstance(store, LocalStore):
        with local.temporary() as copy:
            with store.open(entry) as body, files.open_new(copy, files.PRIVATE) as file:
                shutil.copyfileobj(body, file)
            yield copy
        return
    with contents.fetched(store, entry, local) as found:
        if found.database is None:
            raise LocalError(f"{key} is no database that can be read")
        yield found.database


def _compare(old: Path | None, new: Path | None, space: Workspace) -> Preview:
    found = sqlite.difference(old, new)
    rows = {} if found.encoding_changed else {one.name: one for one in samples(old, new, found)}
    tables = tuple(_table(one, rows.get(one.name), space) for one in found.tables)
    schema = [] if found.encoding_changed else schema_lines(old, new)
    notes = sqlite.describe(replace(found, tables=(), schema_changed=()))
    return Preview(database=Database(tables, _told(schema[:_LINES], space), _told(notes, space)))


def _table(table: TableDifference, rows: TableSamples | None, space: Workspace) -> Table:
    name = text.name(table.name)
    counts = table.added, table.removed, table.changed
    if rows is None:
        return Table(name, *counts)
    found = tuple(_sample(row, space) for row in rows.rows)
    return Table(name, *counts, tuple(map(text.name, rows.columns)), found)


def _sample(row: RowSample, space: Workspace) -> Sample:
    before, after = (_told(side, space) if side else None for side in (row.before, row.after))
    if before and after:
        was = tuple(a if a != b else None for a, b in zip(before, after, strict=True))
        return Sample("~", after, was)
    return Sample("+" if after else "-", after or before or ())
