"""The laws, as properties of whole worlds: every direction, every policy, any history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from buckia.errors import PreconditionError, StaleError, UnavailableError
from buckia.headers import agrees
from buckia.model import Action, Entry, Op
from buckia.planfile import Plan
from buckia.stores.base import Store
from buckia.stores.memory import MemoryStore
from tests.helpers import Side, World, ops
from tests.strategies import (
    History,
    busy_histories,
    examples,
    header_rules,
    histories,
    sync_what_goes,
)

MEMORY, LOCAL = "memory", "local"
KINDS = (pytest.param(MEMORY, 60), pytest.param(LOCAL, 15))


pytestmark = pytest.mark.usefixtures("hurried")


@contextmanager
def world_of(history: History, store: Store | None = None, **more: Any) -> Iterator[World]:
    """The world of a history in a folder of its own; without a store over a directory."""
    with TemporaryDirectory() as folder:
        yield history.build(Path(folder), {"main": store}, **more)


def open_plan(world: World) -> Plan:
    """What there is to do, conflicts left out; a blocked plan is not looked at."""
    plan = world.plan(skip_conflicts=True)
    assume(plan.applyable)
    return plan


def store_of(kind: str) -> Store | None:
    return MemoryStore() if kind == MEMORY else None


# -- 1: converges ----------------------------------------------------------------------------------


def converges(history: History, store: Store | None) -> None:
    """Plan, apply, plan. With `all`, a first apply only learns what is foreign: nothing is deleted
    without a base, so there a second one is due."""
    with world_of(history, store) as world:
        open_plan(world)
        if history.options["delete_orphaned"] == "all" and not world.lock().state("main").entries:
            sync_what_goes(world)
        sync_what_goes(world)
        assert ops(world.plan(skip_conflicts=True)) == []
        assert world.left_behind() == []


@examples(80)
@given(histories)
@pytest.mark.promise("L1", "INV-19")
def test_law_1_nothing_is_left_to_do_after_a_clean_apply(history: History) -> None:
    """A plan made after a clean apply has no actions."""
    converges(history, MemoryStore())


@examples(20)
@given(histories)
@pytest.mark.promise("L1")
def test_law_1_with_a_directory_as_bucket(history: History) -> None:
    """The same where an object's version is its content."""
    converges(history, None)


@examples(60)
@given(histories, header_rules)
@pytest.mark.promise("L1")
def test_law_1_with_rules_that_change(history: History, rules: list[dict[str, Any]]) -> None:
    """One sync makes every object that is its local file wear just what the rules want, and moves
    no byte for it."""
    assume(history.options["direction"] != "download")
    with world_of(history, MemoryStore()) as world:
        open_plan(world)
        sync_what_goes(world)
        sync_what_goes(world)  # without a base nothing was deleted yet
        assume(not world.plan(skip_conflicts=True).blocked)
        before, changed = world.both(), world.under(headers=rules)
        plan = changed.plan(skip_conflicts=True)
        assert {action.reason for action in plan.actions} <= {"headers_changed"}
        sync_what_goes(changed)
        assert ops(changed.plan(skip_conflicts=True)) == []
        assert changed.both() == before
        wishes = changed.config.bucket("main").rules.headers
        here, there = before
        for key in changed.lock().state("main").entries:
            held = changed.store().head(key)
            if held and here.get(key) == there[key]:
                assert agrees(held, wishes.wanted(key))


@pytest.mark.parametrize("kind", [MEMORY, LOCAL])
def test_law_1_a_world_that_repeats_itself_is_put_right_every_time(
    tmp_path: Path, kind: str
) -> None:
    """The same loss twice makes the same plan twice; the second is no less carried out."""
    world = World(tmp_path, {"main": store_of(kind)}, direction="download")
    world.settled({"a": b"1", "b": b"2"})
    for _ in range(2):
        world.remove("a")
        world.sync()
        assert world.local() == {"a": b"1", "b": b"2"}


# -- 2: nothing foreign is lost --------------------------------------------------------------------


@examples(60)
@given(histories, st.sampled_from([MEMORY, MEMORY, LOCAL]))
@pytest.mark.promise("L2", "INV-15")
def test_law_2_nothing_is_lost_that_no_action_names(history: History, kind: str) -> None:
    """Keys that no action names keep their bytes; of the others every loser is kept, unless the
    trash is switched off."""
    with world_of(history, store_of(kind)) as world:
        plan = open_plan(world)
        before, everything = world.both(), world.everything()
        world.apply(plan)
        named = named_by(plan)
        for old, new in zip(before, world.both(), strict=True):
            assert rest_of(old, named) == rest_of(new, named)
        lost = everything - world.everything()
        assert not lost or not history.options["trash"]
        assert len(lost) <= sum(action.undo == "none" for action in plan.actions)


