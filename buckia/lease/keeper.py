"""A lease that is held: renewed in the background, given back at the end, or lost."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import wait
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from buckia import pool
from buckia.errors import BuckiaError, NotFoundError, PreconditionError
from buckia.lease import note as lease_note
from buckia.lease.note import Found
from buckia.stores.base import Store

RENEWALS: Final = 3
"""Renewals in the lifetime of a lease."""

_TRIES: Final = 30
"""The same, while renewing fails."""

log = logging.getLogger(__name__)


class Pace(Struct, frozen=True):
    """Time as a lease sees it: seconds that only grow, and waiting for an event at most so many
    of them (whether the event was set)."""

    now: Callable[[], float] = time.monotonic
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait


class Held:
    """The lease of one bucket.

    `advisory`: the service cannot refuse a second holder, so this one was agreed upon.
    `lost` is set when the lease is somebody else's, or is not known to be ours any more: after
    that nothing may be written. `why` says what happened, for a person. `released`: the bucket is
    known to hold nothing of this lease. `shared`: the same run holds it under another name already.
    """

    def __init__(
        self, store: Store, name: str, found: Found, *, advisory: bool, pace: Pace, began: float
    ) -> None:
        self.name = name
        self.advisory = advisory
        self.lost = threading.Event()
        self.why = ""
        self.released = True
        self.shared = False
        self.holder = found.holder
        self._store = store
        self._pace = pace
        self._over = threading.Event()
        self._renewed = began
        self._busy = threading.Lock()

    def renew(self) -> None:
        """Say that the run is alive. Sets `lost` when the lease is not ours any more.

        Raises the errors of the store; then whether it is ours is not known.
        """
        with self._busy:
            if self._over.is_set():
                return
            began = self._pace.now()
            found = lease_note.look(self._store)
            if found is None or found.holder.id != self.holder.id:
                self._lose(found)
                return
            fresh = replace(self.holder, renewed=lease_note.utc())
            try:
                lease_note.write(self._store, fresh, replacing=found.entry)
            except (NotFoundError, PreconditionError):
                self._lose(lease_note.look(self._store))
                return
            self.holder, self._renewed = fresh, began

    def release(self) -> None:
        """Remove the lease, if it still is this one; anything else stays and is reported."""
        try:
            with self._busy:
                self._release()
        except BuckiaError as problem:
            log.warning(
                "the lease of `%s` could not be removed and ends by itself in %d s: %s",
                self.name,
                self.holder.ttl_s,
                problem,
            )

    def _release(self) -> None:
        found = lease_note.look(self._store)
        if found is None:
            log.warning("the lease of `%s` was gone at the end: somebody removed it", self.name)
        elif found.holder.id != self.holder.id:
            log.warning("the lease of `%s` is now held by %s", self.name, found.holder)
        else:
            self._store.delete(found.entry)
        self.released = True

    def keep(self) -> None:
        """Renew in the background from now on.

        Two threads, so that a request that hangs cannot keep the lease from being seen as lost.
        """
        self.released = False
        self._threads = pool.threads(2, f"lease-{self.name}")
        self._running = [
            self._threads.submit(self._renew_on_time),
            self._threads.submit(self._watch),
        ]

    def end(self, patience: float | None = None) -> None:
        """Stop renewing and give the lease back; what hangs longer than `patience` seconds is
        abandoned, and then the lease ends by itself."""
        self._over.set()
        self._running.append(self._threads.submit(self.release))
        ended, hanging = wait(self._running, patience)
        self._threads.shutdown(wait=not hanging)
        for future in ended:
            future.result()  # raises what would be a bug

    def _renew_on_time(self) -> None:
        parts = RENEWALS
        while not self._pace.wait(self._over, self.holder.ttl_s / parts) and not self.lost.is_set():
            try:
                self.renew()
                parts = RENEWALS
            except BuckiaError as problem:
                log.warning("the lease of `%s` could not be renewed: %s", self.name, problem)
                parts = _TRIES

    def _watch(self) -> None:
        """Set `lost` when half a lifetime has passed without renewal."""
        while (left := self._renewed + self.holder.ttl_s / 2 - self._pace.now()) > 0:
            if self._pace.wait(self._over, left):
                return
        self.why = self.why or "it could not be renewed in time"
        self.lost.set()

    def _lose(self, other: Found | None) -> None:
        self.why = f"it is now held by {other.holder}" if other else "somebody removed it"
        self.lost.set()
