"""A B A B: the contestants of a scenario in turn, every run measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from tests.benchmarks.measuring import Cost, cpu_of, run
from tests.benchmarks.proxy import Passed, Proxy, proxied
from tests.benchmarks.stage import Arena, Contestant, Scenario, Stage

Say = Callable[[str], None]

LONG: Final = 20.0
BEHIND: Final = 5.0
FEW: Final = 2
"""A peer whose first run takes so many seconds, and so many times as long as the quickest, has few
runs: how far it spreads is of no interest, and a reader of the table is told."""


class Figures(Struct):
    """What all runs of one contestant cost, and what passed between it and the service in its first
    run, which took `first` seconds."""

    contestant: Contestant
    passed: Passed | None
    first: float
    costs: list[Cost]
    server: list[float]


def race(scenario: Scenario, arena: Arena, runs: int, say: Say) -> list[Figures]:
    """All figures of a scenario, buckia's first.

    Each contestant has a first run that does not count, through a proxy that tells what it asks of
    the service; then all have a run in turn, `runs` times. Those that are far behind have `FEW`.
    """
    say(f"{scenario.name}: {scenario.work}")
    with scenario.prepare(arena) as stage, _network(stage) as proxy:
        table = list(_entrants(arena, stage, proxy, say))
        far = proxy.endpoint if proxy and (stage.rtt or stage.rate) else stage.endpoint
        runs = min(runs, scenario.most_runs)
        quickest = min(row.first for row in table)
        for turn in range(runs):
            for row in table:
                if turn >= FEW and row.first > max(LONG, BEHIND * quickest):
                    continue
                before = _reset(stage, row.contestant)
                cost = _run(arena, stage, row.contestant, far)
                row.costs.append(cost)
                row.server.append(cpu_of(stage.pids) - before)
                say(
                    f"  {turn + 1}/{runs} {row.contestant.name}: {cost.wall:.2f} s, "
                    f"{cost.cpu:.2f} s of CPU"
                )
        return table


def _entrants(arena: Arena, stage: Stage, proxy: Proxy | None, say: Say) -> Iterator[Figures]:
    """Who takes part. A peer that cannot do the work here, for lack of memory say, does not."""
    for number, one in enumerate(stage.contestants):
        try:
            yield _warm_up(arena, stage, one, proxy)
        except RuntimeError as problem:
            if number == 0:
                raise
            say(f"  without {one.name}: {problem}")


@contextmanager
def _network(stage: Stage) -> Iterator[Proxy | None]:
    if not stage.endpoint:
        yield None
        return
    with proxied(stage.endpoint, rtt=stage.rtt, rate=stage.rate) as proxy:
        yield proxy


def _warm_up(arena: Arena, stage: Stage, one: Contestant, proxy: Proxy | None) -> Figures:
    _reset(stage, one)
    if proxy:
        proxy.passed()
    cost = _run(arena, stage, one, proxy.endpoint if proxy else "")
    return Figures(one, proxy.passed() if proxy else None, cost.wall, [], [])


def _reset(stage: Stage, one: Contestant) -> float:
    one.reset()
    return cpu_of(stage.pids)


def _run(arena: Arena, stage: Stage, one: Contestant, endpoint: str) -> Cost:
    cost = run(one.commands(), arena.env(endpoint, stage.bucket), one.folder)
    one.check()
    return cost
