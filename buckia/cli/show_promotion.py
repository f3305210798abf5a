"""What a plan tells of a promotion as a whole: from where, to where, which way. Pure."""

from __future__ import annotations

from buckia.cli import text
from buckia.pairs import pair_of, written_by
from buckia.planfile import BucketHead, Plan


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


def place(head: BucketHead) -> str | None:
    """Where a target is and what it gets, in short; None for a bucket that gets nothing of one."""
    told = head.promotion
    if told is None:
        return None
    return f"to {head.provider} {head.bucket}, from {told.source} at serial {told.base.serial}"


def sides(name: str) -> tuple[str, str]:
    """What the two sides of a conflict are called."""
    return ("source", "target") if pair_of(name) else ("local", "remote")
