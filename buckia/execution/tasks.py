"""What a worker is handed for one action: the action, how the world stood to it, and the stores."""

from __future__ import annotations

import hashlib
import threading
from typing import BinaryIO, Final

from msgspec import Struct, field

from buckia.decisions.drafts import Draft
from buckia.decisions.preflight import State, View
from buckia.layout import MAX_KEY_BYTES
from buckia.model import Action, Content, Entry, Outcome, promotes
from buckia.rules import RESERVED_PREFIX
from buckia.stores.base import Store
from buckia.stores.local import LocalStore
from buckia.streams.flight import Flight, watched
from buckia.streams.passing import Passing

TRASH: Final = f"{RESERVED_PREFIX}trash/"


class Stores(Struct, frozen=True):
    """The two stores a bucket's actions run between, and the plan's own name for its trash.

    In a promotion `source` is the bucket that content comes from; it takes the place of the local
    side, which then only has room for temporary files. `through` is whether the bytes pass through
    this machine. `flight` is told how far each file is, `passing` what large ones held, where a
    manifest is to tell of it.
    """

    local: LocalStore
    remote: Store
    plan: str
    stop: threading.Event
    source: Store | None = None
    through: bool = False
    flight: Flight = field(default_factory=Flight)
    passing: Passing | None = None

    def watch(self, body: BinaryIO, action: Action) -> BinaryIO:
        """A body that ends with the run and tells how far it is, and what it held where wanted."""
        flying = watched(body, self.stop, self.flight, action.id)
        size = action.content.size if action.content else 0
        return self.passing.metered(flying, size) if self.passing else flying

    @property
    def near(self) -> Store:
        """The side that content comes from: the files, or the bucket that is promoted."""
        return self.source or self.local

    def trash_key(self, key: str) -> str:
        """Where an overwritten or deleted object is kept in a bucket without versions.

        A key so long that none can stand before it is kept under its digest.
        """
        place = f"{TRASH}{self.plan.removeprefix('sha256:')[:12]}/"
        if len((place + key).encode()) > MAX_KEY_BYTES:
            return f"{place}{hashlib.sha256(key.encode()).hexdigest()}"
        return place + key


class Task(Struct, frozen=True):
    """An action together with how the world stood to it before the first change.

    `draft` is what a manifest will name, known once all else is written. `copied` is the copy that
    `prepare` made: inside the bucket, or in its trash.
    """

    action: Action
    state: State
    view: View
    stores: Stores
    draft: Draft | None = None
    copied: Entry | None = None


def outcome_of(
    action: Action, *, entry: Entry | None = None, left: str | None = None, error: str | None = None
) -> Outcome:
    """What came of an action; of a promotion with where its content came from."""
    done, source = error is None, action.source if promotes(action) else None
    return Outcome(
        action.id, action.op, action.bucket, action.key, done, entry, left, error, source
    )


def entry_of(key: str, content: Content) -> Entry:
    """What a plan names, as a store has it."""
    return Entry(
        key,
        content.size,
        sha256=content.sha256,
        md5=content.md5,
        sha1=content.sha1,
        logical=content.logical,
        version=content.version,
        type=content.type,
        headers=content.headers,
    )
