"""A plan in a terminal, drawn from its page (`buckia.report`). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.text import Text

from buckia.cli.rows import Rows
from buckia.planfile import Plan
from buckia.report import line as line
from buckia.report import page_of
from buckia.report.ops import Kind
from buckia.report.page import Claim, Group, Limit, Page, Place, State, Tone, Warned, rows_in

FOLD: Final = 10
"""Lines of a list that are shown; the rest is counted, unless everything is asked for."""
FOLD_DANGER: Final = 50
"""The same for what deletes or cannot be undone."""

_STATES: Final = {
    State.READY: "bold green",
    State.NOTHING: "bold green",
    State.REFUSED: "bold red",
}
_TONES: Final = {
    Tone.PLAIN: "",
    Tone.NOTE: "cyan",
    Tone.CARE: "yellow",
    Tone.ALARM: "bold yellow",
}
_LINES: Final = {"+": "green", "-": "red"}


def view(plan: Plan, *, everything: bool = False) -> Lines:
    """The whole plan. Long lists are folded unless `everything` is asked for."""
    return draw(page_of(plan), everything=everything)


def draw(page: Page, *, everything: bool = False) -> Lines:
    """The page of a plan."""
    fold, danger = (None, None) if everything else (FOLD, FOLD_DANGER)
    irreversible = rows_in(page.irreversible), [*_groups(page.irreversible, danger)]
    deletions = rows_in(page.deletions), [*_groups(page.deletions, danger)]
    limits = sum(len(limit.why) for limit in page.limits), [*_limits(page.limits)]
    warned = sum(len(item.keys) for item in page.warnings), [*_warnings(page.warnings, fold)]
    sections = [
        _status(page),
        _section("Limits lifted for this plan", "bold red", *_lifted(page.lifted)),
        _section("Cannot be undone", "bold red", *irreversible),
        _section("Conflicts", "bold yellow", len(page.conflicts), [*_claims(page, fold)]),
        _section("Deletions", "bold red", *deletions),
        _section("Blocked", "bold red", *limits),
        *(_place(place, fold) for place in page.places),
        _section("Warnings", "bold yellow", *warned),
        Text(f"\n{page.digest}", "dim", no_wrap=True, overflow="ignore"),
    ]
    return Lines(*(part for part in sections if part is not None))


def _section(
    title: str, style: str, count: int, parts: Sequence[RenderableType]
) -> RenderableType | None:
    """A titled part of the page with how much is in it; None when it has none."""
    if not parts:
        return None
    return Lines(Text.assemble("\n", (title, style), (f"  {count:,}", "dim")), *parts)


def _status(page: Page) -> Text:
    status = Text(page.status, _STATES[page.state])
    for note in page.notes:
        status.append(f"\n{note.words}", _TONES[note.tone])
    return status


def _lifted(lifted: Sequence[str]) -> tuple[int, list[Text]]:
    return len(lifted), [Text(f"  {words}") for words in lifted]


def _claims(page: Page, fold: int | None) -> Iterator[Text]:
    shown = page.conflicts[:fold]
    for item in shown:
        yield from _claim(item)
    if len(shown) < len(page.conflicts):
        yield Text(f"  and {len(page.conflicts) - len(shown):,} more", "dim")


def _claim(item: Claim) -> Iterator[Text]:
    yield Text.assemble(f"  {item.bucket}  {item.key}", (f"  {item.reason}", "dim"))
    for side in item.sides:
        yield Text(f"    {side.name:<6}  {side.size:>10}  {side.digest}".rstrip())
    for change in item.changes:
        yield Text(f"    here    {change}")


def _limits(limits: Sequence[Limit]) -> Iterator[Text]:
    for limit in limits:
        yield from (Text(f"  {why}") for why in limit.why)
        if limit.advice:
            yield Text(f"    {limit.advice}", "yellow")


def _warnings(warnings: Sequence[Warned], fold: int | None) -> Iterator[RenderableType]:
    for item in warnings:
        yield Text(f"  {item.bucket}: {item.code}: {item.message}", "yellow")
        yield Rows([(key,) for key in item.keys], fold)


# -- lists ----------------------------------------------------------------------------------------


def _place(place: Place, fold: int | None) -> RenderableType:
    heading = Text.assemble("\n", (place.name, "bold"), "  ", (place.about, "dim"))
    records = (_title(group) for group in place.records)
    return Lines(heading, *_groups(place.groups, fold), *records)


def _groups(groups: Sequence[Group], fold: int | None) -> Iterator[RenderableType]:
    for group in groups:
        yield _title(group)
        yield from _settings(group) if group.kind is Kind.SETTING else [_rows(group, fold)]


def _title(group: Group) -> Text:
    place = "".join(f" {word}" for word in (group.lead, group.place) if word)
    return Text.assemble("  ", (group.word, "cyan"), place, (f"  {group.about}", "dim"))


def _rows(group: Group, fold: int | None) -> Rows:
    """The rows of a group, what changes in a database under its own."""
    rows = [
        (row.sign, f"{row.name}  {row.note}" if row.note else row.name, row.size)
        for row in group.rows
    ]
    told = {number: row.changes for number, row in enumerate(group.rows) if row.changes}
    return Rows(rows, fold, told)


def _settings(group: Group) -> Iterator[Text]:
    for row in group.rows:
        yield Text(f"    {row.sign}  {row.name}", no_wrap=True, overflow="ignore")
        yield from (Text(f"       {line}", _LINES.get(line[:1], "dim")) for line in row.changes)
