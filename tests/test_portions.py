"""What a worker is handed at once: some small files of many, anything else by itself."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia.decisions.preflight import State, View
from buckia.errors import Interrupted
from buckia.execution.portions import LIGHT, Group, portions
from buckia.execution.tasks import Task
from buckia.model import Action, Content, Entry, Op, Source, replace
from buckia.project import Project
from buckia.stores.memory import MemoryStore
from tests.helpers import World, ops
from tests.strategies import examples

pytestmark = pytest.mark.usefixtures("hurried")


def _group(number: int, size: int) -> Group:
    content = Content(size=size, sha256="0" * 64)
    action = Action(str(number), Op.UPLOAD, "main", f"k{number}", "new", None, content, None, None)
    stores: Any = None
    return (Task(action, State.PENDING, View(None, None), stores),)


@examples(60)
@given(st.lists(st.integers(0, 2 * 1024 * 1024), max_size=300), st.integers(1, 5))
def test_portions_hold_everything_in_order(sizes: list[int], workers: int) -> None:
    """None is heavier than it may be, unless it is one group, and all workers have many."""
    groups = [_group(number, size) for number, size in enumerate(sizes)]
    handed = list(portions(groups, workers))
    assert [group for portion in handed for group in portion] == groups
    for portion in handed:
        weight = sum(task.action.content.size for (task,) in portion if task.action.content)
        assert len(portion) == 1 or weight <= LIGHT
        assert len(portion) <= max(1, len(groups) // (8 * workers))


def test_many_small_files_are_handed_over_together() -> None:
    """Few are not: every worker is to have something to do until the end."""
    many = list(portions([_group(n, 10) for n in range(1000)], 4))
    assert {len(portion) for portion in many} == {8}
    assert len(list(portions([_group(n, 10) for n in range(60)], 4))) == 60


@pytest.mark.parametrize(("size", "together"), [(512 * 1024, 2), (512 * 1024 + 1, 1)])
def test_a_portion_weighs_a_mebibyte_at_the_most(size: int, together: int) -> None:
    """Two that are heavier together are handed over one by one."""
    handed = list(portions([_group(n, size) for n in range(1000)], 4))
    assert {len(portion) for portion in handed} == {together}


@pytest.mark.parametrize(("through", "together"), [(False, 8), (True, 1)])
def test_what_a_service_copies_by_itself_weighs_less(through: bool, together: int) -> None:
    """Photos are promoted many at a time, unless their bytes pass through here."""
    stores: Any = SimpleNamespace(through=through)
    copies = []
    for number in range(1000):
        (task,) = _group(number, 3 * 1024 * 1024)
        source = Source(key=task.action.key, version="v", bucket="other")
        action = replace(task.action, op=Op.COPY, source=source)
        copies.append((replace(task, action=action, stores=stores),))
    assert {len(portion) for portion in portions(copies, 4)} == {together}


@pytest.mark.parametrize(("workers", "together"), [(1, 64), (4, 64), (16, 62), (100, 10)])
def test_of_what_is_seen_together_more_is_taken(workers: int, together: int) -> None:
    """As long as each worker has a portion of it."""
    groups = [_group(number, 10) for number in range(1000)]
    handed = list(portions(groups, workers, lambda group: True))
    assert max(map(len, handed)) == len(handed[0]) == together
    assert [group for portion in handed for group in portion] == groups


@pytest.mark.parametrize("workers", [2, 4, 16])
def test_those_that_are_seen_together_get_fewer_towards_the_end(workers: int) -> None:
    """So that no worker has a full portion to do when the others have none."""
    groups = [_group(number, 10) for number in range(1000)]
    sizes = [len(portion) for portion in portions(groups, workers, lambda group: True)]
    assert sizes == sorted(sizes, reverse=True)
    for number, size in enumerate(sizes):
        assert size <= max(16, sum(sizes[number:]) // workers)
    assert min(sizes[:-1]) >= 16 and len(sizes) < 1000 // 64 + 3 * workers


def test_a_stop_is_heeded_within_a_portion(tmp_path: Path) -> None:
    """What had not begun is left to the next run, which does it."""
    stop = threading.Event()

    class Halting(MemoryStore):
        def put(self, entry: Entry, body: Any, *, replacing: Entry | None) -> Entry:
            if entry.key == "f020":
                stop.set()
            return super().put(entry, body, replacing=replacing)

    world = World(tmp_path, {"main": Halting()}, max_workers=1)
    for number in range(100):
        world.write(f"f{number:03}", b"%d" % number)
    plan = world.plan()
    with (
        Project(world.config, stop=stop, stores=world.stores) as project,
        pytest.raises(Interrupted),
    ):
        project.apply(plan)
    done = world.lock().state("main").entries
    assert done.keys() == world.remote().keys()
    assert 20 <= len(done) <= 21
    world.apply(plan)
    assert world.remote() == world.local()
    assert ops(world.plan()) == []
