"""Asking a person: about each conflict while planning, and before applying."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from buckia.cli import text
from buckia.model import Entry, Policy
from buckia.pairs import pair_of

if TYPE_CHECKING:
    from buckia.cli.progress import Display
    from buckia.reconcile import Decision
    from buckia.selection import Ask

_POLICIES: Final = (Policy.LOCAL_WINS, Policy.REMOTE_WINS, None)


class Words(NamedTuple):
    """What the two sides and leaving both alone are called, each by the letter that answers it."""

    names: tuple[str, str, str]
    letters: str
    question: str


_FILES: Final = Words(("local", "remote", "skip"), "lrs", "Keep [l]ocal, [r]emote, or [s]kip?")
_BUCKETS: Final = Words(
    ("source", "target", "leave"), "stl", "Keep the [s]ource's, the [t]arget's, or [l]eave both?"
)


def ask_about(display: Display) -> Ask:
    """Who answers for `Project.plan`: the person at the terminal."""
    again: list[str] = []  # an answer for all also counts for the buckets that follow

    def ask(bucket: str, conflicts: list[Decision]) -> Mapping[str, Policy]:
        with display.paused():
            return _ask(bucket, conflicts, again)

    return ask


def _ask(bucket: str, conflicts: list[Decision], again: list[str]) -> Mapping[str, Policy]:
    chosen: dict[str, Policy] = {}
    words = _BUCKETS if pair_of(bucket) else _FILES
    for number, conflict in enumerate(conflicts, 1):
        if not again:
            place = f"{text.name(bucket)}  {text.name(conflict.key)}"
            _say(f"\nConflict {number} of {len(conflicts)}: {place}\n")
            _say(_side(words.names[0], conflict.local) + _side(words.names[1], conflict.remote))
        answer = again[0] if again else _answer(words)
        if answer.isupper():
            again[:] = [answer]
        if policy := _POLICIES[words.letters.index(answer.lower())]:
            chosen[conflict.key] = policy
    return chosen


def _side(name: str, entry: Entry | None) -> str:
    if entry is None:
        return f"  {name:<7} deleted\n"
    changed = _moment(entry.modified) if entry.modified else "at an unknown time"
    return f"  {name:<7} {text.size(entry.size):>10}  {changed}  {text.digest(entry)}\n"


def _moment(nanoseconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(nanoseconds // 1_000_000_000))


def _answer(words: Words) -> str:
    one, other, none = tuple(words.letters.upper())
    while True:
        _say(f"  {words.question} {one}, {other}, {none}: the same for all that follow. ")
        line = sys.stdin.readline()
        if not line:  # end of input: nobody is there any more
            _say("\n")
            return none
        said = line.strip()
        answer = said[0] if said in words.names else said
        if len(answer) == 1 and answer.lower() in words.letters:
            return answer
        letters = ", ".join(words.letters)
        _say(f"  Please answer {letters}, {one}, {other} or {none}.\n")


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
