"""Every view of every sort of plan, as it was when somebody last looked at it.

BUCKIA_WRITE=1 writes what there is now into golden/, for review. Of the plan with 100,000 actions
only length and hash are kept.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Final

import pytest
from rich.console import Console

from buckia import planfile
from buckia.cli import show
from buckia.planfile import Plan
from buckia.report import html, markdown, page_of
from tests.report.plans import PLANS

GOLDEN: Final = Path(__file__).parent / "golden"
WRITE: Final = os.environ.get("BUCKIA_WRITE") == "1"


def terminal(width: int) -> Callable[[Plan], str]:
    """What a terminal of that width shows, without colours."""

    def drawn(plan: Plan) -> str:
        out = StringIO()
        Console(file=out, width=width, highlight=False).print(show.view(plan), crop=False)
        return re.sub(" +\n", "\n", out.getvalue())

    return drawn


def bare(plan: Plan) -> str:
    """The HTML file without its style and script, which are files of their own."""
    made = re.sub(r"sha256-[\w+/=]{44}", "sha256-...", html.page(plan))
    return re.sub(r"<(style|script)>.*?</\1>", r"<\1>...</\1>", made, flags=re.S)


VIEWS: Final[dict[str, Callable[[Plan], str]]] = {
    "wide.txt": terminal(120),
    "narrow.txt": terminal(40),
    "md": lambda plan: markdown.comment(page_of(plan)),
    "html": bare,
    "json": lambda plan: planfile.write(plan).decode(),
}


def kept(name: str, view: str, shown: str) -> str:
    """What the golden file of a view holds."""
    if name != "many":
        return shown
    digest = hashlib.sha256(shown.encode()).hexdigest()
    return f"{len(shown)} characters, sha256 {digest}\n"


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", PLANS)
def test_a_plan_is_shown_as_it_was(name: str, view: str) -> None:
    found = kept(name, view, VIEWS[view](PLANS[name]()))
    path = GOLDEN / f"{name}.{view}"
    if WRITE:
        path.write_text(found, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == found


def test_every_golden_file_is_of_a_plan() -> None:
    wanted = {f"{name}.{view}" for name in PLANS for view in VIEWS}
    assert {path.name for path in GOLDEN.iterdir()} == wanted
