"""Lines of a view, with styles for a terminal and without where there is none.

They draw themselves through rich, and are written without loading it where nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

Part = str | tuple[str, str]
"""Text, or text and its style."""

Line = tuple[Part, ...]


class Styled:
    """Lines of which each consists of parts."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = tuple(lines)

    @property
    def plain(self) -> str:
        """The lines without styles and without spaces at their ends."""
        lines = ("".join(map(_text, line)).rstrip() for line in self._lines)
        return "".join(f"{line}\n" for line in lines)

    def __rich__(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        return Group(*(Text.assemble(*line) for line in self._lines))


def _text(part: Part) -> str:
    return part if isinstance(part, str) else part[0]
