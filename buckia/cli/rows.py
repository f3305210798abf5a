"""Rows in columns, for lists that may hold a hundred thousand of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.text import Text

Row = tuple[str, ...]

_INDENT: Final = 4
_GAP: Final = "  "
_NARROWEST: Final = 12


class Rows:
    """Rows of equally many cells, aligned. What is beyond `fold` is counted.

    The second cell, or the only one, is the name: where a row is too long, the name goes on below.
    `below` holds lines that stand under a row, by its number.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        fold: int | None,
        below: Mapping[int, Sequence[str]] | None = None,
    ) -> None:
        self._below = below or {}
        whole = fold is None or len(rows) <= fold + 1  # a line saying "1 more" saves nothing
        self._rows = rows if whole else rows[:fold]
        self._more = len(rows) - len(self._rows)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines(options.max_width):
            yield Segment(f"{' ' * _INDENT}{line}".rstrip() + "\n")
        if self._more:
            yield Text(f"{' ' * _INDENT}and {self._more:,} more", "dim")

    def _lines(self, width: int) -> Iterator[str]:
        widths = [max(map(cell_len, column)) for column in zip(*self._rows, strict=True)]
        name = min(1, len(widths) - 1)
        others = sum(widths) - widths[name] + len(_GAP) * (len(widths) - 1)
        widths[name] = min(widths[name], max(_NARROWEST, width - _INDENT - others))
        for number, row in enumerate(self._rows):
            first, *rest = chop_cells(row[name], max(widths[name], 1)) or [""]
            cells = (*row[:name], first, *row[name + 1 :])
            yield _GAP.join(_padded(cell, wide) for cell, wide in zip(cells, widths, strict=True))
            below = " " * (sum(widths[:name]) + len(_GAP) * name)
            yield from (below + part for part in rest)
            for line in self._below.get(number, ()):
                yield from chop_cells(f"{below}  {line}", max(_NARROWEST, width - _INDENT))


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - cell_len(cell))
