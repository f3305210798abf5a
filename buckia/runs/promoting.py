"""Planning a promotion: folders of one bucket brought to others, each held against what was
promoted there last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from buckia import purges
from buckia.config.schema import suggest
from buckia.decisions import assembly, promotion, selection
from buckia.decisions.planner import BucketPlan
from buckia.decisions.selection import Answers, Ask
from buckia.errors import UsageError
from buckia.headers import NO_RULES
from buckia.lease.claims import Provable
from buckia.lockfile import Lockfile
from buckia.model import (
    DIGESTS,
    Action,
    Base,
    Direction,
    Entry,
    Listing,
    Notice,
    Op,
    is_there,
    replace,
)
from buckia.pairs import Pair
from buckia.planfile import BucketHead, Plan, PlanScope, Promotion
from buckia.reconcile import Decision, Scope, reconcile
from buckia.rules import Overrides
from buckia.runs import manifests, tiers
from buckia.runs.errands import MOVE, Errand
from buckia.sides import identity, sidecars
from buckia.sides.describing import Describer
from buckia.snapshot import Sides
from buckia.stores.hashing import now
from buckia.workspace import Workspace


def make_promotion(
    space: Workspace,
    errand: Errand,
    *,
    skip_conflicts: bool = False,
    ask: Ask | None = None,
    overrides: Overrides,
) -> Plan:
    """Look at the folders in all buckets and say what apply would do. Changes nothing."""
    lock = space.load_state().lock
    found = tiers.listings(space, (errand.source, *errand.targets), errand.folders)
    _refuse_unknown(space, errand, lock, found.values())
    base = tiers.within(lock.state(errand.source).base(), errand.folders)
    gone = tiers.arrived(space, errand.pairs[0], base, found) if errand.move else {}
    base = {key: entry for key, entry in base.items() if key not in gone}
    answers = Answers(ask)
    task = _Task(space, errand, lock, answers.ask, overrides, gone)
    source = _vouched(task, base, found[errand.source])
    pairs = [(pair.name, pair, Sides(source, found[pair.target])) for pair in errand.pairs]
    parts = {name: _plan_pair(task, pair, sides) for name, pair, sides in pairs}
    heads = {
        name: _head(task, pair, turn, parts[name]) for turn, (name, pair, _) in enumerate(pairs)
    }
    parts = _told_once(errand, parts, source)
    if purged := _purged_at_source(task, parts):
        parts[errand.source] = BucketPlan(purged, [], [], [], 0, True)
        heads[errand.source] = _plain_head(task, errand.source, purged)
    made = assembly.assemble(
        parts,
        heads,
        config_digest=space.config_digest(heads),
        scope=PlanScope(errand.folders, None),
        kind=MOVE if errand.move else "promote",
        skip_conflicts=skip_conflicts,
        overrides=overrides,
        resolved=answers.resolved,
    )
    space.hygiene.demand_clean(msgspec.json.encode(made), "the plan")
    return made


class _Task(Struct, frozen=True):
    """All that the planning of one promotion shares. `gone` is what a run that was cut had moved
    and could not note down."""

    space: Workspace
    errand: Errand
    lock: Lockfile
    ask: Ask | None
    overrides: Overrides
    gone: dict[str, Entry]


def _told_once(
    errand: Errand, parts: dict[str, BucketPlan], source: Listing
) -> dict[str, BucketPlan]:
    """The parts with what is said of the source said once, and not of every target."""
    common = {(item.code, item.place) for item in source.skipped}
    told = [Notice(item.code, errand.source, item.place, item.why) for item in source.skipped]
    kept: dict[str, BucketPlan] = {}
    for name, part in parts.items():
        own = [item for item in part.notices if (item.code, item.key) not in common]
        kept[name] = replace(part, notices=[*own, *(told if not kept else ())])
    return kept


def _refuse_unknown(
    space: Workspace, errand: Errand, lock: Lockfile, found: Iterable[Listing]
) -> None:
    """Raise `UsageError` for a folder that is nowhere, naming one that is. A set may be empty."""
    names = (errand.source, *(pair.name for pair in errand.pairs))
    known = any(tiers.within(lock.state(name).base(), errand.folders) for name in names)
    sets = space.config.settings.sets
    if known or errand.name in sets or any(side.entries or side.skipped for side in found):
        return
    near = {key.partition("/")[0] for key in lock.state(errand.source).entries}
    near |= {name for bucket in space.config.buckets.values() for name in bucket.folders}
    raise UsageError(
        f"there is no set and no folder `{errand.name}` in `{errand.source}`"
        f"{suggest(errand.name, sorted(near | sets.keys()))}"
    )


def _vouched(task: _Task, base: Base, listing: Listing) -> Listing:
    """What of the source may be promoted, with a digest of all that is remembered or compared."""
    space, errand = task.space, task.errand
    found = tiers.without_sidecars(listing, base)
    found = promotion.vouch(found, base, allow_drift=bool(task.overrides.allow_drift))
    told = space.remote(errand.targets[0]).capabilities.digests

    def bare(entry: Entry) -> bool:
        known = {name for name in DIGESTS if getattr(entry, name)}
        return "sha256" not in known and not (errand.move and known & told)

    return tiers.digested(space, errand.source, found, bare)


def _plan_pair(task: _Task, pair: Pair, sides: Sides) -> BucketPlan:
    space, errand, state = task.space, task.errand, task.lock.state(pair.name)
    base = tiers.within(state.base(), errand.folders)
    sides = Sides(promotion.recall(sides.local, state), sides.remote)
    sides = tiers.prove(space, pair, sidecars.set_aside(sides, base), base)
    decisions = _decided(task, pair, sides, base)
    target = space.config.bucket(pair.target)
    part = promotion.plan_pair(
        pair,
        decisions,
        sides.local,
        base,
        sides.remote,
        (space.config.bucket(pair.source).rules, target.rules),
        space.remote(pair.target).capabilities,
        trash=target.keeps_trash,
        owed=state.purges,
        move=errand.move,
        overrides=task.overrides,
        known=_known(space, pair, task.lock) if selection.deletes(decisions) else frozenset(),
        publish=manifests.of_pair(space, pair, task.lock, sides, errand.folders),
    )
    part = manifests.references_of_pair(space, pair, task.lock, part, sides.remote)
    part = replace(part, notices=[*part.notices, *_unpurged(space, pair, part)])
    return _advised(space, pair, part) if errand.move else part


def _unpurged(space: Workspace, pair: Pair, part: BucketPlan) -> Iterator[Notice]:
    """Word of what is served as it was, in front of the target and, after a move, the source."""
    fresh = [item for item in part.actions if not is_there(item)]
    if space.cannot_purge(pair.target):
        yield from purges.warnings(fresh, pair.name)
    if space.cannot_purge(pair.source):
        yield from purges.warnings(part.actions, pair.source)


def _decided(task: _Task, pair: Pair, sides: Sides, base: Base) -> list[Decision]:
    """The table, by the target's policy. What is gone from the source goes from the target; a move
    deletes nothing there."""
    refuse = tiers.refuse(task.space, pair)
    scope = Scope(lambda key, path: None if refuse(key) else Direction.UPLOAD)
    whole = sides.local.complete and sides.remote.complete and not task.errand.move
    rules = task.space.config.bucket(pair.target).rules
    rules = replace(rules, delete="yes" if whole else "no", headers=NO_RULES)
    decisions = reconcile(sides.local, base, sides.remote, rules, scope, now())
    look = Describer(task.space.remote(pair.source), task.space.remote(pair.target))
    decisions = selection.settle_asked(pair.name, decisions, scope, rules, task.ask, look)
    if not task.errand.move:
        return decisions
    return promotion.as_move(decisions, sides.local, base, sides.remote, scope, task.gone)


def _known(space: Workspace, pair: Pair, lock: Lockfile) -> frozenset[str]:
    """The sides that carry the marker of their history."""
    lineage = lock.state(pair.source).lineage
    marked = lineage and space.remote(pair.source).head(identity.object_key(lineage))
    return frozenset({promotion.SIDES[0]} if marked else ())


def _advised(space: Workspace, pair: Pair, part: BucketPlan) -> BucketPlan:
    """A move with what the next plans of the two buckets would make of it."""
    source, target = space.config.bucket(pair.source), space.config.bucket(pair.target)
    moved = [item.key for item in part.actions if item.op is Op.MOVE]
    there = target.layout.direction_of
    doomed = target.rules.delete == "all" and any(there(key) is Direction.UPLOAD for key in moved)
    blocked = [f"foreign_there: {pair.target} would delete it as foreign"] if doomed else []
    here = [
        Notice("local_copy", pair.name, key, f"has a local file: `{pair.source}` uploads it again")
        for key in moved
        if (path := source.layout.path_of(key)) and (space.root / path).exists()
    ]
    return replace(part, blocked=part.blocked + blocked, notices=part.notices + here)


def _purged_at_source(task: _Task, parts: Mapping[str, BucketPlan]) -> list[Action]:
    """What a move has to drop from the caches in front of the bucket it comes from."""
    name, folders = task.errand.source, task.errand.folders
    caches = task.space.remote(name).capabilities.caches
    if not (task.errand.move and caches):
        return []
    tops = tuple(f"{folder}/" for folder in folders)
    owed = task.lock.state(name).purges
    owed = tuple(item for item in owed if item in folders or item.startswith(tops))
    return purges.plan(name, [a for part in parts.values() for a in part.actions], caches, owed)


def _plain_head(task: _Task, name: str, actions: Sequence[Action]) -> BucketHead:
    """What a plan says of a bucket that is written to, by its own name."""
    bucket, store = task.space.config.bucket(name), task.space.remote(name)
    return BucketHead(
        bucket.provider,
        bucket.bucket_name,
        task.lock.state(name).ref,
        assembly.guards(store.capabilities, actions, provable=isinstance(store, Provable)),
    )


def _head(task: _Task, pair: Pair, turn: int, part: BucketPlan) -> BucketHead:
    source, target = task.space.remote(pair.source), task.space.remote(pair.target)
    return replace(
        _plain_head(task, pair.target, part.actions),
        base=task.lock.state(pair.name).ref,
        promotion=Promotion(
            pair.source,
            task.lock.state(pair.source).ref,
            turn,
            "inside" if target.copies(source) else "through",
        ),
    )
