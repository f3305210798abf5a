"""From runs to rows: medians, spread, ratios, and whether what was to be reached was."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from tests.benchmarks.race import Figures
from tests.benchmarks.stage import Reach, Scenario

MEASURES: Final[Mapping[str, Callable[[Figures], list[float]]]] = {
    "wall": lambda f: [cost.wall for cost in f.costs],
    "cpu": lambda f: [cost.cpu for cost in f.costs],
    "peak": lambda f: [cost.peak for cost in f.costs],
    "server": lambda f: f.server,
    "requests": lambda f: [f.passed.requests] if f.passed else [0],
    "up": lambda f: [f.passed.up] if f.passed else [0],
    "down": lambda f: [f.passed.down] if f.passed else [0],
}
"""What is measured: seconds of wall and of client CPU, MB, seconds of server CPU, requests, and
bytes to the service and from it."""


class Figure(Struct, frozen=True):
    """One measure of one contestant: the median of all runs, and from where to where they went."""

    median: float
    least: float
    most: float


class Row(Struct, frozen=True):
    """buckia against one peer in one measure. A peer "" stands for a bound on buckia's own figure.

    `reach` is what the ratio (or the figure) may be at the most, None where nothing is asked; `met`
    says whether it is no more.
    """

    scenario: str
    peer: str
    measure: str
    ratio: float
    reach: float | None
    met: bool | None
    buckia: float
    other: float | None


class Standing(Struct, frozen=True):
    """A contestant in the table: its settings, how many runs it had, and all its figures by
    measure."""

    name: str
    settings: str
    content: bool
    runs: int
    figures: dict[str, Figure]


class Result(Struct, frozen=True):
    """All there is to say of a scenario."""

    scenario: str
    work: str
    standings: list[Standing]
    rows: list[Row]


def result(scenario: Scenario, table: Sequence[Figures]) -> Result:
    """The figures of a race, judged."""
    standings = [
        Standing(
            row.contestant.name,
            row.contestant.settings,
            row.contestant.content,
            len(row.costs),
            {name: _figure(pick(row)) for name, pick in MEASURES.items()},
        )
        for row in table
    ]
    ours, peers = standings[0], standings[1:]
    rows = [
        _row(scenario, ours, peer, measure)
        for peer in peers
        for measure in ("wall", "cpu", "peak", "requests")
    ]
    rows += [_bound(scenario, ours, reach) for reach in scenario.reaches if reach.absolute]
    return Result(scenario.name, scenario.work, standings, rows)


def _figure(values: Sequence[float]) -> Figure:
    return Figure(statistics.median(values), min(values), max(values))


def _row(scenario: Scenario, ours: Standing, peer: Standing, measure: str) -> Row:
    mine, other = ours.figures[measure].median, peer.figures[measure].median
    asked = [r.most for r in scenario.reaches if _is_about(r, peer, measure)]
    reach = min(asked, default=None)
    ratio = mine / other if other else 0.0
    met = ratio <= reach if reach is not None else None
    return Row(scenario.name, peer.name, measure, round(ratio, 3), reach, met, mine, other)


def _is_about(reach: Reach, peer: Standing, measure: str) -> bool:
    return reach.measure == measure and not reach.absolute and (peer.content or not reach.content)


def _bound(scenario: Scenario, ours: Standing, reach: Reach) -> Row:
    mine = ours.figures[reach.measure].median
    met = mine <= reach.most
    return Row(scenario.name, "", reach.measure, round(mine, 3), reach.most, met, mine, None)
