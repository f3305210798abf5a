"""The verbs. Each reads from top to bottom: what is looked at, decided, done and remembered."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct

from buckia import (
    bounds,
    connect,
    documents,
    engine,
    identity,
    journal,
    leases,
    lockfile,
    planner,
    recorder,
    safeguards,
    selection,
    sidecars,
    snapshot,
    verify,
)
from buckia.config import BucketConfig, Config
from buckia.connect import WORK
from buckia.contents import Databases
from buckia.errors import (
    BlockedError,
    ConflictError,
    DocumentError,
    Interrupted,
    LocalError,
    LockedError,
    StaleError,
)
from buckia.hygiene import Hygiene
from buckia.leases import Leases
from buckia.lockfile import BucketState, Held, Lockfile
from buckia.model import Base, Direction, Outcome, Progress, replace, silent
from buckia.planfile import BucketHead, Plan, PlanScope
from buckia.planner import BucketPlan
from buckia.preflight import State
from buckia.reconcile import reconcile
from buckia.rules import NO_OVERRIDES, Overrides
from buckia.selection import Ask, Wish
from buckia.snapshot import Sides
from buckia.steps import Stores, Task
from buckia.stores.base import Store
from buckia.stores.hashing import HashCache, now
from buckia.stores.local import LocalStore
from buckia.trash import Place, Trash, expire
from buckia.verify import Verified

_FEW: Final = 32
_PER_LOOK: Final = 500
"""Preflight asks for each key alone while that is fewer requests than listing the bucket anew."""


_SHOWN: Final = 5
"""Reasons named in an error; the plan has them all."""

_NONE: Final[frozenset[str]] = frozenset()


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


class BucketStatus(Struct, frozen=True):
    """Where one bucket stands: what the lockfile says, and what a plan would say now."""

    name: str
    provider: str
    url: str
    serial: int
    files: int
    unfinished: bool
    plan: Plan


class Project:
    """A configuration at work. Close it, or use it as a context manager.

    `stores` are buckets that are open already, by name; the others are opened when first used.
    Raises the errors of `buckia.errors`; nothing else escapes but bugs.
    """

    def __init__(
        self,
        config: Config,
        *,
        progress: Progress = silent,
        stop: threading.Event | None = None,
        stores: Mapping[str, Store] | None = None,
    ) -> None:
        self.config = config
        self.root = config.root
        self.work = self.root / WORK
        self.stop = stop or threading.Event()
        self._progress = progress
        self._stores: dict[str, Store] = dict(stores or {})
        self._cache: HashCache | None = None

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Save the hash cache and give connections back."""
        if self._cache is not None and self._cache.learnt:
            self._folder()
            self._cache.save()
        for store in self._stores.values():
            store.close()
        self._stores.clear()

    def names(self, wanted: Sequence[str] = ()) -> tuple[str, ...]:
        """The buckets asked for, or all. Raises `ConfigError` for a name that does not exist."""
        for name in wanted:
            self.config.bucket(name)
        return tuple(dict.fromkeys(wanted)) or tuple(self.config.buckets)

    def remote(self, name: str) -> Store:
        """The bucket of that name, opened once."""
        if name not in self._stores:
            bucket = self.config.bucket(name)
            self._stores[name] = connect.open_remote(bucket, self.root, self.cache)
        return self._stores[name]

    def local(
        self,
        name: str,
        base: Base | None = None,
        plan: str | None = None,
        paths: Mapping[str, str] | None = None,
    ) -> LocalStore:
        """The local side of a bucket. `plan` names the folder of the trash, `paths` are local files
        by key where the layout alone would not find them."""
        bucket = self.config.bucket(name)
        return connect.open_local(
            bucket,
            self.root,
            self.cache,
            self.remote(name).capabilities.digests,
            paths={key: item.path for key, item in (base or {}).items() if item.path}
            | dict(paths or {}),
            trash=self.work / "trash" / plan.removeprefix("sha256:")[:12] if plan else None,
            refuse=connect.refuse_also(bucket.rules, self.config.path, self.root),
        )

    @cached_property
    def hygiene(self) -> Hygiene:
        """What no document of this project may hold."""
        return Hygiene(
            connect.secrets(self.config.buckets.values()),
            (str(self.root.absolute()), str(self.root.resolve())),
            (str(Path.home()),),
        )

    @property
    def cache(self) -> HashCache:
        """The hash cache of this project; its file is made when there is something to keep."""
        if self._cache is None:
            self._cache = HashCache(self.work / "cache.sqlite")
        return self._cache

    def _folder(self) -> Path:
        """`.buckia.d/`, which keeps itself out of version control."""
        try:
            self.work.mkdir(mode=0o700, exist_ok=True)
            ignore = self.work / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
        except OSError as problem:
            raise LocalError(
                f"{WORK}/ cannot be made here ({problem.strerror}); buckia keeps its journal there"
            ) from None
        return self.work

    @property
    def _state(self) -> Store:
        """Where the lockfile is kept. `DocumentError` for a link, which would look like none."""
        if (bucket := self.config.settings.state_bucket) is not None:
            return self.remote(bucket)
        path = self.root / lockfile.KEY
        if path.is_symlink() or path.is_dir():
            raise DocumentError(f"{lockfile.KEY} is a link or a folder; it has to be a plain file")
        return LocalStore(self.root, work=WORK)

    @property
    def _state_key(self) -> str:
        return lockfile.BUCKET_KEY if self.config.settings.state_bucket else lockfile.KEY

    def load_state(self) -> Held:
        """The lockfile with whatever unfinished runs did since it was written."""
        held = lockfile.load(self._state, self._state_key)
        return Held(journal.absorb(held.lock, self._unfinished()), held.entry)

    def _unfinished(self) -> list[journal.Record]:
        return journal.unfinished(self.work / "journal")

    # -- plan ---------------------------------------------------------------------------------

    def plan(
        self,
        names: Sequence[str] = (),
        *,
        paths: Sequence[str] = (),
        direction: Direction | None = None,
        skip_conflicts: bool = False,
        ask: Ask | None = None,
        overrides: Overrides = NO_OVERRIDES,
        told: bool = True,
    ) -> Plan:
        """Scan both sides of the buckets and say what apply would do. Changes neither side.

        With `told` it also says what changes in databases, for which those in buckets are fetched.
        """
        buckets = self.names(names)
        lock = self.load_state().lock
        parts: dict[str, BucketPlan] = {}
        heads: dict[str, BucketHead] = {}
        written: dict[str, str] = {}
        for name in buckets:
            state = lock.state(name)
            wish = Wish(tuple(paths), direction, ask, overrides, written, told)
            parts[name] = self._plan_bucket(name, state, wish)
            heads[name] = self._head(name, state)
        made = planner.assemble(
            parts,
            heads,
            config_digest=self.config_digest(buckets),
            scope=PlanScope(selection.clean_paths(paths), direction),
            skip_conflicts=skip_conflicts,
            overrides=overrides,
        )
        self.hygiene.demand_clean(msgspec.json.encode(made), "the plan")
        return made

    def _plan_bucket(self, name: str, state: BucketState, wish: Wish) -> BucketPlan:
        bucket, remote, base = self.config.bucket(name), self.remote(name), state.base()
        local = self.local(name, base)
        sides = self._take(bucket, local, remote, base)
        refuse = connect.refuse_also(bucket.rules, self.config.path, self.root)
        scope = selection.scope(bucket.layout, refuse, wish.paths)
        databases = Databases(local, remote, base, bucket.max_workers, self._progress)
        sides = databases.recognise(sides, scope)
        decisions = reconcile(sides.local, base, sides.remote, bucket.rules, scope, now())
        sure = sides.local.complete and sides.remote.complete
        rules = bucket.rules if sure else replace(bucket.rules, delete="no")
        decisions = selection.settle_asked(name, decisions, scope, rules, wish.ask)
        decisions = selection.one_way(decisions, wish.direction)
        decisions = selection.one_writer(decisions, local.path_of, name, wish.written)
        part = planner.plan_bucket(
            name,
            decisions,
            sides.local,
            base,
            sides.remote,
            bucket.rules,
            remote.capabilities,
            trash=bucket.keeps_trash,
            overrides=wish.overrides,
            known=self._recall(bucket, remote, state) if selection.deletes(decisions) else _NONE,
        )
        return databases.describe(part, sides) if wish.told else part

    def _recall(self, bucket: BucketConfig, remote: Store, state: BucketState) -> frozenset[str]:
        if state.lineage is None:
            return _NONE
        return identity.recall(self.work, self.root, bucket.layout, remote, state.lineage)

    def _take(self, bucket: BucketConfig, local: LocalStore, remote: Store, base: Base) -> Sides:
        sides = snapshot.take(
            local, remote, bucket.layout, bucket.rules, self._progress, bucket.max_workers
        )
        sides = snapshot.prove(sides, base, local, remote, bucket.max_workers)
        sides = Sides(self.hygiene.listing(sides.local), self.hygiene.listing(sides.remote))
        return sidecars.set_aside(sides, base)

    def _head(self, name: str, state: BucketState) -> BucketHead:
        bucket = self.config.bucket(name)
        guards = planner.guards(self.remote(name).capabilities)
        return BucketHead(bucket.provider, bucket.bucket_name, state.ref, guards)

    def config_digest(self, names: Iterable[str]) -> str:
        """What binds a plan to the part of the configuration it was made with."""
        identity = {name: self.config.bucket(name).identity() for name in sorted(names)}
        return documents.digest(identity)

    # -- apply --------------------------------------------------------------------------------

    def apply(
        self,
        plan: Plan,
        *,
        preflight_only: bool = False,
        lock_timeout: float = 0.0,
        executor: Executor | None = None,
    ) -> Applied:
        """Execute exactly this plan. `lock_timeout` is how many seconds to wait for another run.

        Raises `ConflictError`, `BlockedError`, `StaleError`, `LockedError` before anything is
        changed, `Interrupted` after a signal and `IncompleteError` after the loss of a lease, when
        all is saved. Actions that failed are in the result; then deletes of that bucket were not
        begun.
        """
        refuse_unfit(plan)
        self._refuse_other_config(plan)
        self._refuse_unsound(plan)
        with self._only_run(), self._hold(plan, lock_timeout, preflight_only) as leases:
            held = self._recover(None if preflight_only else plan)
            serials = _serials(plan, held.lock)
            busy = sorted({action.bucket for action in plan.actions})
            fresh = [name for name in busy if not self._is_applied(plan, name, held.lock)]
            tasks = [
                task for name in fresh for task in self._inspect(plan, name, held.lock, leases)
            ]
            if all(_is_repeated(task, held.lock) for task in tasks):
                tasks = []
            if preflight_only or not tasks:
                return Applied(plan.digest, already=bool(busy and not tasks), serials=serials)
            return self._run(plan, tasks, held, leases, executor)

    def _refuse_other_config(self, plan: Plan) -> None:
        missing = [name for name in plan.buckets if name not in self.config.buckets]
        if missing:
            raise StaleError(
                f"the plan is for the bucket {missing[0]!r}, which this configuration does not "
                "have; nothing was changed; plan again"
            )
        if self.config_digest(plan.buckets) != plan.config_digest:
            raise StaleError(
                "the configuration has changed since the plan; nothing was changed; plan again"
            )

    def _refuse_unsound(self, plan: Plan) -> None:
        """Whoever wrote it: a plan goes nowhere that this configuration does not lead."""
        bounds.demand_sound(plan)
        for name, head in plan.buckets.items():
            bucket = self.config.bucket(name)
            if (head.provider, head.bucket) != (bucket.provider, bucket.bucket_name):
                raise DocumentError(
                    f"the plan is not sound: it names {head.bucket!r} at {head.provider} for "
                    f"`{name}`, which is {bucket.bucket_name!r} at {bucket.provider}; nothing was "
                    "changed; plan again"
                )
        for name in sorted({action.bucket for action in plan.actions}):
            bucket = self.config.bucket(name)
            refuse = connect.refuse_also(bucket.rules, self.config.path, self.root)
            kept = planner.kept_by(self.remote(name).capabilities, trash=bucket.keeps_trash)
            bounds.demand_within(plan, name, bucket.layout, refuse, kept)

    @contextmanager
    def _only_run(self) -> Iterator[None]:
        """Hold the lock of this machine; it goes with the process, however that ends."""
        lock = FileLock(self._folder() / "lock", timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise LockedError(
                "another buckia is applying in this folder; wait for it, or end it first"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def _hold(self, plan: Plan, timeout: float, looking: bool) -> AbstractContextManager[Leases]:
        """The leases of the buckets that are written to; none where the plan is only checked."""
        stores: dict[str, Store] = {}
        wanted = leases.wanted(plan)
        if state := self.config.settings.state_bucket:
            found = {name for record in self._unfinished() for name in record.header.buckets}
            wanted |= dict.fromkeys(found & self.config.buckets.keys(), True)
            if not looking and not leases.swaps(self.remote(state)):
                wanted[state] = True
        if not looking:
            stores = {name: self.remote(name) for name in wanted}
        return leases.hold(
            self._folder() / "leases",
            stores,
            plan.digest,
            optional={name for name, needed in wanted.items() if not needed},
            timeout=timeout,
            stop=self.stop,
        )

    def _recover(self, plan: Plan | None) -> Held:
        """Bring the lockfile up to what unfinished runs did and to what a plan found in order, and
        clear what they left lying."""
        LocalStore(self.root, work=WORK).tidy()
        found = self._unfinished()

        def change(lock: Lockfile) -> Lockfile:
            lock = journal.absorb(lock, found)
            return recorder.settle(lock, plan) if plan else lock

        held = recorder.update(self._state, change, self._state_key)
        journal.finish(found)
        return held

    def _is_applied(self, plan: Plan, name: str, lock: Lockfile) -> bool:
        """Whether this plan is done for a bucket; `StaleError` if it no longer fits its state."""
        state, base = lock.state(name), plan.buckets[name].base
        if state.ref == base:
            return False
        if state.plan == plan.digest:
            return not state.partial
        if state.lineage != base.lineage:
            why = "its lockfile belongs to another history (lineage)"
        elif state.serial != base.serial:
            why = f"the lockfile is at serial {state.serial}, the plan was made from {base.serial}"
        else:
            why = "the lockfile's entries are not those the plan was made from"
        raise StaleError(f"the plan is stale for `{name}`: {why}; nothing was changed; plan again")

    def _inspect(self, plan: Plan, name: str, lock: Lockfile, leases: Leases) -> list[Task]:
        bucket = self.config.bucket(name)
        base = lock.state(name).base()
        actions = [action for action in plan.actions if action.bucket == name]
        named = {a.key: a.source.path for a in actions if a.source and a.source.path}
        local, remote = self.local(name, base, plan.digest, named), self.remote(name)
        many = len(actions) > max(_FEW, len(base) // _PER_LOOK)
        seen = self._take(bucket, local, remote, base) if many else None
        if not many and not all(action.key.isascii() for action in actions):
            local.listing(progress=self._progress)  # only a walk tells which form a disk has
        sides = Stores(local, remote, plan.digest, leases.halt)
        return engine.inspect(actions, sides, bucket.max_workers, self._progress, seen)

    def _run(
        self,
        plan: Plan,
        tasks: list[Task],
        held: Held,
        leases: Leases,
        executor: Executor | None,
    ) -> Applied:
        names = sorted({task.action.bucket for task in tasks})
        for store in map(self.remote, names):
            if isinstance(store, LocalStore):  # a folder keeps what a killed run left half-written
                store.tidy()
        workers = max(self.config.bucket(name).max_workers for name in names)
        with recorder.recording(
            self._state, held, plan.digest, names, self._folder(), self._state_key, self.hygiene
        ) as record:
            run = engine.Run(
                tasks,
                record=record.add,
                progress=self._progress,
                stop=leases.halt,
                workers=workers,
                executor=executor,
            )
            outcomes = run.execute()
            lock = record.save(run.finished)
        for name in run.finished:
            layout, lineage = self.config.bucket(name).layout, str(lock.state(name).lineage)
            identity.mark_folders(self.work, self.root, layout, lineage)
            if any(action.undo for action in plan.actions if action.bucket == name):
                identity.mark_bucket(self.remote(name), lineage)
            expire(self._trash([name]), self.config.bucket(name).retention)
        if not run.finished.issuperset(names):
            leases.refuse_lost()
        if self.stop.is_set():
            raise Interrupted("stopped; what was done is saved; run the same plan again to resume")
        return Applied(plan.digest, tuple(outcomes), serials=_serials(plan, lock))

    # -- both in one --------------------------------------------------------------------------

    def status(self, names: Sequence[str] = ()) -> list[BucketStatus]:
        """Where each bucket stands, without changing anything."""
        lock, pending = lockfile.load(self._state, self._state_key).lock, self._unfinished()
        return [
            BucketStatus(
                name=name,
                provider=self.config.bucket(name).provider,
                url=self.remote(name).url,
                serial=lock.state(name).serial,
                files=len(lock.state(name).entries),
                unfinished=lock.state(name).partial
                or any(name in record.header.buckets for record in pending),
                plan=self.plan([name], told=False),
            )
            for name in self.names(names)
        ]

    @contextmanager
    def trash(self, names: Sequence[str] = (), *, alone: bool = False) -> Iterator[Trash]:
        """The trash of these buckets, or all there is; `alone` to change something in it.

        Raises `LockedError` if another run is at work then.
        """
        wanted = self.names(names)
        with self._only_run() if alone else nullcontext():
            yield self._trash(wanted, whole=not names)

    def _trash(self, names: Iterable[str], *, whole: bool = False) -> Trash:
        places = {name: Place(self.config.bucket(name).layout, self.remote(name)) for name in names}
        return Trash(self.root, self.work, places, self.stop, whole=whole)

    def verify(self, names: Sequence[str] = (), deep: str | None = None) -> list[Verified]:
        """Hold both sides of each bucket against the lockfile, without changing anything.

        `deep` says which objects are also read whole: `all`, a number, or a share such as "5%".
        """
        lock = self.load_state().lock
        return [self._verify(name, lock.state(name), deep) for name in self.names(names)]

    def _verify(self, name: str, state: BucketState, deep: str | None) -> Verified:
        bucket, remote, base = self.config.bucket(name), self.remote(name), state.base()
        local = self.local(name, base)
        sides = self._take(bucket, local, remote, base)
        refuse = connect.refuse_also(bucket.rules, self.config.path, self.root)
        direction_of = selection.scope(bucket.layout, refuse, ()).direction_of
        base = {key: entry for key, entry in base.items() if direction_of(key, entry.path)}
        pairs = verify.pairs(base, sides, deep, state.digest)
        wrong = verify.read_whole(name, pairs, local, remote, bucket.max_workers, self._progress)
        return verify.summary(bucket, state, base, sides, wrong, len(pairs))


def refuse_unfit(plan: Plan) -> None:
    """Raise `BlockedError` or `ConflictError` for a plan that apply may not take."""
    limits = [why for why in plan.blocked if not why.startswith("conflicts")]
    if limits:
        more = f"; and {len(limits) - _SHOWN} more" if len(limits) > _SHOWN else ""
        advice = dict.fromkeys(safeguards.advice(why, plan.actions) for why in limits)
        raise BlockedError(
            f"the plan is blocked by {'; '.join(limits[:_SHOWN])}{more}; nothing was changed; "
            f"{'; '.join(words for words in advice if words)}"
        )
    if not plan.applyable:
        count = len(plan.conflicts)
        raise ConflictError(
            f"the plan has {count} unresolved conflict{'' if count == 1 else 's'}; nothing was "
            "changed; settle them on one side, or plan with `--skip-conflicts`"
        )


def _is_repeated(task: Task, lock: Lockfile) -> bool:
    """Whether the plan applied last did this already and left the same entries as before."""
    state = lock.state(task.action.bucket)
    applied = state.plan == task.stores.plan and not state.partial
    return applied and task.state is State.SATISFIED


def _serials(plan: Plan, lock: Lockfile) -> dict[str, int]:
    return {name: lock.state(name).serial for name in plan.buckets}
