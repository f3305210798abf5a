"""How buckia's cost grows with files, bytes and latency, each at three sizes. `make growth`."""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from tests.benchmarks import planning, report
from tests.benchmarks.data import age, make_files
from tests.benchmarks.measuring import Cost, run
from tests.benchmarks.peers import ours
from tests.benchmarks.proxy import proxied
from tests.benchmarks.service import serving
from tests.benchmarks.stage import FAR, NEAR, Arena

_MIB: Final = 1024 * 1024
_RUNS: Final = 5
_SMALLER: Final = 20
"""By how much less is done for a short look."""

Measure = Callable[[], Cost]

_INTRO: Final = """\
# How cost grows

Written by `make growth`: buckia alone, each size {runs} times, medians. Wall time, client CPU (user
and system, children included) and the peak of the process. Below each table is what more of it
costs, from the smallest size to the largest.

{machine}
"""


class Curve(Struct, frozen=True):
    """One thing that grows: what is done, in what it is counted, at which sizes; `unit` is what
    one more costs is told for, `factor` how many of what is counted that are."""

    name: str
    work: str
    count: str
    sizes: tuple[int, int, int]
    prepare: Callable[[Arena, int], AbstractContextManager[Measure]]
    unit: str
    factor: float = 1.0
    shrinks: bool = True


class Point(Struct, frozen=True):
    """Medians at one size."""

    size: int
    wall: float
    cpu: float
    peak: float


def _measure(arena: Arena, project: Path, endpoint: str, bucket: str, *words: str) -> Cost:
    command = [arena.programs["buckia"], *words, "--quiet"]
    return run([command], arena.env(endpoint, bucket), project)


@contextmanager
def _unchanged(arena: Arena, files: int, rtt: float = 0.0) -> Iterator[Measure]:
    with planning.synthetic(arena, files) as (project, far, _), proxied(far.endpoint, rtt=rtt) as p:
        endpoint = p.endpoint if rtt else far.endpoint

        def plan() -> Cost:
            return _measure(arena, project, endpoint, "bench", "plan", "--out", "plan.json")

        plan()  # what it learns of the files is known from then on
        yield plan


@contextmanager
def _uploaded(arena: Arena, files: int, size: int, rtt: float = 0.0) -> Iterator[Measure]:
    service = arena.service
    with (
        arena.room(f"up-{files}-{size}-{rtt}") as place,
        proxied(service.server.endpoint, rtt=rtt) as proxy,
    ):
        endpoint = proxy.endpoint if rtt else service.server.endpoint
        project = arena.project(place, FAR if rtt else NEAR)
        make_files(project / "files", files, size)
        age()

        def sync() -> Cost:
            bucket = service.make_bucket()
            cost = _measure(arena, project, endpoint, bucket, "sync")
            service.drop(bucket)
            shutil.rmtree(project / ".buckia.d")
            (project / ".buckia.lock").unlink()
            return cost

        yield sync


