"""Each example works as it stands: valid without a warning, planned, applied, and then in step."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from buckia.config import Config
from buckia.config import file as config_file
from buckia.planfile import Plan
from buckia.project import Project
from tests.helpers import ops

DEMO = "0A4QEZFCJoP7qjOZH1JEHi"
TIERS = (DEMO, "OEXM3A5Jexq6samuAnaZON", "ewKMsC9MrxWfxR2nAs1Pw3")
EXAMPLES = Path(__file__).parent.parent / "examples"
ACTIONS = {
    "backup": [
        "download dEvhnujBxbZSudo9JzFWeH/settings.json",
        "adopt i3C62Ocjmj5QiniihZsQVk/notes.txt",
    ],
    "single": [
        "upload data/countries.json",
        "upload gc9BplsZ6tpBf0y0ewWX8L/logo.png",
        "upload gc9BplsZ6tpBf0y0ewWX8L/welcome.txt",
    ],
    "tiers": [
        *(f"upload {folder}/{name}" for folder in TIERS for name in ("badge.png", "welcome.txt")),
        *(f"publish {folder}/.buckia-manifest.json" for folder in TIERS),
    ],
}
"""What the first plan of each example does."""


def test_each_example_is_here() -> None:
    """A new example gets a line in this file."""
    found = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    assert found == {*ACTIONS, "ci"}  # the pipelines have tests of their own


@pytest.mark.parametrize("name", ACTIONS)
def test_the_example_is_valid_and_does_what_it_says(name: str, tmp_path: Path) -> None:
    """Its plan holds the actions listed here; applied, there is nothing left to do."""
    shutil.copytree(EXAMPLES / name, tmp_path, dirs_exist_ok=True)
    path = tmp_path / ".buckia"
    assert config_file.check(path) == []
    config = config_file.load(path)
    assert ops(plan(config)) == ACTIONS[name]
    with Project(config) as project:
        assert not project.apply(project.plan()).failed
    assert plan(config).actions == ()


def test_the_demo_of_the_tiers_is_promoted(tmp_path: Path) -> None:
    """To both other tiers, twice, and neither's own plan has anything to say about it."""
    shutil.copytree(EXAMPLES / "tiers", tmp_path, dirs_exist_ok=True)
    config = config_file.load(tmp_path / ".buckia")
    for text in ("Welcome.\n", "Welcome back.\n"):
        (tmp_path / "assets" / "common" / DEMO / "welcome.txt").write_text(text)
        with Project(config) as project:
            assert not project.apply(project.plan()).failed
            made = project.promote("demo", "common", ["premium", "enterprise"])
            assert made.applyable and not project.apply(made).failed
        for name in ("premium", "enterprise"):
            there = tmp_path / "buckets" / name / DEMO / "welcome.txt"
            assert there.read_text() == text
        assert plan(config).actions == ()
        with Project(config) as project:
            assert {item.state for item in project.standings()} == {"in step"}


def plan(config: Config) -> Plan:
    with Project(config) as project:
        made = project.plan()
    assert made.applyable
    return made
