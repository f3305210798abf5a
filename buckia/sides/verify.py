"""Whether both sides still hold what the lockfile says. Changes nothing.

The comparison is pure and trusts what the sides tell of themselves: the bucket its tokens and
digests, the disk what was read of it. A deep look (`buckia.sides.whole`) trusts only bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final, Literal

from msgspec import Struct

from buckia.config import BucketConfig
from buckia.lockfile import BucketState
from buckia.model import (
    Base,
    Content,
    Entry,
    Listing,
    Skipped,
    content_of,
    same_content,
)
from buckia.reconcile import Frozen, is_base
from buckia.settings import content
from buckia.sides import configuring
from buckia.sides.configuring import Found as Settled
from buckia.snapshot import Sides

Side = Literal["local", "remote"]


class Kind(StrEnum):
    """How a side differs from the lockfile."""

    CHANGED = "changed"
    """Something else is there."""
    DAMAGED = "damaged"
    """It looks as recorded, and its bytes are not that."""
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


class Deep(Struct, frozen=True):
    """What is wrong with bytes, of so many objects and local files that were read, and what could
    not be read."""

    findings: tuple[Finding, ...] = ()
    read: int = 0
    reread: int = 0
    unread: tuple[Skipped, ...] = ()


class Verified(Struct, frozen=True):
    """What was found out about one bucket.

    recorded, local, remote  how many files the lockfile and each side hold in scope
    read, reread             how many objects were read whole, and how many local files anew
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
    reread: int
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
    deep: Deep,
    settings: Settled = configuring.NONE,
) -> Verified:
    """Everything found out about a bucket; `deep` is what reading told."""
    findings = [*compare(bucket.name, base, sides), *_settings(bucket.name, settings)]
    findings += deep.findings
    unread = [i for side in (sides.local, sides.remote) for i in side.skipped if i.unknown]
    unread += deep.unread
    unread += [Skipped(f"setting {name}", why, True) for name, why in settings.unread.items()]
    return Verified(
        name=bucket.name,
        provider=bucket.provider,
        bucket=bucket.bucket_name,
        serial=state.serial,
        recorded=len(base),
        local=len(sides.local.entries),
        remote=len(sides.remote.entries),
        read=deep.read,
        reread=deep.reread,
        unread=tuple(unread),
        findings=tuple(sorted(findings, key=lambda f: (f.side, key_bytes(f.key)))),
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
    for key in sorted(base.keys() | listing.entries.keys(), key=key_bytes):
        then, now = base.get(key), listing.entries.get(key)
        if unseen.holds(key):
            continue
        if then is None or now is None:
            yield finding(bucket, side, gone if now is None else extra, key, then, now)
        elif not same(now, then):
            yield finding(bucket, side, Kind.CHANGED, key, then, now)


def key_bytes(key: str) -> bytes:
    """What keys are ordered by."""
    return key.encode("utf-8", "surrogatepass")


def finding(
    bucket: str, side: Side, kind: Kind, key: str, then: Entry | None, now: Entry | None
) -> Finding:
    """One key that is not as recorded: what it was, and what is there."""
    recorded = content_of(then) if then else None
    return Finding(bucket, side, kind, key, recorded, content_of(now) if now else None)
