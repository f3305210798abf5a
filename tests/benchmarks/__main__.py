"""Measure the named scenarios, or all, and write what came of it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import peers, report
from tests.benchmarks.race import race
from tests.benchmarks.report import Document
from tests.benchmarks.results import result
from tests.benchmarks.service import serving
from tests.benchmarks.stage import Arena
from tests.benchmarks.table import SCENARIOS

_ROOT = Path(__file__).parents[2]


def main(words: list[str]) -> int:
    """Run them; an exit code."""
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help=", ".join(names))
    parser.add_argument("--small", action="store_true", help="a short look, written to .bench/")
    parser.add_argument("--runs", type=int, default=0, help="of each program (5; small: 1)")
    parser.add_argument("--out", type=Path, help="where results go (docs/benchmarks/)")
    said = parser.parse_args(words)
    if unknown := set(said.names) - set(names):
        parser.error(
            f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(names)}"
        )
    runs = said.runs or (1 if said.small else 5)
    folder = said.out or (_ROOT / (".bench/small" if said.small else "docs/benchmarks"))
    programs = peers.install()
    wanted = [one for one in SCENARIOS if not said.names or one.name in said.names]
    with tempfile.TemporaryDirectory(prefix="buckia-bench-") as made, serving() as service:
        arena = Arena(Path(made), programs, service, said.small)
        told = report.versions_told(peers.versions(programs))
        failed: list[str] = []
        for scenario in wanted:
            try:
                found = result(scenario, race(scenario, arena, runs, _say))
            except (RuntimeError, AssertionError) as problem:  # the others are worth measuring
                _say(f"{scenario.name} failed: {problem}")
                failed.append(scenario.name)
                continue
            measured = Document(report.machine(service.name), told, [found])
            report.write(folder, report.merge(folder, measured, names), names)
    _say(f"written to {folder}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
