"""Every error says what to do next.

A message is what went wrong, to what, why, and then, after a semicolon, what to try: a command
between backticks, or a sentence that begins with what is to be done. It is read off the source, so
that no error is raised of which nobody has thought what comes after it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import pytest

import buckia
from buckia import errors
from buckia.stores import s3_settings

SOURCE: Final = Path(buckia.__file__).parent

_ACTS: Final = """
acknowledge add answer apply ask change check choose clear close correct create delete edit end
exclude export free get give include install keep leave look make mend migrate move name paste
pay pip pipe plan publish pull put raise remove rename restore review run say see set sign take
try type unset use verify wait write
"""
ACTS: Final = frozenset(_ACTS.split())
"""How a sentence begins that tells somebody to do something."""

CHOSEN: Final = ("the answer was no", "interrupted; ", "stopped")
"""How an error begins that somebody brought about on purpose."""

RELAYED: Final = ("{str}", "{problem}", "{refusal}")
"""How an error begins that passes on another one, whose advice goes with it."""

ADVICE: Final = frozenset({"{advice}", "{hint}", "{repair}", "{_advice}", "{suggest}", "{near}"})
"""What is advice by its name."""

ELSEWHERE: Final = {
    "{key}": "ends a trial of a store, and is caught where it is raised",
    "{name} is of another version": "is caught where it is raised",
    "{place}: {_REFUSED} ({code})": "see the table, which has a test below",
    "{url}: {UNTRUSTED}": "see the row, which is tried as well",
    "`{name}`: no caches to purge: {why}": "the reason is what to do",
    "{_refusal}": "says who holds the lease, and to wait or `buckia unlock`",
}
"""Messages whose advice is not in the sentence itself, and where it is."""


class Raised(NamedTuple):
    """An error in the source: `text` has {} for what is not known until it is raised."""

    place: str
    text: str


FINDINGS: Final = {"InvalidConfig", "InvalidFile"}
"""Errors that list findings, each of which says what is allowed."""

REASONS: Final = ("sqlite/references.py:",)
"""Modules whose errors are reasons in a sentence of their caller."""


def _classes() -> set[str]:
    found = {name for name, kind in vars(errors).items() if _is_error(kind)}
    trees = [node for path in SOURCE.rglob("*.py") for node in ast.walk(_tree(path))]
    derived = [node for node in trees if isinstance(node, ast.ClassDef)]
    while more := {node.name for node in derived if {*map(_named, node.bases)} & found} - found:
        found |= more
    return found


def _is_error(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, errors.BuckiaError)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _named(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _text(node: ast.expr | None, words: dict[str, str]) -> str:
    """A message as the source has it; `words` are the module's own texts by name."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=parts):
            return "".join(_text(part, words) for part in parts)
        case ast.FormattedValue(value=value):
            return _text(value, words)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return words.get(name, f"{{{name}}}")
        case ast.Call(func=ast.Attribute(value=inner, attr="format")):
            return _text(inner, words)
        case ast.Subscript(value=ast.Name(id=name)):
            return f"{{{name}}}"
        case ast.Call(func=func):
            return f"{{{_named(func)}}}"
    return "{}"


def raised() -> Iterator[Raised]:
    """Every error that is made, and every row that says with which words one is to be made."""
    classes = _classes()
    trees = {path.relative_to(SOURCE).as_posix(): _tree(path) for path in SOURCE.rglob("*.py")}
    words: dict[str, str] = {}
    for tree in trees.values():
        for said in tree.body:
            if isinstance(said, ast.AnnAssign | ast.Assign) and isinstance(
                said.value, ast.Constant | ast.JoinedStr
            ):
                targets = said.targets if isinstance(said, ast.Assign) else [said.target]
                words |= {_named(target): _text(said.value, words) for target in targets}
    for name, tree in sorted(trees.items()):
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=func, args=args) if _named(func) in classes - FINDINGS:
                    yield Raised(f"{name}:{node.lineno}", _text(args[0] if args else None, words))
                case ast.Tuple(
                    elts=[kind, ast.Constant(value=str()) | ast.JoinedStr() as message]
                ) if _named(kind) in classes:
                    yield Raised(f"{name}:{node.lineno}", _text(message, words))


def advises(text: str) -> bool:
    """Whether a message says what to do."""
    if "`buckia " in text or text.startswith((*CHOSEN, *RELAYED)):
        return True
    text = re.sub(r"({suggest}|{near})$", r"; \1", text)
    said = text.replace(": ", "; ").split("; ")
    begin = (clause.removeprefix("or ").split(" ")[0].strip(",.") for clause in said)
    return any(word in ACTS | ADVICE for word in begin)


RAISED: Final = [*raised()]
FOUND: Final = [one for one in RAISED if not one.place.startswith(REASONS)]


@pytest.mark.parametrize("place", sorted({one.place.partition(":")[0] for one in FOUND}))
def test_every_error_of_a_module_says_what_to_do_next(place: str) -> None:
    mine = [one for one in FOUND if one.place.partition(":")[0] == place]
    mute = [one for one in mine if not advises(one.text) and one.text not in ELSEWHERE]
    assert not mute, "what is a person to do after these?"


@pytest.mark.parametrize("words", s3_settings._REFUSED.values())
def test_a_setting_that_is_refused_has_advice(words: str) -> None:
    assert advises(words)


def test_the_exceptions_are_still_there() -> None:
    assert {one.text for one in FOUND} >= ELSEWHERE.keys()
    assert all(any(one.place.startswith(place) for one in RAISED) for place in REASONS)


def test_a_message_without_advice_is_found() -> None:
    assert not advises("the file {} is gone; nothing was changed")
    assert advises("the file {} is gone; nothing was changed; plan again")
    assert advises("there is no file {}; `buckia plan` makes one")