def named_by(plan: Plan) -> set[str]:
    """Every key that an action changes something at."""
    moved = {a.source.key for a in plan.actions if a.op is Op.MOVE and a.source and a.source.key}
    return {action.key for action in plan.actions} | moved


def rest_of(side: Side, named: set[str]) -> Side:
    return {key: data for key, data in side.items() if key not in named}


# -- 4: a failed write deletes nothing -------------------------------------------------------------


class Refusing(MemoryStore):
    """A bucket that takes no new content at `keys` once they are set; `refused` is what was tried
    there."""

    keys: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()

    def refuse(self, key: str) -> None:
        if key in self.keys:
            self.refused |= {key}
            raise UnavailableError("the service is not available")

    def put(self, entry: Entry, body: Any, *, replacing: Entry | None) -> Entry:
        self.refuse(entry.key)
        return super().put(entry, body, replacing=replacing)

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        self.refuse(key)
        return super().copy(source, entry, key=key, replacing=replacing)

    def put_headers(self, entry: Entry, *, replacing: Entry) -> Entry:
        self.refuse(entry.key)
        return super().put_headers(entry, replacing=replacing)

    def open(self, entry: Entry) -> Any:
        if entry.key in self.keys:
            raise PreconditionError("changed meanwhile")
        return super().open(entry)


@examples(60)
@given(busy_histories(), st.data())
@pytest.mark.promise("L4")
def test_law_4_a_failed_write_deletes_nothing(history: History, data: st.DataObject) -> None:
    """Whichever write fails, nothing is deleted on either side; without the failure it is."""
    store = Refusing()
    with world_of(history, store) as world:
        plan = open_plan(world)
        writes = [a.key for a in plan.actions if a.op in WRITES]
        assume(writes and any(a.op in DELETES for a in plan.actions))
        before = world.both()
        store.keys = frozenset([data.draw(st.sampled_from(writes))])
        applied = world.apply(plan)
        failing, store.keys = store.keys, frozenset()
        assert {outcome.key for outcome in applied.failed} >= failing
        for old, new in zip(before, world.both(), strict=True):
            assert old.keys() <= new.keys()
        world.apply(plan)
        assert ops(world.plan(skip_conflicts=True)) == []


WRITES = (Op.UPLOAD, Op.DOWNLOAD, Op.COPY, Op.MOVE)
DELETES = (Op.DELETE_LOCAL, Op.DELETE_REMOTE, Op.MOVE)


# -- 5: what was reviewed is what happens ----------------------------------------------------------


@examples(80)
@given(histories, st.sampled_from([MEMORY, MEMORY, LOCAL]), st.data())
@pytest.mark.promise("L5")
def test_law_5_a_world_that_moved_is_not_touched(
    history: History, kind: str, data: st.DataObject
) -> None:
    """A change at the key of any action, on any side it looks at, makes the plan stale, and then
    nothing at all is changed."""
    with world_of(history, store_of(kind)) as world:
        plan = open_plan(world)
        assume(plan.actions)
        action = data.draw(st.sampled_from(plan.actions))
        side, key = data.draw(st.sampled_from(looked_at(action)))
        change = world.write if side == "local" else world.put
        change(key, b"changed after the plan")
        before, lock = world.both(), world.lock()
        with pytest.raises(StaleError, match="nothing was changed"):
            world.apply(plan)
        assert world.both() == before
        assert world.lock() == lock


def looked_at(action: Action) -> list[tuple[str, str]]:
    """The places whose content an action depends on."""
    if action.op is Op.FORGET and action.reason != "both_deleted":
        return [("local", action.key)]
    places = [("local", action.key), ("remote", action.key)]
    if action.op in (Op.MOVE, Op.COPY) and action.source and action.source.key:
        places.append(("remote", action.source.key))
    if action.op is Op.MOVE and action.source and action.source.key:
        places.append(("local", action.source.key))
    return places


@examples(30)
@given(histories)
@pytest.mark.promise("INV-19")
def test_law_5_an_applied_plan_changes_nothing_when_applied_again(history: History) -> None:
    """The same plan again is a success that does nothing."""
    with world_of(history, MemoryStore()) as world:
        plan = open_plan(world)
        world.apply(plan)
        before, lock = world.both(), world.lock()
        again = world.apply(plan)
        assert again.already == bool(plan.actions)
        assert (world.both(), world.lock()) == (before, lock)
