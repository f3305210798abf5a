"""The laws again, for what goes from bucket to bucket: promotions to two targets, and moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from buckia import planfile
from buckia.errors import BuckiaError, StaleError, UnavailableError
from buckia.manifest import is_manifest
from buckia.model import Action, Entry, Op
from buckia.planfile import Plan
from buckia.stores.base import Store
from buckia.stores.memory import MemoryStore
from tests.helpers import Side, ops
from tests.strategies import examples
from tests.test_laws_runs import Cut, Reports
from tests.tiers import FOLDER, NAMES, SOURCE, TARGETS, Apart, Past, Tiers, pasts, without

pytestmark = pytest.mark.usefixtures("hurried")

MOVE = {"move": True}
Stores = dict[str, MemoryStore]


@contextmanager
def tiers_of(past: Past, stores: Any = None, **options: Any) -> Iterator[Tiers]:
    """The tiers of a past in a folder of their own."""
    with TemporaryDirectory() as folder:
        yield past.build(Path(folder), stores, **options)


def open_plan(past: Past, tiers: Tiers, *targets: str, **options: Any) -> Plan:
    """What there is to do, conflicts left out; a blocked plan is not looked at."""
    plan = past.plan(tiers, *targets, **options)
    assume(plan.applyable)
    return plan


def sides(tiers: Tiers) -> dict[str, Side]:
    """What every bucket holds."""
    return {name: tiers.remote(name) for name in (SOURCE, *TARGETS)}


# -- 1: converges ----------------------------------------------------------------------------------


@examples(25)
@given(pasts)
@pytest.mark.promise("L1")
def test_law_1_promoted_again_there_is_nothing_to_do(past: Past) -> None:
    """A plan made after a clean promotion has no actions; the source is as it was."""
    with tiers_of(past) as tiers:
        plan, before = open_plan(past, tiers), tiers.remote(SOURCE)
        assert not tiers.apply(plan).failed
        assert ops(past.plan(tiers)) == []
        assert tiers.remote(SOURCE) == before
        assert tiers.left_behind() == []


@examples(20)
@given(pasts)
@pytest.mark.promise("L1")
def test_law_1_moved_again_there_is_nothing_to_do(past: Past) -> None:
    """After a move the source holds nothing of the folder that was not left out for a reason."""
    with tiers_of(past) as tiers:
        plan = open_plan(past, tiers, "premium", **MOVE)
        assert not tiers.apply(plan).failed
        assert ops(past.plan(tiers, "premium", **MOVE)) == []
        moved = {action.key for action in plan.actions if action.op is Op.MOVE}
        assert not moved & tiers.remote(SOURCE).keys()
        assert moved <= tiers.remote("premium").keys()
        assert not moved & (tiers.known(SOURCE).keys() | tiers.known(f"{SOURCE}>premium").keys())


# -- 2: nothing foreign is lost --------------------------------------------------------------------


@examples(25)
@given(pasts, st.booleans())
@pytest.mark.promise("L2", "INV-15")
def test_law_2_nothing_is_lost_that_no_action_names(past: Past, move: bool) -> None:
    """In no bucket, and of what is overwritten or deleted every loser is kept."""
    with tiers_of(past) as tiers:
        targets = TARGETS[:1] if move else TARGETS
        plan = open_plan(past, tiers, *targets, move=move)
        before, everything = sides(tiers), tiers.everything()
        tiers.apply(plan)
        for name, old in before.items():
            keys = {a.key for a in plan.actions if name in (a.bucket.split(">")[1], left(a))}
            assert without(old, keys) == without(tiers.remote(name), keys)
        lost = everything - tiers.everything()
        assert not lost or not past.options["trash"]
        assert len(lost) <= sum(action.undo == "none" for action in plan.actions)


def left(action: Action) -> str | None:
    """The bucket that an action takes an object away from."""
    return action.source.bucket if action.op is Op.MOVE and action.source else None


@examples(20)
@given(pasts)
@pytest.mark.promise("L2")
def test_law_2_the_next_plans_of_the_buckets_delete_nothing(past: Past) -> None:
    """What was promoted is new to the plan of its own bucket, or at most foreign to it."""
    with tiers_of(past) as tiers:
        assert not tiers.apply(open_plan(past, tiers)).failed
        everything = {**past.options, "delete_orphaned": "all"}
        for direction in ("both", "upload"):
            for name in TARGETS:
                paths = [{"path": f"{name}/", "direction": direction}]
                twin = tiers.under(**everything, paths=paths)
                plan = twin.plan([name], told=False)
                promoted = tiers.known(f"{SOURCE}>{name}").keys()
                gone = {a.key for a in plan.actions if a.op is Op.DELETE_REMOTE}
                assert not gone & promoted


# -- 3: cut anywhere, run again, same end ----------------------------------------------------------


class Clock:
    """Counts the changes of all buckets together; at the `step`-th the process ends."""

    step = 0
    after = False

    @contextmanager
    def change(self) -> Iterator[None]:
        self.step -= 1
        if self.step == 0 and not self.after:
            raise Cut
        yield
        if self.step == 0:
            raise Cut


class Ending(MemoryStore):
    """A bucket whose changes a clock counts."""

    def __init__(self, name: str, clock: Clock, *, apart: bool) -> None:
        super().__init__(name)
        self._ends = clock
        self._apart = apart

    def copies(self, source: Store) -> bool:
        return source is self if self._apart else super().copies(source)

    def put(self, entry: Entry, body: Any, *, replacing: Entry | None) -> Entry:
        with self._ends.change():
            return super().put(entry, body, replacing=replacing)

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        if not self.copies(source):
            return None
        with self._ends.change():
            return super().copy(source, entry, key=key, replacing=replacing)

    def delete(self, entry: Entry) -> None:
        with self._ends.change():
            super().delete(entry)


@contextmanager
def cut_tiers(
    past: Past, move: bool, step: int, where: str, **options: Any
) -> Iterator[tuple[Tiers, Plan]]:
    """Tiers between which a run was cut, and the plan it was carrying out."""
    clock = Clock()
    stores = {n: Ending(n, clock, apart=past.apart) for n in (SOURCE, *TARGETS)}
    with tiers_of(past, stores, **options) as tiers:
        plan = open_plan(past, tiers, *(TARGETS[:1] if move else TARGETS), move=move)
        assume(plan.actions)
        if step:
            before = sides(tiers)
            clock.after, clock.step = where == "after", 0 if where == "recorded" else step
            with suppress(Cut):
                tiers.apply(plan, progress=Reports(step if where == "recorded" else 0))
            clock.step = 0
            nowhere_absent(tiers, before)
        yield tiers, plan


def nowhere_absent(tiers: Tiers, before: dict[str, Side]) -> None:
    """What the source held is there, or in a target."""
    now = sides(tiers)
    for key, data in before[SOURCE].items():
        assert is_manifest(key) or data in [side.get(key) for side in now.values()], key


@examples(25)
@given(pasts, st.booleans(), st.integers(1, 12), st.sampled_from(["before", "after", "recorded"]))
@pytest.mark.promise("L3")
def test_law_3_a_run_that_was_cut_ends_as_if_it_had_not_been(
    past: Past, move: bool, step: int, where: str
) -> None:
    """With the same plan again and with a new one; no file is ever absent from all buckets."""
    targets = TARGETS[:1] if move else TARGETS
    with cut_tiers(past, move, 0, where) as (tiers, plan):
        tiers.apply(plan)
        end, known = sides(tiers), memory(tiers)
    with cut_tiers(past, move, step, where) as (tiers, plan):
        assert not tiers.apply(plan).failed
        assert (sides(tiers), memory(tiers)) == (end, known)
        assert ops(past.plan(tiers, *targets, move=move)) == []
    with cut_tiers(past, move, step, where) as (tiers, plan):
        anew = past.plan(tiers, *targets, move=move)
        assert conflicts(anew) <= conflicts(plan)
        assert not tiers.apply(anew).failed
        assert (sides(tiers), memory(tiers)) == (end, known)
        assert ops(past.plan(tiers, *targets, move=move)) == []


def memory(tiers: Tiers) -> dict[str, dict[str, str]]:
    """What the lockfile knows of buckets and pairs, those without entries left out."""
    known = {name: tiers.known(name) for name in tiers.lock().buckets}
    return {name: entries for name, entries in known.items() if entries}


def conflicts(plan: Plan) -> set[tuple[str, str]]:
    return {(n.bucket, n.key) for n in plan.warnings if n.code == "conflict_skipped"}


# -- 4: a failed write deletes nothing -------------------------------------------------------------


class Refusing(Apart):
    """A bucket that takes no content at some keys."""

    keys: frozenset[str] = frozenset()

    def put(self, entry: Entry, body: Any, *, replacing: Entry | None) -> Entry:
        if entry.key in self.keys:
            raise UnavailableError("the service is not available")
        return super().put(entry, body, replacing=replacing)


@examples(25)
@given(pasts, st.booleans(), st.booleans(), st.data())
@pytest.mark.promise("L4")
def test_law_4_a_failed_write_deletes_nothing(
    past: Past, move: bool, keep_going: bool, data: st.DataObject
) -> None:
    """Neither in that target nor in the source, nor in a target after it; the same plan goes on."""
    stores = {name: Refusing(name) for name in (SOURCE, *TARGETS)}
    with tiers_of(past, stores) as tiers:
        targets = TARGETS[:1] if move else TARGETS
        plan = open_plan(past, tiers, *targets, move=move)
        written = [a.key for a in plan.actions if is_write(a) and a.bucket.endswith(TARGETS[0])]
        assume(written)
        before = sides(tiers)
        stores[TARGETS[0]].keys = frozenset([data.draw(st.sampled_from(written))])
        assert tiers.apply(plan).failed
        for name, old in before.items():
            assert old.keys() <= tiers.remote(name).keys()
        stores[TARGETS[0]].keys = frozenset()
        assert not tiers.apply(plan).failed
        assert ops(past.plan(tiers, *targets, move=move)) == []


def is_write(action: Action) -> bool:
    """Whether an action sends content, in a world whose buckets hold no two equal files."""
    same = action.content and action.expect and action.content.sha256 == action.expect.sha256
    return action.op in (Op.COPY, Op.MOVE) and not same


# -- 5: what was reviewed is what happens ----------------------------------------------------------


@examples(25)
@given(pasts, st.booleans(), st.data())
@pytest.mark.promise("L5")
def test_law_5_buckets_that_moved_are_not_touched(
    past: Past, move: bool, data: st.DataObject
) -> None:
    """A change at the key of any action, on either side, makes the plan stale: nothing happens.
    What the source lost and a move forgets is the target's own from then on, whatever it holds."""
    with tiers_of(past) as tiers:
        plan = open_plan(past, tiers, *(TARGETS[:1] if move else TARGETS), move=move)
        assume(plan.actions)
        action = data.draw(st.sampled_from(plan.actions))
        sides_of = action.bucket.split(">")
        own = action.op is Op.FORGET and action.reason != "both_deleted"
        bucket = data.draw(st.sampled_from(sides_of[:1] if own else sides_of))
        tiers.put(action.key, b"changed after the plan", bucket)
        before, lock = sides(tiers), tiers.lock()
        with pytest.raises(StaleError, match="nothing was changed"):
            tiers.apply(plan)
        assert (sides(tiers), tiers.lock()) == (before, lock)


