"""What one run of a program costs: time, CPU and memory, its children included."""

from __future__ import annotations

import json
import os
import shlex
import subprocess  # noqa: TID251  (what is measured are other programs)
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from tests.benchmarks import measured

Command = Sequence[str]


class Cost(Struct, frozen=True):
    """Wall, user and system seconds, and the peak of one process in MB."""

    wall: float
    user: float
    system: float
    peak: float

    @property
    def cpu(self) -> float:
        """Seconds of CPU."""
        return self.user + self.system

    def __add__(self, other: Cost) -> Cost:
        """Both, one after the other."""
        return Cost(
            self.wall + other.wall,
            self.user + other.user,
            self.system + other.system,
            max(self.peak, other.peak),
        )


NOTHING = Cost(0.0, 0.0, 0.0, 0.0)


def run(
    commands: Sequence[Command],
    env: Mapping[str, str],
    folder: Path,
    accept: frozenset[int] = frozenset({0}),
) -> Cost:
    """Run commands one after the other, all together as one run.

    Raises `RuntimeError`, with what the program said, for an exit code that is not accepted.
    """
    return sum((_run(command, env, folder, accept) for command in commands), NOTHING)


def _run(command: Command, env: Mapping[str, str], folder: Path, accept: frozenset[int]) -> Cost:
    said, told = folder / "said.txt", folder / "used.json"
    around = [sys.executable, "-I", "-S", measured.__file__, str(told)]
    with said.open("wb") as out:
        done = subprocess.run(
            [*around, *command],
            env=dict(env),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    if done.returncode not in accept:
        tail = said.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{shlex.join(command)} ended with {done.returncode}:\n{tail}")
    wall, user, system, peak = json.loads(told.read_bytes())
    return Cost(wall, user, system, peak / 1024)


def cpu_of(pids: Sequence[int]) -> float:
    """Seconds of CPU that running processes have used so far."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
