"""The nouns: what is at a key, what should happen to it, what did happen. Frozen, no I/O.

`msgspec.Struct` serves as dataclass, because a bucket may hold a million entries (a struct is a
third of a dataclass) and because the same types decode and encode the documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from msgspec import Meta, Struct
from msgspec.structs import replace as replace  # re-exported: the one way to change a struct

from buckia.terms import Direction as Direction
from buckia.terms import Op as Op
from buckia.terms import Policy as Policy
from buckia.terms import Undo as Undo

DIGESTS: Final = ("sha256", "md5", "sha1")
"""Content digests an entry can carry, the strongest first. All lower-case hexadecimal."""


Headers = dict[str, str]
"""Header fields by the names of `buckia.headers`. Never changed once they belong to an entry."""


Count = Annotated[int, Meta(ge=0)]
"""Bytes, files or applies: never negative, also where a document says so."""


class Entry(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What is at one key, on any side.

    Content identity (`sha256`, `md5`, `sha1`, `logical`) and the store's token (`version`) are two
    things: the first can be compared between sides, the second only with itself over time.
    `logical` is the row hash of a SQLite database and, where both sides know it, decides alone.
    `modified` (nanoseconds since 1970, as the side reports it) serves people and `newest_wins`.
    `path` is the local file's own path, `type` the content type. `headers` are others that are
    known, see `buckia.headers`: None says that nobody looked.
    """

    key: str
    size: Count
    sha256: str | None = None
    md5: str | None = None
    sha1: str | None = None
    logical: str | None = None
    version: str | None = None
    modified: int | None = None
    type: str | None = None
    path: str | None = None
    headers: Headers | None = None


def same_content(one: Entry | Content, other: Entry | Content) -> bool | None:
    """Whether two entries hold the same content; None when they share no digest to tell by."""
    if one.logical and other.logical:
        return one.logical == other.logical
    if one.size != other.size:
        return False
    if one.sha256 and other.sha256:
        return one.sha256 == other.sha256
    if one.md5 and other.md5:
        return one.md5 == other.md5
    if one.sha1 and other.sha1:
        return one.sha1 == other.sha1
    return None


class Skipped(Struct, frozen=True):
    """Something a side holds that buckia leaves alone, and why.

    `unknown` is True where buckia could not even look (an unreadable folder, say): then nothing may
    be deleted on the strength of its absence. A `place` ending in `/` stands for all below it. The
    `code` is the plan's word for it.
    """

    place: str
    why: str
    unknown: bool = False
    code: str = "skipped"


class Listing(Struct, frozen=True):
    """Everything one side holds in scope, complete by construction, and what was left alone.

    `sidecars` are objects named as SQLite names what it keeps beside a database in use,
    `manifests` those that are manifests of folders, by key.
    """

    entries: Mapping[str, Entry]
    skipped: tuple[Skipped, ...] = ()
    sidecars: tuple[Entry, ...] = ()
    manifests: dict[str, Entry] = {}

    @property
    def complete(self) -> bool:
        """Whether every part of the side was seen."""
        return not any(item.unknown for item in self.skipped)


