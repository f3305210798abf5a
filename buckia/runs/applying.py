"""Applying a plan: refused whole, or preflighted, executed, recorded and remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path

from msgspec import Struct

from buckia import engine, journal
from buckia.connect import WORK
from buckia.decisions import drafts
from buckia.decisions.drafts import Draft
from buckia.decisions.preflight import State
from buckia.errors import (
    Interrupted,
    StaleError,
)
from buckia.execution.tasks import Task
from buckia.lease import leases
from buckia.lease.leases import Leases
from buckia.lockfile import Held, Lockfile
from buckia.model import Action, Listing, Op, Outcome, is_staged, left_by
from buckia.pairs import buckets_of, pair_of, written_by
from buckia.planfile import Plan
from buckia.records import audit, recorder
from buckia.rules import Overrides
from buckia.runs import refusals, staging, surveys, tiers
from buckia.runs.expiry import expire
from buckia.sides import identity
from buckia.stores.base import Store
from buckia.stores.local import LocalStore
from buckia.stores.usage import Usage
from buckia.workspace import Workspace

Observe = Callable[[list[Outcome]], None]
"""Told every batch of outcomes once it is on the disk, on the main thread."""


def unobserved(outcomes: list[Outcome]) -> None:
    """An `Observe` to which nothing is worth a word."""


class Applied(Struct, frozen=True):
    """What an apply did. `already` means that this very plan had been applied before."""

    plan: str
    outcomes: tuple[Outcome, ...] = ()
    already: bool = False
    serials: dict[str, int] = {}

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The actions that could not be done, with the reason in `error`."""
        return tuple(outcome for outcome in self.outcomes if not outcome.done)


def apply_plan(
    space: Workspace,
    plan: Plan,
    *,
    preflight_only: bool = False,
    lock_timeout: float = 0.0,
    executor: Executor | None = None,
    observe: Observe = unobserved,
) -> Applied:
    """Execute exactly this plan. `lock_timeout` is how many seconds to wait for other runs, in this
    folder and in the buckets together.

    Raises `ConflictError`, `BlockedError`, `StaleError`, `LockedError` before anything is
    changed, `Interrupted` after a signal and `IncompleteError` after the loss of a lease, or when
    another run wrote over the lockfile; then all is saved. Actions that failed are in the result;
    then deletes of that bucket were not begun.
    """
    refusals.refuse_unfit(plan)
    refusals.refuse_other_config(space, plan)
    refusals.refuse_unsound(space, plan)
    began, deadline = space.used, time.monotonic() + lock_timeout
    with (
        space.only_run(plan.digest, lock_timeout),
        _hold(space, plan, deadline - time.monotonic(), preflight_only) as leases,
    ):
        held = _recover(space, None if preflight_only else plan)
        serials = _serials(plan, held.lock)
        busy = sorted({action.bucket for action in plan.actions})
        fresh = [name for name in busy if not _is_applied(space, plan, name, held.lock)]
        refusals.refuse_aliases(plan, leases)
        tasks = _inspect_all(space, plan, fresh, held.lock, leases)
        if all(_is_repeated(task, held.lock) for task in tasks):
            tasks = []
        if preflight_only or not tasks:
            if not preflight_only:  # a run that was cut may have left it
                staging.clear(space, plan, busy)
            return Applied(plan.digest, already=bool(busy and not tasks), serials=serials)
        return _run(space, plan, tasks, held, leases, executor, began, observe)


def _hold(
    space: Workspace, plan: Plan, timeout: float, looking: bool
) -> AbstractContextManager[Leases]:
    """The leases of the buckets that are written to; none where the plan is only checked."""
    stores: dict[str, Store] = {}
    wanted = leases.wanted(plan)
    if state := space.config.settings.state_bucket:
        begun = (name for record in space.unfinished() for name in record.header.buckets)
        found = set(buckets_of(begun)) & space.config.buckets.keys()
        wanted |= dict.fromkeys(found, True)
        if not looking and not leases.swaps(space.remote(state)):
            wanted[state] = True
    if not looking:
        stores = {name: space.remote(name) for name in wanted}
    return leases.hold(
        space.folder() / "leases",
        stores,
        plan.digest,
        optional={name for name, needed in wanted.items() if not needed},
        timeout=timeout,
        stop=space.stop,
    )


def _recover(space: Workspace, plan: Plan | None) -> Held:
    """Bring the lockfile up to what unfinished runs did and to what a plan found in order, and
    clear what they left lying."""
    LocalStore(space.root, work=WORK).tidy()
    found = space.unfinished()

    def change(lock: Lockfile) -> Lockfile:
        lock = journal.absorb(lock, found)
        return recorder.settle(lock, plan) if plan else lock

    held = recorder.update(space.state, change, space.state_key)
    journal.finish(found)
    return held


