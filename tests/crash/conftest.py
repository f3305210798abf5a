"""Which crashes are tried when nobody asks for them, and how many were."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the sweeps over every point, unless they are asked for with `-m crash`."""
    if "crash" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("crash")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The number of points tried in each world, and of those that ended as if nothing had been."""
    tried = converged = 0
    for report in [r for s in ("passed", "failed") for r in terminalreporter.stats.get(s, [])]:
        told = dict(report.user_properties).get("crash")
        if told and report.when == "call":
            name, count, good = told
            terminalreporter.write_line(f"crashes, {name}: {count} tried, {good} converged")
            tried, converged = tried + count, converged + good
    if tried:
        terminalreporter.write_line(f"crashes, all: {tried} tried, {converged} converged")
