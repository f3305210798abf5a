"""Both sides read whole: whether the bytes are those that the sides tell of.

A listing repeats what a bucket was told once, and the hash cache what a disk held once. Both can
have decayed since. Changes nothing, not even the cache: what decayed would pass for an edit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from buckia import pool
from buckia.errors import IntegrityError, LocalError, NotFoundError, PreconditionError, UsageError
from buckia.model import Base, Entry, Progress, Skipped, Tick, replace, same_content
from buckia.reconcile import is_base
from buckia.sides.contents import fetched
from buckia.sides.verify import Deep, Finding, Kind, finding, key_bytes
from buckia.snapshot import Sides
from buckia.stores.base import Store
from buckia.stores.hashing import CHUNK
from buckia.stores.local import LocalStore


def look(
    bucket: str,
    base: Base,
    sides: Sides,
    asked: str | None,
    seed: str,
    local: LocalStore,
    remote: Store,
    workers: int,
    progress: Progress,
) -> Deep:
    """Read what was asked for on both sides, of what looks as recorded; None asks for nothing."""
    if asked is None:
        return Deep()
    here = mine(base, sides, asked, seed)
    wrong, unread = reread(bucket, base, here, local, workers, progress)
    there = pairs(base, sides, asked, seed)
    wrong += read_whole(bucket, there, local, remote, workers, progress)
    return Deep(tuple(wrong), len(there), len(here) - len(unread), tuple(unread))


# -- local files -----------------------------------------------------------------------------------


def mine(base: Base, sides: Sides, asked: str, seed: str) -> list[Entry]:
    """The local files to be read anew: a sample of those that look as recorded."""
    seen = sides.local.entries
    sound = [key for key, then in base.items() if key in seen and same_content(seen[key], then)]
    return [seen[key] for key in sample(sound, asked, seed)]


def reread(
    bucket: str,
    base: Base,
    files: Iterable[Entry],
    local: LocalStore,
    workers: int,
    progress: Progress,
) -> tuple[list[Finding], list[Skipped]]:
    """What local files hold that is not as recorded, and which cannot be read.

    One that has not been written since it was read before, and holds something else, is damaged.
    """
    found: list[Finding] = []
    unread: list[Skipped] = []
    todo = list(files)
    done = size = 0
    total = sum(entry.size for entry in todo)

    def read(seen: Entry) -> tuple[Entry, Finding | Skipped | None]:
        then = base[seen.key]
        try:
            now = local.read_anew(seen)
        except LocalError as problem:
            return seen, Skipped(seen.key, f"cannot be read: {problem}", unknown=True)
        if now is not None and same_content(now, then):
            return seen, None
        kind = Kind.DAMAGED if now and now.modified == seen.modified else Kind.CHANGED
        return seen, finding(bucket, "local", kind if now else Kind.MISSING, seen.key, then, now)

    for batch in pool.each(read, todo, workers=workers, name="reread"):
        for seen, result in batch:
            done, size = done + 1, size + seen.size
            if isinstance(result, Skipped):
                unread.append(result)
            elif result is not None:
                found.append(result)
            progress(Tick("hash", seen.key, done, size, len(todo), total))
    return found, unread


# -- objects ---------------------------------------------------------------------------------------


def sample(keys: Iterable[str], asked: str, seed: str) -> list[str]:
    """The keys to read whole: `all`, a number of them, or a share such as "5%", rounded up.

    Which ones follows from `seed`: always the same for one state of the lockfile, others for the
    next. Raises `UsageError` for anything else.
    """
    every = sorted(keys, key=key_bytes)
    number = asked.removesuffix("%")
    share = int(number) if number.isascii() and number.isdecimal() else None
    if asked == "all":
        return every
    if share is None or (asked.endswith("%") and share > 100):
        raise UsageError(
            f"--deep {asked}: say `all`, a number of objects such as 100, or a share such as 5%"
        )
    count = -(-len(every) * share // 100) if asked.endswith("%") else share
    drawn = sorted(every, key=lambda key: hashlib.sha256(seed.encode() + key_bytes(key)).digest())
    return sorted(drawn[:count], key=key_bytes)


def pairs(base: Base, sides: Sides, asked: str, seed: str) -> dict[str, tuple[Entry, Entry]]:
    """What is recorded and what is listed of each object to be read whole: a sample of those that
    look as recorded."""
    there = sides.remote.entries
    sound = [key for key, then in base.items() if key in there and is_base(there[key], then)]
    return {key: (base[key], there[key]) for key in sample(sound, asked, seed)}


def read_whole(
    bucket: str,
    pairs: Mapping[str, tuple[Entry, Entry]],
    local: LocalStore,
    remote: Store,
    workers: int,
    progress: Progress,
) -> list[Finding]:
    """What is wrong with the bytes of objects: pairs of what is recorded and what is listed.

    Each is streamed once; a database whose bytes differ is judged by its rows. What a store cannot
    deliver for other reasons than change or damage raises its `StoreError`.
    """
    found: list[Finding] = []
    done = size = 0
    total = sum(now.size for _, now in pairs.values())
    progress(Tick("verify", "", 0, 0, len(pairs), total))

    def look(pair: tuple[Entry, Entry]) -> tuple[Entry, Finding | None]:
        then, now = pair
        kind, seen = _read(then, now, local, remote)
        return now, finding(bucket, "remote", kind, now.key, then, seen) if kind else None

    for batch in pool.each(look, pairs.values(), workers=workers, name="verify"):
        for now, wrong in batch:
            done, size = done + 1, size + now.size
            found += [wrong] if wrong else []
            progress(Tick("verify", now.key, done, size, len(pairs), total))
    return sorted(found, key=lambda item: key_bytes(item.key))


def _read(
    then: Entry, now: Entry, local: LocalStore, remote: Store
) -> tuple[Kind | None, Entry | None]:
    """How an object's bytes differ from what was recorded, and what they are."""
    try:
        seen = _bytes_of(then, now, local, remote)
    except NotFoundError:
        return Kind.VANISHED, None
    except PreconditionError:
        return Kind.CHANGED, None
    except IntegrityError:  # the bytes are not even what the bucket itself says of them
        return Kind.DAMAGED, None
    if then.sha256 == seen.sha256 or (then.logical and then.logical == seen.logical):
        return None, None
    return Kind.DAMAGED, seen


def _bytes_of(then: Entry, now: Entry, local: LocalStore, remote: Store) -> Entry:
    bare = Entry(now.key, now.size, version=now.version)
    if then.logical:
        with fetched(remote, now, local) as what:
            return replace(bare, sha256=what.sha256, logical=what.logical)
    digest, size = hashlib.sha256(), 0
    with remote.open(now) as body:
        while chunk := body.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return replace(bare, size=size, sha256=digest.hexdigest())
