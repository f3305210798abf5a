"""Making a plan: both sides listed, held against the lockfile, decided and written down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from buckia import columns, purges
from buckia.config import BucketConfig
from buckia.decisions import assembly, planner, promotion, safeguards, selection
from buckia.decisions.planner import BucketPlan
from buckia.decisions.selection import Wish
from buckia.layout import EVERYWHERE
from buckia.lease.claims import Provable
from buckia.lockfile import BucketState, Lockfile
from buckia.model import Base, Direction, Listing, Notice, replace
from buckia.planfile import BucketHead, Plan, PlanScope
from buckia.reconcile import Decision, Scope, Verdict, reconcile
from buckia.rules import Rules
from buckia.runs import manifests
from buckia.sides import configuring, identity
from buckia.sides.configuring import Found
from buckia.sides.contents import Databases
from buckia.sides.describing import Describer
from buckia.snapshot import Sides
from buckia.stores.base import Store
from buckia.stores.hashing import now
from buckia.stores.local import LocalStore
from buckia.workspace import Workspace

_NONE: Final[frozenset[str]] = frozenset()


def make_plan(
    space: Workspace, names: Sequence[str], wish: Wish, *, skip_conflicts: bool = False
) -> Plan:
    """Scan both sides of the buckets and say what apply would do. Changes neither side."""
    buckets = space.names(names)
    answers = selection.Answers(wish.ask)
    wish = replace(wish, ask=answers.ask)
    lock = space.load_state().lock
    parts: dict[str, BucketPlan] = {}
    heads: dict[str, BucketHead] = {}
    for name in buckets:
        state = lock.state(name)
        parts[name] = _plan_bucket(space, name, lock, wish)
        heads[name] = _head(space, name, state, parts[name])
    made = assembly.assemble(
        parts,
        heads,
        config_digest=space.config_digest(buckets),
        scope=PlanScope(selection.clean_paths(wish.paths), wish.direction),
        skip_conflicts=skip_conflicts,
        overrides=wish.overrides,
        resolved=answers.resolved,
    )
    space.hygiene.demand_clean(msgspec.json.encode(made), "the plan")
    return made


def _plan_bucket(space: Workspace, name: str, lock: Lockfile, wish: Wish) -> BucketPlan:
    bucket, remote, state = space.config.bucket(name), space.remote(name), lock.state(name)
    base = state.base()
    local = space.local(name, state.entries)
    able = remote.capabilities
    dressed = bucket.rules.headers.within(able.headers, in_place=able.headers_in_place)
    scope = selection.scope(bucket.layout, space.refuse(name), wish.paths)
    within = bucket.layout.narrow(wish.paths).prefixes
    plain = None if dressed.rules else state.plain()
    sides = space.take(bucket, local, remote, base, within, dressed, plain)
    if within != EVERYWHERE and _in_doubt(sides, base, scope, bucket.rules):
        within = EVERYWHERE
        sides = space.take(bucket, local, remote, base, within, dressed, plain)
    databases = Databases(local, remote, base, bucket.max_workers, space.progress)
    sides = databases.recognise(sides, scope)
    rules = replace(bucket.rules, headers=dressed)
    decisions = reconcile(*_unsettled(sides, base), rules, scope, now())
    sure = sides.local.complete and sides.remote.complete
    cautious = rules if sure else replace(rules, delete="no")
    look = Describer(local, remote, databases)
    both_ways = wish.direction in (None, Direction.BOTH)

    def names() -> set[str]:
        return sides.local.entries.keys() | base.keys() | sides.remote.entries.keys()

    decisions = selection.settle_asked(
        name, decisions, scope, cautious, wish.ask, look, names if both_ways else None
    )
    decisions = promotion.spare(decisions, promotion.promoted_to(lock, name))
    decisions = selection.one_way(decisions, wish.direction)
    decisions = selection.one_writer(decisions, local.path_of, name, wish.written)
    clashes: list[Notice] = []
    if within != EVERYWHERE:
        decisions, clashes = safeguards.refuse_unlisted(name, decisions, base)
    found = _settings(space, name, wish)
    configure = configuring.actions(name, found)
    part = planner.plan_bucket(
        name,
        decisions,
        sides.local,
        base,
        sides.remote,
        bucket.rules,
        able,
        trash=bucket.keeps_trash,
        overrides=wish.overrides,
        known=_recall(space, bucket, remote, state) if selection.deletes(decisions) else _NONE,
        obstacles=_obstacles(decisions, local, remote),
        owed=() if wish.paths or wish.direction is Direction.DOWNLOAD else state.purges,
        configure=configure,
        publish=manifests.of_bucket(space, name, lock, sides.remote, wish, within),
    )
    part = databases.describe(part, sides) if wish.told else part
    part = manifests.references_of_bucket(space, name, lock, part, sides, wish, local)
    notices = [*clashes, *_unpurged(space, name, part), *configuring.notices(name, found)]
    return replace(part, actions=[*configure, *part.actions], notices=[*part.notices, *notices])


def _unsettled(sides: Sides, base: Base) -> tuple[Listing, Base, Listing]:
    """The part of both sides and of base that `reconcile` has to see; see `columns.unsettled`."""
    local, remote = sides.local.entries, sides.remote.entries
    keys = columns.unsettled(local, base, remote)
    if keys is None:
        return sides.local, base, sides.remote
    mine, then, theirs = ({k: side[k] for k in keys if k in side} for side in (local, base, remote))
    return replace(sides.local, entries=mine), then, replace(sides.remote, entries=theirs)


def _in_doubt(sides: Sides, base: Base, scope: Scope, rules: Rules) -> bool:
    """Whether something may be deleted and one of the sides shows nothing that the lockfile knows
    of these paths. Then only the whole of it tells whether it is the right one."""
    known = {key: entry for key, entry in base.items() if scope.selected(key, entry.path)}
    both = (sides.local, sides.remote)
    sure = all(safeguards.recognised(side, known) for side in both)
    return not sure and bool(known or rules.delete == "all")


def _settings(space: Workspace, name: str, wish: Wish) -> Found:
    """How the declared settings stand; unasked where the plan is about some paths only, or brings
    nothing to the bucket."""
    if wish.paths or wish.direction is Direction.DOWNLOAD:
        return configuring.NONE
    return configuring.compare(name, space.declared(name), space.remote(name))


def _unpurged(space: Workspace, name: str, part: BucketPlan) -> Iterable[Notice]:
    return purges.warnings(part.actions, name) if space.cannot_purge(name) else ()


def _obstacles(decisions: list[Decision], local: LocalStore, remote: Store) -> dict[str, str]:
    """New files for which a disk has no room, with the reason: what no listing shows may be in the
    way, an excluded file where a folder is needed, say."""
    new: list[tuple[LocalStore, str]] = []
    for item in decisions:
        if item.verdict is Verdict.DOWNLOAD and item.local is None:
            new.append((local, item.key))
        elif item.verdict is Verdict.UPLOAD and item.remote is None:
            new += [(remote, item.key)] if isinstance(remote, LocalStore) else []
    return {key: why for store, key in new if (why := store.obstacle(key))}


def _recall(
    space: Workspace, bucket: BucketConfig, remote: Store, state: BucketState
) -> frozenset[str]:
    if state.lineage is None:
        return _NONE
    return identity.recall(space.work, space.root, bucket.layout, remote, state.lineage)


def _head(space: Workspace, name: str, state: BucketState, part: BucketPlan) -> BucketHead:
    bucket, remote = space.config.bucket(name), space.remote(name)
    provable = isinstance(remote, Provable)
    guards = assembly.guards(remote.capabilities, part.actions, provable=provable)
    return BucketHead(bucket.provider, bucket.bucket_name, state.ref, guards)
