"""What a plan changes inside pictures, texts and databases, read from both sides to be looked at.

Nothing is changed. What is read is bounded, one by one and together; what is left out is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from buckia import text
from buckia.connect import WORK
from buckia.model import Action, Conflict, Content, Op, Tick, Undo, promotes
from buckia.pairs import pair_of
from buckia.planfile import Plan
from buckia.report.previews import Preview, Previews
from buckia.sides.excerpts import Excerpts, Held, room_for, weight
from buckia.stores.base import Store
from buckia.stores.local import LocalStore
from buckia.workspace import Workspace

MOST_BYTES: Final = 10 * 1024**2
"""What the contents in a report come to together, unless somebody says otherwise."""

_TRAVELS: Final = (Op.UPLOAD, Op.DOWNLOAD, Op.DELETE_REMOTE, Op.DELETE_LOCAL)
_TO_BUCKET: Final = (Op.UPLOAD, Op.DELETE_REMOTE)


class _Sight(Struct, frozen=True):
    """Something to look at: an action, or a conflict, whose local side stands for before."""

    of: Action | Conflict
    before: Content | None
    after: Content | None

    @property
    def room(self) -> int:
        """The bytes it may take; 0 where there is nothing to show."""
        return room_for(self.of.key, self.before, self.after)

    @property
    def rank(self) -> tuple[bool, bool, bool, bool]:
        """What goes first: conflicts, dangers, databases, then what is replaced."""
        item, sides = self.of, (self.before, self.after)
        calm = isinstance(item, Action) and item.undo is not Undo.NONE
        database = any(side and side.logical for side in sides)
        return isinstance(item, Action), calm, not database, self.before is None


def previews(space: Workspace, plan: Plan, most: int = MOST_BYTES) -> Previews:
    """What can be shown of a plan's contents, conflicts and dangers before what is new.

    `most` bounds the bytes that the report holds of them. Objects are fetched from buckets for it.
    """
    wanted = sorted((one for one in _sights(plan) if one.room), key=lambda one: one.rank)
    excerpts, stores = (
        Excerpts(LocalStore(space.root, work=WORK), space.hygiene),
        _Stores(space, plan),
    )
    actions: dict[str, Preview] = {}
    claims: dict[tuple[str, str], Preview] = {}
    left, held = 0, 0
    for number, one in enumerate(wanted):
        item = one.of
        space.progress(Tick("preview", item.key, number, 0, len(wanted)))
        if held + one.room > most:
            left += 1
            continue
        before, after = stores.of(item)
        made = excerpts.of(Held(before, item.key, one.before), Held(after, item.key, one.after))
        held += weight(made)
        if isinstance(item, Conflict):
            claims[item.bucket, item.key] = made
        else:
            actions[item.id] = made
    told = f"{left:,} more are not shown: this report holds at most {text.size(most)} of contents."
    return Previews(actions, claims, notes=(told,) if left else ())


def _sights(plan: Plan) -> Iterator[_Sight]:
    for claim in plan.conflicts:
        yield _Sight(claim, claim.local, claim.remote)
    for action in plan.actions:
        if action.op in _TRAVELS or promotes(action):
            yield _Sight(action, action.expect, action.content)


class _Stores:
    """The two stores that each item of a plan is about, opened once a bucket."""

    def __init__(self, space: Workspace, plan: Plan) -> None:
        self._space = space
        self._plan = plan
        self._open: dict[str, tuple[Store, Store]] = {}

    def of(self, item: Action | Conflict) -> tuple[Store, Store]:
        """The store that has what was before, and the one that the new content comes from; of a
        conflict the local side, or the source, and the other."""
        if item.bucket not in self._open:
            self._open[item.bucket] = self._sides(item.bucket)
        near, far = self._open[item.bucket]
        if isinstance(item, Conflict):
            return near, far
        to_bucket = item.op in _TO_BUCKET or promotes(item)
        return (far, near) if to_bucket else (near, far)

    def _sides(self, name: str) -> tuple[Store, Store]:
        """The local side, or the source of a promotion, and the bucket that is written to."""
        if pair := pair_of(name):
            return self._space.remote(pair.source), self._space.remote(pair.target)
        paths = {
            item.key: item.source.path
            for item in self._plan.actions
            if item.bucket == name and item.source and item.source.path
        }
        return self._space.local(name, paths=paths), self._space.remote(name)
