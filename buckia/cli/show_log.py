"""The record of applies, on one screen and as a document. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from buckia import documents, text
from buckia.cli.rows import Rows
from buckia.model import Op, Outcome
from buckia.records import logbook
from buckia.records.logbook import Run
from buckia.report.ops import OPS

_FOLD: Final = 20
_STYLES: Final = {"done": "green", "failed": "bold red", "cut": "yellow", "open": "yellow"}
_MEANS: Final = {
    "done": "done",
    "failed": "not all was done",
    "cut": "cut short; a later run found what it did",
    "open": "under way, or cut short: the next run finds what it did",
}


def document(found: Sequence[Run], *, whole: bool) -> bytes:
    """The record as JSON, one run a line; `schemas/log.schema.json` describes it."""
    head = {"format": "buckia.log", "format_version": "1.0"}
    return documents.render(head, {"runs": (logbook.data(run, whole=whole) for run in found)})


def view(found: Sequence[Run]) -> Group:
    """A line a run, the newest last."""
    return Group(*(_line(run) for run in found))


def _line(run: Run) -> Text:
    serials = ", ".join(f"{text.name(name)} {serial}" for name, serial in run.serials.items())
    return Text.assemble(
        (f"{moment(run.started)}  ", "dim"),
        (serials, "bold"),
        f"  {text.visible(run.who)}@{text.visible(run.host)}  ",
        (f"{run.ended:<6}", _STYLES[run.ended]),
        f"  {_did(run)}",
    )


def _did(run: Run) -> str:
    parts = [f"{count:,} {OPS[Op(op)].done}" for op, count in run.counts.items()]
    parts += [f"{run.failed:,} failed"] if run.failed else []
    parts += [text.size(run.bytes)] if run.bytes else []
    return ", ".join(parts) or "nothing"


def detail(found: Sequence[Run], *, everything: bool = False) -> Group:
    """All there is to say of some runs, and what became of each action."""
    parts: list[RenderableType] = []
    for run in found:
        parts += [Text()] if parts else []
        parts += _detailed(run, everything)
    return Group(*parts)


def _detailed(run: Run, everything: bool) -> Iterator[RenderableType]:
    yield Text.assemble((f"Apply {run.number}", "bold"), f"  {moment(run.started)}")
    took = text.seconds(run.seconds) if run.seconds is not None else "not known"
    used = run.used
    rows = {
        "ended": _MEANS[run.ended],
        "serial": ", ".join(f"{name} {serial}" for name, serial in run.serials.items()),
        "plan": run.plan,
        "who": f"{run.who} on {run.host}",
        "approver": run.approver,
        "run": run.run or "",
        "took": took,
        "did": _did(run),
        "requests": ", ".join(f"{count:,} {kind}" for kind, count in used.requests.items()),
        "retries": f"{used.retries:,}" if used.requests else "",
        "sent": text.size(used.sent) if used.requests else "",
        "received": text.size(used.received) if used.requests else "",
    }
    for name, told in rows.items():
        if told:
            yield Text.assemble("  ", (f"{name:<9}", "cyan"), text.visible(told))
    yield Rows([_row(item) for item in run.outcomes], None if everything else _FOLD)


def _row(item: Outcome) -> tuple[str, str, str]:
    size = text.size(item.entry.size) if item.entry else ""
    told = text.visible(item.error or "") if not item.done else size
    ended = "ok" if item.done else "failed"
    return f"{ended}  {OPS[item.op].todo}", text.name(item.key), told


def moment(at: str) -> str:
    """A time of a journal for people: `2026-01-31 12:00:00` in UTC."""
    return at.replace("T", " ").rstrip("Z") or "at an unknown time"
