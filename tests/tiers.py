"""A project with three buckets, from the first of which is promoted to the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from buckia.config import Settings
from buckia.errors import BlockedError
from buckia.planfile import Plan
from buckia.rules import Overrides
from buckia.stores.base import Store
from buckia.stores.memory import MemoryStore
from tests.helpers import NO_LIMITS, Side, World
from tests.strategies import KEYS, contents

SOURCE: Final = "common"
TARGETS: Final = ("premium", "enterprise")
FOLDER: Final = "demo"
SET: Final = "the demo"
NAMES: Final = tuple(f"{FOLDER}/{key}" for key in KEYS[:5])


class Apart(MemoryStore):
    """A bucket of a service of its own: nothing can be copied into it from elsewhere."""

    def copies(self, source: Store) -> bool:
        """Only its own objects."""
        return source is self


class Tiers(World):
    """The first bucket is what `tree/` is applied to; each other has a folder of its own."""

    def __init__(
        self, root: Path, stores: Mapping[str, Store | None] | None = None, **options: Any
    ) -> None:
        given = stores or {name: MemoryStore(name) for name in (SOURCE, *TARGETS)}
        options = {"delete_orphaned": True, "limits": NO_LIMITS, **options}
        super().__init__(root, given, direction="upload", **options)
        apart = {
            name: bucket if name == SOURCE else dataclasses.replace(bucket, paths=[f"{name}/"])
            for name, bucket in self.config.buckets.items()
        }
        settings = Settings(sets={SET: (FOLDER,)})
        self.config = dataclasses.replace(self.config, buckets=apart, settings=settings)
        for name in TARGETS:
            (self.root / name).mkdir()

    def applied(self, files: Mapping[str, bytes | None]) -> Tiers:
        """These files as they are applied to the source; None deletes one."""
        for key, data in files.items():
            self.remove(key) if data is None else self.write(key, data)
        meant = Overrides(accept_empty=frozenset({"local"}))  # the last file may be one of them
        plan = self.plan([SOURCE], skip_conflicts=True, told=False, overrides=meant)
        applied = self.apply(plan)
        assert not applied.failed, applied.failed
        return self

    def promotion(
        self, *targets: str, name: str = SET, allow_drift: bool = False, **options: Any
    ) -> Plan:
        """What promoting would do now."""
        more = options.pop("overrides", Overrides(allow_drift=SOURCE if allow_drift else ""))
        with self.open() as project:
            return project.promote(name, SOURCE, targets or TARGETS, overrides=more, **options)

    def promote(self, *targets: str, **options: Any) -> Plan:
        """Promote, let nothing fail, and say what the plan was."""
        plan = self.promotion(*targets, **options)
        applied = self.apply(plan)
        assert not applied.failed, applied.failed
        return plan

    def known(self, name: str) -> dict[str, str]:
        """What the lockfile knows under a name, without tokens and counters."""
        return {key: item.sha256 for key, item in self.lock().state(name).entries.items()}


# -- histories -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Edit:
    """One change: `applied` to the source as it should be, or made in a bucket by somebody."""

    where: str
    key: str
    data: bytes | None


@dataclass(frozen=True)
class Past:
    """How the tiers came to be: rounds of edits with a promotion after each but the last."""

    options: dict[str, Any]
    apart: bool
    rounds: Sequence[Sequence[Edit]]
    drift: bool = False
    more: dict[str, Any] = field(default_factory=dict)

    def build(self, root: Path, stores: Mapping[str, Store] | None = None, **options: Any) -> Tiers:
        """The tiers that this past makes, the last edits not yet promoted."""
        kind = Apart if self.apart else MemoryStore
        made = stores or {name: kind(name) for name in (SOURCE, *TARGETS)}
        tiers = Tiers(root, made, **{**self.options, **options})
        for number, edits in enumerate(self.rounds):
            if number:
                self.promote_what_goes(tiers)
            for edit in edits:
                make(tiers, edit)
        return tiers

    def plan(self, tiers: Tiers, *targets: str, **options: Any) -> Plan:
        """What promoting would do, conflicts left out."""
        return tiers.promotion(
            *targets, skip_conflicts=True, allow_drift=self.drift, **{**self.more, **options}
        )

    def promote_what_goes(self, tiers: Tiers) -> None:
        """A promotion that leaves alone what needs a person."""
        plan = self.plan(tiers)
        try:
            applied = tiers.apply(plan)
        except BlockedError:
            return
        assert not applied.failed, applied.failed


def make(tiers: Tiers, edit: Edit) -> None:
    """Make one change."""
    if edit.where == "applied":
        tiers.applied({edit.key: edit.data})
    elif edit.data is None:
        tiers.drop(edit.key, edit.where)
    else:
        tiers.put(edit.key, edit.data, edit.where)


edits = st.builds(
    Edit,
    st.sampled_from(["applied", "applied", "applied", SOURCE, *TARGETS]),
    st.sampled_from(NAMES),
    st.none() | contents,
)

firsts = st.lists(
    st.builds(Edit, st.just("applied"), st.sampled_from(NAMES), contents), min_size=2, max_size=5
)
"""Every past begins with something that is there."""

pasts = st.builds(
    Past,
    options=st.fixed_dictionaries(
        {
            "conflict_resolution": st.sampled_from(["ask", "ask", "local_wins", "remote_wins"]),
            "trash": st.sampled_from([True, True, False]),
        }
    ),
    apart=st.booleans(),
    rounds=st.tuples(firsts).flatmap(
        lambda begun: st.lists(st.lists(edits, min_size=1, max_size=4), max_size=2).map(
            lambda rest: [*begun, *rest]
        )
    ),
    drift=st.booleans(),
)


def without(side: Side, keys: set[str]) -> Side:
    """A side without some keys."""
    return {key: data for key, data in side.items() if key not in keys}
