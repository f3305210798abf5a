"""Commands at a terminal: what is shown, and what is asked."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess  # noqa: TID251 - a terminal runs a process
import sys
import threading
from pathlib import Path

import pytest

from tests.publishing import publish, tree
from tests.servers.folder import serve_folder

_LONG = 60.0
"""Seconds after which a test gives up; nothing depends on how long anything takes."""

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """`buckia` in a terminal of its own, typed into and read from."""

    def __init__(self, *words: str, columns: int = 100) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "buckia", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "COLUMNS": str(columns)},
            close_fds=True,
        )
        os.close(slave)
        self.screen = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def answer(self, question: str, words: str) -> None:
        """Wait for a question that was not answered yet, and type."""
        self.wait(question)
        self.screen = self.screen.rpartition(question)[2]
        os.write(self._master, f"{words}\n".encode())

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        self.wait(None)
        return self._process.wait()

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def wait(self, until: str | None) -> None:
        """Read until something is on the screen, or the end."""
        while until is None or until not in self.screen:
            ready, _, _ = select.select([self._master], [], [], _LONG)
            assert ready, f"{until!r} did not come: {self.screen}"
            try:
                data = os.read(self._master, 65536)
            except OSError:  # how Linux tells that the other end is closed
                data = b""
            if not data:
                assert until is None, self.screen
                return
            text = self.screen + data.decode(errors="replace")
            self.screen = _ESCAPES.sub("", text).replace("\r\n", "\n")


@pytest.fixture
def project(workspace: Path) -> Path:
    """A project with three conflicts."""
    (workspace / ".buckia").write_text(
        "files:\n  provider: local\n  bucket_name: bucket\n  paths: [assets/]\n"
    )
    for side in ("assets", "bucket"):
        (workspace / side).mkdir()
        for name in "abc":
            (workspace / side / name).write_text(f"{name} in {side}")
    return workspace


QUESTION = "Keep [l]ocal, [r]emote, [b]oth, or [s]kip?"


def contents(folder: Path) -> str:
    return " ".join((folder / name).read_text().rpartition(" ")[2] for name in "abc")


def test_conflicts_are_asked_about_one_by_one(project: Path) -> None:
    with Terminal("sync") as terminal:
        terminal.answer(QUESTION, "what?")
        terminal.answer("Please answer", "")
        terminal.answer(QUESTION, "l")
        terminal.answer(QUESTION, "remote")
        terminal.answer(QUESTION, "l")
        assert terminal.ended() == 0, terminal.screen
        assert "Applied: 2 uploaded, 1 downloaded" in terminal.screen
    assert contents(project / "assets") == contents(project / "bucket") == "assets bucket assets"


def test_both_sides_of_a_conflict_are_shown(project: Path) -> None:
    (project / "bucket/a").write_text("longer than the other side")
    with Terminal("plan") as terminal:
        terminal.wait(QUESTION)
        shown = terminal.screen
        terminal.answer(QUESTION, "S")
        assert terminal.ended() == 3
    assert "Conflict 1 of 3: files  a\n" in shown
    assert re.search(r"local +11 bytes  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  [0-9a-f]{8}  text\n", shown)
    assert re.search(
        r"remote +26 bytes  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  [0-9a-f]{8}  text\n", shown
    )


@pytest.mark.parametrize(("letter", "result"), [("L", "assets"), ("R", "bucket")])
def test_one_answer_for_all(project: Path, letter: str, result: str) -> None:
    with Terminal("sync") as terminal:
        terminal.answer(QUESTION, letter)
        assert terminal.ended() == 0, terminal.screen
    assert contents(project / "assets") == contents(project / "bucket") == " ".join([result] * 3)


def test_what_is_skipped_stays_a_conflict(project: Path) -> None:
    with Terminal("plan", "--out", "plan.json") as terminal:
        terminal.answer(QUESTION, "s")
        terminal.answer(QUESTION, "r")
        terminal.answer(QUESTION, "\x04")  # end of input: nobody is there any more
        code = terminal.ended()
        assert code == 3
        assert "This plan cannot be applied: 2 conflicts." in terminal.screen
        assert "Written to plan.json." in terminal.screen


@pytest.mark.parametrize(("word", "code", "result"), [("y", 0, "assets"), ("", 1, "bucket")])
def test_apply_asks_first(project: Path, word: str, code: int, result: str) -> None:
    (project / "bucket/b").unlink()
    (project / "bucket/c").unlink()
    with Terminal("apply") as terminal:
        terminal.answer(QUESTION, "l")
        terminal.answer("Apply 3 actions? [y/N]", word)
        assert terminal.ended() == code, terminal.screen
        assert ("nothing was changed" in terminal.screen) == bool(code)
    assert (project / "bucket/a").read_text() == f"a in {result}"


def test_a_plan_at_a_terminal_is_shown_not_dumped(project: Path) -> None:
    with Terminal("plan", "--skip-conflicts") as terminal:
        assert terminal.ended() == 0
        assert "Nothing to do" in terminal.screen and "{" not in terminal.screen


def test_progress_is_shown_and_quiet_is_quiet(project: Path) -> None:
    with Terminal("sync", "--skip-conflicts") as terminal:
        assert terminal.ended() == 0
        assert "Listing the bucket" in terminal.screen and "Reading files" in terminal.screen
    with Terminal("sync", "--skip-conflicts", "--quiet") as terminal:
        assert terminal.ended() == 0
        assert terminal.screen == ""


@pytest.mark.parametrize("columns", [40, 160])
def test_lines_fit_the_terminal(project: Path, columns: int) -> None:
    (project / "assets" / ("long-" * 20)).write_text("x")
    with Terminal("plan", "--skip-conflicts", columns=columns) as terminal:
        assert terminal.ended() == 0
        lines = [line for line in terminal.screen.splitlines() if not line.startswith("sha256:")]
        assert max(map(len, lines)) <= columns


def test_an_interrupt_at_a_question_changes_nothing(project: Path) -> None:
    with Terminal("apply") as terminal:
        terminal.answer(QUESTION, "L")
        terminal.wait("Apply 3 actions? [y/N]")
        terminal.interrupt()
        assert terminal.ended() == 130
        assert "interrupted; nothing was changed" in terminal.screen
    assert contents(project / "bucket") == "bucket bucket bucket"


def test_a_pull_shows_how_far_it_is_and_ends_saved(workspace: Path) -> None:
    """Ctrl-C ends it after the files that are under way; the next one fetches the rest."""
    held = threading.Event()
    with serve_folder() as server:
        publish(server, {"a": b"a" * 2000, "b": b"b" * 1000, "c": b"c"})
        server.on_request = lambda path: path == "b" and held.wait(_LONG)
        with Terminal("pull", server.url, "F", "--max-workers", "1") as terminal:
            terminal.wait("Fetching")
            terminal.wait("1/3 files")
            terminal.interrupt()
            terminal.wait("Stopping")
            held.set()
            assert terminal.ended() == 130
            assert "stopped by a signal; what was fetched is kept; run it again" in terminal.screen
        assert tree(workspace / "F") == {}
        server.forget()
        with Terminal("pull", server.url, "F") as terminal:
            assert terminal.ended() == 0
            assert "At generation 1: 3 new (" in terminal.screen
        assert "a" not in dict(server.requests)
