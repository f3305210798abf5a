"""What becomes of the memory when something was done: outcomes folded into states. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from buckia import purges
from buckia.lockfile import BucketState, Locked, digest
from buckia.model import Entry, Op, Outcome, Source, replace
from buckia.planfile import BaseRef


def fold(
    state: BucketState, outcomes: Iterable[Outcome], begun: Collection[str] = ()
) -> BucketState:
    """The state after these outcomes: pure, and the same however often an outcome is repeated.

    `begun` are the purges of the run. Each is owed until it is done, and all it follows: what
    failed may have been written all the same.
    """
    entries = dict(state.entries)
    published, brought = dict(state.published), dict(state.brought)
    doubtful: list[str] = []
    purged: set[str] = set()
    for outcome in outcomes:
        if not outcome.done:
            doubtful += [outcome.key]
            continue
        if outcome.op is Op.PURGE:
            purged.add(outcome.key)
        elif outcome.op is Op.PUBLISH:
            if outcome.published is not None:
                published[outcome.key.partition("/")[0]] = outcome.published
        elif outcome.op in _DELETIONS or _moves_out(outcome):
            entries.pop(outcome.key, None)
            if outcome.op in _DELETIONS:
                brought.pop(outcome.key, None)
            elif outcome.entry is not None and outcome.entry.sha256:
                brought[outcome.key] = _locked(outcome.entry, None)
        elif outcome.entry is not None:
            entries[outcome.key] = _locked(outcome.entry, outcome.source)
        if outcome.left is not None:
            entries.pop(outcome.left, None)
    owed = {*state.purges, *begun} - (purged - purges.due(purged, doubtful))
    return replace(
        state,
        entries=entries,
        purges=tuple(sorted(owed, key=str.encode)),
        published=published,
        brought=brought,
    )


_DELETIONS: Final = (Op.DELETE_REMOTE, Op.DELETE_LOCAL, Op.FORGET)


def _moves_out(outcome: Outcome) -> bool:
    """Whether content is on its way from one bucket to another for good. What was remembered of
    the two goes before the old object does: nothing may take its absence for a deletion."""
    return outcome.op is Op.MOVE and outcome.source is not None


def _locked(entry: Entry, source: Source | None) -> Locked:
    assert entry.sha256  # noqa: S101  (an outcome without its content's digest is a bug)
    return Locked(
        entry.size,
        entry.sha256,
        entry.version,
        entry.logical,
        entry.path,
        entry.type,
        source.version if source else None,
        entry.headers or None,
    )


def share(outcomes: Iterable[Outcome], name: str) -> Iterator[Outcome]:
    """The outcomes that change what is known under one name: its own, and for each object that was
    moved out of that bucket that it is gone, or that it may be."""
    for item in outcomes:
        if item.bucket == name:
            yield item
        elif item.op is Op.MOVE and item.source and item.source.bucket == name:
            gone = [Outcome(item.id, Op.FORGET, name, item.left or item.key, item.done)]
            yield from gone if item.left is not None or not item.done else ()


def configures(outcomes: Iterable[Outcome]) -> bool:
    """Whether a setting of the bucket was set, or a manifest published: no entry tells of it."""
    beside = (Op.CONFIGURE, Op.PUBLISH)
    return any(outcome.done and outcome.op in beside for outcome in outcomes)


def advance(
    old: BucketState,
    new: BucketState,
    plan: str,
    lineage: str,
    *,
    partial: bool,
    source: BaseRef | None = None,
    configured: bool = False,
) -> BucketState:
    """`new` as the successor of `old`: the serial moves only if an entry did, or what is beside
    them (`configured`).

    A run that finishes what the same plan began belongs to the same serial. `lineage` is the name
    a history gets at its first apply, `source` what a promotion promoted.
    """
    value = digest(new.entries)
    moved = configured or value != (old.digest or digest({}))
    resumed = old.partial and old.plan == plan
    return BucketState(
        lineage=old.lineage or lineage,
        serial=old.serial + (1 if moved and not resumed else 0),
        digest=value,
        plan=plan,
        partial=partial,
        entries=new.entries,
        source=source or old.source,
        purges=new.purges,
        published=new.published,
        brought=new.brought,
    )
