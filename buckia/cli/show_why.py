"""Why a key is treated as it is, on one screen and as a document. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.console import Group
from rich.text import Text

from buckia import documents, text
from buckia.decisions.explanation import Explanation, Rule
from buckia.model import Entry, content_of
from buckia.reconcile import Verdict

_QUIET: Final = (Verdict.NOTHING, Verdict.ADOPT, Verdict.FORGET)
_WARNS: Final = (Verdict.CONFLICT, Verdict.DELETE_LOCAL, Verdict.DELETE_REMOTE)


def document(given: str, found: Sequence[Explanation]) -> bytes:
    """The explanations as JSON, one a line; `schemas/why.schema.json` describes it."""
    head = {"format": "buckia.why", "format_version": "1.0", "asked": given}
    return documents.render(head, {"explanations": map(_data, found)})


def _data(item: Explanation) -> dict[str, Any]:
    sides = {name: _side_data(entry) for name, entry in _sides(item)}
    return {
        "bucket": item.bucket,
        "key": item.key,
        "path": item.path,
        "direction": item.direction,
        "in_scope": item.in_scope,
        "rules": item.rules,
        **sides,
        "row": item.row,
        "meaning": item.meaning,
        "table": item.table,
        "rulings": item.rulings,
        "verdict": item.verdict,
        "reason": item.reason,
        "next": item.next,
        "notes": item.notes,
    }


def _side_data(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    content = content_of(entry)
    told = {name: getattr(content, name) for name in content.__struct_fields__}
    told |= {"modified": entry.modified}
    return {name: value for name, value in told.items() if value is not None}


def _sides(item: Explanation) -> Iterator[tuple[str, Entry | None]]:
    yield from (("local", item.local), ("base", item.base), ("remote", item.remote))


def view(found: Sequence[Explanation]) -> Group:
    """What is asked of a key in turn: its rules, its sides, its row, what follows."""
    lines: list[Text] = []
    for item in found:
        lines += [Text()] if lines else []
        lines += _one(item)
    return Group(*lines)


def _one(item: Explanation) -> Iterator[Text]:
    where = f"  {text.name(item.path)}" if item.path else "  no local path"
    yield Text.assemble(
        (text.name(item.bucket), "bold"), f"  {text.name(item.key)}", (where, "dim")
    )
    width = max((len(rule.option) for rule in item.rules), default=0)
    for rule in item.rules:
        yield _rule(rule, width)
    for name, entry in _sides(item):
        yield Text.assemble("  ", (f"{name:<9}", "cyan"), _side(entry))
    row = f"`{item.row}` {item.meaning}" if item.row else item.meaning
    yield Text.assemble(
        "  ", ("table    ", "cyan"), row + (f": {item.table}" if item.table else "")
    )
    for ruling in item.rulings:
        place = f"  {ruling.place}" if ruling.place else ""
        yield Text.assemble(
            "  ", ("by       ", "cyan"), f"{ruling.option}: {ruling.value}", (place, "dim")
        )
    style = "bold yellow" if item.verdict in _WARNS else "green" if item.verdict in _QUIET else ""
    yield Text.assemble("  ", ("next     ", "cyan"), (item.next, style))
    for note in item.notes:
        yield Text.assemble("  ", ("note     ", "yellow"), text.visible(note))


def _rule(rule: Rule, width: int) -> Text:
    pattern = f"  {text.visible(rule.pattern)}" if rule.pattern else ""
    way = ("in       ", "green") if rule.holds else ("out      ", "bold yellow")
    told = f"{rule.option:<{width}}{pattern}  {text.visible(rule.why)}"
    return Text.assemble("  ", way, told, (f"  {rule.place}" if rule.place else "", "dim"))


def _side(entry: Entry | None) -> str:
    if entry is None:
        return "nothing"
    when = moment(entry.modified) if entry.modified else ""
    parts = (text.size(entry.size), text.digest(entry), when)
    return "  ".join(part for part in parts if part)


def moment(nanoseconds: int) -> str:
    """A time as a person of this machine reads it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(nanoseconds // 1_000_000_000))
