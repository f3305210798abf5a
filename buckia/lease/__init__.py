"""One run at a time in a bucket, whoever applies from wherever.

The lease is an object in the bucket. It is created if it is absent, renewed and taken over only as
the very version that was seen, and taken over only when it has expired by the clock of the service.
Where a service cannot refuse the second of two writers, the oldest claim wins, and the lease is
called advisory. `leases` takes those of all buckets of an apply; `folder_lock` is for the folder.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from typing import Final

from msgspec.structs import replace

from buckia.errors import (
    Interrupted,
    LockedError,
    NotFoundError,
    PreconditionError,
    UnavailableError,
)
from buckia.lease import claims as lease_claims
from buckia.lease import note as lease_note
from buckia.lease.keeper import Held as Held
from buckia.lease.keeper import Pace as Pace
from buckia.lease.note import Found as Found
from buckia.lease.note import Holder as Holder
from buckia.lease.note import look as look
from buckia.model import Entry
from buckia.stores.base import Store

GRACE: Final = 60
"""Seconds an expired lease is left alone: gateways of one service differ a little."""

_QUIET: Final = 0.4
"""Seconds of waiting that nobody is told of."""

_PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between two tries; the last one repeats."""

_HURRY: Final = 1.0
"""Seconds that giving a lease back may take after a stop."""

_ADVISORY: Final = "the lease of `%s` is advisory: %s cannot refuse a second one"
_STOPPED: Final = "stopped while waiting for a lease; nothing was changed"

log = logging.getLogger(__name__)


def _tell(message: str) -> None:
    log.warning("%s", message)


@contextmanager
def hold(
    store: Store,
    *,
    name: str,
    plan: str,
    run_id: str,
    dead: Collection[str] = (),
    timeout: float = 0.0,
    on_wait: Callable[[str], None] = _tell,
    stop: threading.Event | None = None,
    pace: Pace = Pace(),  # noqa: B008 - frozen
) -> Iterator[Held]:
    """Hold the lease of a bucket for as long as this lasts.

    name     of the bucket, for messages
    run_id   random; a lease that already has it is shared, not taken twice
    dead     ids of runs that are known to have ended without giving their lease back
    timeout  seconds to wait for another holder; `on_wait` is told once whom for
    stop     ends the waiting with `Interrupted`

    Raises `LockedError` naming the holder, and the errors of the store.
    """
    halt = stop or threading.Event()
    seeker = _Seeker(store, name, lease_note.here(run_id, plan), frozenset(dead), pace)
    held, shared = seeker.seek(timeout, on_wait, halt)
    if shared:
        held.shared = True
        yield held
        return
    held.keep()
    try:
        yield held
    finally:
        held.end(_HURRY if halt.is_set() else None)


def remove(store: Store, found: Found) -> None:
    """Remove exactly the lease that was found. Raises `LockedError` if it is another by now."""
    try:
        store.delete(found.entry)
    except PreconditionError:
        raise LockedError(
            "the lease was renewed or taken over meanwhile, so its holder is alive; nothing was "
            "removed; wait for it"
        ) from None


