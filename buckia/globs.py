"""Patterns over keys, written as in .gitignore. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

Matcher = Callable[[str], bool]
"""Whether a key matches."""


def matcher(globs: Iterable[str]) -> Matcher | None:
    """What tells whether a key matches; None where there are no patterns."""
    lines = tuple(globs)
    if not lines:
        return None
    from pathspec import GitIgnoreSpec  # loaded late: only buckets with globs pay for it

    return GitIgnoreSpec.from_lines(lines).match_file


def deciding(globs: Iterable[str], key: str) -> int | None:
    """Which pattern, counted from 0, has the last word on a key; None where none matches it."""
    lines = tuple(globs)
    if not lines:
        return None
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(lines).check_file(key).index


def refuse(glob: str) -> str | None:
    """Why a text is no pattern, or None."""
    try:
        matcher([glob])
    except (ValueError, re.error) as problem:
        return str(problem).splitlines()[0]
    return None
