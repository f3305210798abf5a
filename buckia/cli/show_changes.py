"""What became different from one plan to the next, on one screen. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from buckia import text
from buckia.cli.rows import Row, Rows
from buckia.model import Action, Conflict, Notice
from buckia.report import groups
from buckia.report.changes import Changed, Difference, Disputed, Field
from buckia.report.ops import words_of

FOLD: Final = 50
"""Lines of a list that are shown, unless everything is asked for."""
_WIDE: Final = 60
_PARTS: Final = {
    "content": "what it leaves",
    "expect": "what it expects",
    "undo": "what is kept",
    "source": "where it comes from",
    "changes": "what changes inside",
}
_FIELDS: Final = {
    "applyable": "can be applied",
    "complete": "both sides seen whole",
    "config_digest": "configuration",
    "overrides": "limits lifted",
    "blocked": "blocked by",
}


def line(found: Difference) -> str:
    """The difference in one line."""
    if found.same:
        return "It is the same plan"
    counts = {
        "added": len(found.added),
        "removed": len(found.removed),
        "changed": len(found.changed),
    }
    parts: list[str] = []
    for how, count in counts.items():
        if count:
            counted = f"{count:,}" if parts else text.count_of(count, "action")
            parts.append(f"{counted} {how}")
    parts += [text.count_of(len(found.conflicts), "other conflict")] * bool(found.conflicts)
    return f"Since then: {', '.join(parts) or 'the same actions'}"


def view(found: Difference, *, everything: bool = False) -> Group:
    """The whole difference: the plan as such, conflicts, then actions, the dangerous first."""
    fold = None if everything else FOLD
    parts = [
        Text(f"{line(found)}.", "bold green" if found.same else "bold yellow"),
        _section("The plan itself", [*_header(found.header)]),
        _section("Conflicts", [*_conflicts(found.conflicts)]),
        _section("Added", [*_actions("+", found.added, fold)], len(found.added)),
        _section("Removed", [*_actions("-", found.removed, fold)], len(found.removed)),
        _section("Changed", [*_changed(found.changed, fold)], len(found.changed)),
        _section("Warnings added", [*_warnings(found.warnings_added, fold)]),
        _section("Warnings removed", [*_warnings(found.warnings_removed, fold)]),
        Text(
            f"\n{text.visible(found.old)}\n{text.visible(found.new)}",
            "dim",
            no_wrap=True,
            overflow="ignore",
        ),
    ]
    return Group(*(part for part in parts if part is not None))


def _section(
    title: str, parts: Sequence[RenderableType], count: int | None = None
) -> RenderableType | None:
    if not parts:
        return None
    counted = f"  {count:,}" if count is not None else ""
    return Group(Text.assemble("\n", (title, "bold"), (counted, "dim")), *parts)


def _header(fields: Sequence[Field]) -> Iterator[Text]:
    for item in (part for whole in fields for part in _parts(whole)):
        name = _FIELDS.get(item.name, text.name(item.name))
        told = (
            "differs"
            if item.name == "config_digest"
            else f"{_short(item.now)}, was {_short(item.was)}"
        )
        yield Text.assemble("  ", (name, "cyan"), f"  {told}")


def _parts(item: Field) -> Iterator[Field]:
    """A field, or where it is a table on both sides what differs in it."""
    was, now = item.was, item.now
    if not (isinstance(was, dict) and isinstance(now, dict)):
        yield item
        return
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            yield Field(f"{item.name}.{name}", was.get(name), now.get(name))


def _short(value: object) -> str:
    """A JSON value in little room."""
    words = {True: "yes", False: "no", None: "nothing"}
    if value is None or isinstance(value, bool):
        return words[value]
    shown = text.visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return shown if len(shown) <= _WIDE else f"{shown[:_WIDE]}..."


def _conflicts(conflicts: Sequence[Disputed]) -> Iterator[Text]:
    for item in conflicts:
        known: Conflict | None = item.now or item.was
        how = "new" if item.was is None else "gone" if item.now is None else "changed"
        if known:
            yield Text(f"  {text.name(known.bucket)}  {text.name(known.key)}  {how}", "yellow")


def _actions(sign: str, actions: Sequence[Action], fold: int | None) -> Iterator[Rows]:
    if actions:
        yield Rows([_row(sign, item) for item in actions], fold)


def _row(sign: str, item: Action) -> Row:
    known = groups.row_of(item)
    return sign, f"{words_of(item).todo}  {known.name}", known.size


def _changed(items: Sequence[Changed], fold: int | None) -> Iterator[Rows]:
    if not items:
        return
    below = {number: [*_inside(item)] for number, item in enumerate(items)}
    yield Rows([_row("~", item.now) for item in items], fold, below)


def _inside(item: Changed) -> Iterator[str]:
    for part in item.parts:
        was, now = getattr(item.was, part), getattr(item.now, part)
        name = _PARTS.get(part, part)
        if part in ("content", "expect"):
            one, other = (
                f"{text.size(side.size)} {text.digest(side)}" if side else "nothing"
                for side in (now, was)
            )
            yield f"{name}: {one}, was {other}"
        elif part in ("undo", "reason"):
            yield f"{name}: {_short(now)}, was {_short(was)}"
        else:
            yield f"{name} differs"


def _warnings(warnings: Sequence[Notice], fold: int | None) -> Iterator[Rows]:
    if warnings:
        yield Rows([(text.name(item.code), text.name(item.key)) for item in warnings], fold)
