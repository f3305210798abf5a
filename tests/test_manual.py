"""The man pages: every command and option is in them, and roff shows what was meant."""

from __future__ import annotations

import re
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia.cli.helping import topics
from tests import manual
from tests.commandline import exit_codes, parameters, registered

PAGES: Final = manual.pages()
REQUESTS: Final = {".TH", ".SH", ".SS", ".PP", ".TP", ".nf", ".fi", ".nh", ".ad", '.\\"'}
_ESCAPES: Final = {
    "\\e": "\\", "\\-": "-", "\\(aq": "'", "\\(ha": "^", "\\(ti": "~", "\\(ga": "`", "\\&": "",
    "\\fB": "", "\\fI": "", "\\fR": "",
}  # fmt: skip
_ESCAPE: Final = re.compile(r"\\(?:\[u([0-9A-F]{4,6})\]|e|-|&|\([a-z]{2}|f[BIR])")


def shown(page: str) -> str:
    """What a reader sees of a text in roff, as far as man pages here use it."""
    page = page.removeprefix('.\\"')
    assert "\\" not in _ESCAPE.sub("", page)
    return _ESCAPE.sub(lambda e: chr(int(e[1], 16)) if e[1] else _ESCAPES[e[0]], page)


@pytest.mark.parametrize("command", [name for name, _ in registered()])
def test_every_argument_and_option_is_in_the_page_of_its_command(command: str) -> None:
    """With what it means, after a line of its own that says how it is written."""
    page = shown(PAGES[f"buckia-{command.replace(' ', '-')}.1"])
    assert f"\nbuckia {command} " in page
    items = dict(re.findall(r"^\.TP\n(.*)\n(.*)$", page, re.M))
    wanted = parameters(dict(registered())[command])
    assert len(items) == len(wanted)
    for item in wanted:
        words = item.value if item.is_argument else f"{', '.join(item.words)} {item.value}".strip()
        assert items[words].startswith((item.info.help or "").replace("`", ""))


def test_the_first_page_has_the_rest() -> None:
    """Every command, exit code, idea, and where to look on."""
    page = shown(PAGES["buckia.1"])
    for name, _ in registered():
        assert f".TP\nbuckia-{name.replace(' ', '-')}(1)\n" in page
    for code in exit_codes():
        assert f".TP\n{code}\n" in page
    for name in topics():
        assert f".SS {name}\n" in page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound_roff(name: str) -> None:
    """It knows its requests and escapes, is ASCII, and has a name that `apropos` finds."""
    lines = PAGES[name].splitlines()
    assert PAGES[name].isascii()
    requests = {line.split()[0] for line in lines if line.startswith((".", "'"))}
    assert requests <= REQUESTS
    title = name.removesuffix(".1")
    place = lines.index(".SH NAME") + 1
    assert re.fullmatch(rf"{title} - .+", shown(lines[place]))


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\\-.'`^~")))
def test_a_text_is_shown_as_it_is(text: str) -> None:
    """Whatever is in it; no line of it is a request, and backticks in pairs are bold."""
    made = manual.escape(text)
    assert made.isascii()
    assert not [line for line in made.split("\n") if line.startswith((".", "'"))]
    assert shown(made) == re.sub(r"`([^`\n]*)`", r"\1", text)