class Content(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Bytes as a plan names them: by size and every digest known, and the store's token.

    `headers` are those that rules set, or that are known of an object.
    """

    size: Count
    sha256: str | None = None
    md5: str | None = None
    sha1: str | None = None
    logical: str | None = None
    version: str | None = None
    type: str | None = None
    headers: Headers | None = None


def content_of(entry: Entry) -> Content:
    """The part of an entry that a plan records: no times, no paths."""
    return Content(
        entry.size,
        entry.sha256,
        entry.md5,
        entry.sha1,
        entry.logical,
        entry.version,
        entry.type,
        entry.headers or None,
    )


class Source(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where an action takes its bytes: a local path, or a pinned version of an object.

    `staged` says that apply needs no local file: what the file at `path` holds is in the bucket,
    for an upload as the object `key` below `.buckia/stage/`.
    """

    path: str | None = None
    bucket: str | None = None
    key: str | None = None
    version: str | None = None
    staged: bool = False


Value = dict[str, Any] | list[Any] | str | bool
"""The document of a bucket's setting: plain data in the shape of `.buckia`."""


class Setting(Struct, frozen=True, forbid_unknown_fields=True):
    """What a setting of a bucket is now and what it will be; None: it is absent."""

    now: Value | None
    then: Value | None


class Publication(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What an action publishes: the manifest of which generation, and without which keys, since the
    bucket does not hold them as the lockfile knows them. Its bytes are composed by apply."""

    generation: Annotated[int, Meta(ge=1)]
    omits: tuple[str, ...] = ()


class Published(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is remembered of a folder's manifest.

    token      the bucket's token for the object; None: it was taken away
    sha256     of the document
    named      digest of what the lockfile knew of the files in it
    databases  of the databases in it, the bucket's tokens by path
    """

    generation: Annotated[int, Meta(ge=1)]
    token: str | None = None
    sha256: str | None = None
    named: str | None = None
    databases: dict[str, str] = {}


class Action(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One reviewed step: what it does, what it expects to find, what it leaves behind.

    `expect` is what the destination holds now (None: nothing), `content` what it holds afterwards
    (None: nothing), `undo` where bytes that are lost there can be found (None: none are lost).
    `id` depends on op, bucket and key alone, so that it survives a new plan. `changes` tells a
    reviewer, in lines, what becomes different in a database, a setting or the headers, and
    `setting` holds the whole of both documents. `publication` tells of a manifest; without one,
    `publish` takes the manifest away.
    """

    id: str
    op: Op
    bucket: str
    key: str
    reason: str
    source: Source | None
    content: Content | None
    expect: Content | None
    undo: Undo | None
    changes: tuple[str, ...] = ()
    setting: Setting | None = None
    publication: Publication | None = None


def promotes(action: Action) -> bool:
    """Whether an action has its content from another bucket."""
    return action.source is not None and action.source.bucket is not None


def is_staged(action: Action) -> bool:
    """Whether an action can be done without the local file that it is about."""
    return action.source is not None and action.source.staged


def is_there(action: Action) -> bool:
    """Whether the destination holds already what an action leaves there."""
    content, found = action.content, action.expect
    return content is not None and found is not None and same_content(content, found) is True


def left_by(action: Action) -> str | None:
    """The other bucket that an action takes an object away from, or None."""
    takes = action.op in (Op.MOVE, Op.PUBLISH)
    return action.source.bucket if takes and action.source else None


KEPT: Final = "keep_both"
"""The reason of the actions by which both sides of a conflict are kept."""


def is_kept(action: Action) -> bool:
    """Whether an action makes, in the bucket, the second key of a conflict whose sides are both
    kept; a download of the same plan brings the file."""
    source = action.source
    return action.op is Op.COPY and action.reason == KEPT and source is not None and not source.path


def in_place(action: Action) -> bool:
    """Whether an action only changes the headers of an object: a copy onto its own key."""
    source = action.source
    return (
        action.op is Op.COPY
        and source is not None
        and source.bucket is None
        and source.key == action.key
    )


def action_id(op: Op, bucket: str, key: str) -> str:
    """A short stable name for an action: 12 hexadecimal digits."""
    seed = "\0".join((op, bucket, key)).encode("utf-8", "surrogatepass")
    return hashlib.sha256(seed).hexdigest()[:12]


class Conflict(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A key on which both sides have a claim, with what each of the three knows of it.

    `changes` tells, in lines, how the rows of a local database differ from those in the bucket.
    """

    bucket: str
    key: str
    reason: str
    local: Content | None
    base: Content | None
    remote: Content | None
    changes: tuple[str, ...] = ()


class Notice(Struct, frozen=True, forbid_unknown_fields=True):
    """Something a reviewer should know that is not an action."""

    code: str
    bucket: str
    key: str
    message: str


class Outcome(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What became of one action, whole enough to be understood without the plan.

    `entry` is what the remote side is now known to hold at `key`; `left` is the key that a move
    took the content from. `source` is the object of another bucket that was promoted; `left` is in
    that bucket then. `published` is what is known of a manifest.
    """

    id: str
    op: Op
    bucket: str
    key: str
    done: bool
    entry: Entry | None = None
    left: str | None = None
    error: str | None = None
    source: Source | None = None
    published: Published | None = None


class Tick(Struct, frozen=True):
    """One step of progress: which stage, on which key, how far. Totals are None while unknown."""

    stage: str
    key: str = ""
    files: int = 0
    bytes: int = 0
    total_files: int | None = None
    total_bytes: int | None = None


Progress = Callable[[Tick], None]
"""Called from any thread with the whole state of a stage, never with differences."""


def silent(tick: Tick) -> None:
    """A `Progress` that shows nothing."""


Base = Mapping[str, Entry]
"""What the last apply left on the remote side, by key: the memory between the two sides."""
