"""The leases of one apply: all of its buckets, or none."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Mapping as Table
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from buckia import lease
from buckia.decisions import phases
from buckia.errors import AccessError, IncompleteError, LocalError, LockedError, NotFoundError
from buckia.layout import Layout, Mapping
from buckia.lease import Held
from buckia.lease import claims as lease_claims
from buckia.lease import note as lease_note
from buckia.model import left_by
from buckia.pairs import written_by
from buckia.planfile import Plan
from buckia.rules import RESERVED_PREFIX
from buckia.stores import files
from buckia.stores.base import Store
from buckia.stores.local import LocalStore

_FORGET: Final = 2 * 24 * 3600
"""Seconds after which the trace of a killed run says nothing new: no lease lasts that long."""

log = logging.getLogger(__name__)


class Leases:
    """What a run holds. `halt` is set when it has to stop: it was told to, or a lease is lost."""

    def __init__(self, held: Collection[Held], stop: threading.Event) -> None:
        self._held = held
        self.halt: threading.Event = _Any([stop, *(item.lost for item in held)])

    @property
    def aliases(self) -> tuple[str, ...]:
        """The buckets in which this run found its own lease: each is one of the others."""
        return tuple(item.name for item in self._held if item.shared)

    def refuse_lost(self) -> None:
        """Raise `IncompleteError` when a lease is lost, naming it and who has it now."""
        lost = [item for item in self._held if item.lost.is_set()]
        if lost:
            raise IncompleteError(
                f"the lease of `{lost[0].name}` is lost: {lost[0].why}; nothing more was written, "
                "what was done is kept in the journal; run the same plan again to resume"
            )


class _Any(threading.Event):
    """Set as soon as one of several events is."""

    def __init__(self, events: Iterable[threading.Event]) -> None:
        super().__init__()
        self._events = tuple(events)

    def is_set(self) -> bool:
        return any(event.is_set() for event in self._events)


def wanted(plan: Plan) -> dict[str, bool]:
    """The buckets a plan has actions for, and whether something is written to them."""
    busy = {written_by(action.bucket) for action in plan.actions}
    written = {written_by(action.bucket) for action in plan.actions if action.op in phases.REMOTE}
    written |= {left for action in plan.actions if (left := left_by(action))}
    return {name: name in written for name in sorted(busy | written)}


def swaps(store: Store) -> bool:
    """Whether a store, proved if need be, itself refuses every write over what was not seen."""
    told = lease_claims.proved(store)
    return told.create_if_absent and told.replace_if_match


@contextmanager
def hold(
    folder: Path,
    stores: Table[str, Store],
    plan: str,
    *,
    optional: Collection[str] = (),
    timeout: float = 0.0,
    stop: threading.Event,
) -> Iterator[Leases]:
    """Hold the leases of these buckets, taken in the order of their names.

    `folder` keeps, under the project's own lock, the traces of runs: what a killed one left is
    known to be nobody's. `timeout` is how many seconds to wait for all of them. `optional` names
    the buckets to which nothing is written: where even a lease may not be, the run goes on without
    one. Raises `LockedError` naming the holder.
    """
    deadline = time.monotonic() + timeout
    trace, dead = _trace(folder)
    held: list[Held] = []
    unsure = True  # whether a lease of ours may be in a bucket that nobody gives back
    try:
        with ExitStack() as stack:
            for name in sorted(stores):
                store = _reserved(stores[name])
                for gone in dead:
                    lease_claims.withdraw(store, gone)
                taking = lease.hold(
                    store,
                    name=name,
                    plan=plan,
                    run_id=trace.name,
                    dead=dead,
                    timeout=deadline - time.monotonic(),
                    stop=stop,
                )
                held += _enter(stack, taking, "" if name not in optional else name)
            unsure = False
            yield Leases(held, stop)
    except LockedError:
        unsure = False
        raise
    finally:
        if not unsure and all(item.released for item in held):
            with suppress(OSError):
                trace.unlink()


def _enter(
    stack: ExitStack, taking: AbstractContextManager[Held], optional: str
) -> tuple[Held, ...]:
    """The lease, once it is taken; none where it may not be and `optional` names its bucket."""
    try:
        held = stack.enter_context(taking)
    except (AccessError, LocalError) as problem:
        if not optional:
            raise
        log.info("no lease of `%s`, and none is needed: %s", optional, problem)
        return ()
    return (held,)


def _trace(folder: Path) -> tuple[Path, frozenset[str]]:
    """A file named after this run, and the names of runs of this folder that were killed.

    Only one run at a time is in this folder, so each that is found is dead.
    """
    with files.explained(f"{folder.parent.name}/{folder.name}"):
        folder.mkdir(mode=0o700, exist_ok=True)
        for path in folder.iterdir():
            if time.time() - path.stat().st_mtime > _FORGET:
                path.unlink()
        dead = frozenset(path.name for path in folder.iterdir())
        trace = folder / secrets.token_hex(8)
        trace.touch(mode=0o600)
    return trace, dead


def _reserved(store: Store) -> Store:
    """The part of a bucket that leases need. A folder is not walked for it, and not made either:
    `NotFoundError` where it is missing."""
    if not isinstance(store, LocalStore):
        return store
    if not store.root.is_dir():
        raise NotFoundError(f"there is no folder {store.root.name!r} to be the bucket; create it")
    files.refuse_links(*(store.root / name for name in _OWN))
    for path in (store.root / LOCAL_SCRATCH / "tmp").glob("*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED:
                path.unlink()
    return LocalStore(store.root, layout=_PLACES, work=LOCAL_SCRATCH)


_PLACES: Final = Layout(
    (
        Mapping(lease_claims.PREFIX, lease_claims.PREFIX),
        Mapping(lease_note.KEY, lease_note.KEY, single=True),
    )
)
LOCAL_SCRATCH: Final = f"{RESERVED_PREFIX}leases"
"""Where leases of a directory as bucket are written before they are in place."""

_OWN: Final = (RESERVED_PREFIX.rstrip("/"), lease_claims.PREFIX.rstrip("/"), LOCAL_SCRATCH)
_ABANDONED: Final = 3600
"""Seconds after which a temporary file is what a killed run left."""
