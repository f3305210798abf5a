"""The laws about runs: cut anywhere they end the same, and equal inputs give equal bytes."""

from __future__ import annotations

import os
import random
import subprocess  # noqa: TID251  (another process hashes in another order)
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from buckia import planfile
from buckia.model import Entry, Headers, Tick
from buckia.rules import RESERVED_PREFIX
from buckia.stores.base import Store
from buckia.stores.memory import MemoryStore
from tests.helpers import World, codes, ops
from tests.strategies import History, examples, histories

pytestmark = pytest.mark.usefixtures("hurried")


# -- 3: cut anywhere, run again, same end ----------------------------------------------------------


class Cut(BaseException):
    """The end of a process, as far as a test can have one."""


class Cutting(MemoryStore):
    """A bucket at whose `step`-th change the process ends, before it takes place or after."""

    step = 0
    after = False

    @contextmanager
    def _change(self) -> Iterator[None]:
        self.step -= 1
        if self.step == 0 and not self.after:
            raise Cut
        yield
        if self.step == 0:
            raise Cut

    def put(self, entry: Entry, body: Any, *, replacing: Entry | None) -> Entry:
        with self._change():
            return super().put(entry, body, replacing=replacing)

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        with self._change():
            return super().copy(source, entry, key=key, replacing=replacing)

    def put_headers(self, entry: Entry, *, replacing: Entry) -> Entry:
        with self._change():
            return super().put_headers(entry, replacing=replacing)

    def delete(self, entry: Entry) -> None:
        with self._change():
            super().delete(entry)


class Reports:
    """Progress at whose `step`-th recorded outcome the process ends."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, tick: Tick) -> None:
        if tick.stage not in ("hash", "list", "preflight"):
            self.step -= 1
            if self.step == 0:
                raise Cut


@contextmanager
def cut_world(
    history: History, step: int, where: str, **more: Any
) -> Iterator[tuple[World, planfile.Plan]]:
    """A world in which a run was cut, and the plan it was carrying out."""
    store = Cutting()
    with TemporaryDirectory() as folder:
        world = history.build(Path(folder), {"main": store}, **more)
        first = not world.lock().state("main").entries
        assume(not (first and history.options["delete_orphaned"] == "all"))
        plan = world.plan(skip_conflicts=True)
        assume(plan.applyable and plan.actions)
        if step:
            store.after = where == "after"
            store.step = 0 if where == "recorded" else step
            with suppress(Cut):
                world.apply(plan, progress=Reports(step if where == "recorded" else 0))
            store.step = 0
        yield world, plan


@examples(40)
@given(
    histories,
    st.integers(1, 6),
    st.sampled_from(["before", "after", "recorded"]),
)
@pytest.mark.promise("L3")
def test_law_3_a_run_that_was_cut_ends_as_if_it_had_not_been(
    history: History, step: int, where: str
) -> None:
    """The same plan again, and a new plan, both lead to the end that the whole run has, and no
    conflict appears that was not there before."""
    with cut_world(history, 0, where) as (world, plan):
        world.apply(plan)
        end, known, worn = world.both(), contents_of(world), headers_of(world)
    with cut_world(history, step, where) as (world, plan):
        assert not world.apply(plan).failed
        assert (world.both(), contents_of(world), headers_of(world)) == (end, known, worn)
        assert ops(world.plan(skip_conflicts=True)) == []
        assert world.left_behind() == []
    with cut_world(history, step, where) as (world, plan):
        anew = world.plan(skip_conflicts=True)
        assert skipped(anew) <= skipped(plan)
        assert not world.apply(anew).failed
        assert (world.both(), contents_of(world), headers_of(world)) == (end, known, worn)
        assert ops(world.plan(skip_conflicts=True)) == []


def contents_of(world: World) -> dict[str, str]:
    """What the lockfile knows, without tokens and counters."""
    return {key: item.sha256 for key, item in world.lock().state("main").entries.items()}


def headers_of(world: World) -> dict[str, tuple[Headers | None, Headers | None]]:
    """What each object has, and what the lockfile says was set."""
    known = world.lock().state("main").entries
    return {
        entry.key: (entry.headers, known[entry.key].headers if entry.key in known else None)
        for entry in world.store().entries()
        if not entry.key.startswith(RESERVED_PREFIX)
    }


def skipped(plan: planfile.Plan) -> set[str]:
    return {code for code in codes(plan) if code.startswith("conflict_skipped")}


# -- 7: same inputs, same bytes --------------------------------------------------------------------


class Shuffled(MemoryStore):
    """A bucket that lists in another order every time."""

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        found = list(super().entries(prefix))
        yield from random.sample(found, len(found))


@contextmanager
def elsewhere(folder: Path, zone: str) -> Iterator[None]:
    """Another working directory, time zone and order of directories."""
    listed = os.scandir

    @contextmanager
    def backwards(path: int) -> Iterator[Iterator[os.DirEntry[str]]]:
        with listed(path) as items:
            yield reversed(list(items))

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TZ", zone)
        patch.setattr("buckia.stores.tree.os.scandir", backwards)
        time.tzset()
        yield
    time.tzset()


def hangs_on_marker(why: str) -> bool:
    """Whether a plan may be blocked so for want of a marker, which stays with its folder: an empty
    or a strange side is taken for the right one only where a marker says so."""
    return why.startswith(("empty_local", "unrecognised_local"))


@examples(40)
@given(histories, st.integers(0, 2**31))
@pytest.mark.promise("L7", "INV-14")
def test_law_7_two_clones_plan_the_same_bytes(history: History, modified: int) -> None:
    """Neither the folder, the working directory, the time zone, file times nor any order of
    listing shows in a plan."""
    assume(history.options["conflict_resolution"] != "newest_wins")  # there times are inputs
    with TemporaryDirectory() as here, TemporaryDirectory() as there:
        world = history.build(Path(here), {"main": Shuffled()})
        twin = world.clone(Path(there))
        for path in twin.tree.rglob("*"):
            os.utime(path, (modified, modified))
        plan = world.plan()
        with elsewhere(twin.tree, "Pacific/Chatham"):
            found = twin.plan()
        assume(not any(map(hangs_on_marker, set(found.blocked) - set(plan.blocked))))
        expected = planfile.write(plan)
        assert planfile.write(found) == expected
        assert here.encode() not in expected


SCRIPT: Final = """
import sys
from pathlib import Path
from buckia import planfile
from tests.helpers import World
world = World(Path(sys.argv[1]), {"two": None, "one": None}, conflict_resolution="remote_wins")
for number in range(9):
    world.write(f"{number}/a", b"a%d" % (number % 3))
    world.put(f"{number}/b", b"b%d" % number, "one")
    world.put(f"{number}/a", b"c%d" % number, "two")
sys.stdout.buffer.write(planfile.write(world.plan()))
"""


@pytest.mark.promise("L7")
def test_law_7_the_seed_of_hashing_does_not_show(tmp_path: Path) -> None:
    """Processes that keep their sets in other orders write the same plan."""
    written = set()
    for seed in ("1", "2", "3"):
        (tmp_path / seed).mkdir()
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path.cwd())}
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / seed)]
        written.add(subprocess.run(command, env=env, check=True, capture_output=True).stdout)
    assert len(written) == 1
