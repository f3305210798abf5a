"""Which faults are tried when nobody asks for them, and how many were."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the real gateway and the long rows, unless they are asked for."""
    asked = config.option.markexpr
    left_out = [item for item in items if _is_left_out(item, asked)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def _is_left_out(item: pytest.Item, asked: str) -> bool:
    marker = item.get_closest_marker("faults")
    long = bool(marker and marker.kwargs.get("long")) and "faults" not in asked
    return long or (item.get_closest_marker("rgw") is not None and "rgw" not in asked)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The number of faults tried, by level, and of those after which nothing was lost."""
    tried: dict[str, list[bool]] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            level = dict(report.user_properties).get("faults")
            if level and report.when == "call":
                tried.setdefault(level, []).append(outcome == "passed")
    for level, ends in sorted(tried.items()):
        terminalreporter.write_line(
            f"faults, {level}: {len(ends)} tried, {sum(ends)} as promised, "
            f"{len(ends) - sum(ends)} not"
        )
