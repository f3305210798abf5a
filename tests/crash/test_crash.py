"""Law 3: cut anywhere, run again, same end.

A run is killed at its k-th operation, then the same plan is applied again, and separately a new
one. Either way both sides, the lockfile and what was kept are those of a run that nobody cut, no
conflict appears, nothing is written twice and nothing is left lying about. `pytest -m crash` tries
every k of every world; with four workers, where no two runs are alike, every fifth.
"""

from __future__ import annotations

import itertools
import json
import subprocess  # noqa: TID251 - each sweep forks, which a process with threads should not
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from buckia.stores.base import Use, glances_of
from tests.crash.child import SHRUNK, open_project
from tests.crash.sweep import Result

World = tuple[str, str, int, str]
"""What is going on, where the bucket is, the seed, and how many workers there are."""

WORLDS: Final = (
    *itertools.product(("sync",), ("local", "s3"), (0, 1, 2), ("serial", "threads")),
    *itertools.product(("promote", "move"), ("local", "s3"), (0, 1, 2), ("serial",)),
    *itertools.product(("promote", "move"), ("mixed",), (0, 1, 2), ("threads",)),
)
STRIDES: Final = {"serial": 1, "threads": 5}

_AT_ONCE: Final = 2
SAMPLES: Final[dict[World, int]] = {
    ("sync", "local", 0, "serial"): 83,
    ("promote", "local", 1, "serial"): 61,
    ("promote", "mixed", 0, "threads"): 151,
    ("move", "local", 0, "serial"): 41,
    ("promote", "s3", 1, "serial"): 67,
    ("move", "s3", 1, "serial"): 53,
}
"""Without being asked every so-many-th point of these is tried."""


def sweep(world: World, stride: int) -> Result:
    """Try the points of a world in a process of its own."""
    words = [sys.executable, "-m", "tests.crash.sweep", *map(str, world), str(stride)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Result(**json.loads(done.stdout))


@pytest.fixture(scope="module")
def sweeps(request: pytest.FixtureRequest) -> Iterator[dict[World, Future[Result]]]:
    """The sweeps that were asked for, under way."""
    asked: list[Any] = [
        item.callspec.params["world"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.get_closest_marker("crash")
    ]
    with ThreadPoolExecutor(_AT_ONCE) as lanes:
        yield {world: lanes.submit(sweep, world, STRIDES[world[3]]) for world in asked}


@pytest.mark.crash
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: "-".join(map(str, world)))
@pytest.mark.promise("L3", "INV-7")
def test_every_crash_converges(
    world: World,
    sweeps: dict[World, Future[Result]],
    record_property: Callable[[str, object], None],
) -> None:
    judge(world, sweeps[world].result(), record_property)


@pytest.mark.promise("L3")
@pytest.mark.parametrize("world", SAMPLES, ids=lambda world: "-".join(map(str, world)))
def test_some_crashes_converge(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    """The quick sample of every day."""
    judge(world, sweep(world, SAMPLES[world]), record_property)


def judge(world: World, result: Result, record_property: Callable[[str, object], None]) -> None:
    name = " ".join(map(str, world))
    record_property("crash", (name, result.tried, result.converged))
    assert not result.problems, json.dumps(result.problems, indent=1)
    assert result.tried == result.converged > 0


def test_what_is_killed_goes_in_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In S3 each world makes copies first, sees them by a page, and only then does the rest."""
    for module, name in SHRUNK:
        monkeypatch.setattr(module, name, vars(module)[name])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    (tmp_path / ".buckia").write_text(
        "main: {provider: s3, bucket_name: main, region: us-east-1, domain: 'http://127.0.0.1:9'}\n"
    )
    with open_project(tmp_path, "serial") as project:
        assert glances_of(project.remote("main")) == set(Use)
