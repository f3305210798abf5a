"""What an examination found, on one screen and as a document. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from buckia import documents, text
from buckia.runs.doctor import Check, Report, State

_STYLES: Final = {
    State.OK: "green",
    State.NOTE: "yellow",
    State.BAD: "bold red",
    State.UNTRIED: "dim",
}


def document(found: Sequence[Report]) -> bytes:
    """The examination as JSON, one check a line; `schemas/doctor.schema.json` describes it."""
    head = {
        "format": "buckia.doctor",
        "format_version": "1.0",
        "well": not any(check.state is State.BAD for item in found for check in item.checks),
        "buckets": {
            item.bucket: {"provider": item.provider, "url": item.url or None}
            for item in found
            if item.bucket is not None
        },
    }
    checks = [
        {
            "bucket": item.bucket,
            "check": check.name,
            "state": check.state.value,
            "told": check.told,
            "advice": check.advice,
            "value": check.value,
        }
        for item in found
        for check in item.checks
    ]
    return documents.render(head, {"checks": checks})


def view(found: Sequence[Report], *, follows: bool = False) -> Group:
    """A line a check, advice below it. With `follows` something stands above it."""
    parts: list[RenderableType] = [Text()] if follows else []
    for number, item in enumerate(found):
        parts += [Text()] if number else []
        parts += _report(item)
    return Group(*parts)


def _report(item: Report) -> Iterator[RenderableType]:
    if item.bucket is None:
        yield Text("here", "bold")
    else:
        about = f"  {item.provider} {text.visible(item.url)}".rstrip()
        yield Text.assemble((text.name(item.bucket), "bold"), (about, "dim"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in item.checks:
        table.add_row(Text(check.state.value, _STYLES[check.state]), check.name, _told(check))
    yield Padding(table, (0, 0, 0, 2))


def _told(check: Check) -> Text:
    shown = Text(text.visible(check.told))
    if check.advice:
        shown.append(f"\n{text.visible(check.advice)}", "yellow")
    return shown


def line(found: Sequence[Report]) -> str:
    """The outcome in a few words."""
    states = [check.state for item in found for check in item.checks]
    bad, notes = states.count(State.BAD), states.count(State.NOTE)
    parts = [f"{text.count_of(bad, 'thing')} to mend"] if bad else []
    parts += [text.count_of(notes, "note")] if notes else []
    return f"{', '.join(parts)}." if parts else "All is well."
