"""What a store used of its service: requests by class, repeats and bytes, as a value."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import fields

from buckia.model import Count


class Kind(StrEnum):
    """The classes of requests, by what they do to objects.

    SETTINGS are requests about the bucket or the account: signing in, versioning, policies.
    """

    LIST = "list"
    LOOK = "look"
    READ = "read"
    WRITE = "write"
    COPY = "copy"
    DELETE = "delete"
    SETTINGS = "settings"
    PURGE = "purge"


class Usage(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What was used up to some moment; the difference of two is what was used between them.

    list ... purge  requests of each class, those sent again included
    pages           listings as some services bill them: one for each 1,000 names begun
    retries         requests that were sent again after one had failed
    throttled       answers that said "too many" or "too fast"
    sent, received  bytes of bodies
    """

    list: Count = 0
    look: Count = 0
    read: Count = 0
    write: Count = 0
    copy: Count = 0
    delete: Count = 0
    settings: Count = 0
    purge: Count = 0
    pages: Count = 0
    retries: Count = 0
    throttled: Count = 0
    sent: Count = 0
    received: Count = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, n) + getattr(other, n) for n in _NAMES))

    def __sub__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, n) - getattr(other, n) for n in _NAMES))

    @property
    def requests(self) -> dict[Kind, int]:
        """How many requests of each class there were; classes without any are left out."""
        counts = {kind: int(getattr(self, kind.value)) for kind in Kind}
        return {kind: count for kind, count in counts.items() if count}


_NAMES: Final = tuple(field.name for field in fields(Usage))

NOTHING: Final = Usage()
"""No request and no byte."""
