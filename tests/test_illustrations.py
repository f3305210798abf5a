"""The pictures of the documentation show what happens, load nothing, and stay small."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.illustrations import IMAGES, photographed, played
from tests.pages import ROOT, same

_MOST = 200_000
_PNG = b"\x89PNG\r\n\x1a\n"


def text(svg: str) -> list[str]:
    """The lines of a terminal, as far as they do not differ each time."""
    lines = re.findall(r'<text class="terminal-r\d+" [^>]*y="([\d.]+)"[^>]*>([^<]*)</text>', svg)
    shown: dict[str, str] = {}
    for y, words in lines:
        shown[y] = shown.get(y, "") + unescape(words).replace("\xa0", " ")
    return [re.sub(r"(?<=, plan )[0-9a-f]{12}", "PLAN", same(line)) for line in shown.values()]


def test_the_terminal_shows_what_happens() -> None:
    """`make pictures` would show the same."""
    picture = (IMAGES / "terminal.svg").read_text(encoding="utf-8")
    with played() as (folder, svg):
        assert (folder / "report.html").exists()
        assert text(picture) == text(svg)
    assert len(text(picture)) > 25


def test_a_picture_is_small_and_shown_and_loads_nothing() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in IMAGES.iterdir():
        assert path.stat().st_size < _MOST
        assert f"](docs/images/{path.name})" in readme
    assert (IMAGES / "report.png").read_bytes().startswith(_PNG)
    svg = (IMAGES / "terminal.svg").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"]+", svg)) <= {
        "http://www.w3.org/2000/svg",
        "https://www.textualize.io",
    }


@pytest.mark.chromium
def test_the_page_can_be_photographed() -> None:
    """As it is for the README."""
    with played() as (folder, _):
        picture = photographed(folder / "report.html")
    assert picture.startswith(_PNG)
    assert len(picture) < _MOST
