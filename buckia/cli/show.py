"""A plan as a person reads it: the verdict first, then what is dangerous, then the rest. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from buckia.cli import show_promotion, show_settings, text
from buckia.cli.rows import Row, Rows
from buckia.cli.show_limits import blocked, limits_of, overrides, section
from buckia.cli.show_purges import purged
from buckia.model import Action, Content, Notice, Op, Undo, in_place, is_there, promotes
from buckia.planfile import BucketHead, Plan

FOLD: Final = 10
"""Lines of a list that are shown; the rest is counted, unless everything is asked for."""
FOLD_DANGER: Final = 50
"""The same for what deletes or cannot be undone."""

_DELETIONS: Final = (Op.DELETE_REMOTE, Op.DELETE_LOCAL)
_APART: Final = (*_DELETIONS, Op.ADOPT, Op.FORGET, Op.PURGE, Op.CONFIGURE)
"""What does not stand among the files that travel."""
_RECORDS: Final = (Op.ADOPT, Op.FORGET)
_WORDS: Final = {
    Op.CONFIGURE: "configure",
    Op.UPLOAD: "upload",
    Op.DOWNLOAD: "download",
    Op.COPY: "copy",
    Op.MOVE: "move",
    Op.DELETE_REMOTE: "delete remote",
    Op.DELETE_LOCAL: "delete local",
    Op.ADOPT: "adopt",
    Op.FORGET: "forget",
    Op.PURGE: "purge",
}
_DRESS: Final = "change headers"
_RANK: Final = {op: rank for rank, op in enumerate(Op)}
_KEPT: Final[dict[Undo | None, str]] = {
    Undo.VERSION: "kept as a version",
    Undo.TRASH: "kept in the trash",
}
_SHARED: Final = {
    Op.ADOPT: "the same on both sides, now remembered",
    Op.FORGET: "gone from both sides or out of scope, no longer remembered",
}


def view(plan: Plan, *, everything: bool = False) -> Group:
    """The whole plan. Long lists are folded unless `everything` is asked for."""
    sections = [
        _status(plan),
        overrides(plan),
        _irreversible(plan, everything),
        _conflicts(plan, everything),
        _deletions(plan, everything),
        blocked(plan),
        *_buckets(plan, everything),
        _warnings(plan, everything),
        Text(f"\n{text.visible(plan.digest)}", "dim", no_wrap=True, overflow="ignore"),
    ]
    return Group(*(part for part in sections if part is not None))


def line(plan: Plan) -> str:
    """The plan in one line."""
    parts = list(_counts(plan))
    if plan.conflicts:
        parts.append(text.count_of(len(plan.conflicts), "conflict"))
    if not parts:
        return f"nothing to do, {_sameness(plan)}"
    return ", ".join(parts)


def _counts(plan: Plan) -> Iterator[str]:
    sizes = {Op.UPLOAD: plan.summary.bytes_up, Op.DOWNLOAD: plan.summary.bytes_down}
    if any(map(promotes, plan.actions)):
        sizes = {op: _bytes(plan, op) for op in (Op.COPY, Op.MOVE)}
    dressed = sum(in_place(item) for item in plan.actions)
    for op in Op:
        if count := plan.summary.actions.get(op, 0) - (dressed if op is Op.COPY else 0):
            moved = f" ({text.size(sizes[op])})" if op in sizes else ""
            what = text.count_of(count, "setting") if op is Op.CONFIGURE else f"{count:,}"
            yield f"{what} to {_WORDS[op]}{moved}"
    if dressed:
        yield f"{dressed:,} to {_DRESS}"


def _bytes(plan: Plan, op: Op) -> int:
    return sum(item.content.size for item in plan.actions if item.op is op and item.content)


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
    if told := show_promotion.way(plan):
        status.append(f"\n{told}", "cyan")
    elif (asked := _asked(plan)) and plan.kind == "sync":
        status.append(f"\nIt only covers {asked}.", "yellow")
    return status


def _why_not(plan: Plan) -> str:
    reasons = [text.count_of(len(plan.conflicts), "conflict")] if plan.conflicts else []
    limits = len(limits_of(plan))
    reasons += [f"blocked by {text.count_of(limits, 'limit')}"] if limits else []
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
    return _dangers("Cannot be undone", found, everything)


def _deletions(plan: Plan, everything: bool) -> RenderableType | None:
    found = [item for item in plan.actions if item.op in _DELETIONS and item.undo is not Undo.NONE]
    return _dangers("Deletions", found, everything)


def _dangers(title: str, actions: Sequence[Action], everything: bool) -> RenderableType | None:
    def group(item: Action) -> tuple[str, int, str]:
        return item.bucket, _RANK[item.op], item.undo or ""

    parts: list[RenderableType] = []
    for _, items in groupby(sorted(actions, key=group), group):
        same = list(items)
        place = f"in {text.name(same[0].bucket)}"
        parts.append(_title(same, place, _KEPT.get(same[0].undo, "")))
        rows = [("~" if item.content else "-", text.name(item.key), _sizes(item)) for item in same]
        parts.append(_rows(rows, same, None if everything else FOLD_DANGER))
    return section(title, "bold red", len(actions), parts)


def _conflicts(plan: Plan, everything: bool) -> RenderableType | None:
    shown = plan.conflicts if everything else plan.conflicts[:FOLD]
    parts: list[RenderableType] = []
    for item in shown:
        reason = text.visible(item.reason.replace("_", " "))
        place = f"  {text.name(item.bucket)}  {text.name(item.key)}"
        parts.append(Text.assemble(place, (f"  {reason}", "dim")))
        one, other = show_promotion.sides(item.bucket)
        parts += [
            Text(f"    {one:<6}  {_side(item.local)}"),
            Text(f"    {other:<6}  {_side(item.remote)}"),
        ]
        parts += [Text(f"    here    {text.visible(line)}") for line in item.changes]
    if len(shown) < len(plan.conflicts):
        parts.append(Text(f"  and {len(plan.conflicts) - len(shown):,} more", "dim"))
    return section("Conflicts", "bold yellow", len(plan.conflicts), parts)


def _side(content: Content | None) -> str:
    if content is None:
        return f"{'not there':>10}"
    return f"{text.size(content.size):>10}  {text.digest(content)}"


# -- the rest, bucket by bucket -------------------------------------------------------------------


def _buckets(plan: Plan, everything: bool) -> Iterator[RenderableType]:
    for bucket, head in show_promotion.in_turn(plan):
        mine = [item for item in plan.actions if item.bucket == bucket]
        calm = [item for item in mine if item.op not in _APART and item.undo is not Undo.NONE]
        configure = [item for item in mine if item.op is Op.CONFIGURE]
        groups = [show_settings.group(configure)] if configure else []
        groups += [_group(top, items, everything) for top, items in _grouped(calm)]
        groups += [*purged(mine, None if everything else FOLD), *_records(mine)]
        if groups:
            yield Group(_heading(bucket, head), *groups)


def _heading(bucket: str, head: BucketHead) -> Text:
    where = (
        show_promotion.place(head) or f"{head.provider} {head.bucket}, serial {head.base.serial}"
    )
    where += _lease(head)
    return Text.assemble("\n", (text.name(bucket), "bold"), "  ", (text.visible(where), "dim"))


def _lease(head: BucketHead) -> str:
    """What apply warns of: the service refuses no second run, or nobody knows whether it does."""
    known = head.guards.create == "atomic" or head.guards.lease == "atomic"
    return "" if known else f", lease {head.guards.lease}"


def _grouped(actions: Iterable[Action]) -> Iterator[tuple[str, list[Action]]]:
    def group(item: Action) -> tuple[int, bool, str]:
        return _RANK[item.op], in_place(item), _top(item.key)

    for (_, _, top), items in groupby(sorted(actions, key=group), group):
        yield top, list(items)


def _top(key: str) -> str:
    top, slash, _ = key.partition("/")
    return top + slash if slash else ""


def _group(top: str, items: list[Action], everything: bool) -> RenderableType:
    rows = [(_sign(item), _within(item, top), _sizes(item)) for item in items]
    return Group(_title(items, text.name(top)), _rows(rows, items, None if everything else FOLD))


def _rows(rows: Sequence[Row], items: Sequence[Action], fold: int | None) -> Rows:
    """The rows of actions, what changes in a database under its own."""
    told = {
        number: [text.visible(line) for line in item.changes]
        for number, item in enumerate(items)
        if item.changes
    }
    return Rows(rows, fold, told)


def _title(items: Sequence[Action], place: str, note: str = "") -> Text:
    """What is done to how many files of how many bytes."""
    count = text.count_of(len(items), "file")
    total = text.size(sum(known.size for item in items if (known := item.content or item.expect)))
    about = ", ".join(part for part in (count, total, note) if part)
    word = (_DRESS if in_place(items[0]) else _WORDS[items[0].op], "cyan")
    return Text.assemble("  ", word, f" {place}" if place else "", (f"  {about}", "dim"))


def _sign(item: Action) -> str:
    renames = item.op in (Op.MOVE, Op.COPY) and not (promotes(item) or in_place(item))
    return ">" if renames else "~" if item.expect else "+"


def _within(item: Action, top: str) -> str:
    shown = text.name(item.key[len(top) :])
    if promotes(item):
        return f"{shown}  already there" if is_there(item) else shown
    if item.op in (Op.MOVE, Op.COPY) and item.source and item.source.key and not in_place(item):
        return f"{shown}  from {text.name(item.source.key.removeprefix(top))}"
    return f"{shown}  resurrected" if item.reason == "resurrected" else shown


def _sizes(item: Action) -> str:
    if item.content and item.expect and not in_place(item):
        return f"{text.size(item.content.size)}, was {text.size(item.expect.size)}"
    known = item.content or item.expect
    return text.size(known.size) if known else ""


def _records(actions: Sequence[Action]) -> Iterator[Text]:
    for op in _RECORDS:
        if count := sum(item.op is op for item in actions):
            words = f"  {text.count_of(count, 'file')} {_SHARED[op]}"
            yield Text.assemble("  ", (_WORDS[op], "cyan"), (words, "dim"))


# -- what else there is to know -------------------------------------------------------------------


def _warnings(plan: Plan, everything: bool) -> RenderableType | None:
    def kind(item: Notice) -> tuple[str, str, str]:
        return item.bucket, item.code, item.message

    parts: list[RenderableType] = []
    for (bucket, code, message), items in groupby(sorted(plan.warnings, key=kind), kind):
        words = f"  {text.name(bucket)}: {text.visible(code)}: {text.visible(message)}"
        parts.append(Text(words, "yellow"))
        rows = [(text.name(item.key),) for item in items]
        parts.append(Rows(rows, None if everything else FOLD))
    return section("Warnings", "bold yellow", len(plan.warnings), parts)
