"""What each op is called, and where a page shows it: the one table of their words. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from buckia.model import Action, in_place
from buckia.terms import Op


class Kind(StrEnum):
    """What an op is about, which is where on a page it stands."""

    SETTING = "setting"
    WRITE = "write"
    DELETE = "delete"
    MANIFEST = "manifest"
    RECORD = "record"
    CACHE = "cache"


class Words(Struct, frozen=True):
    """An op in words: what is to do, what was done, and what that means where the word alone does
    not say it."""

    kind: Kind
    todo: str
    done: str
    means: str = ""


OPS: Final = {
    Op.CONFIGURE: Words(Kind.SETTING, "configure", "configured"),
    Op.UPLOAD: Words(Kind.WRITE, "upload", "uploaded"),
    Op.DOWNLOAD: Words(Kind.WRITE, "download", "downloaded"),
    Op.COPY: Words(Kind.WRITE, "copy", "copied"),
    Op.MOVE: Words(Kind.WRITE, "move", "moved"),
    Op.PUBLISH: Words(Kind.MANIFEST, "publish", "published"),
    Op.DELETE_REMOTE: Words(Kind.DELETE, "delete remote", "deleted"),
    Op.DELETE_LOCAL: Words(Kind.DELETE, "delete local", "deleted"),
    Op.ADOPT: Words(Kind.RECORD, "adopt", "adopted", "the same on both sides, now remembered"),
    Op.FORGET: Words(
        Kind.RECORD,
        "forget",
        "forgotten",
        "gone from both sides or out of scope, no longer remembered",
    ),
    Op.PURGE: Words(Kind.CACHE, "purge", "purged"),
}
"""Every op there is, in the order of `Op`, which is the order of a page."""

DRESS: Final = Words(Kind.WRITE, "change headers", "with changed headers")
"""A copy of an object onto itself, which is no copy to whoever reads of it."""

RANK: Final = {op: rank for rank, op in enumerate(Op)}


def words_of(action: Action) -> Words:
    """What an action is called."""
    return DRESS if in_place(action) else OPS[action.op]


def kind_of(action: Action) -> Kind:
    """What an action is about."""
    return OPS[action.op].kind
