"""The pictures of the documentation, from a real run: `make pictures` makes them anew.

docs/images/terminal.svg is what a terminal shows, by rich's export; docs/images/report.png is the
page of the same plan in Chromium (Debian packages `chromium` and `chromium-driver`).
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from buckia.cli.tour import png
from tests.pages import ROOT, clear_environment, screen

IMAGES: Final = ROOT / "docs" / "images"
WIDTH: Final = 100
"""Columns of the terminal."""

_CONFIG: Final = """\
site:
  provider: local
  bucket_name: bucket
  paths: [assets/]
  delete_orphaned: true
"""
_COMMANDS: Final = {
    "buckia plan --out plan.json --html report.html": ["l"],
    "buckia apply plan.json": [],
    "buckia status": [],
}
"""What is shown being typed, and the answers to what is asked."""
_WHO: Final = re.compile(r"\S+@\S+(?=, plan)")
_FORMAT: Final = re.sub(r"    @font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.S)
"""rich's picture of a terminal, without the fonts that it would load from elsewhere."""

_Pixel = Callable[[int, int], tuple[int, int, int]]


def main() -> int:
    """Make both pictures."""
    IMAGES.mkdir(exist_ok=True)
    with played() as (folder, svg):
        (IMAGES / "terminal.svg").write_text(svg, encoding="utf-8")
        (IMAGES / "report.png").write_bytes(photographed(folder / "report.html"))
    return 0


@contextlib.contextmanager
def played() -> Iterator[tuple[Path, str]]:
    """The workspace of the run, with report.html in it, and the picture of its terminal."""
    with TemporaryDirectory() as place:
        folder, home = Path(place, "work"), Path(place, "home")
        home.mkdir()
        for _ in clear_environment(home):
            prepare(folder)
            with contextlib.chdir(folder):
                screen(["sync", "--quiet"], [])
                change(folder)
                svg = terminal(dict(_COMMANDS))
            yield folder, svg


def prepare(folder: Path) -> None:
    """A site as it was applied last."""
    for name in ("bucket", "assets/img", "assets/drafts"):
        (folder / name).mkdir(parents=True)
    (folder / ".buckia").write_text(_CONFIG)
    assets = folder / "assets"
    (assets / "img/harbour.png").write_bytes(_picture(_day, 48_200))
    (assets / "img/dawn.png").write_bytes(_picture(_dawn, 61_700))
    (assets / "drafts/old.txt").write_text("An old draft.\n")
    (assets / "hours.txt").write_text("Open from nine to five.\nClosed on Sundays.\n")
    (assets / "index.html").write_text("<h1>The harbour</h1>\n")
    _sell(assets, ("Soup", 4.5), ("Bread", 2.0))


def change(folder: Path) -> None:
    """A week later: edits here, a picture and another headline in the bucket."""
    assets, bucket = folder / "assets", folder / "bucket"
    (assets / "img/harbour.png").write_bytes(_picture(_night, 52_900))
    (assets / "img/dawn.png").rename(assets / "img/morning.png")
    (assets / "drafts/old.txt").unlink()
    (assets / "hours.txt").write_text("Open from nine to six.\nClosed on Sundays.\n")
    (assets / "index.html").write_text("<h1>The old harbour</h1>\n")
    _sell(assets, ("Fish", 9.0))
    (bucket / "img/market.png").write_bytes(_picture(_market, 39_400))
    (bucket / "index.html").write_text("<h1>Harbour and market</h1>\n")


def _picture(pixel: _Pixel, size: int) -> bytes:
    """A picture of so many bytes, whatever this machine's zlib makes of it."""
    return png(240, 135, pixel).ljust(size, b"\0")


def _sell(assets: Path, *rows: tuple[str, float]) -> None:
    with contextlib.closing(sqlite3.connect(assets / "App.sqlite")) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS menu (dish TEXT PRIMARY KEY, price REAL)")
        database.executemany("INSERT INTO menu VALUES (?, ?)", rows)


def terminal(commands: dict[str, list[str]]) -> str:
    """A terminal in which these commands were run, as SVG."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    for command, answers in commands.items():
        words = shlex.split(command)[1:]
        shown, _ = screen(words, answers, TERM="xterm-256color", COLUMNS=str(WIDTH))
        shown = _WHO.sub("you@laptop", shown.strip("\n"))
        gap = "\n" if command == [*commands][-1] else "\n\n"
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
        console.print(Text.from_ansi(shown), end=gap)
    return console.export_svg(title="buckia", code_format=_FORMAT, unique_id="terminal")


def photographed(page: Path) -> bytes:
    """A page as Chromium shows it, as PNG."""
    from tests.report.browser import Browser

    browser = Browser()
    try:
        browser.driver.set_window_size(1000, 1680)
        browser.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        browser.open(page)
        picture: bytes = browser.driver.get_screenshot_as_png()
    finally:
        browser.driver.quit()
    return picture


def _day(x: int, y: int) -> tuple[int, int, int]:
    return (40, 90 + y // 3, 120) if y > 85 else (150, 190 + y // 4, 235)


def _night(x: int, y: int) -> tuple[int, int, int]:
    star = (x * 7 + y * 13) % 197 == 0 and y < 85
    return (250, 250, 230) if star else (10, 14 + y // 8, 40 + y // 4)


def _dawn(x: int, y: int) -> tuple[int, int, int]:
    sun = (x - 120) ** 2 + (y - 115) ** 2 < 1600
    return (255, 236, 170) if sun else (90 + 4 * y // 5, 60 + y // 3, 150 - y // 2)


def _market(x: int, y: int) -> tuple[int, int, int]:
    return (220, 60, 50) if (x // 30) % 2 and y < 60 else (240, 230, 205 - y // 3)


if __name__ == "__main__":
    sys.exit(main())
