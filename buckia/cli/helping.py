"""`help`: the ideas behind the commands, a page each. Needs nothing and changes nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from buckia.errors import UsageError

PAGES: Final = Path(__file__).parent / "topics"


def topics() -> dict[str, str]:
    """Every page by its name."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(PAGES.glob("*.txt"))}


def complete_topic(incomplete: str) -> list[str]:
    """The topics that a shell can complete to."""
    return [name for name in topics() if name.startswith(incomplete)]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="help")(explain)


def explain(
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="[TOPIC]",
            help="Which; without it they are listed.",
            autocompletion=complete_topic,
        ),
    ] = None,
) -> None:
    """Explain an idea: plan, lockfile, conflicts, and more."""
    pages = topics()
    if topic is None:
        lines = (f"  buckia help {name:<12} {_first(page)}" for name, page in pages.items())
        sys.stdout.write("\n".join(lines) + "\n")
    elif topic in pages:
        sys.stdout.write(pages[topic])
    else:
        raise UsageError(
            f"there is no topic {topic!r}; there are {', '.join(pages)}, and `buckia COMMAND "
            "--help`"
        )


def _first(page: str) -> str:
    """How a page begins, on one line."""
    words = " ".join(page.partition("\n\n")[0].split())
    return words if len(words) <= 52 else f"{words[:51].rpartition(' ')[0]}..."
