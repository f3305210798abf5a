"""What a promotion does to one target: what of the source counts, and the actions. Pure.

The source takes the place of the local side, the target that of the bucket, and what was promoted
last is the base. So the table decides here as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from buckia import purges
from buckia.decisions import planner, safeguards
from buckia.decisions.planner import BucketPlan
from buckia.lockfile import BucketState, Lockfile
from buckia.model import (
    Action,
    Base,
    Conflict,
    Content,
    Entry,
    Listing,
    Notice,
    Op,
    Skipped,
    Source,
    Undo,
    action_id,
    content_of,
    is_there,
    replace,
)
from buckia.pairs import Pair, pair_of
from buckia.reconcile import Decision, Frozen, Scope, Verdict, is_base
from buckia.rules import NO_OVERRIDES, Overrides, Rules
from buckia.stores.base import Capabilities

SIDES: Final = ("source", "target")

_OUT: Final = "left out; `--allow-drift` goes by the source as it is"
_UNAPPLIED: Final = f"no apply put it into the source: {_OUT}"
_CHANGED: Final = f"has changed in the source since it was applied: {_OUT}"
_GONE: Final = f"is gone from the source, and no apply deleted it: {_OUT}"

_REPORTS: Final = {
    Verdict.ORPHAN: "gone from the source, kept in the target",
    Verdict.FOREIGN: "in the target, not promoted there",
    Verdict.DRIFT: "the two differ, and the target's policy leaves it so",
}
_UNSURE: Final = " (nothing is deleted while a side is not wholly known)"

_LEFT: Final = ("unapplied", "drifted", "raw_sidecar")
"""Why an object is left out, where that can be mended."""


def vouch(listing: Listing, base: Base, *, allow_drift: bool = False) -> Listing:
    """What an apply left in the source and nobody changed since, with all that is known of it.

    The rest is set aside, unless `allow_drift` takes it as it is.
    """
    entries: dict[str, Entry] = {}
    aside: list[Skipped] = []
    for key in sorted(listing.entries.keys() | base.keys()):
        now, then = listing.entries.get(key), base.get(key)
        if now and then and is_base(now, then):
            kind = now.type or then.type
            entries[key] = replace(now, sha256=then.sha256, logical=then.logical, type=kind)
        elif allow_drift:
            entries |= {key: now} if now else {}
        elif then is None:
            aside.append(Skipped(key, _UNAPPLIED, code="unapplied"))
        else:
            aside.append(Skipped(key, _CHANGED if now else _GONE, code="drifted"))
    return replace(listing, entries=entries, skipped=(*listing.skipped, *aside))


def recall(source: Listing, state: BucketState) -> Listing:
    """The same source with what the last promotion learnt of objects that are still the same."""
    entries = dict(source.entries)
    for key, known in state.entries.items():
        now = entries.get(key)
        if now and known.origin is not None and now.version == known.origin:
            entries[key] = replace(now, sha256=known.sha256, logical=known.logical)
    return replace(source, entries=entries)


def promoted_to(lock: Lockfile, bucket: str) -> frozenset[str]:
    """The keys that promotions are known to have put into a bucket."""
    pairs = ((pair_of(name), state) for name, state in lock.buckets.items())
    return frozenset(
        key for pair, state in pairs if pair and pair.target == bucket for key in state.entries
    )


def spare(decisions: Iterable[Decision], promoted: frozenset[str]) -> list[Decision]:
    """The decisions of a bucket's own plan, where what was promoted to it is nothing foreign that
    would have to go: `delete_orphaned: all` reports it and no more."""
    return [
        replace(item, verdict=Verdict.FOREIGN)
        if item.verdict is Verdict.DELETE_REMOTE and item.base is None and item.key in promoted
        else item
        for item in decisions
    ]


def as_move(
    decisions: Iterable[Decision],
    source: Listing,
    base: Base,
    target: Listing,
    scope: Scope,
    arrived: Base,
) -> list[Decision]:
    """The decisions where the source is to hold nothing afterwards: what the target has already is
    taken away there too, and what is gone there already is not missed.

    `arrived` is what the source's own memory still has of objects that a run took away before it
    was cut: they are in the target, and have to be forgotten.
    """
    made = {item.key: item for item in decisions}
    frozen = Frozen((*source.skipped, *target.skipped))
    for key, mine in source.entries.items():
        then, theirs = base.get(key), target.entries.get(key)
        known = then is not None and theirs is not None and not frozen.holds(key)
        if key not in made and known and scope.direction_of(key, None):
            made[key] = Decision(key, Verdict.ADOPT, "unchanged", mine, then, theirs)
    for key, was in arrived.items():
        there = target.entries[key]
        made[key] = Decision(key, Verdict.ADOPT, "arrived", was, base.get(key), there)
    gone = (Verdict.ORPHAN, Verdict.DELETE_REMOTE)
    left = [replace(d, verdict=Verdict.FORGET) if d.verdict in gone else d for d in made.values()]
    if not any(item.verdict in (Verdict.UPLOAD, Verdict.ADOPT) for item in left):
        left = [item for item in left if item.verdict is not Verdict.FOREIGN]
    return sorted(left, key=lambda item: item.key.encode("utf-8", "surrogatepass"))


def plan_pair(
    pair: Pair,
    decisions: list[Decision],
    source: Listing,
    base: Base,
    target: Listing,
    rules: tuple[Rules, Rules],
    capabilities: Capabilities,
    *,
    trash: bool = True,
    owed: tuple[str, ...] = (),
    move: bool = False,
    overrides: Overrides = NO_OVERRIDES,
    known: frozenset[str] = frozenset(),
    publish: planner.Publish = planner.publishes_nothing,
) -> BucketPlan:
    """Everything a plan says about one target.

    `rules` are those of the source and of the target, `trash` keeps what is overwritten or deleted
    in a target without versions, `owed` are purges that earlier runs left to be done. `known` names
    the sides that carry the marker of their history. `publish` tells which manifests follow.
    """
    name, complete = pair.name, source.complete and target.complete
    decisions, clashes = safeguards.refuse_clashes(name, decisions, source, target)
    scene = safeguards.Scene(name, decisions, source, base, target, known, SIDES)
    blocked = safeguards.blocks(scene, rules[1], overrides)
    kept = planner.kept_by(capabilities, trash=trash)
    actions = [made for d in decisions if (made := _action(pair, d, kept, move=move))]
    actions += publish(actions)
    if capabilities.caches:
        fresh = [item for item in actions if not is_there(item)]
        actions += purges.plan(name, fresh, capabilities.caches, owed)
    if move:
        blocked += sorted(_moves_blocked(pair, source, actions, rules[0]))
    notices = [
        Notice("unreadable" if item.unknown else item.code, name, item.place, item.why)
        for item in (*source.skipped, *target.skipped)
    ]
    notices += clashes + [
        Notice(str(d.verdict), name, d.key, _REPORTS[d.verdict] + ("" if complete else _UNSURE))
        for d in decisions
        if d.verdict in _REPORTS
    ]
    conflicts = [conflict_of(name, item) for item in decisions if item.verdict is Verdict.CONFLICT]
    keys = len(source.entries.keys() | target.entries.keys())
    touched = sum(item.local is not None or item.remote is not None for item in decisions)
    return BucketPlan(actions, conflicts, notices, blocked, keys - touched, complete)


_OPS: Final[Mapping[Verdict, Op]] = {
    Verdict.UPLOAD: Op.COPY,
    Verdict.DELETE_REMOTE: Op.DELETE_REMOTE,
    Verdict.ADOPT: Op.ADOPT,
    Verdict.FORGET: Op.FORGET,
}


def _action(pair: Pair, item: Decision, kept: Undo, *, move: bool) -> Action | None:
    """The action of a verdict; None for reports and conflicts."""
    op = _OPS.get(item.verdict)
    if op is None:
        return None
    takes = op in (Op.COPY, Op.ADOPT)
    op = Op.MOVE if move and takes else op
    source = content = None
    if takes:
        assert item.local  # noqa: S101  (by the table)
        source = Source(bucket=pair.source, key=item.key, version=item.local.version)
        content = _brought(item, op)
    expect = _seen(item) if op in (Op.COPY, Op.MOVE, Op.DELETE_REMOTE) else None
    return Action(
        id=action_id(op, pair.name, item.key),
        op=op,
        bucket=pair.name,
        key=item.key,
        reason=item.reason,
        source=source,
        content=content,
        expect=expect,
        undo=planner.undo_of(op, content, expect, kept),
    )


def _brought(item: Decision, op: Op) -> Content:
    """What the target holds afterwards; of what is adopted, its own token.

    Headers come along as they are, no rule is asked.
    """
    assert item.local  # noqa: S101  (by the table)
    version = item.remote.version if item.remote and op is Op.ADOPT else None
    return replace(content_of(item.local), version=version, headers=None)


def _seen(item: Decision) -> Content | None:
    """What the target holds, with what the last promotion knows of it."""
    found, then = item.remote, item.base
    if found and then and found.version == then.version:
        found = replace(found, sha256=then.sha256, logical=then.logical)
    return content_of(found) if found else None


def conflict_of(name: str, item: Decision) -> Conflict:
    """A conflict as a plan tells it: what the source holds, and the target."""
    return Conflict(
        bucket=name,
        key=item.key,
        reason=item.reason,
        local=content_of(item.local) if item.local else None,
        base=content_of(item.base) if item.base else None,
        remote=_seen(item),
    )


def _moves_blocked(
    pair: Pair, source: Listing, actions: Iterable[Action], rules: Rules
) -> Iterable[str]:
    """Why a move may not be made: part of the folder would stay, or a key may not go."""
    stay = sum(item.code in _LEFT for item in source.skipped)
    if stay:
        yield f"left_behind: {pair.source}: {stay} object{'' if stay == 1 else 's'} would stay"
    for item in actions:
        if item.op is Op.MOVE and rules.protects(item.key):
            yield f"protect: {pair.source}/{item.key}: move"