class _Seeker:
    """One run on its way to the lease of one bucket."""

    def __init__(
        self, store: Store, name: str, me: Holder, dead: frozenset[str], pace: Pace
    ) -> None:
        self._store = store
        self._name = name
        self._me = me
        self._dead = dead
        self._pace = pace
        self._creates, self._replaces = lease_claims.trusted(store, me.id)
        self._other = Holder()
        self._seen = ""
        self._until = 0.0

    def seek(
        self, timeout: float, on_wait: Callable[[str], None], stop: threading.Event
    ) -> tuple[Held, bool]:
        """The lease, and whether this run had it already."""
        deadline = self._pace.now() + timeout
        for pause in chain((_QUIET,), _PAUSES, repeat(_PAUSES[-1])):
            found = self._try(stop)
            if found is not None:
                return found
            if pause == _PAUSES[0] and timeout > _QUIET:
                on_wait(f"waiting for the lease of `{self._name}`: {self._other}")
            left = deadline - self._pace.now()
            if left <= 0:
                raise LockedError(self._refusal())
            if self._pace.wait(stop, min(pause, left)):
                raise Interrupted(_STOPPED)
        raise AssertionError  # the pauses never end

    def _refusal(self) -> str:
        return (
            f"`{self._name}` is locked by {self._other}; nothing was changed; wait for it with "
            f"`--lock-timeout`, or, if that run is dead, `buckia unlock {self._name}`"
        )

    def _try(self, stop: threading.Event) -> tuple[Held, bool] | None:
        """One attempt; None when somebody else holds the lease, who is in `_other` then."""
        if self._is_unchanged():
            return None
        with lease_claims.claim(self._store, self._me.id) as claim:
            began = self._pace.now()
            found = look(self._store)
            if found is not None and found.holder.id == self._me.id:
                return self._held(found, began), True
            if self._is_held(found, claim):
                return None
            if self._is_guarded(found, claim):
                return self._take(found, claim, began, stop)
            if not self._is_first(claim, stop):
                return None
            found = look(self._store)
            return None if self._is_held(found, claim) else self._take(found, claim, began, stop)

    def _is_first(self, claim: Entry, stop: threading.Event) -> bool:
        """Whether ours is the oldest of all claims that can matter."""
        self._settle(stop)
        present = lease_claims.present(self._store, claim)
        if not present:
            raise UnavailableError(f"{self._store.url}: what was written is not listed; try again")
        return present[0].key == claim.key

    def _is_unchanged(self) -> bool:
        """Whether the lease that was held at the last try is there still, and cannot have expired.

        Spares a claim. What this machine contributes is how long that was ago.
        """
        if not self._seen or self._pace.now() >= self._until:
            return False
        entry = self._store.head(lease_note.KEY)
        return entry is not None and entry.version == self._seen

    def _is_held(self, found: Found | None, claim: Entry) -> bool:
        """Whether a lease counts; it does not once it expired or its run is known to be dead."""
        if found is None or found.holder.id in self._dead:
            return False
        self._other = found.holder
        renewed, now = found.entry.modified, claim.modified
        if renewed is None or now is None:
            return True
        left = (renewed - now) / 1_000_000_000 + found.holder.ttl_s + GRACE
        self._seen, self._until = found.entry.version or "", self._pace.now() + left
        return left >= 0

    def _is_guarded(self, found: Found | None, claim: Entry) -> bool:
        """Whether the service will refuse all but one of those who try at this moment."""
        if found is None:
            return self._creates
        if found.holder.id in self._dead and self._creates:
            return True  # nobody else may take it before it expires
        return self._replaces and lease_claims.replaces_exactly(self._store, claim)

    def _settle(self, stop: threading.Event) -> None:
        if self._pace.wait(stop, lease_claims.SETTLE):
            raise Interrupted(_STOPPED)

    def _take(
        self, found: Found | None, claim: Entry, began: float, stop: threading.Event
    ) -> tuple[Held, bool] | None:
        generation = found.holder.generation + 1 if found else 1
        mine = replace(self._me, generation=generation)
        try:
            entry = lease_note.write(self._store, mine, replacing=found.entry if found else None)
        except (NotFoundError, PreconditionError):
            self._meet(look(self._store))
            return None
        held = self._held(Found(entry, mine), began)
        try:
            confirmed = self._is_confirmed(claim, stop)
        except BaseException:
            held.release()
            raise
        if confirmed and found is not None:
            log.warning("took over the lease of `%s` from %s", self._name, found.holder)
        return (held, False) if confirmed else None

    def _is_confirmed(self, claim: Entry, stop: threading.Event) -> bool:
        """Whether the lease that was just written stays, when others try at the same time.

        A service may keep its word to one writer and break it to two.
        """
        if len(lease_claims.present(self._store, claim)) == 1:
            return True
        self._settle(stop)
        found = look(self._store)
        if found is not None and found.holder.id == self._me.id:
            return True
        log.warning("%s let two runs take the lease at once; one goes on", self._store.url)
        self._meet(found)
        return False

    def _meet(self, found: Found | None) -> None:
        self._other = found.holder if found else Holder()

    def _held(self, found: Found, began: float) -> Held:
        advisory = not (self._creates and self._replaces)
        if advisory:
            level = logging.INFO if self._creates else logging.WARNING
            log.log(level, _ADVISORY, self._name, self._store.url)
        return Held(self._store, self._name, found, advisory=advisory, pace=self._pace, began=began)
