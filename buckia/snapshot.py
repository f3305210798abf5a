"""Two stores into two listings, and the proofs that a listing alone does not give."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future
from typing import BinaryIO, Final

from msgspec import Struct

from buckia import pool
from buckia.columns import Entries, Plain, amended, loose, missing
from buckia.layout import EVERYWHERE, Layout, as_text, overlap, refuse_key
from buckia.manifest import is_manifest
from buckia.model import (
    Base,
    Entry,
    Headers,
    Listing,
    Progress,
    Skipped,
    Tick,
    replace,
    same_content,
)
from buckia.reconcile import is_base
from buckia.rules import Rules
from buckia.sqlite import SIDECARS
from buckia.stores.base import Hold, Ranging, Store
from buckia.stores.local import LocalStore
from buckia.stores.reading import LARGE

_MULTIPART = re.compile(r"^([0-9a-f]{32})-([1-9]\d{0,4})$")
_MEBI: Final = 1024 * 1024
PART_SIZES: Final = tuple(
    n * _MEBI for n in (5, 8, 10, 15, 16, 25, 32, 50, 64, 100, 128, 256, 512)
) + tuple(n * 1_000_000 for n in (5, 8, 16, 64, 100))
"""Part sizes (bytes) that clients are known to use: what a multipart ETag is tried against."""

_TICK = 1000
"""Keys between two reports of progress."""


class Sides(Struct, frozen=True):
    """What both sides hold, each listing complete by construction."""

    local: Listing
    remote: Listing


def take(
    local: LocalStore,
    remote: Store,
    layout: Layout,
    rules: Rules,
    progress: Progress,
    workers: int,
    within: tuple[str, ...] = EVERYWHERE,
    known: Collection[str] = (),
    plain: Plain | None = None,
) -> Sides:
    """Scan and list at the same time, what lies `within` these key prefixes and no more. `known`
    are keys that may be in the bucket. What is as `plain` has it is held so.

    Raises what either side raises: a doubt is no listing.
    """
    with pool.threads(1, "list") as lister:
        theirs: Future[Listing] = lister.submit(
            list_remote, remote, layout, rules.excludes, progress, within, known, plain
        )
        mine = local.listing(within, progress=progress, plain=plain)
        there = theirs.result()
        return Sides(mine, _examined(there, mine.entries, layout, rules.excludes))


def list_remote(
    store: Store,
    layout: Layout,
    refuse: Callable[[str], str | None],
    progress: Progress,
    within: tuple[str, ...] = EVERYWHERE,
    known: Collection[str] = (),
    plain: Plain | None = None,
) -> Listing:
    """Everything a bucket holds in scope. Keys that cannot be files are set aside, not repaired.

    `refuse` says why a key is out of scope, or None. Only what lies `within` is asked for. `known`
    are keys that may be there: a large bucket is listed in parts that are cut between them. With
    `plain` it is left to `_examined` whether the names of what is as it has it are in scope.
    """
    steady = Entries(plain, plain.listed) if plain else None
    entries: dict[str, Entry] = {} if steady is None else steady.loose
    skipped: list[Skipped] = []
    sidecars: list[Entry] = []
    manifests: dict[str, Entry] = {}
    covers = layout.coverage
    held = 0
    hold = None if steady is None else steady.hold_object
    for entry in _objects(store, layout, within, known, hold):
        key = entry.key
        if steady is not None and steady.hold(entry):
            held += 1
        else:
            if key.endswith(SIDECARS):
                sidecars.append(entry)
            elif is_manifest(key):
                manifests[key] = entry
            if not covers(key) or refuse(key):
                continue
            why = refuse_key(key)
            if why is None:
                entries[key] = entry
            elif entry.size or not key.endswith("/"):  # an empty `folder/` is only a marker
                skipped.append(_unusable(key, why))
        if (held + len(entries)) % _TICK == 0:
            progress(Tick("list", key, held + len(entries)))
    found = entries if steady is None else steady
    progress(Tick("list", "", len(found), 0, len(found)))
    return Listing(found, tuple(skipped), tuple(sidecars), manifests)


def _unusable(key: str, why: str) -> Skipped:
    return Skipped(as_text(key), f"the name {why}")


def _examined(
    remote: Listing,
    local: Mapping[str, Entry],
    layout: Layout,
    refuse: Callable[[str], str | None],
) -> Listing:
    """The listing of a bucket without what is out of scope or cannot be a file. A key that the
    local side has been through all that before."""
    entries = remote.entries
    if not isinstance(entries, Entries):
        return remote
    skipped: list[Skipped] = []
    for key in [key for key in missing(entries, local) if entries.is_steady(key)]:
        why = refuse_key(key)
        if not layout.coverage(key) or refuse(key):
            entries.discard(key)
        elif why is not None:
            entries.discard(key)
            skipped.append(_unusable(key, why))
    return replace(remote, skipped=(*remote.skipped, *skipped)) if skipped else remote


def _objects(
    store: Store,
    layout: Layout,
    within: tuple[str, ...],
    known: Collection[str],
    hold: Hold | None,
) -> Iterable[Entry]:
    for prefix in overlap(layout.prefixes, within):
        if known and isinstance(store, Ranging):
            yield from store.ranged(prefix, known, hold)
        else:
            yield from store.entries(prefix)
    for key in layout.single_keys:
        entry = store.head(key) if key.startswith(within) else None
        if entry is not None:
            yield entry


Wants = Callable[[str], Headers | None]
"""The headers that rules want for a key, where its mapping uploads."""


def _nothing(key: str) -> None:
    """A `Wants` without rules."""


def prove(
    sides: Sides,
    base: Base,
    local: LocalStore,
    remote: Store,
    workers: int,
    wants: Wants = _nothing,
) -> Sides:
    """The same sides with what listings leave open looked up where a decision hangs on it.

    Two files of one size that share no digest are asked for the sha256 that buckia stores with an
    object, then held against the object's md5 or multipart ETag. What stays open counts as
    different. A changed object without any digest is asked for one too, so that its download can be
    verified, and a changed one for its headers where rules want some.
    """
    doubtful = [
        entry
        for key, entry in loose(sides.remote.entries).items()
        if not ((then := base.get(key)) and entry.version == then.version)  # nothing new about it
        if _doubtful(sides.local.entries.get(key), then, entry) or _undressed(then, entry, wants)
    ]
    if not doubtful:
        return sides

    def look(entry: Entry) -> Entry:
        mine = sides.local.entries.get(entry.key)
        if mine and _told_by_md5(mine, entry) and not _undressed(base.get(entry.key), entry, wants):
            known = entry  # to read a small file costs less than a request
        else:
            known = remote.head(entry.key) or entry
        if known.version != entry.version:
            return entry  # replaced meanwhile: the listing stays the picture that was taken
        if mine and same_content(mine, known) is None and _same_etag(local, mine, known):
            return replace(known, sha256=mine.sha256)
        return known

    proved: dict[str, Entry] = {}
    for batch in pool.each(look, doubtful, workers=workers, name="prove"):
        proved.update({entry.key: entry for entry in batch})
    entries = amended(sides.remote.entries, proved)
    return Sides(sides.local, replace(sides.remote, entries=entries))


def _doubtful(mine: Entry | None, then: Entry | None, theirs: Entry) -> bool:
    if then is not None and is_base(theirs, then):
        return False
    if not (theirs.sha256 or theirs.md5 or theirs.sha1):
        return True
    return mine is not None and mine.size == theirs.size and same_content(mine, theirs) is None


def _undressed(then: Entry | None, theirs: Entry, wants: Wants) -> bool:
    """Whether a new or rewritten object may have the headers that are wanted."""
    if theirs.headers is not None or (then and then.version == theirs.version):
        return False
    return wants(theirs.key) is not None


def _told_by_md5(mine: Entry, theirs: Entry) -> bool:
    """Whether the md5 of a plain file that is not large is all that has to be known of it."""
    return bool(theirs.md5) and not mine.logical and mine.size == theirs.size and mine.size <= LARGE


def _same_etag(local: LocalStore, mine: Entry, theirs: Entry) -> bool:
    """Whether an object has the md5 of the local file, which is not computed before of large ones
    and of those that the lockfile knows, or the multipart ETag that some known part size makes of
    it."""
    if mine.logical:
        return False
    if theirs.md5:
        return local.with_md5(mine).md5 == theirs.md5
    match = _MULTIPART.match(theirs.version or "")
    if match is None:
        return False
    parts = int(match[2])
    exact = -(-mine.size // parts // _MEBI) * _MEBI
    sizes = {size for size in (*PART_SIZES, exact) if size and -(-mine.size // size) == parts}
    with local.open(mine) as body:
        return match[1] in multipart_digests(body, sizes)


def multipart_digests(body: BinaryIO, sizes: Iterable[int]) -> set[str]:
    """The md5 of part md5s for each part size (bytes), all in one read.

    This is what S3 calls the ETag of a multipart upload, without its `-parts` ending.
    """
    wholes = {size: hashlib.md5(usedforsecurity=False) for size in sizes}
    parts = {size: hashlib.md5(usedforsecurity=False) for size in wholes}
    filled = dict.fromkeys(wholes, 0)
    while chunk := body.read(_MEBI):
        for size in wholes:
            rest = memoryview(chunk)
            while rest:
                piece = rest[: size - filled[size]]
                parts[size].update(piece)
                filled[size] += len(piece)
                rest = rest[len(piece) :]
                if filled[size] == size:
                    wholes[size].update(parts[size].digest())
                    parts[size], filled[size] = hashlib.md5(usedforsecurity=False), 0
    for size, whole in wholes.items():
        if filled[size]:
            whole.update(parts[size].digest())
    return {whole.hexdigest() for whole in wholes.values()}
