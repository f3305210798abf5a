"""`help TOPIC`, and what a shell completes to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from buckia.cli import helping, options
from tests import commandline
from tests.cli.console import buckia

NAMES = ("ci", "conflicts", "credentials", "lockfile", "orphans", "plan", "promote")


def test_every_topic_is_listed_and_shown() -> None:
    assert tuple(helping.topics()) == NAMES
    listed = buckia("help").out
    for name in NAMES:
        assert f"  buckia help {name} " in listed
        assert buckia("help", name).out == helping.topics()[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_topic_names_commands_and_options_that_exist(name: str) -> None:
    """On pages that fit a narrow terminal."""
    page = helping.topics()[name]
    assert max(map(len, page.splitlines())) <= 80
    commands = dict(commandline.registered())
    found = re.findall(
        r"(?m)(?:^  |`)buckia ([a-z][a-z-]*(?: (?:list|restore|set|test))?)((?: [^\s`]+)*)", page
    )
    assert found
    for command, rest in found:
        command = command if command in commands else command.split()[0]
        assert command in commands, command
        written = " ".join(item.written for item in commandline.parameters(commands[command]))
        for option in re.findall(r"--[a-z-]+", rest):
            assert f"`{option}" in written, (command, option)


def test_an_unknown_topic_is_a_mistake() -> None:
    ended = buckia("help", "plans")
    assert (ended.code, ended.out) == (64, "")
    assert "there are ci, conflicts," in ended.err


def test_topics_plans_and_sets_are_completed(workspace: Path) -> None:
    assert helping.complete_topic("con") == ["conflicts"]
    (workspace / "plans").mkdir()
    (workspace / "plan.json").write_text('{\n"format": "buckia.plan",\n')
    (workspace / "plans/b.json").write_text('{\n"format": "buckia.plan",\n')
    (workspace / "package.json").write_text("{}")
    assert options.complete_plan("p") == ["plan.json", "plans/"]
    assert options.complete_plan("plans/") == ["plans/b.json"]
    assert options.complete_plan("none/") == []
    (workspace / ".buckia").write_text(
        "buckia:\n  sets: {demo: [TEAM]}\nfiles:\n  provider: local\n  bucket_name: b\n"
        "  paths: [a/]\n  folders: [TEAM, OTHER]\n"
    )
    context = typer.Context(typer.main.get_command(typer.Typer(callback=lambda: None)))
    assert options.complete_folder(context, "") == ["OTHER", "TEAM", "demo"]
    assert options.complete_bucket(context, "f") == ["files"]
