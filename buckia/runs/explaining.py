"""Finding out why a key is treated as it is: one look at each side of it, and no listing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

from buckia import snapshot
from buckia.config import BucketConfig
from buckia.config.places import Places
from buckia.decisions import explanation, promotion
from buckia.decisions.explanation import MEANINGS, NEXT, Explanation, Rule, Where
from buckia.errors import LocalError
from buckia.layout import Layout, clean, refuse_key
from buckia.model import Base, Direction, Entry, Headers, Listing, Skipped, replace
from buckia.reconcile import Decision, Scope, Verdict, reconcile
from buckia.rules import Rules
from buckia.sides.contents import Databases
from buckia.snapshot import Sides
from buckia.stores.base import Store
from buckia.stores.hashing import now
from buckia.stores.local import LocalStore
from buckia.workspace import Workspace

_UNSEEN = "one side could not be looked at, so nothing is decided: "
_TWICE = "more than one local file stands for it, which plan refuses: "
_PAIRED = "a plan of everything may pair it with another key of the same content, as a move"
_BARRED = "`protect` names it: a plan that deletes it is blocked"
_CUT = "an apply was cut short; what its journal holds counts as applied"
_ALONE = "no apply has recorded anything here yet, so nothing is deleted"


_IDLE = {True: NEXT[Verdict.NOTHING], False: "nothing: the key is out of scope"}


def explain(space: Workspace, name: str, given: str) -> Explanation:
    """Why a key, or the key of a local path, is treated as it is in a bucket. Changes nothing.

    Raises the errors of the bucket's store where it cannot be looked at.
    """
    bucket, lock = space.config.bucket(name), space.load_state().lock
    base = lock.state(name).base()
    local, remote = space.local(name, base), space.remote(name)
    key, path = _key_of(space, bucket, base, given)
    where: Where = partial(Places(space.config.path).of, name)
    own = space.refuse(name)(key) is not None and bucket.rules.excludes(key) is None
    found = explanation.rules_on(key, path, bucket.layout, bucket.rules, own, where)
    direction = bucket.layout.direction_of(key, path)
    ways = direction if all(rule.holds for rule in found) else None
    scope = Scope(lambda k, p: ways, lambda k, p: k == key)
    able = remote.capabilities
    dressed = bucket.rules.headers.within(able.headers, in_place=able.headers_in_place)
    rules = replace(bucket.rules, headers=dressed)
    paths = _paths(space, bucket, key, path, base)
    sides, notes = _look(bucket.layout, rules, local, remote, base, key, paths)
    sides = Sides(space.hygiene.listing(sides.local), space.hygiene.listing(sides.remote))
    sides = Databases(local, remote, base, 1, space.progress).recognise(sides, scope)
    decided = reconcile(sides.local, base, sides.remote, rules, scope, now())
    made = next(iter(promotion.spare(decided, promotion.promoted_to(lock, name))), None)
    notes += [_CUT] if any(name in one.header.buckets for one in space.unfinished()) else []
    return _told(bucket, key, path, ways, found, sides, base, made, notes, where)


def covers(bucket: BucketConfig, given: str) -> bool:
    """Whether a key or local path belongs to a bucket."""
    path = clean(given)
    return bucket.layout.owner(given) is not None or any(
        mapping.key_of(path) is not None for mapping in bucket.layout.mappings
    )


def _key_of(
    space: Workspace, bucket: BucketConfig, base: Base, given: str
) -> tuple[str, str | None]:
    """What was meant, as a key, and the local path where it was told by that."""
    path = clean(given)
    as_path = [(m.key_of(path), path) for m in bucket.layout.mappings]
    known = [(key, found) for key, found in as_path if key is not None]
    if known and (space.root / path).is_file():
        return known[0]
    if given in base or (bucket.layout.owner(given) is not None and not _deeper(bucket, path)):
        return given, _recorded(base, given)
    return known[0] if known else (given, _recorded(base, given))


def _deeper(bucket: BucketConfig, path: str) -> bool:
    """Whether a text begins like the local side of a mapping."""
    return any(m.path and m.key_of(path) is not None for m in bucket.layout.mappings)


def _recorded(base: Base, key: str) -> str | None:
    return base[key].path if key in base else None


def _paths(
    space: Workspace, bucket: BucketConfig, key: str, path: str | None, base: Base
) -> list[str]:
    """Every local file there is that stands for a key."""
    usual = [mapping.path_of(key) for mapping in bucket.layout.mappings]
    named = dict.fromkeys(item for item in (path, _recorded(base, key), *usual) if item)
    if refuse_key(key):
        return []
    return [item for item in named if os.path.lexists(space.root / item)]


def _look(
    layout: Layout,
    rules: Rules,
    local: LocalStore,
    remote: Store,
    base: Base,
    key: str,
    paths: list[str],
) -> tuple[Sides, list[str]]:
    """One key of both sides, and what could not be looked at."""
    notes = [_TWICE + ", ".join(paths)] if len(paths) > 1 else []
    skipped: tuple[Skipped, ...] = ()
    mine: Entry | None = None
    try:
        mine = local.head(key, path=paths[0]) if paths else None
    except LocalError as problem:
        notes.append(f"{_UNSEEN}{problem}")
        skipped = (Skipped(key, str(problem), unknown=True),)
    theirs = remote.head(key) if refuse_key(key) is None else None
    sides = Sides(
        Listing({key: mine} if mine else {}, skipped), Listing({key: theirs} if theirs else {})
    )

    def wants(wanted: str) -> Headers | None:
        uploads = layout.direction_of(wanted, None) in (Direction.BOTH, Direction.UPLOAD)
        return rules.headers.wanted(wanted) if uploads and rules.headers.in_place else None

    return snapshot.prove(sides, base, local, remote, 1, wants), notes


def _told(
    bucket: BucketConfig,
    key: str,
    path: str | None,
    direction: Direction | None,
    rules: list[Rule],
    sides: Sides,
    base: Base,
    made: Decision | None,
    notes: list[str],
    where: Where,
) -> Explanation:
    mine, then, theirs = sides.local.entries.get(key), base.get(key), sides.remote.entries.get(key)
    verdict = made.verdict if made else Verdict.NOTHING
    row, table, rulings, meaning = None, None, [], "out of scope: no rule of the table applies"
    if direction is not None:
        row, table = explanation.table_row(mine, then, theirs, direction)
        rulings = explanation.rulings_on(row, table, direction, bucket.rules, where)
        meaning = MEANINGS[row]
    reason = made.reason if made else "unchanged" if row == "bbb" else ""
    return Explanation(
        bucket=bucket.name,
        key=key,
        path=None if refuse_key(key) else mine.path if mine else path or bucket.layout.path_of(key),
        direction=direction,
        rules=tuple(rules),
        local=mine,
        base=then,
        remote=theirs,
        row=row,
        meaning=meaning,
        reason=reason,
        table=table,
        verdict=verdict,
        rulings=tuple(rulings),
        next=NEXT[verdict] if verdict is not Verdict.NOTHING else _IDLE[row is not None],
        notes=(*notes, *_advice(bucket, key, verdict, row, base)),
    )


def _advice(
    bucket: BucketConfig, key: str, verdict: Verdict, row: str | None, base: Base
) -> Iterator[str]:
    deletes = verdict in (Verdict.DELETE_REMOTE, Verdict.DELETE_LOCAL)
    if deletes and bucket.rules.protects(key):
        yield _BARRED
    if row in ("x--", "-bb"):
        yield _PAIRED
    if not base:
        yield _ALONE
