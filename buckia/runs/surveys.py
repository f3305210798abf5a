"""One bucket and its folder, looked at before the first change of an apply."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from buckia import snapshot
from buckia.config import BucketConfig
from buckia.execution.tasks import Stores, Task
from buckia.layout import overlap
from buckia.model import Action, Base, Entry, Op
from buckia.planfile import Plan
from buckia.sides import inspection, sightings
from buckia.sides.sightings import Seen
from buckia.stores.base import Store
from buckia.stores.local import LocalStore
from buckia.streams.passing import Passing
from buckia.workspace import Workspace


def inspect(
    space: Workspace, plan: Plan, name: str, base: Base, stop: threading.Event
) -> list[Task]:
    """Look at both sides of every action of one bucket. Changes nothing.

    Raises `StaleError` naming what diverged.
    """
    bucket = space.config.bucket(name)
    actions = [action for action in plan.actions if action.bucket == name]
    looked = [action for action in actions if action.op is not Op.PURGE]
    named = {a.key: a.source.path for a in actions if a.source and a.source.path}
    local, remote = space.local(name, base, plan.digest, named), space.remote(name)
    within = bucket.layout.narrow(plan.scope.paths).prefixes
    seen = None
    if len(looked) > sightings.FEW:
        seen = _see(space, bucket, looked, local, remote, base, within)
    elif not all(action.key.isascii() for action in looked):
        local.listing(within, progress=space.progress)  # only a walk tells which form a disk has
    passing = Passing() if bucket.manifest else None
    stores = Stores(local, remote, plan.digest, stop, passing=passing)
    return inspection.inspect(actions, stores, bucket.max_workers, space.progress, seen)


def _see(
    space: Workspace,
    bucket: BucketConfig,
    actions: Sequence[Action],
    local: LocalStore,
    remote: Store,
    base: Base,
    within: tuple[str, ...],
) -> Seen:
    def walked() -> Mapping[str, Entry]:
        return local.listing(within, progress=space.progress).entries

    def listed() -> Mapping[str, Entry]:
        layout, refuse = bucket.layout, bucket.rules.excludes
        found = snapshot.list_remote(remote, layout, refuse, space.progress, within, base)
        return found.entries

    prefixes = overlap(bucket.layout.prefixes, within)
    workers = bucket.max_workers
    return sightings.see(actions, local, remote, prefixes, base, workers, walked, listed)
