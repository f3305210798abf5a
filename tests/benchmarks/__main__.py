"""Run benchmarks, each in a process of its own, and print what they cost.

Times are medians of several runs on whatever machine this is: read ratios, not absolutes.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess  # noqa: TID251  (each run is a process of its own, so that memory is its own)
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.planning import BUCKETS, prepare

RUNS = 5
FILES = 100_000


def main(wanted: list[str]) -> None:
    """Measure the wanted scenarios, or all."""
    if not wanted or "start" in wanted:
        _start()
    names = [f"plan-{bucket}" for bucket in BUCKETS if not wanted or f"plan-{bucket}" in wanted]
    if names:
        _plans(names)


def _start() -> None:
    """What starting costs, against the two libraries that every command line of its kind loads."""
    ours = [sys.executable, "-m", "buckia", "--help"]
    least = [sys.executable, "-c", "import typer, rich"]
    pairs = [(_cpu(ours), _cpu(least)) for _ in range(2 * RUNS)][1:]
    ratio = statistics.median(a / b for a, b in pairs)
    seconds = statistics.median(a for a, _ in pairs)
    print(f"start: `buckia --help` {seconds:.2f} s of CPU, {ratio:.2f} of `import typer, rich`")


def _cpu(command: list[str]) -> float:
    """Seconds of CPU that a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _plans(names: list[str]) -> None:
    print(f"{'scenario':<14}{'files':>9}{'wall s':>9}{'cpu s':>9}{'peak MB':>9}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        prepare(root, FILES)
        for name in names:
            runs = [_measure(root, name) for _ in range(RUNS + 1)][1:]  # the first one warms up
            wall, cpu, peak = (statistics.median(run[key] for run in runs) for key in runs[0])
            print(f"{name:<14}{FILES:>9,}{wall:>9.2f}{cpu:>9.2f}{peak:>9.0f}")


def _measure(root: Path, name: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.planning", str(root), name.removeprefix("plan-")],
        check=True,
        capture_output=True,
        text=True,
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


if __name__ == "__main__":
    main([word for word in sys.argv[1:] if word])
