"""What limits do to a plan: those that were lifted, those that block it, and the way out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text

from buckia import safeguards
from buckia.cli import text
from buckia.planfile import Plan


def overrides(plan: Plan) -> RenderableType | None:
    """The limits that whoever planned has lifted."""
    parts = [Text(f"  {_lifted(item)}") for item in plan.overrides]
    return section("Limits lifted for this plan", "bold red", len(parts), parts)


def _lifted(override: Mapping[str, str]) -> str:
    rule, allow = (text.visible(override.get(name, "")) for name in ("rule", "allow"))
    match rule:
        case "max_delete":
            return f"{allow} deletions a side are allowed in each bucket (--allow-deletes {allow})"
        case "accept_empty":
            words = "the {0} side may be empty, or hold nothing known (--accept-empty {0})"
            words = words if allow != "source" else "the {0} may be empty, or hold nothing known"
            return words.format(allow)
        case "allow_drift":
            return f"what no apply left in `{allow}` is promoted as it is there (--allow-drift)"
        case "keep_going":
            return "targets go on when one before them failed (--keep-going)"
    return f"{rule}: {allow}"


def blocked(plan: Plan) -> RenderableType | None:
    """Every reason why apply may not take the plan, and what to do about it."""
    limits = limits_of(plan)
    parts: list[Text] = []
    for advice, why in groupby(limits, lambda why: safeguards.advice(why, plan.actions)):
        parts += [Text(f"  {text.visible(line)}") for line in why]
        parts += [Text(f"    {advice}", "yellow")] if advice else []
    return section("Blocked", "bold red", len(limits), parts)


def limits_of(plan: Plan) -> list[str]:
    """The reasons that are limits."""
    return [why for why in plan.blocked if not why.startswith("conflicts")]


def section(
    title: str, style: str, count: int, parts: Sequence[RenderableType]
) -> RenderableType | None:
    """A titled part of the page with how much is in it; None when it has none."""
    if not parts:
        return None
    return Group(Text.assemble("\n", (title, style), (f"  {count:,}", "dim")), *parts)
