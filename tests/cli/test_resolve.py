"""`resolve` in a terminal, through each choice, and the plan that comes of it applied."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.console import buckia
from tests.cli.test_terminal import QUESTION, Terminal

GIF = b"GIF89a\x04\0\x03\0"


@pytest.fixture
def project(workspace: Path) -> Path:
    """A project with a plan that has four conflicts, one of them about a picture."""
    (workspace / ".buckia").write_text(
        "files:\n  provider: local\n  bucket_name: bucket\n  paths: [assets/]\n"
    )
    for side in ("assets", "bucket"):
        (workspace / side).mkdir()
        for name in ("a.txt", "b.txt", "c.txt"):
            (workspace / side / name).write_text(f"{name} in {side}")
        (workspace / side / "d.gif").write_bytes(GIF + side.encode())
    assert buckia("plan", "--out", "plan.json", "-q").code == 3
    return workspace


def side(folder: Path) -> dict[str, str]:
    """Where each file of a side comes from."""
    return {
        path.name: "assets" if path.read_bytes().endswith(b"assets") else "bucket"
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def test_each_choice_and_the_plan_applied(project: Path) -> None:
    with Terminal("resolve", "plan.json") as terminal:
        terminal.answer(QUESTION, "l")
        terminal.answer(QUESTION, "remote")
        terminal.answer(QUESTION, "b")
        terminal.answer(QUESTION, "s")
        assert terminal.ended() == 3, terminal.screen
        assert "Settled: 3 conflicts, 1 left. Written to plan.json." in terminal.screen
    with Terminal("resolve", "plan.json", "--out", "whole.json") as terminal:
        terminal.answer(QUESTION, "what?")
        terminal.answer("Please answer one of l, r, b, s, L, R, B, S.", "")
        terminal.answer(QUESTION, "B")
        assert terminal.ended() == 0, terminal.screen
        assert "Settled: 1 conflict. Written to whole.json" in terminal.screen
    choices = {
        item["key"]: item["choice"]
        for item in json.loads(Path("whole.json").read_text())["resolved"]
    }
    assert choices == {
        "a.txt": "local_wins",
        "b.txt": "remote_wins",
        "c.txt": "keep_both",
        "d.gif": "keep_both",
    }
    assert buckia("apply", "whole.json").code == 0
    both = {
        "a.txt": "assets",
        "b.txt": "bucket",
        "c.remote.txt": "bucket",
        "c.txt": "assets",
        "d.gif": "assets",
        "d.remote.gif": "bucket",
    }
    assert side(project / "assets") == side(project / "bucket") == both
    assert buckia("plan", "--detailed-exitcode", "-q").code == 0


@pytest.mark.parametrize(("letter", "choice"), [("L", "local_wins"), ("R", "remote_wins")])
def test_one_answer_for_all_like_it(project: Path, letter: str, choice: str) -> None:
    """Like it is what became a conflict in the same way; another kind is asked about again."""
    assert buckia("sync", "-q", "--skip-conflicts").code == 0
    (project / "bucket/e.txt").write_text("e")
    assert buckia("sync", "-q", "--skip-conflicts").code == 0
    (project / "bucket/e.txt").write_text("e in bucket")
    (project / "assets/e.txt").write_text("e in assets")
    assert buckia("plan", "--out", "plan.json", "-q").code == 3
    with Terminal("resolve", "plan.json") as terminal:
        terminal.answer(QUESTION, letter)
        terminal.answer("changed on both sides", "")
        terminal.answer(QUESTION, "b")
        assert terminal.ended() == 0, terminal.screen
    resolved = json.loads(Path("plan.json").read_text())["resolved"]
    assert [item["choice"] for item in resolved] == [choice] * 4 + ["keep_both"]


def test_both_sides_are_described(project: Path) -> None:
    with Terminal("resolve", "plan.json") as terminal:
        for _ in "abc":
            terminal.answer(QUESTION, "s")
        terminal.wait(QUESTION)
        shown = terminal.screen
        terminal.answer(QUESTION, "s")
        assert terminal.ended() == 3
        assert "Nothing was settled, and nothing written." in terminal.screen
    assert "Conflict 4 of 4: files  d.gif\n  new on both sides, and different\n" in shown
    assert shown.count("GIF image, 4 x 3") == 2


def test_end_of_input_and_ctrl_c_write_nothing(project: Path) -> None:
    before = Path("plan.json").read_bytes()
    with Terminal("resolve", "plan.json") as terminal:
        terminal.answer(QUESTION, "l")
        terminal.wait(QUESTION)
        terminal.interrupt()
        assert terminal.ended() == 130, terminal.screen
    with Terminal("resolve", "plan.json") as terminal:
        terminal.answer(QUESTION, "\x04")
        assert terminal.ended() == 3
    assert Path("plan.json").read_bytes() == before
    assert not list(project.glob(".plan.json*"))
