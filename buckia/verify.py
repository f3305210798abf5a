"""Whether both sides still hold what the lockfile says. Changes nothing.

The comparison is pure and trusts what the sides tell of themselves: the bucket its tokens and
digests, the disk what was read of it. A deep look reads objects whole and trusts only their bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final, Literal

from msgspec import Struct

from buckia import configuring, pool
from buckia.config import BucketConfig
from buckia.configuring import Found as Settled
from buckia.contents import fetched
from buckia.errors import (
    IntegrityError,
    NotFoundError,
    PreconditionError,
    UsageError,
)
from buckia.lockfile import BucketState
from buckia.model import (
    Base,
    Content,
    Entry,
    Listing,
    Progress,
    Skipped,
    Tick,
    content_of,
    replace,
    same_content,
)
from buckia.reconcile import Frozen, is_base
from buckia.settings import content
from buckia.snapshot import Sides
from buckia.stores.base import Store
from buckia.stores.hashing import CHUNK
from buckia.stores.local import LocalStore

Side = Literal["local", "remote"]


class Kind(StrEnum):
    """How a side differs from the lockfile."""

    CHANGED = "changed"
    """Something else is there."""
    DAMAGED = "damaged"
    """The bucket reports what was recorded, and its bytes are not that."""
    MISSING = "missing"
    """The local file is gone."""
    VANISHED = "vanished"
    """The object is gone."""
    NEW = "new"
    """A local file that was never applied."""
    FOREIGN = "foreign"
    """An object that buckia never put there."""
    SETTING = "setting"
    """A setting of the bucket that is not as it is declared."""


class Finding(Struct, frozen=True):
    """One key that is not as recorded, or one setting that is not as declared; None stands for
    nothing there."""

    bucket: str
    side: Side
    kind: Kind
    key: str
    recorded: Content | None
    found: Content | None


class Verified(Struct, frozen=True):
    """What was found out about one bucket.

    recorded, local, remote  how many files the lockfile and each side hold in scope
    read                     how many objects were read whole
    unread                   what could not be looked at; nothing is said about it
    """

    name: str
    provider: str
    bucket: str
    serial: int
    recorded: int
    local: int
    remote: int
    read: int
    unread: tuple[Skipped, ...]
    findings: tuple[Finding, ...]


_ABSENT: Final[dict[Side, tuple[Kind, Kind]]] = {
    "local": (Kind.MISSING, Kind.NEW),
    "remote": (Kind.VANISHED, Kind.FOREIGN),
}
"""By side: recorded and not there, there and not recorded."""

_Same = Callable[[Entry, Entry], bool]


def summary(
    bucket: BucketConfig,
    state: BucketState,
    base: Base,
    sides: Sides,
    wrong: Iterable[Finding],
    read: int,
    settings: Settled = configuring.NONE,
) -> Verified:
    """Everything found out about a bucket. `wrong` is what reading `read` objects whole told."""
    findings = [*compare(bucket.name, base, sides), *wrong, *_settings(bucket.name, settings)]
    unread = [i for side in (sides.local, sides.remote) for i in side.skipped if i.unknown]
    unread += [Skipped(f"setting {name}", why, True) for name, why in settings.unread.items()]
    return Verified(
        name=bucket.name,
        provider=bucket.provider,
        bucket=bucket.bucket_name,
        serial=state.serial,
        recorded=len(base),
        local=len(sides.local.entries),
        remote=len(sides.remote.entries),
        read=read,
        unread=tuple(unread),
        findings=tuple(sorted(findings, key=lambda f: (f.side, _key_bytes(f.key)))),
    )


def _settings(bucket: str, settings: Settled) -> Iterator[Finding]:
    for name, one in settings.differing.items():
        then, now = content(one.then), content(one.now)
        yield Finding(bucket, "remote", Kind.SETTING, name, then, now)


def compare(bucket: str, base: Base, sides: Sides) -> list[Finding]:
    """Every key on either side that is not as recorded, by side and key. Pure."""
    return [
        *_differing(bucket, "local", base, sides.local, _equal),
        *_differing(bucket, "remote", base, sides.remote, is_base),
    ]


def _equal(now: Entry, then: Entry) -> bool:
    return same_content(now, then) is True


def _differing(
    bucket: str, side: Side, base: Base, listing: Listing, same: _Same
) -> Iterator[Finding]:
    gone, extra = _ABSENT[side]
    unseen = Frozen(tuple(item for item in listing.skipped if item.unknown))
    for key in sorted(base.keys() | listing.entries.keys(), key=_key_bytes):
        then, now = base.get(key), listing.entries.get(key)
        if unseen.holds(key):
            continue
        if then is None or now is None:
            yield _finding(bucket, side, gone if now is None else extra, key, then, now)
        elif not same(now, then):
            yield _finding(bucket, side, Kind.CHANGED, key, then, now)


def _key_bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _finding(
    bucket: str, side: Side, kind: Kind, key: str, then: Entry | None, now: Entry | None
) -> Finding:
    recorded = content_of(then) if then else None
    return Finding(bucket, side, kind, key, recorded, content_of(now) if now else None)


# -- reading objects whole -------------------------------------------------------------------------


def sample(keys: Iterable[str], asked: str, seed: str) -> list[str]:
    """The keys to read whole: `all`, a number of them, or a share such as "5%", rounded up.

    Which ones follows from `seed`: always the same for one state of the lockfile, others for the
    next. Raises `UsageError` for anything else.
    """
    every = sorted(keys, key=_key_bytes)
    number = asked.removesuffix("%")
    share = int(number) if number.isascii() and number.isdecimal() else None
    if asked == "all":
        return every
    if share is None or (asked.endswith("%") and share > 100):
        raise UsageError(
            f"--deep {asked}: say `all`, a number of objects such as 100, or a share such as 5%"
        )
    count = -(-len(every) * share // 100) if asked.endswith("%") else share
    drawn = sorted(every, key=lambda key: hashlib.sha256(seed.encode() + _key_bytes(key)).digest())
    return sorted(drawn[:count], key=_key_bytes)


def pairs(base: Base, sides: Sides, asked: str | None, seed: str) -> dict[str, tuple[Entry, Entry]]:
    """What is recorded and what is listed of each object to be read whole: a sample of those that
    look as recorded."""
    there = sides.remote.entries
    sound = [key for key, then in base.items() if key in there and is_base(there[key], then)]
    return {key: (base[key], there[key]) for key in (sample(sound, asked, seed) if asked else ())}


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
        return now, _finding(bucket, "remote", kind, now.key, then, seen) if kind else None

    for batch in pool.each(look, pairs.values(), workers=workers, name="verify"):
        for now, finding in batch:
            done, size = done + 1, size + now.size
            found += [finding] if finding else []
            progress(Tick("verify", now.key, done, size, len(pairs), total))
    return sorted(found, key=lambda item: _key_bytes(item.key))


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
