"""Two people, one bucket, bad luck: any order of edits, plans, applies, faults and crashes.

The reference model is small. Only people give contents up: whatever buckia does, ends with or
dies of, every content that was anywhere before is somewhere afterwards, the trashes included; and
what no action of the plan names stays as it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from buckia import lockfile
from buckia.errors import BuckiaError, IncompleteError
from buckia.model import Op
from buckia.planfile import Plan
from buckia.rules import RESERVED_PREFIX
from buckia.runs.applying import Applied
from buckia.stores.memory import MemoryStore
from tests.faults.store import Crash, Fault, FaultyStore, Kind
from tests.helpers import NO_LIMITS, Side, World, codes, ops, read_all, tree_of
from tests.strategies import KEYS

pytestmark = pytest.mark.usefixtures("hurried")

NIGHTLY: Final = settings.default is not None and settings.default.max_examples > 100
SEQUENCES, STEPS = (2000, 25) if NIGHTLY else (200, 10)

LIES: Final = (Kind.PRETENDED, Kind.SHORT, Kind.EMPTY, Kind.VERSIONS, Kind.DIGESTS)
"""Faults that no answer shows: after them a plan may rightly see what is not so."""

REFUSALS: Final = (3, 4, 6, 7)
"""Exit codes of a run that meets no fault: conflicts, stale, blocked, locked by one that died."""

who = st.integers(0, 1)
keys = st.sampled_from(KEYS[:5])
some = st.sampled_from([b"one", b"two", b"three"])
kinds = st.sampled_from([kind for kind in Kind if kind is not Kind.DRIP])
calls = st.sampled_from(["", "entries", "head", "open", "put", "copy", "delete"])
places = st.sampled_from(["", "", "[!.]*", "[!.]*", ".buckia/trash/*"])
faults = st.lists(
    st.builds(Fault, kinds, calls, places, st.integers(1, 2), st.sampled_from([1, 2, 100])),
    min_size=1,
    max_size=2,
)
crashes = st.builds(
    Fault, st.sampled_from([Kind.CRASH, Kind.CRASH_ACTED]), nth=st.integers(1, 12)
).map(lambda fault: [fault])
Change = tuple[str, str, bytes | None]
changes: st.SearchStrategy[list[Change]] = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "remove", "rename", "put", "drop"]),
        keys,
        st.none() | some,
    ),
    min_size=1,
    max_size=6,
)
failures = st.builds(
    Fault,
    st.sampled_from([Kind.REFUSED, Kind.ACTED, Kind.CONDITION]),
    st.sampled_from(["put", "copy", "open"]),
    st.just("[!.]*"),
).map(lambda fault: [fault])
bad_luck: st.SearchStrategy[list[Fault]] = st.just([]) | faults | crashes | failures


class TwoPeople(RuleBasedStateMachine):
    """Two clones of one project over one bucket; the lockfile is passed between them by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.store = FaultyStore(MemoryStore())
        self.worlds: list[World] = []
        self.plans: list[tuple[int, Plan]] = []
        self.count = 0

    @initialize(
        policy=st.sampled_from(["ask", "local_wins", "remote_wins", "newest_wins"]),
        delete=st.sampled_from([True, True, False, "all"]),
        files=st.dictionaries(keys, some, min_size=2, max_size=4),
    )
    def begin(self, policy: str, delete: Any, files: Side) -> None:
        """A settled project, and a clone of it."""
        root = Path(self.folder.name)
        first = World(
            root / "one",
            {"main": self.store},
            conflict_resolution=policy,
            delete_orphaned=delete,
            limits=NO_LIMITS,
        ).settled(files)
        self.worlds = [first, first.clone(root / "two")]

    def teardown(self) -> None:
        """Away with the folders."""
        self.folder.cleanup()

    # -- what people do -----------------------------------------------------------------------

    @rule(one=who, changes=changes)
    def edit(self, one: int, changes: list[Change]) -> None:
        """Write, delete and rename files, and objects behind buckia's back."""
        for change in changes:
            self.change(self.worlds[one], change)

    def change(self, world: World, change: Change) -> None:
        what, key, to = change
        data = to or self.novelty()
        if what == "write":
            world.write(key, data)
        elif what == "remove":
            world.remove(key)
        elif what == "put":
            world.put(key, data)
        elif what == "drop":
            world.drop(key)
        elif (world.tree / key).is_file():
            free = world.tree / f"renamed {self.count}"
            if not free.exists():
                (world.tree / key).rename(free)

    @rule(one=who)
    def share(self, one: int) -> None:
        """The other one gets this one's lockfile, as with `git pull`."""
        lock = self.worlds[one].root / lockfile.KEY
        if lock.exists():
            shutil.copy(lock, self.worlds[1 - one].root / lockfile.KEY)

    def novelty(self) -> bytes:
        self.count += 1
        return b"novelty %d" % self.count

    # -- what buckia does ---------------------------------------------------------------------

    @rule(one=who, luck=bad_luck)
    def plan(self, one: int, luck: list[Fault]) -> None:
        """Plan and keep it for later: nothing changes anywhere, whatever happens."""
        before = self.sides()
        plan = self.lucky(luck, lambda: self.worlds[one].plan(skip_conflicts=True))
        assert self.sides() == before
        if isinstance(plan, Plan):
            self.plans.append((one, plan))

    @rule(one=who, changes=changes, luck=bad_luck)
    def sync(self, one: int, changes: list[Change], luck: list[Fault]) -> None:
        """Edit, plan, then apply with bad luck."""
        self.edit(one, changes)
        plan = self.worlds[one].plan(skip_conflicts=True)
        self.plans.append((one, plan))
        self.apply(one, plan, luck)
        if all(fault.kind not in LIES for fault in luck):
            anew = self.worlds[one].plan(skip_conflicts=True)
            assert conflicts(anew) <= conflicts(plan), "a false conflict"

    @precondition(lambda self: self.plans)
    @rule(data=st.data(), luck=bad_luck)
    def apply_an_old_plan(self, data: st.DataObject, luck: list[Fault]) -> None:
        """Apply any plan there ever was, once more or for the first time."""
        one, plan = data.draw(st.sampled_from(self.plans))
        self.apply(one, plan, luck)

    @rule(one=who)
    def settle(self, one: int) -> None:
        """Without bad luck a few rounds lead to where nothing is left to do, once the leases of
        runs that died have ended."""
        world = self.worlds[one]
        world.drop(f"{RESERVED_PREFIX}lease.json")
        for _ in range(3):
            plan = world.plan(skip_conflicts=True)
            if not plan.applyable or not plan.actions:
                return
            assert not self.apply(one, plan, []).failed
        assert ops(world.plan(skip_conflicts=True)) == []
        assert world.left_behind() == []

    def apply(self, one: int, plan: Plan, luck: list[Fault]) -> Applied:
        """Apply and hold what has happened against the model."""
        world, other = self.worlds[one], self.worlds[1 - one]
        before, alive, beside = world.both(), self.alive(), other.local()
        done = self.lucky(luck, lambda: world.apply(plan))
        after = world.both()
        assert alive <= self.alive(), "a content is lost"
        assert other.local() == beside
        named = named_by(plan)
        for old, new in zip(before, after, strict=True):
            assert rest(old, named) == rest(new, named), "something changed that no action names"
        if isinstance(done, BuckiaError) and not isinstance(done, IncompleteError):
            assert after == before, "refused, and yet changed"
        if isinstance(done, Applied) and failed_to_write(done, after[1]):
            assert all(old.keys() <= new.keys() for old, new in zip(before, after, strict=True))
        if not luck and isinstance(done, BuckiaError):
            assert done.exit_code in REFUSALS
        return done if isinstance(done, Applied) else Applied(plan.digest)

    def lucky(self, luck: list[Fault], act: Callable[[], Any]) -> Any:
        """What a call gives under these faults: its result, its error, or None after a crash."""
        with self.store.faults(*luck):
            try:
                return act()
            except BuckiaError as problem:
                return problem
            except Crash:
                return None

    # -- what is always so --------------------------------------------------------------------

    def sides(self) -> list[Side]:
        return [*self.worlds[0].both(), self.worlds[1].local()]

    def alive(self) -> set[bytes]:
        """Every content that a person has written and can still find, trashes included."""
        places = [tree_of(world.tree) for world in self.worlds]
        places += [tree_of(world.root / ".buckia.d" / "trash") for world in self.worlds]
        places.append(self.worlds[0].remote())
        held = read_all(self.store).items()
        kept = {data for key, data in held if key.startswith(f"{RESERVED_PREFIX}trash/")}
        return kept.union(*(place.values() for place in places))

    @invariant()
    def lockfiles_can_be_read(self) -> None:
        """Whatever has happened, there is a state to go on from."""
        for world in self.worlds:
            world.lock()


def named_by(plan: Plan) -> set[str]:
    """Every key that an action may change something at."""
    left = {a.source.key for a in plan.actions if a.op is Op.MOVE and a.source and a.source.key}
    return {action.key for action in plan.actions} | left


def rest(side: Side, named: set[str]) -> Side:
    return {key: data for key, data in side.items() if key not in named}


def conflicts(plan: Plan) -> set[str]:
    return {code for code in codes(plan) if code.startswith("conflict_skipped")}


def failed_to_write(applied: Applied, remote: Side) -> bool:
    """Whether a write failed, the first half of a move included."""
    writes = (Op.UPLOAD, Op.DOWNLOAD, Op.COPY)
    return any(
        item.op in writes or (item.op is Op.MOVE and item.key not in remote)
        for item in applied.failed
    )


def test_two_people_lose_nothing() -> None:
    """No sequence of edits, faults, crashes and old plans breaks a law."""
    run_state_machine_as_test(
        TwoPeople, settings=settings(max_examples=SEQUENCES, stateful_step_count=STEPS)
    )
