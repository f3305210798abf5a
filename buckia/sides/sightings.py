"""What is at the keys of a plan's actions, looked at together where there are many.

Preflight asks about the keys that are acted on and no others: an apply of a thousand changes looks
at a thousand files, whatever else is in the folder, and at the pages of a listing that these keys
are on. What none of that tells is looked at alone, so nothing counts as absent that was not asked
for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

from buckia import pool
from buckia.model import Action, Entry, Op, is_staged
from buckia.stores.base import Store
from buckia.stores.seeking import Seeking

FEW: Final = 32
"""Actions that are looked at one by one; more are looked up in what was seen of all."""

PER_LOOK: Final = 500
"""Keys are looked at alone while that is fewer requests than listing a bucket of so many keys for
each of them."""

Look = Callable[[str], Entry | None]
"""What is at a key; None where nothing is."""

Told = Mapping[str, Entry | None]
"""The same of some keys."""


class Seen(Struct, frozen=True):
    """What both sides told of many keys at once."""

    local: Look
    remote: Look


def keys_of(actions: Iterable[Action]) -> tuple[list[str], list[str]]:
    """The keys at which these actions find or leave something, of the local side and of the bucket.
    Sorted."""
    here: set[str] = set()
    there: set[str] = set()
    for action in actions:
        if action.op in _ELSEWHERE or (action.op is Op.FORGET and action.reason == "scope_left"):
            continue
        here.add(action.key)
        there.add(action.key)
        if action.source and action.source.key is not None and not is_staged(action):
            there.add(action.source.key)
            here |= {action.source.key} if action.op is Op.MOVE else set()
    return sorted(here), sorted(there)


_ELSEWHERE: Final = (Op.PURGE, Op.PUBLISH, Op.CONFIGURE)
"""The ops that are not about a file and its object, or about what no listing shows."""


def see(
    actions: Iterable[Action],
    local: Store,
    remote: Store,
    prefixes: Iterable[str],
    known: Iterable[str],
    workers: int,
    walked: Callable[[], Told],
    listed: Callable[[], Told],
) -> Seen:
    """Look at both sides of all these actions, at both at the same time.

    `prefixes` are where the keys of the bucket lie, `known` those that may be there. `walked` and
    `listed` tell all that a side holds, for one that cannot look at many keys in another way, and
    for file systems that may have another form of a name: only a walk tells which.
    """
    here, there = keys_of(actions)

    def look() -> Told:
        return _objects(remote, there, prefixes, known, workers, listed)

    with pool.threads(1, "list") as lister:
        theirs = lister.submit(look)
        mine = _files(local, here, walked)
        return Seen(_of(mine, local.head), _of(theirs.result(), remote.head))


def _of(told: Told, alone: Look) -> Look:
    return lambda key: told[key] if key in told else alone(key)


def _files(store: Store, keys: list[str], walked: Callable[[], Told]) -> Told:
    if isinstance(store, Seeking) and all(map(str.isascii, keys)):
        return store.seek("", keys, ())
    return _whole(keys, walked)


def _objects(
    store: Store,
    keys: list[str],
    prefixes: Iterable[str],
    known: Iterable[str],
    workers: int,
    listed: Callable[[], Told],
) -> Told:
    found: dict[str, Entry | None] = {}
    ordered = sorted(known)
    if isinstance(store, Seeking):
        for prefix in prefixes:
            mine = [key for key in keys if key.startswith(prefix)]
            found |= store.seek(prefix, mine, ordered) if mine else {}
    rest = [key for key in keys if key not in found]
    if len(rest) > max(FEW, len(ordered) // PER_LOOK):
        return found | _whole(rest, listed)

    def look(key: str) -> tuple[str, Entry | None]:
        return key, store.head(key)

    for batch in pool.each(look, rest, workers=workers, name="preflight"):
        found |= dict(batch)
    return found


def _whole(keys: Iterable[str], all_of: Callable[[], Told]) -> dict[str, Entry | None]:
    held = all_of()
    return {key: held.get(key) for key in keys}
