"""The one model of a plan that is read: in a terminal, a comment, a browser. Frozen values.

What a reviewer has to know first stands first. Every text in it is visible text: foreign names have
gone through `buckia.text`, so that no control or direction character is left, and no line break.
What its own markup takes for more than text each view escapes itself.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from buckia.report.ops import Kind


class State(StrEnum):
    """What can be done with a plan."""

    READY = "ready"
    NOTHING = "nothing"
    REFUSED = "refused"


class Tone(StrEnum):
    """How much a line wants to be noticed."""

    PLAIN = "plain"
    NOTE = "note"
    CARE = "care"
    ALARM = "alarm"


class Note(Struct, frozen=True):
    """A sentence on the plan as a whole."""

    tone: Tone
    words: str


class Row(Struct, frozen=True, gc=False):
    """One thing in a list.

    sign     `+` new, `~` replaced or changed, `-` gone, `>` from another key
    name     what it is, as short as the place of its group allows
    note     what else there is to say, or ""
    size     bytes in words, or ""
    bytes    the same as a number, of what is written or of what goes
    changes  lines on what becomes different in it
    id       of the action, or ""
    """

    sign: str
    name: str
    note: str = ""
    size: str = ""
    bytes: int = 0
    changes: tuple[str, ...] = ()
    id: str = ""


class Group(Struct, frozen=True):
    """Things of one kind in one place: what happens to them, where (`lead` is "in" or the like),
    how many, how many bytes."""

    kind: Kind
    word: str
    lead: str
    place: str
    about: str
    rows: tuple[Row, ...]


class Side(Struct, frozen=True):
    """What one side of a conflict holds: its size, or that nothing is there, and a digest."""

    name: str
    size: str
    digest: str


class Claim(Struct, frozen=True):
    """A conflict: a key, and what each side holds."""

    bucket: str
    key: str
    reason: str
    sides: tuple[Side, ...]
    changes: tuple[str, ...]


class Limit(Struct, frozen=True):
    """Lines on a limit that blocks the plan, and what to do about it in buckia's own words, with
    options between backticks, or ""."""

    why: tuple[str, ...]
    advice: str


class Place(Struct, frozen=True):
    """A bucket with what happens in it beside what was told before; `records` are counts only."""

    name: str
    about: str
    groups: tuple[Group, ...]
    records: tuple[Group, ...]


class Warned(Struct, frozen=True):
    """A warning, and the names it is about."""

    bucket: str
    code: str
    message: str
    keys: tuple[str, ...]


class Page(Struct, frozen=True):
    """A plan to be read from the top.

    state         whether it can be applied; `status` is the sentence that says so, or why not
    notes         what holds for the whole of it
    lifted        limits that whoever planned has lifted
    irreversible  what cannot be undone, then `conflicts`, then the other `deletions`
    limits        what blocks it
    places        the rest, bucket by bucket
    """

    state: State
    status: str
    notes: tuple[Note, ...]
    lifted: tuple[str, ...]
    irreversible: tuple[Group, ...]
    conflicts: tuple[Claim, ...]
    deletions: tuple[Group, ...]
    limits: tuple[Limit, ...]
    places: tuple[Place, ...]
    warnings: tuple[Warned, ...]
    digest: str


def rows_in(groups: tuple[Group, ...]) -> int:
    """How many rows groups have."""
    return sum(len(group.rows) for group in groups)
