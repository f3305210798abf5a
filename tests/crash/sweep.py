"""Every point at which a run can end, tried: `python -m tests.crash.sweep WORLD STORE SEED MODE
[EVERY]`.

WORLD is `sync`, or `promote` or `move` for buckets between which something is brought. STORE is
`local` or `s3`, or for the latter also `mixed`. The result is one line of JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from buckia import planfile
from buckia.model import replace
from buckia.project import Project
from tests.crash import child, tiers, world
from tests.crash.server import BucketServer, serve_buckets
from tests.crash.world import Look

_MEMORY: Final = Path("/dev/shm")
"""Where files are in memory, if there is such a place: SIGKILL spares the kernel anyway."""


@dataclass
class Result:
    """How many points were tried, how many ended well, and what went wrong at the others.

    Points that leave the very same files and objects are judged once; `states` counts those.
    """

    steps: int = 0
    tried: int = 0
    converged: int = 0
    states: int = 0
    problems: dict[str, list[int]] = field(default_factory=dict)


class Sweep:
    """One world, killed again and again. `room` is an empty folder to do it in."""

    def __init__(
        self, room: Path, kind: World, store: str, seed: int, mode: str, server: BucketServer | None
    ) -> None:
        self._kind = kind
        self._world = room / "world"
        self._pristine = room / "pristine"
        self._cut = room / "cut"
        self._told = room / "told"
        self._mode = mode
        self._server = server
        self._judged: dict[str, list[str]] = {}
        endpoint = server.endpoint if server else None
        made = child.forked(kind.build, self._world, seed, store, endpoint, told=self._told)
        self._demand(made)
        self._saved = {self._pristine: b"", self._cut: b""}
        self._save(self._pristine)
        self._project = child.open_all(self._world / "project", mode)
        self._plan = planfile.read((self._world / "plan.json").read_bytes(), "the plan")
        self._before = world.look(self._world, server)
        self._end = self._finish_uncut()

    def run(self, every: int) -> Result:
        """Try every point, or each so-many-th."""
        result = Result(steps=self._steps)
        for last in range(1, self._steps + 1, every):
            problems = self._try(last)
            if problems is None:
                continue
            result.tried += 1
            result.converged += not problems
            for problem in problems:
                result.problems.setdefault(problem, []).append(last)
        result.states = len(self._judged)
        return result

    def _demand(self, code: int) -> None:
        if code:
            raise AssertionError(self._told.read_text() if self._told.exists() else code)

    def _save(self, place: Path) -> None:
        """Put a copy of the world aside, with the buckets of the server."""
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self._world, place)
        if self._server:
            self._saved[place] = self._server.save()

    def _load(self, place: Path) -> None:
        """Make the world what it was."""
        shutil.rmtree(self._world)
        shutil.copytree(place, self._world)
        if self._server:
            self._server.load(self._saved[place])

    def _apply(self, last: int) -> int:
        """Apply the plan in a child, up to a step."""
        told = self._told
        return child.forked(child.apply, self._project, self._plan, last, self._mode, told=told)

    def _finish_uncut(self) -> Look:
        """The end that every other run is held against, and how many steps lead there."""
        self._demand(self._apply(0))
        trace = (self._world / "trace").read_text().splitlines()
        self._steps = int(trace[-1].removeprefix("steps "))
        assert not world.left_over(self._world), world.left_over(self._world)
        return world.look(self._world, self._server)

    def _try(self, last: int) -> list[str] | None:
        """Cut a run at a step and go on; what went wrong. None if it came to its end before."""
        self._load(self._pristine)
        code = self._apply(last)
        if code != -signal.SIGKILL:
            self._demand(code)
            return None
        mark = world.fingerprint(self._world, self._server)
        if mark not in self._judged:
            self._save(self._cut)
            self._judged[mark] = [
                *self._kind.lost(self._before, world.look(self._world, self._server)),
                *(f"the same plan: {problem}" for problem in self._resume(same=True)),
                *(f"a new plan: {problem}" for problem in self._resume(same=False)),
            ]
        return self._judged[mark]

    def _resume(self, *, same: bool) -> list[str]:
        """Go on from the cut; what is not as it should be."""
        self._load(self._cut)
        before = world.look(self._world, self._server).sides
        plan = self._plan if same else None
        self._told.unlink(missing_ok=True)
        code = child.forked(
            child.resume, self._project, plan, self._mode, self._kind.plan, told=self._told
        )
        if code:
            told = self._told.read_text().splitlines() if self._told.exists() else [f"exit {code}"]
            return [told[-1]]
        after = world.look(self._world, self._server)
        problems = [f"{name} is left" for name in world.left_over(self._world)]
        problems += _differences(self._end, after)
        for place, times in Counter(world.arrivals(self._world)).items():
            needless = place in before and before[place] == self._end.sides.get(place)
            if times > 1 or needless:
                problems.append(f"{place} was written again")
        return problems


def _differences(end: Look, found: Look) -> list[str]:
    """How an end differs from the one an uncut run has."""
    problems = []
    ours = {place: what for place, what in end.sides.items() if ".buckia/" not in place[1]}
    theirs = {place: what for place, what in found.sides.items() if ".buckia/" not in place[1]}
    for place in sorted(ours.keys() | theirs.keys()):
        if ours.get(place) != theirs.get(place):
            problems.append(f"{place} differs")
    problems += _forgotten(end, found)
    if end.kept - found.kept:
        problems.append(f"{len(end.kept - found.kept)} losers are not kept")
    return problems


def _forgotten(end: Look, found: Look) -> list[str]:
    """Where the lockfile is not the one of an uncut run.

    A new plan adopts what it finds by a listing, which does not tell content types.
    """
    problems = []
    for name, ours in end.entries.items():
        theirs = found.entries.get(name, {})
        for key in sorted(ours.keys() | theirs.keys()):
            mine, other = ours.get(key), theirs.get(key)
            if mine != other and not (mine and other and replace(mine, type=other.type) == other):
                problems.append(f"the lockfile differs at {name}/{key}: {mine} {other}")
    return problems


@dataclass(frozen=True)
class World:
    """How a world is made, how its plan is, and what must not be missing where a run was cut."""

    build: Callable[[Path, int, str, str | None], None]
    plan: child.Planner
    lost: Callable[[Look, Look], list[str]]
    buckets: tuple[str, ...]


WORLDS: Final = {
    "sync": World(world.build, Project.plan, lambda before, now: [], world.BUCKETS),
    "promote": World(tiers.build_promotion, tiers.promotion, tiers.absent, tiers.BUCKETS),
    "move": World(tiers.build_move, tiers.move, tiers.absent, tiers.BUCKETS),
}


def sweep(kind: str, store: str, seed: int, mode: str, every: int, room: Path) -> Result:
    """Try the points of one world."""
    os.environ.update(AWS_ACCESS_KEY_ID="access", AWS_SECRET_ACCESS_KEY="secret")
    made = WORLDS[kind]
    if store == "local":
        return Sweep(room, made, store, seed, mode, None).run(every)
    with serve_buckets(*made.buckets) as server:
        return Sweep(room, made, store, seed, mode, server).run(every)


def main(kind: str, store: str, seed: str, mode: str, every: str = "1") -> None:
    """Print the result of a sweep."""
    with TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as room:
        print(json.dumps(asdict(sweep(kind, store, int(seed), mode, int(every), Path(room)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