@examples(15)
@given(pasts, st.booleans())
@pytest.mark.promise("INV-19")
def test_law_5_an_applied_promotion_changes_nothing_when_applied_again(
    past: Past, move: bool
) -> None:
    """The same plan again is a success that does nothing."""
    with tiers_of(past) as tiers:
        plan = open_plan(past, tiers, *(TARGETS[:1] if move else TARGETS), move=move)
        tiers.apply(plan)
        before, lock = sides(tiers), tiers.lock()
        assert tiers.apply(plan).already == bool(plan.actions)
        assert (sides(tiers), tiers.lock()) == (before, lock)


# -- 6: a listing is complete or it does not exist -------------------------------------------------


class Breaking(MemoryStore):
    """A bucket whose listing breaks off."""

    broken = False

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        for number, entry in enumerate(super().entries(prefix)):
            if self.broken and number == 1:
                raise UnavailableError("the listing broke off")
            yield entry


@pytest.mark.promise("L6")
@pytest.mark.parametrize("bucket", [SOURCE, *TARGETS])
def test_law_6_a_listing_that_breaks_off_promotes_nothing(tmp_path: Path, bucket: str) -> None:
    """Whichever bucket it is of."""
    stores = {name: Breaking(name) for name in (SOURCE, *TARGETS)}
    tiers = Tiers(tmp_path, stores)
    tiers.applied(dict.fromkeys(NAMES, b"content"))
    tiers.promote()
    before = sides(tiers)
    stores[bucket].broken = True
    with pytest.raises(BuckiaError, match="the listing broke off"):
        tiers.promotion()
    stores[bucket].broken = False
    assert sides(tiers) == before


# -- 7: same inputs, same bytes --------------------------------------------------------------------


@examples(15)
@given(pasts, st.booleans())
@pytest.mark.promise("L7")
def test_law_7_two_clones_plan_the_same_bytes(past: Past, move: bool) -> None:
    """Neither the folder nor anything of the machine shows in a plan."""
    with tiers_of(past) as tiers, TemporaryDirectory() as there:
        twin = tiers.clone(Path(there))
        targets = TARGETS[:1] if move else TARGETS
        expected = planfile.write(past.plan(tiers, *targets, move=move))
        assert planfile.write(past.plan(twin, *targets, move=move)) == expected  # type: ignore[arg-type]
        assert str(tiers.root).encode() not in expected
        assert FOLDER.encode() in expected
