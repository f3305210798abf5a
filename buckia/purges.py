"""What a content delivery network has to drop after an apply, so that nobody is served what was.

Pure. A purge names a key, or ends in `/` and stands for every key below that folder; `/` alone
stands for the whole bucket.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from buckia.layout import refuse_key
from buckia.model import Action, Notice, Op, action_id
from buckia.stores.base import Caches

ALL: Final = "/"
"""The purge of everything."""

LEFT_OVER: Final = "left_over"
"""The reason of a purge that no action of its plan wants: an earlier run was cut before it."""

_WRITES: Final = (Op.UPLOAD, Op.COPY, Op.MOVE)


def changed(action: Action) -> str | None:
    """The key whose public content is another after an action, or gone; None where there is none.

    That is in the bucket the action is of; what a move takes away in another, `taken` tells. A key
    that was never there before was never served: no network keeps what is missing.
    """
    if action.op is Op.DELETE_REMOTE:
        return action.key
    if action.op is Op.PUBLISH:
        return action.key if action.expect else None
    if action.op is Op.MOVE and action.source and action.source.bucket is None:
        return action.source.key
    if action.op in _WRITES and (action.expect or action.reason not in ("local_new", "renamed")):
        return action.key
    return None


def taken(action: Action, bucket: str) -> str | None:
    """The key that an action of a promotion takes away in the bucket it comes from."""
    source = action.source
    takes = action.op in (Op.MOVE, Op.PUBLISH)
    moves = takes and source is not None and source.bucket == bucket
    return source.key if moves and source else None


def touched(actions: Iterable[Action], bucket: str) -> dict[str, str]:
    """The keys whose public content changes in a bucket, by the id of the action."""
    found: dict[str, str] = {}
    for action in actions:
        key = changed(action) if action.bucket == bucket else taken(action, bucket)
        if key is not None:
            found[action.id] = key
    return found


def warnings(actions: Iterable[Action], bucket: str) -> Iterator[Notice]:
    """Word of what a CDN goes on serving, because nobody can tell it to stop."""
    for key in touched(actions, bucket).values():
        yield Notice("not_purged", bucket, key, _UNPURGED)


_UNPURGED: Final = "the pull zone goes on serving the old one: without `api_key` nothing is purged"


def plan(
    bucket: str, actions: Iterable[Action], caches: Caches, owed: Iterable[str] = ()
) -> list[Action]:
    """The purges that follow the actions on a bucket, and those an earlier run still owes."""
    keys = set(touched(actions, bucket).values())
    wanted = of(keys, caches, owed)
    ours = due(wanted, keys)
    return [_action(bucket, purge, "changed" if purge in ours else LEFT_OVER) for purge in wanted]


def of(keys: Iterable[str], caches: Caches, besides: Iterable[str] = ()) -> tuple[str, ...]:
    """The purges after which nobody is served an old one of these keys, and further ones."""
    exact, folders = _served(keys, caches)
    further = set(besides)
    exact |= {purge for purge in further if not purge.endswith("/")}
    folders |= {purge for purge in further if purge.endswith("/")}
    return fold(exact, folders, caches)


def _action(bucket: str, purge: str, reason: str) -> Action:
    return Action(
        id=action_id(Op.PURGE, bucket, purge),
        op=Op.PURGE,
        bucket=bucket,
        key=purge,
        reason=reason,
        source=None,
        content=None,
        expect=None,
        undo=None,
    )


def _served(keys: Iterable[str], caches: Caches) -> tuple[set[str], set[str]]:
    """The keys, and the folders whose own addresses show one of them."""
    exact, folders = set(keys), set()
    for key in tuple(exact):
        folder, slash, name = key.rpartition("/")
        if name == caches.index:
            folders.add(folder + "/")
            exact |= {folder} if slash else set()  # the address without the slash
    return exact, folders


def fold(exact: Collection[str], folders: Collection[str], caches: Caches) -> tuple[str, ...]:
    """Purges for all these keys and folders, sorted, no more of either kind than go at once.

    Keys that are too many are taken together by folder, the fullest folders first and those as deep
    as they can be. All that is left where even top-level folders are too many is everything.
    """
    deepest = max((folder.count("/") for folder in (*map(_folder, exact), *folders)), default=0)
    for depth in range(max(deepest, 1), 0, -1):
        chosen = _cover(exact, folders, caches, depth)
        if chosen is not None:
            return tuple(sorted(chosen, key=str.encode))
    return (ALL,)


def _cover(
    exact: Collection[str], folders: Collection[str], caches: Caches, depth: int
) -> set[str] | None:
    """The purges with no folder deeper than `depth`; None where they would be too many."""
    if ALL in folders:
        return {ALL}
    chosen = _widest({_cut(folder, depth) for folder in folders})
    rest = [key for key in exact if not _below(key, chosen)]
    full = Counter(folder for key in rest if (folder := _cut(_folder(key), depth)))
    for folder, _ in sorted(full.items(), key=lambda item: (-item[1], item[0].encode())):
        if len(rest) <= caches.exact or len(chosen) > caches.folders:
            break
        if not _below(folder, chosen):
            chosen = _widest(chosen | {folder})
            rest = [key for key in rest if not key.startswith(folder)]
    fits = len(rest) <= caches.exact and len(chosen) <= caches.folders
    return chosen | set(rest) if fits else None


def _widest(folders: set[str]) -> set[str]:
    """The folders that are in no other one."""
    return {folder for folder in folders if not _below(folder, folders - {folder})}


def _folder(key: str) -> str:
    """The folder a key is in, with its slash; empty at the top."""
    folder, slash, _ = key.rpartition("/")
    return folder + slash


def _cut(folder: str, depth: int) -> str:
    """The first segments of a folder."""
    parts = folder.split("/")
    return folder if len(parts) <= depth + 1 else "/".join(parts[:depth]) + "/"


def _below(key: str, folders: Iterable[str]) -> bool:
    return any(folder == ALL or key.startswith(folder) for folder in folders)


def due(purges: Iterable[str], keys: Iterable[str]) -> frozenset[str]:
    """Those of the purges that are for one of these keys."""
    wanted = frozenset(purges)
    folders = [purge for purge in wanted if purge.endswith("/")]
    found: set[str] = set()
    for key in keys:
        found |= wanted & {key, key.rpartition("/")[0]}  # or for the address of its folder
        found |= {folder for folder in folders if folder == ALL or key.startswith(folder)}
    return frozenset(found)


def refuse(purge: str) -> str | None:
    """Why a text is no purge, or None."""
    return None if purge == ALL else refuse_key(purge.removesuffix("/"))
