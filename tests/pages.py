"""Markdown pages as things that can be tested: their blocks run, their links lead somewhere.

A console block is what a person sees in a terminal. `$ ` begins a command, what follows is its
output; `[3]` at the end is an exit code that is not 0, and what stands after a question is the
answer; what is asked for without an echo is typed. A block that names a file, such as
`yaml .buckia`, writes it. A comment `<!-- before` holds commands that only prepare.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import shutil
import subprocess  # noqa: TID251  (a page's own shell commands)
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO, TextIOBase, TextIOWrapper
from pathlib import Path
from typing import Final

import pytest

from buckia.cli import run
from buckia.cli.progress import Display

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_BLOCK = re.compile(r"^(?:```(\w+)(?: (\S+))?|<!-- (before))\n(.*?)^(?:```|-->)$", re.M | re.S)
_ASKED = re.compile(r"^(.*(?:that follow\.|\[y/N\]) )(\S+)$", re.M)
_SAME = (
    (re.compile(r"(?<=  last apply )\S.*"), "..."),
    (re.compile(r'"last":\{.*?\}(?=,"lease")'), '"last":...'),
    (re.compile(r"sha256:[0-9a-f]{64}"), "sha256:..."),
    (re.compile(r"\bin \d+\.\d s\b"), "in N s"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b"), "YYYY-MM-DD hh:mm:ss"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"\S+@\S+(?=  (?:done|failed|cut|open))"), "YOU@HOST"),
    (re.compile(r"(?<=\.buckia/trash/)[0-9a-f]{12}"), "PLAN"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d(?=  .*  [0-9a-f]{12}$)", re.M), "YYYY-MM-DD hh:mm"),
    (re.compile(r"(?<=  )[0-9a-f]{12}$", re.M), "PLAN"),
    (re.compile(r"(?<=^index )[0-9a-f]{7}\.\.[0-9a-f]{7}", re.M), "OLD..NEW"),
)
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_WIDTH = "110"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, the file it is the content of, where it stands."""

    language: str
    file: str
    text: str
    start: int
    end: int


@dataclass
class Step:
    """One command of a console block and what the page says it prints."""

    command: str
    printed: list[str] = field(default_factory=list)


def blocks(page: str) -> list[Block]:
    """Every fenced block, and every comment that prepares something."""
    return [
        Block(found[1] or found[3], found[2] or "", found[4], found.start(4), found.end(4))
        for found in _BLOCK.finditer(page)
    ]


def steps(block: str) -> list[Step]:
    """The commands of a console block."""
    made: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            made.append(Step(line[2:]))
        elif made:
            made[-1].printed.append(line)
    return made


def play(page: str, folder: Path) -> str:
    """The page as it should be: its commands run in `folder`, their output in place."""
    parts, at = [], 0
    for block in blocks(page):
        if block.file:
            (folder / block.file).write_text(block.text)
        elif block.language in ("console", "before"):
            played = "".join(_played(step, folder) for step in steps(block.text))
            if block.language == "console":
                parts += [page[at : block.start], played]
                at = block.end
    return "".join([*parts, page[at:]])


def _played(step: Step, folder: Path) -> str:
    """A step as it happened; as it is written where that is the same."""
    lines = list(step.printed)
    while lines and not lines[-1]:
        lines.pop()
    printed = "\n".join(lines)
    happened = _happened(step.command, _ASKED.findall(printed), folder)
    shown = printed if happened is None or same(happened) == same(printed) else happened
    gap = "\n" * (len(step.printed) - len(lines))
    return f"$ {step.command}\n" + (f"{shown}\n" if shown else "") + gap


def _happened(command: str, answers: list[tuple[str, str]], folder: Path) -> str | None:
    """What a command prints; None where there is no program to say."""
    if command.startswith("git ") and not shutil.which("git"):
        return None
    if command.startswith("buckia "):
        return in_terminal(shlex.split(command)[1:], [answer for _, answer in answers])
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False
    )
    return _ended(done.stdout + done.stderr, done.returncode)


def _ended(printed: str, code: int) -> str:
    """What was printed, without escape codes, and the exit code where it tells something."""
    lines = (_STYLE.sub("", printed) + (f"[{code}]" if code else "")).strip("\n").split("\n")
    return "\n".join(line.rstrip() for line in lines)


def same(text: str) -> str:
    """A text without what differs each time: digests of plans, durations, dates, random names."""
    for pattern, word in _SAME:
        text = pattern.sub(word, text)
    return text


def in_terminal(words: list[str], answers: list[str]) -> str:
    """What a person sees who runs `buckia` in a terminal and gives these answers."""
    return _ended(*screen(words, answers, NO_COLOR="1", COLUMNS=_WIDTH))


def screen(words: list[str], answers: list[str], **settings: str) -> tuple[str, int]:
    """What `buckia` writes to a terminal, escape codes and all, and its exit code.

    `settings` are environment variables.
    """
    written = BytesIO()
    terminal = _Terminal(written)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Display, "__enter__", lambda display: display)  # it erases itself anyway
        for name, value in {"TERM": "xterm", **settings}.items():
            patch.setenv(name, value)
        patch.setattr(getpass, "getpass", terminal.hide)
        patch.setattr(sys, "stdin", _Keyboard(answers, terminal))
        patch.setattr(sys, "stdout", terminal)
        patch.setattr(sys, "stderr", terminal)
        code = run(words)
    terminal.flush()
    return written.getvalue().decode(), code


class _Terminal(TextIOWrapper):
    """What both streams write to, in the order it comes."""

    def __init__(self, screen: BytesIO) -> None:
        super().__init__(screen, encoding="utf-8", newline="", write_through=True)

    def isatty(self) -> bool:
        return True

    def hide(self, question: str, stream: object = None) -> str:
        """What a person types who is asked for a secret."""
        self.write(f"{question}\n")
        return "typed"


class _Keyboard(TextIOBase):
    """A person with answers ready; a terminal shows what is typed."""

    def __init__(self, answers: list[str], terminal: _Terminal) -> None:
        self._answers = iter(answers)
        self._terminal = terminal

    def isatty(self) -> bool:
        return True

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        typed = next(self._answers, "")
        self._terminal.write(f"{typed}\n")
        return f"{typed}\n" if typed else ""


_OUTSIDE: Final = (
    *("AWS_", "B2_", "BUNNY_", "LINODE_", "S3_", "BUCKIA_", "GIT_"),
    *("CI", "GITHUB_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_"),
)
"""How names begin that change what a command does or shows."""


def clear_environment(home: Path) -> Iterator[None]:
    """No settings, credentials, colours or pipelines from outside while this lasts."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(_OUTSIDE):
            del os.environ[name]
    identity = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "you"), ("EMAIL", "you@example.org"))
    }
    os.environ.update(HOME=str(home), TERM="xterm", AWS_EC2_METADATA_DISABLED="true", **identity)
    yield
    os.environ.clear()
    os.environ.update(before)
