"""Visible text in Markdown, so that nothing in it is more than text. Pure.

Foreign text stands in code spans and fenced blocks wherever it can: there GitHub and GitLab read
neither markup nor mentions. In prose what they would read is escaped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Final

_RUNS: Final = re.compile("`+")
_MARKUP: Final = re.compile(r"([\\*_\[\]<>&~|!`$^{}])")
_PINGS: Final = re.compile("([@#])")
_LINKS: Final = re.compile(r"(?<=www)\.|:(?=//)|:(?=\w)")


def code(text: str) -> str:
    """A code span that holds just this (CommonMark 6.1)."""
    if not text:
        return ""
    ticks = "`" * (_longest(text) + 1) if "`" in text else "`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def fenced(lines: Iterable[str], language: str = "text") -> str:
    """A fenced block of these lines, which no line in it can end."""
    body = "\n".join(lines)
    fence = "`" * max(3, _longest(body) + 1)
    return f"{fence}{language}\n{body}\n{fence}"


def prose(text: str) -> str:
    """A sentence without markup, links, mentions and references to issues of its own."""
    marked = _MARKUP.sub(r"\\\1", text)
    linked = _LINKS.sub(lambda found: f"\\{found[0]}", marked)
    return _PINGS.sub(r"`\1`", linked)


def tag(text: str) -> str:
    """The same as an HTML element, where no Markdown is read."""
    return f"<code>{html.escape(text)}</code>" if text else ""


def shortened(text: str, width: int) -> str:
    """At most so many characters, and how many there would be."""
    if len(text) <= width:
        return text
    return f"{text[: width * 2 // 3]}[... {len(text):,} characters ...]{text[-(width // 3) :]}"


def _longest(text: str) -> int:
    return max(map(len, _RUNS.findall(text)), default=0)
