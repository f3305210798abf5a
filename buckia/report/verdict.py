"""A plan in a line or two: what it would do, whether it can be applied, what it covers. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from buckia import text
from buckia.model import Op, in_place, promotes
from buckia.pairs import written_by
from buckia.planfile import BucketHead, Plan
from buckia.report.ops import DRESS, OPS
from buckia.report.page import Note, State, Tone


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
    for op, words in OPS.items():
        if count := plan.summary.actions.get(op, 0) - (dressed if op is Op.COPY else 0):
            moved = f" ({text.size(sizes[op])})" if op in sizes else ""
            what = text.count_of(count, "setting") if op is Op.CONFIGURE else f"{count:,}"
            yield f"{what} to {words.todo}{moved}"
    if dressed:
        yield f"{dressed:,} to {DRESS.todo}"


def _bytes(plan: Plan, op: Op) -> int:
    return sum(item.content.size for item in plan.actions if item.op is op and item.content)


def status(plan: Plan) -> tuple[State, str]:
    """Whether it can be applied, and the sentence that says so, or why not."""
    if not plan.applyable:
        return State.REFUSED, f"This plan cannot be applied: {_why_not(plan)}."
    if plan.actions:
        return State.READY, f"This plan can be applied: {line(plan)}."
    return State.NOTHING, f"Nothing to do: {_sameness(plan)}."


def notes(plan: Plan) -> Iterator[Note]:
    """What holds for the whole of it, beside the status."""
    if not plan.complete:
        unseen = text.count_of(_unseen(plan), "place")
        words = f"It is incomplete: {unseen} could not be read, so nothing is deleted."
        yield Note(Tone.ALARM, words)
    if told := way(plan):
        yield Note(Tone.NOTE, told)
    elif (asked := _asked(plan)) and plan.kind == "sync":
        yield Note(Tone.CARE, f"It only covers {asked}.")


def _why_not(plan: Plan) -> str:
    reasons = [text.count_of(len(plan.conflicts), "conflict")] if plan.conflicts else []
    limits = len(limits_of(plan))
    reasons += [f"blocked by {text.count_of(limits, 'limit')}"] if limits else []
    return " and ".join(reasons) or "it says so"


def limits_of(plan: Plan) -> list[str]:
    """The reasons of a refusal that are limits."""
    return [why for why in plan.blocked if not why.startswith("conflicts")]


def _sameness(plan: Plan) -> str:
    return f"{text.count_of(plan.summary.unchanged, 'file')} unchanged"


def _unseen(plan: Plan) -> int:
    return sum(item.code == "unreadable" for item in plan.warnings)


def _asked(plan: Plan) -> str:
    parts = [text.name(path) for path in plan.scope.paths]
    parts += [f"{plan.scope.direction}s"] if plan.scope.direction else []
    return ", ".join(parts)


# -- buckets --------------------------------------------------------------------------------------


def in_turn(plan: Plan) -> list[tuple[str, BucketHead]]:
    """The buckets of a plan; the targets of a promotion in the order they are written to, and then
    the source where something is purged there."""
    last = len(plan.buckets)
    return sorted(
        plan.buckets.items(), key=lambda item: item[1].promotion.turn if item[1].promotion else last
    )


def way(plan: Plan) -> str | None:
    """What is brought where, in a sentence; None for a plan that promotes nothing."""
    heads = [(name, head.promotion) for name, head in in_turn(plan) if head.promotion]
    if not heads or not (plan.actions or plan.conflicts):
        return None
    targets = ", then ".join(text.name(written_by(name)) for name, _ in heads)
    folders = ", ".join(text.name(path) for path in plan.scope.paths)
    verb = "moves" if plan.kind == "move" else "brings"
    through = f"{text.size(plan.summary.bytes_down)} are read for it on this machine"
    none = "no bytes pass through this machine"
    how = through if plan.summary.bytes_down else none
    return f"It {verb} {folders} from {text.name(heads[0][1].source)} to {targets}; {how}."


def about(head: BucketHead) -> str:
    """Where a bucket is, from which state the plan was made, and how far its lease can be relied
    on, in visible text."""
    where = f"{head.provider} {head.bucket}, serial {head.base.serial}"
    if told := head.promotion:
        from_ = f"from {told.source} at serial {told.base.serial}"
        where = f"to {head.provider} {head.bucket}, {from_}"
    return text.visible(where + _lease(head))


def _lease(head: BucketHead) -> str:
    """What apply warns of: the service refuses no second run, or nobody knows whether it does."""
    known = head.guards.create == "atomic" or head.guards.lease == "atomic"
    return "" if known else f", lease {head.guards.lease}"
