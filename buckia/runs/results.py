"""What a sync of the Python API tells: a plan, applied or not, in numbers of files. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from buckia.model import Action, Op, in_place
from buckia.planfile import Plan
from buckia.runs.applying import Applied


@dataclass(frozen=True)
class SyncResult:
    """What a sync did, or with `dry_run` would do, in numbers of files.

    `errors` holds one line for every action that failed and every conflict that was left alone;
    `success` is True when there are none.
    """

    uploaded: int = 0
    downloaded: int = 0
    deleted: int = 0
    unchanged: int = 0
    failed: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def success(self) -> bool:
        """Whether everything that was planned was done."""
        return not self.errors


def planned(plan: Plan) -> SyncResult:
    """What a sync would do."""
    ops = plan.summary.actions
    return SyncResult(
        uploaded=sum(_is_sent(action) for action in plan.actions),
        downloaded=ops.get(Op.DOWNLOAD, 0),
        deleted=ops.get(Op.DELETE_REMOTE, 0) + ops.get(Op.DELETE_LOCAL, 0),
        unchanged=plan.summary.unchanged,
        errors=conflicts(plan),
    )


def _is_sent(action: Action) -> bool:
    """Whether the bucket has something new at a key, and not only under other headers."""
    return action.op in (Op.UPLOAD, Op.COPY, Op.MOVE) and not in_place(action)


def conflicts(plan: Plan) -> list[str]:
    """A line for each conflict of a plan."""
    return [f"{item.key}: conflict, {item.reason}" for item in plan.conflicts]


def counted(plan: Plan, applied: Applied) -> SyncResult:
    """What an applied plan did."""
    done = {outcome.id: outcome.op for outcome in applied.outcomes if outcome.done}
    failed = applied.failed
    for outcome in failed:
        done.pop(outcome.id, None)
    ops = list(done.values())
    return SyncResult(
        uploaded=sum(_is_sent(action) for action in plan.actions if action.id in done),
        downloaded=ops.count(Op.DOWNLOAD),
        deleted=ops.count(Op.DELETE_REMOTE) + ops.count(Op.DELETE_LOCAL),
        unchanged=plan.summary.unchanged,
        failed=len(failed),
        errors=[f"{outcome.key}: {outcome.error}" for outcome in failed],
    )
