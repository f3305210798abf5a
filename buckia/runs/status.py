"""Where each bucket stands, and whether both sides still are as recorded. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from buckia import journal, lease, lockfile
from buckia.decisions import selection
from buckia.decisions.selection import Wish
from buckia.errors import AccessError
from buckia.lease.note import Holder
from buckia.lockfile import BucketState
from buckia.planfile import Plan
from buckia.records import logbook
from buckia.records.logbook import Run
from buckia.rules import NO_OVERRIDES
from buckia.runs.planning import make_plan
from buckia.sides import configuring, whole
from buckia.sides import verify as verification
from buckia.sides.verify import Verified
from buckia.workspace import Workspace


class BucketStatus(Struct, frozen=True):
    """Where one bucket stands: what the lockfile says, and what a plan would say now.

    `last` is the last apply that has a journal here, `holder` who is applying there at this moment.
    """

    name: str
    provider: str
    url: str
    serial: int
    files: int
    unfinished: bool
    plan: Plan
    last: Run | None = None
    holder: Holder | None = None

    @property
    def differs(self) -> bool:
        """Whether anything is not as it was applied or declared."""
        codes = ("orphan", "missing", "foreign", "drift")
        return bool(self.plan.actions) or any(i.code in codes for i in self.plan.warnings)


def status(space: Workspace, names: Sequence[str]) -> list[BucketStatus]:
    """Where these buckets stand."""
    lock, pending = lockfile.load(space.state, space.state_key).lock, space.unfinished()
    runs = list(logbook.runs(journal.records(space.work / "journal")))
    return [
        BucketStatus(
            name=name,
            provider=space.config.bucket(name).provider,
            url=space.remote(name).url,
            serial=lock.state(name).serial,
            files=len(lock.state(name).entries),
            unfinished=lock.state(name).partial
            or any(name in record.header.buckets for record in pending),
            plan=make_plan(space, [name], Wish((), None, None, NO_OVERRIDES, {}, told=False)),
            last=next(reversed(logbook.about(runs, name)), None),
            holder=_holder(space, name),
        )
        for name in names
    ]


def _holder(space: Workspace, name: str) -> Holder | None:
    """Who holds the lease of a bucket, if anybody does and may be told of."""
    try:
        found = lease.look(space.remote(name))
    except AccessError:
        return None
    return found.holder if found else None


def verify(space: Workspace, names: Sequence[str], deep: str | None) -> list[Verified]:
    """Both sides of these buckets held against the lockfile. `deep` is that of `Project.verify`."""
    lock = space.load_state().lock
    return [_verify(space, name, lock.state(name), deep) for name in names]


def _verify(space: Workspace, name: str, state: BucketState, deep: str | None) -> Verified:
    bucket, remote, base = space.config.bucket(name), space.remote(name), state.base()
    local = space.local(name, base)
    sides = space.take(bucket, local, remote, base)
    direction_of = selection.scope(bucket.layout, space.refuse(name), ()).direction_of
    base = {key: entry for key, entry in base.items() if direction_of(key, entry.path)}
    read = whole.look(
        name,
        base,
        sides,
        deep,
        state.digest,
        local,
        remote,
        bucket.max_workers,
        space.progress,
    )
    settings = configuring.compare(name, space.declared(name), remote)
    return verification.summary(bucket, state, base, sides, read, settings)
