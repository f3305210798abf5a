"""Asking a person: about each conflict, while planning or in a plan, and before applying."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from buckia import text
from buckia.cli.show_why import moment
from buckia.model import Entry, Policy
from buckia.pairs import pair_of

if TYPE_CHECKING:
    from buckia.cli.progress import Display, Lines
    from buckia.decisions.selection import Ask, Conflicts
    from buckia.media import Media
    from buckia.reconcile import Decision

_ANSWERS: Final = {
    "l": Policy.LOCAL_WINS,
    "r": Policy.REMOTE_WINS,
    "t": Policy.REMOTE_WINS,
    "b": Policy.KEEP_BOTH,
}


class Words(NamedTuple):
    """What the two sides are called, and the answers, each by its first letter."""

    sides: tuple[str, str]
    answers: tuple[str, ...]
    question: str

    def policy(self, letter: str) -> Policy | None:
        """What an answer means; None for leaving the conflict as it is."""
        if self.sides[0] == "source" and letter == "s":
            return Policy.LOCAL_WINS
        return _ANSWERS.get(letter) if letter in self.letters else None

    @property
    def letters(self) -> str:
        """The letters that answer."""
        return "".join(word[0] for word in self.answers)


_SIDES: Final = ("local", "remote")
_KEEPABLE: Final = Words(
    _SIDES, ("local", "remote", "both", "skip"), "Keep [l]ocal, [r]emote, [b]oth, or [s]kip?"
)
_FILES: Final = Words(_SIDES, ("local", "remote", "skip"), "Keep [l]ocal, [r]emote, or [s]kip?")
_BUCKETS: Final = Words(
    ("source", "target"),
    ("source", "target", "leave"),
    "Keep the [s]ource's, the [t]arget's, or [l]eave both?",
)
_REASONS: Final = {
    "both_new": "new on both sides, and different",
    "both_changed": "changed on both sides",
    "local_changed": "changed here, where only the bucket's changes count",
    "remote_changed": "changed in the bucket, where only local changes count",
    "local_deleted_remote_changed": "deleted here, changed in the bucket",
    "local_changed_remote_deleted": "changed here, deleted in the bucket",
}


def ask_about(display: Display | Lines) -> Ask:
    """Who answers for `Project.plan`: the person at the terminal."""
    again: dict[str, str] = {}  # an answer for all like it also counts for the buckets that follow

    def ask(bucket: str, conflicts: Conflicts) -> Mapping[str, Policy]:
        with display.paused():
            return _ask(bucket, conflicts, again)

    return ask


def _ask(bucket: str, conflicts: Conflicts, again: dict[str, str]) -> Mapping[str, Policy]:
    chosen: dict[str, Policy] = {}
    for number, conflict in enumerate(conflicts, 1):
        words = _words(bucket, conflicts, conflict)
        answer = again.get(conflict.reason, "")
        if not answer or answer not in words.letters:
            place = f"{text.name(bucket)}  {text.name(conflict.key)}"
            _say(f"\nConflict {number} of {len(conflicts)}: {place}\n")
            _say("".join(f"  {line}\n" for line in _described(conflicts, conflict, words)))
            said = _answer(words)
            answer = said.lower()
            if said.isupper():
                again[conflict.reason] = answer
        if policy := words.policy(answer):
            chosen[conflict.key] = policy
    return chosen


def _words(bucket: str, conflicts: Conflicts, conflict: Decision) -> Words:
    if pair_of(bucket):
        return _BUCKETS
    return _KEEPABLE if conflicts.keepable(conflict) else _FILES


def _described(conflicts: Conflicts, conflict: Decision, words: Words) -> Iterator[str]:
    """Both sides of a conflict: size, time, digest, what it is, and in what the rows differ."""
    facts = conflicts.look(conflict)
    if told := None if words is _BUCKETS else _REASONS.get(conflict.reason):
        yield told
    yield _side(words.sides[0], conflict.local, facts.local)
    yield _side(words.sides[1], conflict.remote, facts.remote)
    for line in facts.changes:
        yield f"{'':<7} {text.visible(line)}"


def _side(name: str, entry: Entry | None, media: Media | None) -> str:
    if entry is None:
        return f"{name:<7} deleted"
    changed = moment(entry.modified) if entry.modified else "at an unknown time"
    what = f"  {media}" if media else ""
    return f"{name:<7} {text.size(entry.size):>10}  {changed}  {text.digest(entry)}{what}"


def _answer(words: Words) -> str:
    capitals = ", ".join(words.letters.upper())
    while True:
        _say(f"  {words.question} {capitals}: the same for all like this that follow. ")
        line = sys.stdin.readline()
        if not line:  # end of input: nobody is there any more
            _say("\n")
            return words.letters[-1].upper()
        said = line.strip()
        answer = said[0] if said in words.answers else said
        if len(answer) == 1 and answer.lower() in words.letters:
            return answer
        letters = ", ".join((*words.letters, *words.letters.upper()))
        _say(f"  Please answer one of {letters}.\n")


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
