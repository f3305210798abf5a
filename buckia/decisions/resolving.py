"""The conflicts of a plan settled: who answers, and that nothing else moved. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from buckia.decisions import planner, promotion
from buckia.decisions.selection import Ask, Conflicts
from buckia.errors import StaleError, UsageError
from buckia.globs import matcher
from buckia.model import Action, Conflict, Op, Policy, replace
from buckia.pairs import pair_of
from buckia.planfile import Plan
from buckia.reconcile import Decision

_NAMED = 3


def answers_of(plan: Plan) -> dict[tuple[str, str], Policy]:
    """What was answered for the conflicts of a plan, by bucket and key."""
    return {(one.bucket, one.key): Policy(one.choice) for one in plan.resolved}


def answering(policy: Policy, glob: str | None) -> Ask:
    """Who gives one answer for every conflict whose key matches a pattern of .gitignore's kind."""
    matches = matcher([glob]) if glob is not None else None

    def ask(bucket: str, conflicts: Conflicts) -> Mapping[str, Policy]:
        return {item.key: policy for item in conflicts if matches is None or matches(item.key)}

    return ask


def again(old: Plan, ask: Ask) -> Ask:
    """Who answers for a plan made anew: as before where it was answered, else `ask`.

    Raises `StaleError` where a conflict is no longer the one that the plan tells of.
    """
    given = answers_of(old)
    known = {(item.bucket, item.key): replace(item, changes=()) for item in old.conflicts}

    def told(bucket: str, item: Decision) -> Conflict:
        made = promotion.conflict_of if pair_of(bucket) else planner.conflict_of
        return made(bucket, item)

    def answer(bucket: str, conflicts: Conflicts) -> Mapping[str, Policy]:
        open_ = [item for item in conflicts if (bucket, item.key) not in given]
        for item in open_:
            if told(bucket, item) != known.get((bucket, item.key)):
                raise _moved([f"{bucket}/{item.key}"])
        before = {i.key: given[bucket, i.key] for i in conflicts if (bucket, i.key) in given}
        left = Conflicts(open_, conflicts.look, conflicts.keepable)
        return {**before, **(ask(bucket, left) if open_ else {})}

    return answer


def refuse_moved(old: Plan, new: Plan) -> None:
    """Raise `StaleError` if planning anew changed anything but what the answers are about."""
    settled = {(one.bucket, one.key) for one in new.resolved}
    settled |= {(one.bucket, one.kept) for one in new.resolved if one.kept}
    before, after = _others(old, settled), _others(new, settled)
    ids = {id_ for id_ in before.keys() | after.keys() if before.get(id_) != after.get(id_)}
    both = {**before, **after}
    moved = [f"{both[id_].bucket}/{both[id_].key}" for id_ in ids]
    moved += [f"{one.bucket}/{one.key}" for one in _gone(old, new, settled)]
    if moved:
        raise _moved(sorted(moved))


def _others(plan: Plan, settled: set[tuple[str, str]]) -> dict[str, Action]:
    """The actions that no answer is about. Purges follow the others."""
    return {
        action.id: action
        for action in plan.actions
        if action.op is not Op.PURGE and (action.bucket, action.key) not in settled
    }


def _gone(old: Plan, new: Plan, settled: set[tuple[str, str]]) -> Iterator[Conflict]:
    left = {(item.bucket, item.key) for item in new.conflicts}
    yield from (i for i in old.conflicts if (i.bucket, i.key) not in left | settled)


def _moved(places: list[str]) -> StaleError:
    more = f" and {len(places) - _NAMED:,} more" if len(places) > _NAMED else ""
    return StaleError(
        f"since that plan was made something else changed: {', '.join(places[:_NAMED])}{more}; "
        "nothing was written; plan again"
    )


def demand_conflicts(plan: Plan, glob: str | None) -> None:
    """Raise `UsageError` where a pattern is none, or names no conflict of the plan."""
    from buckia.globs import refuse

    if glob is None:
        return
    if why := refuse(glob):
        raise UsageError(f"--path {glob}: {why}; write it as in a .gitignore")
    matches = matcher([glob])
    if matches and not any(matches(item.key) for item in plan.conflicts):
        one = f"one is {plan.conflicts[0].key}" if plan.conflicts else "it has none"
        raise UsageError(f"--path {glob} names no conflict of the plan; {one}; see `buckia show`")
