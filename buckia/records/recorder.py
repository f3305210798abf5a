"""What a run did, made to last: the journal at once, the lockfile now and then and at the end."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from buckia import journal, lockfile
from buckia.decisions import folding
from buckia.errors import (
    BuckiaError,
    IncompleteError,
    LocalError,
    StaleError,
    UnavailableError,
)
from buckia.hygiene import CARELESS, Hygiene
from buckia.journal import Journal, Origin
from buckia.lockfile import BucketState, Held, Lockfile
from buckia.model import Outcome, replace
from buckia.pairs import Pair, pair_of
from buckia.planfile import BaseRef, Plan, PlanScope
from buckia.stores.base import Store
from buckia.stores.usage import NOTHING, Usage

CHECKPOINT: Final = 5.0
"""Seconds between two writes of the lockfile during a run, at the least."""

SHARE: Final = 20
"""How much longer than a write took it is until the next: a large lockfile, or one in a bucket far
away, holds a run up by no more than that. The journal has everything meanwhile."""

_WRITES: Final = 32
"""How often a lockfile that others write is written before that is an error."""

log = logging.getLogger(__name__)


class Recorder:
    """The memory of one run. Only the main thread uses it."""

    def __init__(
        self,
        store: Store,
        held: Held,
        log: Journal,
        plan: str,
        origins: dict[str, Origin],
        key: str,
        hygiene: Hygiene,
    ):
        self._store = store
        self._key = key
        self._hygiene = hygiene
        self._held = held
        self._first = held.lock
        self._journal = log
        self._plan = plan
        self._origins = origins
        self._outcomes: list[Outcome] = []
        self._saved = time.monotonic()
        self._pause = CHECKPOINT

    @property
    def path(self) -> Path:
        """The journal of the run."""
        return self._journal.path

    def add(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Remember a batch: it is on the disk when this returns, as it is given back."""
        outcomes = self._hygiene.scrubbed(outcomes)
        try:
            self._journal.record(outcomes)
        except LocalError as problem:
            raise IncompleteError(str(problem)) from None
        self._outcomes += outcomes
        for item in outcomes:
            log.info("%s %s/%s: %s", item.op, item.bucket, item.key, item.error or "done")
        if time.monotonic() - self._saved > self._pause:
            self._checkpoint()
        return outcomes

    @property
    def lock(self) -> Lockfile:
        """The lockfile as it would be if the run ended here."""
        return self._lock(())

    def _checkpoint(self) -> None:
        began = time.monotonic()
        try:
            self._write(finished=())
        except IncompleteError:
            raise
        except BuckiaError as problem:  # the journal holds everything; the end will try again
            log.warning("the lockfile could not be saved meanwhile: %s", problem)
        self._saved = time.monotonic()
        self._pause = max(CHECKPOINT, SHARE * (self._saved - began))

    def _write(self, finished: Collection[str]) -> None:
        """Write the lockfile over what other runs wrote of their own buckets meanwhile.

        Raises `IncompleteError`, and overwrites nothing, when one of ours is not as this run left
        it: by now something was changed, so that it is not the plan that is stale.
        """
        for _ in range(_WRITES):
            wanted = self._lock(finished)
            try:
                self._held = lockfile.save(
                    self._store, self._held, wanted, self._key, self._hygiene
                )
            except StaleError:
                self._held = self._reread(wanted)
            else:
                return
        raise UnavailableError(f"{self._key} was changed by other runs each time; apply again")

    def _reread(self, wanted: Lockfile) -> Held:
        """The lockfile as it is now, if what it says of our buckets is ours."""
        found = lockfile.load(self._store, self._key)
        for name in self._origins:
            now = found.lock.state(name)
            if now not in (self._held.lock.state(name), wanted.state(name)):
                raise IncompleteError(
                    f"another run changed the lockfile's entries of `{name}` meanwhile; nothing of "
                    "it was overwritten, the journal keeps what this run did; plan again"
                )
        return found

    def _lock(self, finished: Collection[str]) -> Lockfile:
        lock = self._held.lock
        for name, origin in self._origins.items():
            before = self._first.state(name)
            mine = list(folding.share(self._outcomes, name))
            after = folding.fold(before, mine, origin.purges)
            state = folding.advance(
                before,
                after,
                self._plan,
                origin.lineage,
                partial=name not in finished,
                source=origin.source,
                configured=folding.configures(mine),
            )
            lock = lock.with_state(name, state)
        return lock

    def save(
        self, finished: Collection[str], used: Callable[[], Usage] = lambda: NOTHING
    ) -> Lockfile:
        """Write the lockfile for good; `finished` names the buckets where nothing is left to do,
        `used` tells what the run has asked of all buckets by then.

        Raises `IncompleteError` when it cannot be written: then the journal is picked up next time.
        """
        try:
            self._write(finished)
        except IncompleteError:
            raise
        except BuckiaError as problem:
            raise IncompleteError(
                f"what was done is done, but the lockfile could not be written: {problem}; the "
                "journal holds it; plan again, which picks it up"
            ) from None
        try:
            serials = {name: self._held.lock.state(name).serial for name in self._origins}
            self._journal.finish(used(), serials)
        except LocalError as problem:  # the lockfile holds it all; the next run says so
            log.info("%s", problem)
        return self._held.lock


