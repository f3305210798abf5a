"""Ratios as a picture: one bar a peer, on a logarithmic scale, with a mark where it should end."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import escape

from tests.benchmarks.results import Row

_LINE, _LEFT, _WIDTH, _TOP = 18, 330, 470, 58
_LEAST, _MOST = 0.02, 5.0
_COLOURS: Final = {"wall": "#3b6ea5", "cpu": "#8a9a5b"}
_TEXT: Final = 'font-family="sans-serif" font-size="11" fill="#333"'


def draw(rows: Iterable[Row]) -> str:
    """An SVG of the ratios in wall time and client CPU."""
    shown = [row for row in rows if row.peer and row.measure in _COLOURS and row.ratio > 0]
    parts: list[str] = []
    y, scenario = _TOP, ""
    for row in shown:
        if row.scenario != scenario:
            scenario = row.scenario
            y += _LINE
            parts.append(f'<text x="8" y="{y}" {_TEXT} font-weight="bold">{scenario}</text>')
            y += 6
        y += _LINE
        parts += _bar(row, y)
    height = y + 24
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 60}" '
        f'height="{height}">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{_scale(height)}\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _bar(row: Row, y: int) -> list[str]:
    end, colour = _at(row.ratio), _COLOURS[row.measure]
    name = escape(f"{row.peer}, {row.measure}")
    parts = [
        f'<text x="{_LEFT - 8}" y="{y}" {_TEXT} text-anchor="end">{name}</text>',
        f'<rect x="{_LEFT}" y="{y - 10}" width="{end - _LEFT:.1f}" height="12" fill="{colour}"/>',
        f'<text x="{end + 4:.1f}" y="{y}" {_TEXT}>{row.ratio:.2f}</text>',
    ]
    if row.reach is not None:
        x = _at(row.reach)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 12}" y2="{y + 4}" stroke="#c0392b"'
            ' stroke-width="2"/>'
        )
    return parts


def _scale(height: int) -> str:
    title = "buckia's time as a share of each peer's (shorter is better; red: to be reached)"
    lines = [f'<text x="8" y="20" {_TEXT} font-size="13">{title}</text>']
    for value in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0):
        x = _at(value)
        weight = "#999" if value == 1.0 else "#ddd"
        lines.append(f'<text x="{x:.1f}" y="42" {_TEXT} text-anchor="middle">{value:g}</text>')
        lines.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="48" y2="{height - 8}" stroke="{weight}"/>'
        )
    return "\n".join(lines)


def _at(ratio: float) -> float:
    inside = min(max(ratio, _LEAST), _MOST)
    share = math.log(inside / _LEAST) / math.log(_MOST / _LEAST)
    return _LEFT + share * _WIDTH
