"""Two buckets as one name: `SOURCE>TARGET`, under which plans and lockfile know a promotion. Pure.

No bucket can have such a name, so that pairs and buckets stand side by side in both documents.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

_ARROW: Final = ">"


class Pair(Struct, frozen=True):
    """The bucket that content is promoted from, and the one it is promoted to."""

    source: str
    target: str

    @property
    def name(self) -> str:
        """What plans, journals and the lockfile call the two together."""
        return f"{self.source}{_ARROW}{self.target}"


def pair_of(name: str) -> Pair | None:
    """The pair of that name; None for the name of a bucket."""
    source, arrow, target = name.partition(_ARROW)
    return Pair(source, target) if arrow else None


def written_by(name: str) -> str:
    """The bucket that whatever has this name writes to: the bucket itself, or a pair's target."""
    pair = pair_of(name)
    return pair.target if pair else name


def buckets_of(names: Iterable[str]) -> tuple[str, ...]:
    """Every bucket that these names are about, once each, in order."""
    found = (pair_of(name) or name for name in names)
    each = ((item,) if isinstance(item, str) else (item.source, item.target) for item in found)
    return tuple(dict.fromkeys(bucket for group in each for bucket in group))
