"""The page of a plan as one comment in a pull request. Pure; the same plan gives the same bytes.

A comment has room for so much. What is routine is cut before what is dangerous, and what was cut is
counted and named where it would stand.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from os.path import commonprefix
from typing import Final

from msgspec import Struct

from buckia import text
from buckia.report.marks import code, fenced, prose, shortened, tag
from buckia.report.ops import Kind
from buckia.report.page import Claim, Group, Page, Place, Row, State, rows_in

MOST: Final = 60_000
"""Characters of a comment. GitHub takes 65,536, and whoever posts it may add to it."""


class Level(Struct, frozen=True):
    """How much of a page is told.

    danger  rows of a group that deletes or cannot be undone, conflicts, lines on limits
    rows    rows of any other group, `lines` on what changes in one of them
    groups  groups of a place, and places, and kinds of warnings
    width   characters of a name
    """

    danger: int
    rows: int
    lines: int
    groups: int
    width: int


_LEVELS: Final = (
    *(Level(200, rows, 200, 200, 1_000) for rows in (200, 100, 50, 20)),
    *(Level(200, rows, 20, 50, 1_000) for rows in (20, 10, 5)),
    *(Level(200, 3, 5, groups, 500) for groups in (20, 10)),
    *(Level(danger, 2, 3, 10, 300) for danger in (100, 50, 20, 10)),
    Level(5, 1, 1, 5, 200),
    Level(1, 0, 0, 3, 100),
)
_STATES: Final = {State.READY: "✅", State.NOTHING: "✅", State.REFUSED: "⛔"}
_CARE: Final = "⚠️"
"""In place of the first, where something is deleted or cannot be undone."""
_SIGNS: Final = {"~": "!"}
"""In a block of `diff` that is the line that changed."""
_NAMED: Final = 3
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def comment(page: Page) -> str:
    """The comment, never longer than `MOST`; its first line is how a pipeline finds it again."""
    for level in _LEVELS:
        made = "\n\n".join(_parts(page, level)) + "\n"
        if len(made) <= MOST:
            return made
    raise AssertionError("the shortest comment is bounded")


def _parts(page: Page, level: Level) -> Iterator[str]:
    digest = page.digest if _DIGEST.fullmatch(page.digest) else ""
    yield f"<!-- buckia plan {digest} -->".replace("  ", " ")
    careful = page.state is State.READY and (page.irreversible or page.deletions or page.lifted)
    yield f"{_CARE if careful else _STATES[page.state]} **{prose(page.status)}**"
    for note in page.notes:
        yield prose(shortened(note.words, level.width))
    if page.lifted:
        yield _heading("Limits lifted for this plan", len(page.lifted))
        yield _list(page.lifted, level)
    yield from _dangers("Cannot be undone", page.irreversible, level)
    yield from _conflicts(page.conflicts, level)
    yield from _dangers("Deletions", page.deletions, level)
    yield from _limits(page, level)
    for place in page.places[: level.groups]:
        yield from _place(place, level)
    if more := page.places[level.groups :]:
        count = sum(rows_in(place.groups) for place in more)
        names = ", ".join(code(shortened(place.name, level.width)) for place in more[:_NAMED])
        yield f"and {text.count_of(len(more), 'more bucket')} with {count:,} actions: {names} ..."
    yield from _warnings(page, level)
    if digest:
        signs = "`+` new, `!` replaced, `-` gone, `>` from another key"
        yield f"<sub>{signs}. The plan is {code(digest)}; apply takes just this one.</sub>"


def _heading(title: str, count: int) -> str:
    return f"### {title} ({count:,})"


def _list(lines: Sequence[str], level: Level) -> str:
    shown = [f"- {prose(shortened(line, level.width))}" for line in lines[: level.danger]]
    more = len(lines) - len(shown)
    return "\n".join([*shown, *([f"- and {more:,} more"] if more else [])])


# -- what to look at first ------------------------------------------------------------------------


def _dangers(title: str, groups: Sequence[Group], level: Level) -> Iterator[str]:
    if groups:
        yield _heading(title, rows_in(tuple(groups)))
        yield from _groups(groups, level, level.danger)


def _conflicts(conflicts: Sequence[Claim], level: Level) -> Iterator[str]:
    if not conflicts:
        return
    yield _heading("Conflicts", len(conflicts))
    lines = [line for item in conflicts[: level.danger] for line in _claim(item, level)]
    if more := conflicts[level.danger :]:
        buckets = Counter(shortened(item.bucket, level.width) for item in more)
        lines.append(_cut(len(more), "", buckets))
    yield fenced(lines)


def _claim(item: Claim, level: Level) -> Iterator[str]:
    name, bucket = shortened(item.key, level.width), shortened(item.bucket, level.width)
    yield f"{bucket}  {name}  ({shortened(item.reason, level.width)})"
    for side in item.sides:
        yield f"  {side.name:<6}  {side.size:>10}  {side.digest}".rstrip()
    yield from (f"  here    {line}" for line in _changes(item.changes, level))


def _limits(page: Page, level: Level) -> Iterator[str]:
    if not page.limits:
        return
    yield _heading("Blocked", sum(len(limit.why) for limit in page.limits))
    for limit in page.limits[: level.groups]:
        yield _list(limit.why, level)
        if limit.advice:
            yield f"> {limit.advice}"
    if more := page.limits[level.groups :]:
        yield f"and {sum(len(limit.why) for limit in more):,} more"


# -- the rest -------------------------------------------------------------------------------------


def _place(place: Place, level: Level) -> Iterator[str]:
    """A bucket, folded."""
    name, about = shortened(place.name, level.width), shortened(place.about, level.width)
    told = "; ".join(_briefly(place))
    yield f"<details><summary><b>{tag(name)}</b> {told} {tag(about)}</summary>"
    yield from _groups(place.groups, level, level.rows)
    for group in place.records:
        yield f"**{group.word}** {prose(group.about)}"
    yield "</details>"


def _briefly(place: Place) -> Iterator[str]:
    """How many of each, over all folders."""
    counts: Counter[str] = Counter()
    for group in (*place.groups, *place.records):
        counts[group.word] += len(group.rows)
    yield from (f"{word} {count:,}" for word, count in counts.items())


def _groups(groups: Sequence[Group], level: Level, most: int) -> Iterator[str]:
    for group in groups[: level.groups]:
        place = code(shortened(group.place, level.width))
        words = (f"**{group.word}**", group.lead, place, prose(group.about))
        yield " ".join(word for word in words if word)
        if most:
            yield fenced(_rows(group, level, most), "diff")
    if more := groups[level.groups :]:
        count = sum(len(group.rows) for group in more)
        size = text.size(sum(row.bytes for group in more for row in group.rows))
        names = ", ".join(
            f"{group.word} {code(shortened(group.place, level.width))}" for group in more[:_NAMED]
        )
        what = text.count_of(len(more), "more group")
        yield f"and {what} of {text.count_of(count, 'file')}, {size}: {names} ..."


def _rows(group: Group, level: Level, most: int) -> Iterator[str]:
    shown = group.rows[:most]
    wide = max((len(row.size) for row in shown), default=0)
    for row in shown:
        name = shortened(row.name, level.width)
        note = f"  {shortened(row.note, level.width)}" if row.note else ""
        sign, size = _SIGNS.get(row.sign, row.sign), f"{row.size:>{wide}}  " if wide else ""
        yield f"{sign} {size}{name}{note}"
        indent = "" if group.kind is Kind.SETTING else " " * (wide + 4)
        yield from (f"{indent}{line}" for line in _changes(row.changes, level))
    if more := group.rows[most:]:
        size = text.size(sum(row.bytes for row in more))
        yield _cut(len(more), size, _folders(more, level))


def _changes(changes: Sequence[str], level: Level) -> Iterator[str]:
    yield from (shortened(line, level.width) for line in changes[: level.lines])
    if len(changes) > level.lines:
        yield f"and {text.count_of(len(changes) - level.lines, 'more line')}"


def _folders(rows: Sequence[Row], level: Level) -> Counter[str]:
    """How many rows each folder has, in the first folder that branches."""
    names = [row.name for row in rows]
    common = commonprefix([min(names), max(names)])  # noqa: RUF071  (cut at a slash below)
    start = common.rfind("/") + 1
    found = (f"{name[: name.find('/', start) + 1]}" for name in names)
    return Counter(shortened(name, level.width) for name in found)


def _cut(count: int, size: str, places: Counter[str]) -> str:
    """How much is left out, and where most of it is."""
    order = sorted(places.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{many:,} in {place}" for place, many in order if place][:_NAMED]
    words = f"# and {count:,} more" + (f", {size}" if size else "")
    more = " ..." if named and len(order) > len(named) else ""
    return f"{words}: {', '.join(named)}{more}" if named else words


def _warnings(page: Page, level: Level) -> Iterator[str]:
    if not page.warnings:
        return
    count = sum(len(item.keys) for item in page.warnings)
    yield f"<details><summary><b>Warnings</b> {count:,}</summary>"
    lines: list[str] = []
    for item in page.warnings[: level.groups]:
        head = f"{item.bucket}: {item.code}: {item.message}"
        lines.append(shortened(head, max(level.width, 200)))
        lines += (f"  {shortened(key, level.width)}" for key in item.keys[: level.rows])
        if more := item.keys[level.rows :]:
            lines.append(f"  and {len(more):,} more")
    if left := page.warnings[level.groups :]:
        lines.append(f"and {sum(len(item.keys) for item in left):,} more warnings")
    yield fenced(lines)
    yield "</details>"
