"""Where the tiers stand: each target that something was promoted to, held against its source."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from msgspec import Struct

from buckia.lockfile import Lockfile
from buckia.pairs import Pair, pair_of
from buckia.planfile import Plan
from buckia.rules import NO_OVERRIDES
from buckia.workspace import Workspace


class Standing(Struct, frozen=True):
    """What a target holds of a source, and what promoting the same folders again would do.

    held, now  the serial of the source when it was promoted last, and what it is by now
    """

    pair: Pair
    files: int
    held: int
    now: int
    plan: Plan

    @property
    def state(self) -> Literal["in step", "behind", "diverged"]:
        """`diverged` where the target was changed by others, `behind` where the source went on."""
        if self.plan.conflicts or any(item.code == "drift" for item in self.plan.warnings):
            return "diverged"
        return "behind" if self.plan.actions else "in step"


def standings(space: Workspace, lock: Lockfile, names: Collection[str]) -> list[Standing]:
    """Every pair of these buckets that the lockfile knows of, by name."""
    found = [(pair, lock.state(name)) for name in sorted(lock.buckets) if (pair := pair_of(name))]
    return [
        Standing(
            pair,
            len(state.entries),
            state.source.serial if state.source else 0,
            lock.state(pair.source).serial,
            _plan(space, pair, {key.partition("/")[0] for key in state.entries}),
        )
        for pair, state in found
        if state.entries and {pair.source, pair.target} <= set(names)
    ]


def _plan(space: Workspace, pair: Pair, folders: Collection[str]) -> Plan:
    """What promoting these folders again would do."""
    from buckia.runs import promoting  # loaded late: few have tiers
    from buckia.runs.errands import Errand

    wanted = Errand(pair.name, tuple(sorted(folders)), pair.source, (pair.target,))
    return promoting.make_promotion(space, wanted, overrides=NO_OVERRIDES)
