"""docs/safety.md and the tests say the same: every promise has a test, every marked test a row."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")
_ROW: Final = re.compile(r"^\| ((?:L|INV|HYG)-?\d+) \| (.+?) \| (.+?) \| (.+) \|$", re.M)
_NAME: Final = re.compile(r"`(tests/[\w/]+\.py(?:::\w+)?)`")

LAWS: Final = {f"L{number}" for number in range(1, 8)}
INVARIANTS: Final = {f"INV-{number}" for number in range(1, 24)}


@cache
def rows() -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Id, promise, keeper and tests of every row."""
    found = _ROW.findall(PAGE)
    return [(id_, what, how, tuple(_NAME.findall(tests))) for id_, what, how, tests in found]


@cache
def marked() -> frozenset[tuple[str, str]]:
    """Every promise and the test, or whole file, that carries its mark."""
    return frozenset(
        pair
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for pair in _marks(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8")))
    )


def _marks(name: str, tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            yield from ((id_, name) for id_ in _ids(node.value))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for decorator in node.decorator_list:
                yield from ((id_, f"{name}::{node.name}") for id_ in _ids(decorator))


def _ids(node: ast.expr) -> Iterator[str]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.promise":
            yield from (ast.literal_eval(word) for word in call.args)


def test_every_law_and_invariant_has_one_row() -> None:
    """Each id stands once."""
    ids = [id_ for id_, *_ in rows()]
    assert len(ids) == len(set(ids))
    assert set(ids) >= LAWS | INVARIANTS
    assert len(re.findall(r"^\| (?!Id |---)", PAGE, re.M)) >= len(ids)


def test_rows_and_tests_match() -> None:
    """What the page says of a promise is what the tests say, both ways."""
    told = {(id_, test) for id_, _, _, tests in rows() for test in tests}
    assert told == marked()


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_row_is_whole(row: tuple[str, str, str, tuple[str, ...]]) -> None:
    """A promise is a sentence, its keeper exists, and so does each of its tests."""
    _, promise, keeper, tests = row
    assert promise.endswith(".")
    assert tests
    for path in re.findall(r"`(buckia/[\w/]+\.py)`", keeper):
        assert (ROOT / path).is_file(), path
    for test in tests:
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert not name or name in names, test


def test_the_mark_is_known() -> None:
    """A mark that is spelt wrong would be no link."""
    assert '"promise(id, ...)' in (ROOT / "pyproject.toml").read_text("utf-8")