def settle(lock: Lockfile, plan: Plan) -> Lockfile:
    """The lockfile with buckets finished that a run left unfinished and this plan finds in order.

    In order is what the plan looked at whole, from this very state, and has no action for.
    """
    busy = {action.bucket for action in plan.actions}
    for name, head in plan.buckets.items():
        state = lock.state(name)
        idle = state.ref == head.base and name not in busy and plan.complete
        if not (state.partial and idle and _covers(plan, name, state)):
            continue
        for other in cut_with(lock, pair) if (pair := pair_of(name)) else ():
            known = replace(lock.state(other), plan=plan.digest, partial=False)
            lock = lock.with_state(other, known)
        lock = lock.with_state(name, replace(state, plan=plan.digest, partial=False))
    return lock


def cut_with(lock: Lockfile, pair: Pair) -> tuple[str, ...]:
    """The source of a pair, where a move between the two was cut that took something away there."""
    source, both = lock.state(pair.source), lock.state(pair.name)
    cut = source.partial and both.partial and source.plan == both.plan
    return (pair.source,) if cut else ()


def _covers(plan: Plan, name: str, state: BucketState) -> bool:
    """Whether a plan looked at everything that is remembered under a name."""
    if pair_of(name) is None:
        return plan.scope == PlanScope()
    return all(key.partition("/")[0] in plan.scope.paths for key in state.entries)


def update(store: Store, change: Callable[[Lockfile], Lockfile], key: str = lockfile.KEY) -> Held:
    """The lockfile as it is, changed and written; again, when others write it meanwhile."""
    for _ in range(_WRITES):
        held = lockfile.load(store, key)
        wanted = change(held.lock)
        if wanted == held.lock:
            return held
        try:
            return lockfile.save(store, held, wanted, key)
        except StaleError:
            continue
    raise UnavailableError(f"{key} was changed by other runs each time; try again")


@contextmanager
def recording(
    store: Store,
    held: Held,
    plan: str,
    begun: Mapping[str, Sequence[str]],
    folder: Path,
    key: str = lockfile.KEY,
    hygiene: Hygiene = CARELESS,
    sources: Mapping[str, BaseRef] | None = None,
) -> Iterator[Recorder]:
    """A recorder with a journal of its own, begun from the states in `held`.

    `begun` are the buckets, each with the purges that follow what is changed there. The lockfile is
    at `key` of `store`. `hygiene` keeps out of both what they may not hold. `sources` are the
    states that are promoted, by the name of the pair.
    """
    states = {name: held.lock.state(name) for name in begun}
    origins = {
        name: Origin(
            state.ref,
            state.lineage or str(uuid.uuid4()),
            (sources or {}).get(name),
            tuple(begun[name]),
        )
        for name, state in states.items()
    }
    log = journal.start(folder / "journal", plan, origins)
    try:
        yield Recorder(store, held, log, plan, origins, key, hygiene)
    finally:
        log.close()
