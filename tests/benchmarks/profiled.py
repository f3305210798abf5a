"""Run buckia and tell where the CPU went, in all its threads. `make profile SCENARIO=...`."""

from __future__ import annotations

import argparse
import cProfile
import io
import pstats
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import peers
from tests.benchmarks.measuring import run
from tests.benchmarks.proxy import proxied
from tests.benchmarks.service import serving
from tests.benchmarks.stage import Arena
from tests.benchmarks.table import SCENARIOS

_LINES = 45


def main(words: list[str]) -> int:
    """Prepare a scenario, run buckia's part of it under a profiler, print the top of it."""
    if words[:1] == ["--inside"]:
        return _inside(words[1], words[2:])
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.profiled")
    parser.add_argument("scenario", choices=[scenario.name for scenario in SCENARIOS])
    parser.add_argument("--small", action="store_true")
    said = parser.parse_args(words)
    scenario = next(one for one in SCENARIOS if one.name == said.scenario)
    with tempfile.TemporaryDirectory(prefix="buckia-bench-") as made, serving() as service:
        arena = Arena(Path(made), peers.install(), service, said.small)
        with scenario.prepare(arena) as stage:
            ours = stage.contestants[0]
            ours.reset()
            inside = [sys.executable, "-m", "tests.benchmarks.profiled", "--inside"]
            lines = [line for line in ours.commands() if line[0] == arena.programs["buckia"]]
            target = stage.endpoint
            with proxied(target, rtt=stage.rtt, rate=stage.rate) as proxy:
                env = arena.env(proxy.endpoint if stage.rtt else target, stage.bucket)
                env["PYTHONPATH"] = str(Path(__file__).parents[2])
                for number, line in enumerate(lines):
                    out = Path(made) / f"profile-{number}.txt"
                    run([[*inside, str(out), *line[1:]]], env, ours.folder)
                    print(f"buckia {' '.join(line[1:])}\n{out.read_text()}")
    return 0


def _inside(out: str, words: list[str]) -> int:
    """The command itself; each thread has a profiler that counts its own CPU."""
    found: list[cProfile.Profile] = []
    plain = threading.Thread.run

    def profiled(self: threading.Thread) -> None:
        mine = cProfile.Profile(time.thread_time)
        found.append(mine)
        mine.runcall(plain, self)

    threading.Thread.run = profiled  # type: ignore[method-assign]
    mine = cProfile.Profile(time.thread_time)
    found.append(mine)
    sys.argv = ["buckia", *words]
    try:
        mine.runcall(_command)
    finally:
        text = io.StringIO()
        stats: Any = pstats.Stats(*found, stream=text)
        stats.sort_stats("tottime").print_stats(_LINES)
        stats.sort_stats("cumulative").print_stats("buckia", _LINES)
        Path(out).write_text(text.getvalue())
    return 0


def _command() -> None:
    from buckia.cli import main as command

    try:
        command()
    except SystemExit as ended:
        if ended.code:
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
