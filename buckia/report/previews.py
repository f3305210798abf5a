"""What a page shows of contents themselves: pictures, lines of text, rows of databases. Frozen.

All text in it is visible text, as everywhere on a page.
"""

from __future__ import annotations

from msgspec import Struct


class Picture(Struct, frozen=True):
    """An image as it is: its content type and bytes."""

    type: str
    data: bytes


class Sample(Struct, frozen=True):
    """A row of a table: `+` new, `-` gone, or `~` with the values of both sides.

    `was` has a value for each column where it differs from `now`, and None where it does not.
    """

    sign: str
    now: tuple[str, ...]
    was: tuple[str | None, ...] = ()


class Table(Struct, frozen=True):
    """What becomes different in one table, and a few of its rows."""

    name: str
    added: int
    removed: int
    changed: int
    columns: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()


class Database(Struct, frozen=True):
    """What becomes different in a database: tables, lines of its schema, and what else there is."""

    tables: tuple[Table, ...]
    schema: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Preview(Struct, frozen=True):
    """What an action changes, as far as the bytes were at hand; of a conflict what both sides hold.

    before, after  a picture on either side of it, of a conflict the local one and the other
    lines          of a text file, as a unified difference
    missing        why a part of it is not shown, or ""
    """

    before: Picture | None = None
    after: Picture | None = None
    lines: tuple[str, ...] = ()
    database: Database | None = None
    missing: str = ""


class Previews(Struct, frozen=True):
    """The previews of a plan by the ids of its actions, and those of its conflicts by bucket and
    key. `at_hand`: whether anybody looked.

    `notes` say what was left out, and why.
    """

    of: dict[str, Preview]
    claims: dict[tuple[str, str], Preview] = {}
    at_hand: bool = True
    notes: tuple[str, ...] = ()


NOT_AT_HAND = Previews({}, at_hand=False)
"""What a plan file alone can show."""
