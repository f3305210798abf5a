"""A plan as a person reads it: the verdict first, then what is dangerous, then the rest. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from buckia.cli import text
from buckia.model import Action, Conflict, Content, Notice, Op, Undo
from buckia.planfile import BucketHead, Plan

FOLD: Final = 10
"""Lines of a list that are shown; the rest is counted, unless everything is asked for."""
FOLD_DANGER: Final = 50
"""The same for what deletes or cannot be undone."""

_DELETIONS: Final = (Op.DELETE_REMOTE, Op.DELETE_LOCAL)
_RECORDS: Final = (Op.ADOPT, Op.FORGET)
_WORDS: Final = {
    Op.CONFIGURE: ("configure", "setting"),
    Op.UPLOAD: ("upload", "file"),
    Op.DOWNLOAD: ("download", "file"),
    Op.COPY: ("copy", "file"),
    Op.MOVE: ("move", "file"),
    Op.DELETE_REMOTE: ("delete remote", "file"),
    Op.DELETE_LOCAL: ("delete local", "file"),
    Op.ADOPT: ("adopt", "file"),
    Op.FORGET: ("forget", "file"),
    Op.PURGE: ("purge", "file"),
}
_KEPT: Final = {
    Undo.VERSION: "kept as a version",
    Undo.TRASH: "kept in the trash",
    Undo.NONE: "cannot be undone",
}
_SHARED: Final = {
    Op.ADOPT: "the same on both sides, now remembered",
    Op.FORGET: "gone from both sides or out of scope, no longer remembered",
}


def view(plan: Plan, *, everything: bool = False) -> Group:
    """The whole plan. Long lists are folded unless `everything` is asked for."""
    sections = [
        _status(plan),
        _irreversible(plan, everything),
        _conflicts(plan, everything),
        _deletions(plan, everything),
        _blocked(plan),
        *_buckets(plan, everything),
        _warnings(plan, everything),
        Text(f"\n{text.visible(plan.digest)}", "dim"),
    ]
    return Group(*(part for part in sections if part is not None))


def line(plan: Plan) -> str:
    """The plan in one line."""
    parts = list(_counts(plan))
    if plan.conflicts:
        parts.append(text.count_of(len(plan.conflicts), "conflict"))
    if not parts:
        return f"nothing to do, {text.count_of(plan.summary.unchanged, 'file')} unchanged"
    return ", ".join(parts)


def _counts(plan: Plan) -> Iterator[str]:
    sizes = {Op.UPLOAD: plan.summary.bytes_up, Op.DOWNLOAD: plan.summary.bytes_down}
    for op in Op:
        if count := plan.summary.actions.get(op, 0):
            moved = f" ({text.size(sizes[op])})" if op in sizes else ""
            yield f"{count:,} to {_WORDS[op][0]}{moved}"


def _status(plan: Plan) -> Text:
    if not plan.applyable:
        status = Text(f"This plan cannot be applied: {_why_not(plan)}.", "bold red")
    elif plan.actions:
        status = Text(f"This plan can be applied: {line(plan)}.", "bold green")
    else:
        status = Text(f"Nothing to do: {_sameness(plan)}.", "bold green")
    if not plan.complete:
        unseen = text.count_of(_unseen(plan), "place")
        words = f"\nIt is incomplete: {unseen} could not be read, so nothing is deleted."
        status.append(words, "bold yellow")
    if asked := _asked(plan):
        status.append(f"\nIt only covers {asked}.", "yellow")
    return status


def _why_not(plan: Plan) -> str:
    reasons = [text.count_of(len(plan.conflicts), "conflict")] if plan.conflicts else []
    limits = [why for why in plan.blocked if not why.startswith("conflicts")]
    reasons += [f"blocked by {text.count_of(len(limits), 'limit')}"] if limits else []
    return " and ".join(reasons) or "it says so"


def _sameness(plan: Plan) -> str:
    return f"{text.count_of(plan.summary.unchanged, 'file')} unchanged"


def _unseen(plan: Plan) -> int:
    return sum(item.code == "unreadable" for item in plan.warnings)


def _asked(plan: Plan) -> str:
    parts = [text.name(path) for path in plan.scope.paths]
    parts += [f"{plan.scope.direction}s"] if plan.scope.direction else []
    return ", ".join(parts)


# -- what to look at first ------------------------------------------------------------------------


def _irreversible(plan: Plan, everything: bool) -> RenderableType | None:
    found = [action for action in plan.actions if action.undo is Undo.NONE]
    rows = [
        (_WORDS[item.op][0], *_place(item), _sizes(item), "replaces" if item.content else "")
        for item in found
    ]
    return _section("Cannot be undone", "bold red", rows, None if everything else FOLD_DANGER)


def _deletions(plan: Plan, everything: bool) -> RenderableType | None:
    found = [item for item in plan.actions if item.op in _DELETIONS and item.undo is not Undo.NONE]
    rows = [
        (_WORDS[item.op][0], *_place(item), _sizes(item), _KEPT[item.undo] if item.undo else "")
        for item in found
    ]
    return _section("Deletions", "bold red", rows, None if everything else FOLD_DANGER)


def _place(item: Action | Conflict | Notice) -> tuple[str, str]:
    return text.name(item.bucket), text.name(item.key)


def _conflicts(plan: Plan, everything: bool) -> RenderableType | None:
    rows: list[tuple[str, ...]] = []
    for item in plan.conflicts:
        rows.append((*_place(item), text.visible(item.reason.replace("_", " "))))
        rows.append(("", f"  local   {_side(item.local)}", ""))
        rows.append(("", f"  remote  {_side(item.remote)}", ""))
    return _section("Conflicts", "bold yellow", rows, None if everything else 3 * FOLD, each=3)


def _side(content: Content | None) -> str:
    return f"{text.size(content.size)}  {text.digest(content)}" if content else "not there"


def _blocked(plan: Plan) -> RenderableType | None:
    rows = [(text.visible(why),) for why in plan.blocked if not why.startswith("conflicts")]
    return _section("Blocked", "bold red", rows, None)


# -- the rest, bucket by bucket -------------------------------------------------------------------


def _buckets(plan: Plan, everything: bool) -> Iterator[RenderableType]:
    for bucket, head in plan.buckets.items():
        mine = [item for item in plan.actions if item.bucket == bucket]
        calm = [
            item
            for item in mine
            if item.op not in (*_DELETIONS, *_RECORDS) and item.undo is not Undo.NONE
        ]
        groups = [_group(op, top, items, everything) for op, top, items in _grouped(calm)]
        groups += _records(mine)
        if groups:
            yield Group(_heading(bucket, head), *groups)


def _heading(bucket: str, head: BucketHead) -> Text:
    where = f"{head.provider} {head.bucket}, serial {head.base.serial}"
    return Text.assemble("\n", (text.name(bucket), "bold"), "  ", (text.visible(where), "dim"))


def _grouped(actions: Iterable[Action]) -> Iterator[tuple[Op, str, list[Action]]]:
    def group(item: Action) -> tuple[int, str]:
        return list(Op).index(item.op), _top(item.key)

    for (op, top), items in groupby(sorted(actions, key=group), group):
        yield list(Op)[op], top, list(items)


def _top(key: str) -> str:
    top, slash, _ = key.partition("/")
    return top + slash if slash else ""


def _group(op: Op, top: str, items: list[Action], everything: bool) -> RenderableType:
    word, noun = _WORDS[op]
    total = text.size(sum(item.content.size for item in items if item.content))
    title = Text.assemble(
        "  ", (word, "cyan"), f" {text.name(top)}  " if top else "  ",
        (f"{text.count_of(len(items), noun)}, {total}", "dim"),
    )  # fmt: skip
    rows = [(_sign(item), _within(item, top), _sizes(item)) for item in items]
    return Group(title, Padding(_table(rows, None if everything else FOLD), (0, 0, 0, 4)))


def _sign(item: Action) -> str:
    return ">" if item.op in (Op.MOVE, Op.COPY) else "~" if item.expect else "+"


def _within(item: Action, top: str) -> str:
    shown = text.name(item.key[len(top) :])
    if item.op in (Op.MOVE, Op.COPY) and item.source and item.source.key:
        return f"{shown}  from {text.name(item.source.key.removeprefix(top))}"
    return f"{shown}  resurrected" if item.reason == "resurrected" else shown


def _sizes(item: Action) -> str:
    if item.content and item.expect:
        return f"{text.size(item.content.size)}, was {text.size(item.expect.size)}"
    known = item.content or item.expect
    return text.size(known.size) if known else ""


def _records(actions: Sequence[Action]) -> Iterator[Text]:
    for op in _RECORDS:
        if count := sum(item.op is op for item in actions):
            words = f"  {text.count_of(count, 'file')} {_SHARED[op]}"
            yield Text.assemble("  ", (_WORDS[op][0], "cyan"), (words, "dim"))


# -- what else there is to know -------------------------------------------------------------------


def _warnings(plan: Plan, everything: bool) -> RenderableType | None:
    def kind(item: Notice) -> tuple[str, str, str]:
        return item.bucket, item.code, item.message

    parts: list[RenderableType] = []
    for (bucket, code, message), group in groupby(sorted(plan.warnings, key=kind), kind):
        items = list(group)
        parts.append(
            Text(f"  {text.name(bucket)}: {text.visible(code)}: {text.visible(message)}", "yellow")
        )
        rows = [(text.name(item.key),) for item in items]
        parts.append(Padding(_table(rows, None if everything else FOLD), (0, 0, 0, 4)))
    return Group(Text("\nWarnings", "bold yellow"), *parts) if parts else None


def _section(
    title: str, style: str, rows: Sequence[tuple[str, ...]], fold: int | None, *, each: int = 1
) -> RenderableType | None:
    if not rows:
        return None
    heading = Text.assemble(f"\n{title}", style=style)
    heading.append(f"  {len(rows) // each:,}", "dim")
    return Group(heading, Padding(_table(rows, fold, each), (0, 0, 0, 2)))


def _table(rows: Sequence[tuple[str, ...]], fold: int | None, each: int = 1) -> RenderableType:
    """Rows in columns, the widest of which wraps; what is beyond `fold` is counted."""
    shown = rows if fold is None or len(rows) <= fold + each else rows[:fold]
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in rows[0]:
        table.add_column(overflow="fold")
    for row in shown:
        table.add_row(*(Text(cell) for cell in row))
    if len(shown) == len(rows):
        return table
    return Group(table, Text(f"and {(len(rows) - len(shown)) // each:,} more", "dim"))
