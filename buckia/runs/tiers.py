"""Two buckets as the sides of a promotion: what each holds of some folders, and no more than that.

A bucket may hold the folders of all users there are; what is asked for one folder never lists
another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from buckia import pool, snapshot
from buckia.connect import WORK
from buckia.decisions import bounds, planner
from buckia.errors import DocumentError
from buckia.execution.tasks import Stores, Task
from buckia.layout import Layout
from buckia.layout import Mapping as Place
from buckia.model import Base, Entry, Listing, Op, Tick, replace, same_content
from buckia.pairs import Pair
from buckia.planfile import Plan
from buckia.reconcile import is_base
from buckia.sides import contents, inspection, sidecars
from buckia.sides.sightings import Seen
from buckia.snapshot import Sides
from buckia.stores.local import LocalStore
from buckia.streams.passing import Passing
from buckia.workspace import Workspace

FEW: Final = 32
"""Actions that are looked at one by one; more are looked up in listings."""

_EMPTY: Final = Listing({})


def layout(folders: Sequence[str]) -> Layout:
    """The keys of these top-level folders, as they are."""
    return Layout((Place(folders=tuple(folders)),))


def within(base: Base, folders: Sequence[str]) -> dict[str, Entry]:
    """What is known of these folders."""
    tops = tuple(f"{folder}/" for folder in folders)
    return {key: entry for key, entry in base.items() if key.startswith(tops)}


def refuse(space: Workspace, pair: Pair) -> Callable[[str], str | None]:
    """Why a key is out of scope in either bucket, or None."""
    one, other = space.refuse(pair.source), space.refuse(pair.target)
    return lambda key: one(key) or other(key)


def listings(
    space: Workspace, names: Sequence[str], folders: Sequence[str]
) -> Mapping[str, Listing]:
    """What these buckets hold of the folders, all listed at the same time."""
    keys = layout(folders)

    def look(name: str) -> tuple[str, Listing]:
        store, rules = space.remote(name), space.refuse(name)
        found = snapshot.list_remote(store, keys, rules, space.progress)
        return name, space.hygiene.listing(found)

    found: dict[str, Listing] = {}
    for batch in pool.each(look, names, workers=max(1, len(names)), name="list"):
        found |= dict(batch)
    return found


def demand_within(space: Workspace, plan: Plan, pair: Pair) -> None:
    """Raise `DocumentError` for a plan that leads out of its folders or buckets."""
    if place(space, pair.source) == place(space, pair.target):
        raise DocumentError(
            f"the plan is not sound: `{pair.source}` and `{pair.target}` are one bucket; nothing "
            "was changed; name two"
        )
    target = space.config.bucket(pair.target)
    told = space.remote(pair.target).capabilities
    kept = planner.kept_by(told, trash=target.keeps_trash)
    caches = told.caches is not None
    bounds.demand_between(plan, pair, refuse(space, pair), kept, caches=caches)
    bounds.demand_published(plan, pair.name, publishes=target.manifest)


def place(space: Workspace, name: str) -> tuple[str | None, ...]:
    """What tells one bucket of the configuration from another."""
    bucket = space.config.bucket(name)
    zone = bucket.storage_zone or bucket.bucket_name
    if bucket.provider == "local":
        zone = str((space.root / zone).resolve())
    return bucket.provider, bucket.domain, bucket.region, zone, bucket.prefix


def inspect(
    space: Workspace, plan: Plan, pair: Pair, stop: threading.Event, seen: dict[str, Listing]
) -> list[Task]:
    """Look at both sides of every action between two buckets. Changes nothing.

    Where there are many they are listed; `seen` keeps the listings for the next pair. Raises
    `StaleError` naming what diverged.
    """
    actions = [action for action in plan.actions if action.bucket == pair.name]
    many = sum(action.op is not Op.PURGE for action in actions) > FEW
    if many:
        missing = [name for name in (pair.source, pair.target) if name not in seen]
        seen |= listings(space, missing, plan.scope.paths)
    held = (seen[name].entries.get for name in (pair.source, pair.target)) if many else ()
    sides = Seen(*held) if many else None
    source, target = space.remote(pair.source), space.remote(pair.target)
    through = not target.copies(source)
    passing = Passing() if space.config.bucket(pair.target).manifest else None
    stores = Stores(room(space), target, plan.digest, stop, source, through, passing=passing)
    workers = space.config.bucket(pair.target).max_workers
    return inspection.inspect(actions, stores, workers, space.progress, sides)


def without_sidecars(listing: Listing, base: Base) -> Listing:
    """The same listing, told to leave alone what a sidecar of a database makes doubtful."""
    return sidecars.set_aside(Sides(_EMPTY, listing), base).remote


def room(space: Workspace) -> LocalStore:
    """Where temporary files go."""
    return LocalStore(space.root, work=WORK)


def digested(
    space: Workspace, name: str, listing: Listing, wanted: Callable[[Entry], bool]
) -> Listing:
    """What a bucket holds, with the sha256 of every entry that is `wanted`: asked for, or read."""
    doubtful = [entry for entry in listing.entries.values() if wanted(entry)]
    found = _read(space, name, doubtful)
    return replace(listing, entries={**listing.entries, **found}) if found else listing


def arrived(
    space: Workspace, pair: Pair, base: Base, found: Mapping[str, Listing]
) -> dict[str, Entry]:
    """What is known of the source, is gone from it, and is in the target just as it was."""
    source, target = found[pair.source].entries, found[pair.target].entries
    gone = {key: then for key, then in base.items() if key not in source}
    there = {
        key: target[key]
        for key, then in gone.items()
        if key in target and target[key].size == then.size
    }
    doubtful = [entry for key, entry in there.items() if same_content(entry, gone[key]) is None]
    there |= _read(space, pair.target, doubtful)
    return {key: gone[key] for key, entry in there.items() if same_content(entry, gone[key])}


def prove(space: Workspace, pair: Pair, sides: Sides, base: Base) -> Sides:
    """The same sides with what the listings leave open read where a decision hangs on it.

    That is where both hold as many bytes under one key, share no digest, and no promotion is
    remembered: not knowing would make it a conflict.
    """
    here, there = dict(sides.local.entries), dict(sides.remote.entries)
    open_ = [
        key
        for key in here.keys() & there.keys()
        if here[key].size == there[key].size
        and same_content(here[key], there[key]) is None
        and not (key in base and is_base(there[key], base[key]))
    ]
    for known, name in ((there, pair.target), (here, pair.source)):
        known |= _read(space, name, [known[key] for key in open_ if known[key].sha256 is None])
    return Sides(replace(sides.local, entries=here), replace(sides.remote, entries=there))


def _read(space: Workspace, name: str, entries: Iterable[Entry]) -> dict[str, Entry]:
    """These objects with their sha256, and the row hash of those that are databases."""
    store, todo = space.remote(name), list(entries)
    found: dict[str, Entry] = {}

    def look(entry: Entry) -> Entry:
        told = store.head(entry.key) or entry
        if told.version != entry.version:
            return entry  # replaced meanwhile: the listing stays the picture that was taken
        if told.sha256:
            return replace(entry, sha256=told.sha256, type=told.type)
        with contents.fetched(store, entry, room(space)) as read:
            return replace(entry, sha256=read.sha256, logical=read.logical, type=told.type)

    workers = space.config.bucket(name).max_workers
    for batch in pool.each(look, todo, workers=workers, name="prove"):
        found |= {entry.key: entry for entry in batch}
        space.progress(Tick("hash", batch[-1].key, len(found), 0, len(todo)))
    return found
