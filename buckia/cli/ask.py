"""Asking a person: about each conflict while planning, and before applying."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from buckia.cli import text
from buckia.model import Entry, Policy

if TYPE_CHECKING:
    from buckia.cli.progress import Display
    from buckia.reconcile import Decision
    from buckia.selection import Ask

_ANSWERS: Final = {"l": Policy.LOCAL_WINS, "r": Policy.REMOTE_WINS, "s": None}
_NAMES: Final = {"local": "l", "remote": "r", "skip": "s"}
_QUESTION: Final = "  Keep [l]ocal, [r]emote, or [s]kip? L, R, S: the same for all that follow. "


def ask_about(display: Display) -> Ask:
    """Who answers for `Project.plan`: the person at the terminal."""
    again: list[str] = []  # an answer for all also counts for the buckets that follow

    def ask(bucket: str, conflicts: list[Decision]) -> Mapping[str, Policy]:
        with display.paused():
            return _ask(bucket, conflicts, again)

    return ask


def _ask(bucket: str, conflicts: list[Decision], again: list[str]) -> Mapping[str, Policy]:
    chosen: dict[str, Policy] = {}
    for number, conflict in enumerate(conflicts, 1):
        if not again:
            place = f"{text.name(bucket)}  {text.name(conflict.key)}"
            _say(f"\nConflict {number} of {len(conflicts)}: {place}\n")
            _say(_side("local", conflict.local) + _side("remote", conflict.remote))
        answer = again[0] if again else _answer()
        if answer.isupper():
            again[:] = [answer]
        if policy := _ANSWERS[answer.lower()]:
            chosen[conflict.key] = policy
    return chosen


def _side(name: str, entry: Entry | None) -> str:
    if entry is None:
        return f"  {name:<7} deleted\n"
    changed = _moment(entry.modified) if entry.modified else "at an unknown time"
    return f"  {name:<7} {text.size(entry.size):>10}  {changed}  {text.digest(entry)}\n"


def _moment(nanoseconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(nanoseconds // 1_000_000_000))


def _answer() -> str:
    while True:
        _say(_QUESTION)
        line = sys.stdin.readline()
        if not line:  # end of input: nobody is there any more
            _say("\n")
            return "S"
        answer = _NAMES.get(line.strip(), line.strip())
        if answer.lower() in _ANSWERS and len(answer) == 1:
            return answer
        _say("  Please answer l, r, s, L, R or S.\n")


def confirm(question: str) -> bool:
    """Whether the answer is yes; anything else, or the end of input, is no."""
    _say(f"{question} [y/N] ")
    line = sys.stdin.readline()
    if not line:
        _say("\n")
    return line.strip().lower() in ("y", "yes")


def _say(words: str) -> None:
    sys.stderr.write(words)
    sys.stderr.flush()
