"""The command line before typer sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

_SEVERAL: Final = "--paths"
_ALONE: Final = "--deep"
_SAMPLE: Final = re.compile(r"all|\d+%?")


def spread(argv: Sequence[str]) -> list[str]:
    """`--paths a b` written as `--paths a --paths b`: values go on until the next option.

    `--deep` without a value is written as `--deep=all`.
    """
    return list(_spread(list(_valued(argv))))


def _valued(argv: Sequence[str]) -> Iterator[str]:
    ends = argv.index("--") if "--" in argv else len(argv)
    for at, word in enumerate(argv):
        alone = (
            word == _ALONE and at < ends and not _SAMPLE.fullmatch("".join(argv[at + 1 : at + 2]))
        )
        yield f"{_ALONE}=all" if alone else word


def _spread(argv: Sequence[str]) -> Iterator[str]:
    values: int | None = None  # how many values `--paths` has so far; None outside of it
    for at, word in enumerate(argv):
        if word == "--":
            yield from argv[at:]
            return
        if word == _SEVERAL:
            values = 0
        elif word.startswith(f"{_SEVERAL}="):
            values = 1
        elif word.startswith("-"):
            values = None
        elif values is not None:
            if values:
                yield _SEVERAL
            values += 1
        yield word