def _is_applied(space: Workspace, plan: Plan, name: str, lock: Lockfile) -> bool:
    """Whether this plan is done for a bucket; `StaleError` if it no longer fits its state."""
    state, base = lock.state(name), plan.buckets[name].base
    if state.ref == base:
        return False
    if state.plan == plan.digest:
        return not state.partial
    if base.lineage is None:
        why = "the plan was made before anything was applied, and something was since"
    elif state.lineage != base.lineage:
        why = "its lockfile belongs to another history (lineage)"
    elif state.serial != base.serial:
        why = f"the lockfile is at serial {state.serial}, the plan was made from {base.serial}"
    else:
        why = "the lockfile's entries are not those the plan was made from"
    raise StaleError(f"the plan is stale for `{name}`: {why}; nothing was changed; plan again")


def _inspect_all(
    space: Workspace, plan: Plan, names: Sequence[str], lock: Lockfile, leases: Leases
) -> list[Task]:
    seen: dict[str, Listing] = {}
    tasks: list[Task] = []
    for name in names:
        if pair := pair_of(name):
            tasks += tiers.inspect(space, plan, pair, leases.halt, seen)
        else:
            tasks += surveys.inspect(space, plan, name, lock.state(name).base(), leases.halt)
    return tasks


def _run(
    space: Workspace,
    plan: Plan,
    tasks: list[Task],
    held: Held,
    leases: Leases,
    executor: Executor | None,
    began: Usage,
    observe: Observe,
) -> Applied:
    names = sorted({task.action.bucket for task in tasks})
    left = sorted({bucket for task in tasks if (bucket := left_by(task.action))})
    for store in map(space.remote, {*map(written_by, names), *left}):
        if isinstance(store, LocalStore):  # a folder keeps what a killed run left half-written
            store.tidy()
    promotions = {name: head.promotion for name, head in plan.buckets.items() if head.promotion}
    cut = {
        name for pair in map(pair_of, names) if pair for name in recorder.cut_with(held.lock, pair)
    }
    known = [*names, *sorted(cut | {name for name in left if name in held.lock.buckets})]
    begun = {name: [a.key for a in plan.actions if _is_purge(a, name)] for name in known}
    with recorder.recording(
        space.state,
        held,
        plan.digest,
        begun,
        space.folder(),
        space.state_key,
        space.hygiene,
        {name: promotion.base for name, promotion in promotions.items()},
    ) as record:
        run = engine.Run(
            tasks,
            record=lambda batch: observe(record.add(batch)),
            progress=space.progress,
            stop=leases.halt,
            workers=max(space.config.bucket(written_by(name)).max_workers for name in names),
            executor=executor,
            turns={name: promotion.turn for name, promotion in promotions.items()},
            keep_going=Overrides.of(plan.overrides).keep_going,
            drafts=lambda name: _drafts(space, plan, name, record.lock),
        )
        outcomes = run.execute()
        whole = run.finished.issuperset(names)
        done = run.finished.union(known) if whole else run.finished.difference(left)
        lock = record.save(done, lambda: space.used - began)
    _keep_record(space, plan, record.path, names, lock)
    for name in run.finished:
        _mark(space, plan, name, lock)
    staging.clear(space, plan, run.finished)
    if not whole:
        leases.refuse_lost()
    if space.stop.is_set():
        raise Interrupted("stopped; what was done is saved; run the same plan again to resume")
    return Applied(plan.digest, tuple(outcomes), serials=_serials(plan, lock))


def _drafts(space: Workspace, plan: Plan, name: str, lock: Lockfile) -> dict[str, Draft]:
    """What each manifest of a bucket will name, now that all else is written."""
    headers = space.manifest_headers(written_by(name))
    return drafts.drafts(lock, name, plan.actions, headers)


def _keep_record(
    space: Workspace, plan: Plan, path: Path, names: Sequence[str], lock: Lockfile
) -> None:
    """Copy the journal into the buckets that want it, and let old ones go."""
    for name in names:
        bucket = written_by(name)
        if space.config.bucket(bucket).audit:
            serial = lock.state(name).serial
            audit.copy(path, serial, plan.digest, [space.remote(bucket)], space.hygiene)
    settings = space.config.settings
    audit.rotate(path.parent, settings.journal_count, settings.journal_keep)


def _mark(space: Workspace, plan: Plan, name: str, lock: Lockfile) -> None:
    """Leave the markers of a history where it was carried on, and empty what has had its time."""
    if name == written_by(name) and not any(head.promotion for head in plan.buckets.values()):
        layout, lineage = space.config.bucket(name).layout, str(lock.state(name).lineage)
        if not any(is_staged(action) for action in plan.actions if action.bucket == name):
            identity.mark_folders(space.work, space.root, layout, lineage)  # its files were here
        if any(action.undo for action in plan.actions if action.bucket == name):
            identity.mark_bucket(space.remote(name), lineage)
    bucket = written_by(name)
    expire(space.trash_of([bucket]), space.config.bucket(bucket).retention)


def _is_repeated(task: Task, lock: Lockfile) -> bool:
    """Whether the plan applied last did this already and left the same entries as before."""
    state = lock.state(task.action.bucket)
    applied = state.plan == task.stores.plan and not state.partial
    return applied and (task.state is State.SATISFIED or task.action.op is Op.PURGE)


def _is_purge(action: Action, bucket: str) -> bool:
    return action.op is Op.PURGE and action.bucket == bucket


def _serials(plan: Plan, lock: Lockfile) -> dict[str, int]:
    return {name: lock.state(name).serial for name in plan.buckets}
