"""The command line before typer sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

_SEVERAL: Final = "--paths"


def spread(argv: Sequence[str]) -> list[str]:
    """`--paths a b` written as `--paths a --paths b`: values go on until the next option."""
    return list(_spread(argv))


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
