"""Plans of some buckets put together into one that is sealed, and what it says of itself. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from buckia import planfile
from buckia.decisions.phases import order, phase
from buckia.decisions.planner import BucketPlan
from buckia.model import Action, Conflict, Notice, Op, Undo, is_there
from buckia.planfile import BucketHead, Guards, Plan, PlanScope, Resolution, Summary
from buckia.rules import NO_OVERRIDES, Overrides
from buckia.stores.base import Capabilities


def assemble(
    parts: Mapping[str, BucketPlan],
    heads: Mapping[str, BucketHead],
    *,
    config_digest: str,
    scope: PlanScope,
    kind: str = "sync",
    skip_conflicts: bool = False,
    overrides: Overrides = NO_OVERRIDES,
    resolved: Callable[[Iterable[Action]], tuple[Resolution, ...]] = lambda actions: (),
) -> Plan:
    """The sealed plan of several buckets. `skip_conflicts` leaves them out and says so."""
    actions = order(action for part in parts.values() for action in part.actions)
    conflicts = [conflict for part in parts.values() for conflict in part.conflicts]
    notices = [notice for part in parts.values() for notice in part.notices]
    blocked = [why for part in parts.values() for why in part.blocked]
    if skip_conflicts:
        notices += [
            Notice("conflict_skipped", item.bucket, item.key, "left as it is on both sides")
            for item in conflicts
        ]
    elif conflicts:
        blocked.append(f"conflicts: {len(conflicts)}")
    return planfile.seal(
        Plan(
            format=planfile.FORMAT,
            format_version=planfile.VERSION,
            digest="",
            kind=kind,
            complete=all(part.complete for part in parts.values()),
            applyable=not blocked,
            blocked=tuple(blocked),
            config_digest=config_digest,
            scope=scope,
            buckets={name: heads[name] for name in sorted(heads)},
            summary=_summary(actions, heads, sum(part.unchanged for part in parts.values())),
            conflicts=() if skip_conflicts else tuple(sorted(conflicts, key=_place)),
            warnings=tuple(sorted(notices, key=lambda n: (*_place(n), n.code))),
            overrides=overrides.told,
            actions=actions,
            resolved=resolved(actions),
        )
    )


def _place(item: Conflict | Notice) -> tuple[str, bytes]:
    return item.bucket, item.key.encode("utf-8", "surrogatepass")


def _summary(actions: Iterable[Action], heads: Mapping[str, BucketHead], unchanged: int) -> Summary:
    ops: Counter[Op] = Counter()
    up = down = irreversible = 0
    read: set[tuple[str, str]] = set()
    for action in actions:
        ops[action.op] += 1
        size = action.content.size if action.content else 0
        through = passes_through(action, heads.get(action.bucket))
        up += size if action.op is Op.UPLOAD or through else 0
        down += size if action.op is Op.DOWNLOAD else 0
        irreversible += action.undo is Undo.NONE
        reading = (action.key, action.bucket if phase(action) > 1 else "")
        if through and reading not in read:  # files are read once for all targets
            read.add(reading)
            down += size
    return Summary(
        actions={op: ops[op] for op in Op if ops[op]},
        bytes_up=up,
        bytes_down=down,
        irreversible=irreversible,
        unchanged=unchanged,
    )


def passes_through(action: Action, head: BucketHead | None) -> bool:
    """Whether an action brings bytes from one bucket to another through this machine."""
    return (
        action.op in (Op.COPY, Op.MOVE)
        and head is not None
        and head.promotion is not None
        and head.promotion.copies == "through"
        and not is_there(action)
    )


def guards(
    capabilities: Capabilities, actions: Iterable[Action] = (), *, provable: bool = False
) -> Guards:
    """How each kind of write will be protected, as the plan says it: by the weakest of its actions.

    `provable`: apply can find out what the store does not promise.
    """
    exclusive = capabilities.create_if_absent and capabilities.replace_if_match
    weak = {bool(a.expect) for a in actions if _is_unguarded(a, capabilities)}
    return Guards(
        create="atomic" if capabilities.create_if_absent and False not in weak else "checked",
        replace="atomic" if capabilities.replace_if_match and True not in weak else "checked",
        delete="atomic" if capabilities.delete_if_match else "checked",
        lease="atomic" if exclusive else "untried" if provable else "advisory",
    )


def _is_unguarded(action: Action, capabilities: Capabilities) -> bool:
    """Whether a write is one that the service itself does not guard, whatever it does for others:
    a body that goes in parts, a copy."""
    if action.op in (Op.COPY, Op.MOVE):
        return capabilities.copy and not capabilities.guards_copies
    most, content = capabilities.guarded, action.content
    return action.op is Op.UPLOAD and bool(most is not None and content and content.size > most)
