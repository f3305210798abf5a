"""When each action runs: the order in which plans are written and carried out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from buckia import settings
from buckia.manifest import is_manifest
from buckia.model import KEPT, Action, Op, in_place

PHASES: Final = {
    Op.CONFIGURE: 0,
    Op.UPLOAD: 1,
    Op.DOWNLOAD: 1,
    Op.COPY: 1,
    Op.MOVE: 1,
    Op.PUBLISH: 4,
    Op.DELETE_REMOTE: 5,
    Op.DELETE_LOCAL: 5,
    Op.ADOPT: 6,
    Op.FORGET: 6,
    Op.PURGE: 7,
}
"""When an action runs. Databases are one phase later than other writes. Manifests name what is
there by then and no longer what will be deleted. Settings come before everything else, in an order
of their own (`settings.rank`)."""

_HEADERS: Final = 3
"""When headers change: once all content is where it belongs."""

_KEEPING: Final = (Op.DOWNLOAD, Op.COPY, Op.UPLOAD)
"""Where both sides of a conflict are kept: the other is safe on both before its key is overwritten,
which makes one phase of each."""

DELETIONS: Final = (Op.DELETE_REMOTE, Op.DELETE_LOCAL)

REMOTE: Final = (
    Op.CONFIGURE,
    Op.UPLOAD,
    Op.COPY,
    Op.MOVE,
    Op.PUBLISH,
    Op.DELETE_REMOTE,
    Op.PURGE,
)
"""What changes something at the bucket."""


def phase(action: Action) -> int:
    """The place of an action in the order of execution."""
    if action.op is Op.CONFIGURE:
        then = action.setting.then if action.setting else None
        return PHASES[action.op] + settings.rank(action.key, then) - settings.LAST
    if action.op is Op.PURGE and is_manifest(action.key):
        return PHASES[action.op] + 1  # by then the caches have dropped what it no longer names
    if in_place(action):
        return _HEADERS
    if action.reason == KEPT and action.op in _KEEPING:
        return _KEEPING.index(action.op) + 1
    database = action.content is not None and action.content.logical is not None
    return PHASES[action.op] + (1 if database and PHASES[action.op] == 1 else 0)


def order(actions: Iterable[Action]) -> tuple[Action, ...]:
    """Actions as they are written and executed: by phase, bucket, bytes of the key."""
    return tuple(sorted(actions, key=lambda a: (phase(a), a.bucket, a.key.encode())))
