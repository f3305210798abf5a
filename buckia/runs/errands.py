"""What somebody wants promoted: which folders, from which bucket, to which others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from buckia.errors import UsageError
from buckia.layout import refuse_key
from buckia.pairs import Pair, written_by
from buckia.planfile import Plan
from buckia.rules import RESERVED_PREFIX
from buckia.runs import tiers
from buckia.workspace import Workspace

MOVE: Final = "move"
"""The kind of a plan that takes away what it promotes."""


class Errand(Struct, frozen=True):
    """What was asked for: which folders, from which bucket, to which others in this order.

    name     what a person called the folders
    move     whether they are taken away at the source
    """

    name: str
    folders: tuple[str, ...]
    source: str
    targets: tuple[str, ...]
    move: bool = False

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The source with each target."""
        return tuple(Pair(self.source, target) for target in self.targets)


def wanted(
    space: Workspace, name: str, source: str, targets: Iterable[str], *, move: bool = False
) -> Errand:
    """What a person asked for, by the names of the configuration.

    Raises `ConfigError` for a bucket that is not in it, `UsageError` for what makes no sense.
    """
    names = tuple(dict.fromkeys(targets))
    if not names:
        raise UsageError(f"promote {name}: name at least one bucket to promote to")
    for bucket in (source, *names):
        space.config.bucket(bucket)
    if move and len(names) > 1:
        raise UsageError(f"--move takes {name} to one bucket, and {len(names)} are named; name one")
    for target in names:
        if tiers.place(space, target) == tiers.place(space, source):
            raise UsageError(f"`{source}` and `{target}` are the same bucket; name two")
    return Errand(name, _folders(space, name), source, names, move)


def wanted_by(plan: Plan) -> Errand:
    """What a plan of `promote` was asked for."""
    heads = [(name, head.promotion) for name, head in plan.buckets.items() if head.promotion]
    turns = sorted((promotion.turn, written_by(name)) for name, promotion in heads)
    targets = tuple(target for _, target in turns)
    named = ", ".join(plan.scope.paths)
    return Errand(named, plan.scope.paths, heads[0][1].source, targets, plan.kind == MOVE)


def _folders(space: Workspace, name: str) -> tuple[str, ...]:
    """The folders of a set, or the one of that name."""
    if name in space.config.settings.sets:
        return tuple(sorted(space.config.settings.sets[name]))
    folder = name.rstrip("/")
    why = refuse_key(folder)
    if why is None and "/" in folder:
        why = "has a slash in it"
    if why is None and folder == RESERVED_PREFIX.rstrip("/"):
        why = "is buckia's own"
    if why:
        raise UsageError(f"promote {name}: {name!r} {why}; name a folder of the bucket, or a set")
    return (folder,)
