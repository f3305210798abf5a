"""A plan about settings on the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from buckia.cli.show import line, view
from buckia.model import replace
from buckia.planfile import Plan
from tests.settled import CORS, RULES, settled_world


def shown(plan: Plan) -> list[str]:
    """The view in lines, as on a wide screen."""
    console = Console(width=200, no_color=True, record=True, file=open_nothing())
    console.print(view(plan))
    return [row.rstrip() for row in console.export_text().splitlines()]


def open_nothing() -> Any:
    import io

    return io.StringIO()


def test_settings_are_shown_with_what_goes_and_what_comes(tmp_path: Path) -> None:
    """New ones, changed ones and those that are removed, before the files."""
    declared = {"cors": CORS, "lifecycle": "absent", "versioning": "enabled"}
    world, live = settled_world(tmp_path, declared)
    live.documents |= {"lifecycle": RULES, "cors": [{**CORS[0], "allowed_origins": ["*"]}]}
    world.write("a", b"1")
    plan = world.plan()
    assert line(plan) == "3 settings to configure, 1 to upload (1 byte)"
    rows = shown(plan)
    at = rows.index("  configure  3 settings")
    assert rows[at : at + 15] == [
        "  configure  3 settings",
        "    ~  cors",
        "         cors:",
        "       -   - allowed_origins: ['*']",
        "       +   - allowed_origins: ['https://a.example']",
        "             allowed_methods: [GET]",
        "    -  lifecycle",
        "       - lifecycle:",
        "       -   - id: tmp",
        "       -     prefix: tmp/",
        "       -     expire_days: 3",
        "    +  versioning",
        "       + versioning: enabled",
        "  upload  1 file, 1 byte",
        "    +  a  1 byte",
    ]


def test_what_is_shown_is_what_would_be_set(tmp_path: Path) -> None:
    """Whatever a plan of somebody else's making says of itself."""
    world, _ = settled_world(tmp_path, {"versioning": "enabled"})
    plan = world.plan()
    lying = replace(plan.actions[0], changes=("+ versioning: suspended",))
    rows = shown(replace(plan, actions=(lying,)))
    assert "       + versioning: enabled" in rows
    assert not any("suspended" in row for row in rows)


def test_nothing_hides_in_a_document(tmp_path: Path) -> None:
    """A name that turns the direction of a line is escaped."""
    policy = {"Version": "2012-10-17", "Id": "a\u202eb", "Statement": [{"Effect": "Deny"}]}
    world, live = settled_world(tmp_path, {"policy": "absent"})
    live.documents["policy"] = policy
    rows = shown(world.plan())
    assert any("\\u202e" in row or "\\u202E" in row for row in rows)
    assert not any("\u202e" in row for row in rows)