@contextmanager
def _first(arena: Arena, mib: int) -> Iterator[Measure]:
    service = arena.service
    with arena.room(f"first-{mib}") as place:
        project, bucket = arena.project(place), service.make_bucket()
        make_files(project / "files", 32, mib * _MIB // 32)
        age()

        def plan() -> Cost:
            shutil.rmtree(project / ".buckia.d", ignore_errors=True)
            endpoint = service.server.endpoint
            return _measure(arena, project, endpoint, bucket, "plan", "--out", "plan.json")

        yield plan
        service.drop(bucket)


CURVES: Final = (
    Curve(
        "files",
        "a plan with nothing to do, its cache warm, over so many files",
        "files",
        (25_000, 50_000, 100_000),
        _unchanged,
        "1,000 files",
        1000,
    ),
    Curve(
        "files-up",
        "an upload of so many files of 4 KiB",
        "files",
        (500, 1000, 2000),
        lambda arena, files: _uploaded(arena, files, 4096),
        "1,000 files",
        1000,
    ),
    Curve(
        "bytes",
        "a first plan over 32 files that hold so many MiB together",
        "MiB",
        (256, 512, 1024),
        _first,
        "GiB",
        1024,
    ),
    Curve(
        "bytes-up",
        "an upload of one file of so many MiB",
        "MiB",
        (128, 256, 512),
        lambda arena, mib: _uploaded(arena, 1, mib * _MIB),
        "GiB",
        1024,
    ),
    Curve(
        "latency",
        f"a plan with nothing to do over 50,000 files, {FAR} workers, round trips of so many ms",
        "ms",
        (10, 40, 160),
        lambda arena, ms: _unchanged(arena, arena.count(50_000, 5000), ms / 1000),
        "100 ms",
        100,
        shrinks=False,
    ),
    Curve(
        "latency-up",
        f"an upload of 1,000 files of 4 KiB, {FAR} workers, round trips of so many ms",
        "ms",
        (10, 40, 160),
        lambda arena, ms: _uploaded(arena, arena.count(1000, 100), 4096, ms / 1000),
        "100 ms",
        100,
        shrinks=False,
    ),
)


def _points(arena: Arena, curve: Curve, runs: int) -> Iterator[Point]:
    for full in curve.sizes:
        size = full // _SMALLER if arena.small and curve.shrinks else full
        with curve.prepare(arena, size) as measure:
            costs = [measure() for _ in range(runs)]
        middle = [statistics.median(getattr(c, n) for c in costs) for n in ("wall", "cpu", "peak")]
        print(f"{curve.name} {size} {curve.count}: {middle[0]:.2f} s", flush=True)
        yield Point(size, *middle)


def _markdown(curve: Curve, points: Sequence[Point]) -> str:
    first, last = points[0], points[-1]
    more = (last.size - first.size) / curve.factor
    rows = [f"| {p.size:,} | {p.wall:.2f} | {p.cpu:.2f} | {p.peak:,.0f} |" for p in points]
    wall, cpu = (last.wall - first.wall) / more, (last.cpu - first.cpu) / more
    return "\n".join(
        [
            f"\n## {curve.name}\n\n{curve.work[:1].upper()}{curve.work[1:]}.\n",
            f"| {curve.count} | wall s | CPU s | peak MB |\n|---|---|---|---|",
            *rows,
            f"\nEvery further {curve.unit}: {wall:.3f} s, of CPU {cpu:.3f} s.\n",
        ]
    )


def main(words: list[str]) -> int:
    """Measure all curves, or the named ones, and write what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth")
    parser.add_argument("names", nargs="*", metavar="CURVE")
    parser.add_argument("--small", action="store_true", help="a short look, written to .bench/")
    said = parser.parse_args(words)
    if unknown := set(said.names) - {curve.name for curve in CURVES}:
        parser.error(f"no such curve: {', '.join(sorted(unknown))}")
    root = Path(__file__).parents[2]
    folder = root / (".bench/small" if said.small else "docs/benchmarks")
    runs = 1 if said.small else _RUNS
    with tempfile.TemporaryDirectory(prefix="buckia-bench-") as made, serving() as service:
        arena = Arena(Path(made), ours(), service, said.small)
        wanted = [curve for curve in CURVES if not said.names or curve.name in said.names]
        found = {curve.name: list(_points(arena, curve, runs)) for curve in wanted}
        machine = report.machine(service.name)
    _write(folder, machine, runs, found)
    return 0


def _write(folder: Path, machine: str, runs: int, found: dict[str, list[Point]]) -> None:
    """Markdown and JSON, with what is known of curves that were not measured now."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "growth.json"
    if path.exists():
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, list[Point]]) | found
    told = {curve.name: found[curve.name] for curve in CURVES if curve.name in found}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")
    text = _INTRO.format(runs=runs, machine=machine)
    text += "".join(_markdown(curve, told[curve.name]) for curve in CURVES if curve.name in told)
    (folder / "growth.md").write_text(text, encoding="utf-8")
    print(f"written to {folder}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
