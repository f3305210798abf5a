"""The pieces of the command line that need no command: words, numbers, arguments, failures."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import pytest
import typer

from buckia import text
from buckia.cli.arguments import spread
from buckia.cli.commands import lighten
from buckia.cli.failures import BUG, report
from buckia.errors import BuckiaError, StaleError
from buckia.model import Content


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        ("sync --paths a/ b c", "sync --paths a/ --paths b --paths c"),
        ("sync x --paths a b --dry-run c", "sync x --paths a --paths b --dry-run c"),
        ("sync --paths=a b", "sync --paths=a --paths b"),
        ("sync --paths a --paths b c", "sync --paths a --paths b --paths c"),
        ("sync --paths a -- --paths b c", "sync --paths a -- --paths b c"),
        ("sync --paths", "sync --paths"),
        ("plan common -c x", "plan common -c x"),
    ],
)
def test_paths_take_values_until_the_next_option(typed: str, seen: str) -> None:
    assert spread(typed.split()) == seen.split()


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def _takes(
    text: str | None = None,
    colour: Colour = Colour.RED,
    count: Annotated[int, typer.Option(min=1, max=9)] = 3,
    pause: float = 1.5,
    many: list[str] | None = None,
    colours: list[Colour] | None = None,
    loud: Annotated[int, typer.Option("--loud", "-l", count=True)] = 0,
    yes: bool = False,
) -> None:
    raise Taken(text, colour, count, pause, many, colours, loud, yes)


class Taken(Exception):
    pass


def _taken(line: str, *, light: bool) -> tuple[object, ...]:
    """What a command makes of a line: its values with their types, or why it refuses."""
    app = typer.Typer()
    app.command()(_takes)
    made = typer.main.get_command(app)
    if light:
        lighten(made)
    with pytest.raises(Exception) as ended:
        made.main(line.split(), standalone_mode=False)
    if isinstance(ended.value, Taken):
        return tuple((type(value), value) for value in ended.value.args)
    return type(ended.value), ended.value.format_message()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--text x --colour blue --count 9 --pause 2 --many a --many b -lll --yes",
        "--colours red --colours blue",
        "--colours red --colours green",
        "--colour RED",
        "--colour green",
        "--count 10",
        "--count x",
        "--pause x",
        "--text",
        "--no-yes",
        "--nonsense",
    ],
)
def test_words_mean_the_same_without_what_typer_loads(line: str) -> None:
    assert _taken(line, light=True) == _taken(line, light=False)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain/näme 图.png", "plain/näme 图.png"),
        ("two\nlines", "two\\u000alines"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("no\u00a0break", "no\\u00a0break"),
        ("\U000e0001tag", "\\U000e0001tag"),
        ("lone\udc80", "lone\\udc80"),
        ("\\u202e", "\\\\u202e"),
        (" both ends ", "\\u0020both ends\\u0020"),
        ("", ""),
    ],
)
def test_a_name_shows_what_it_hides(name: str, shown: str) -> None:
    assert text.name(name) == shown


def test_different_names_look_different() -> None:
    names = ["a\u202e", "a\\u202e", "a\\\\u202e", "a", "a ", "a\\u0020", "a\n"]
    assert len({text.name(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_951, "100 kB"),
        (999_999, "1.0 MB"),
        (4_200_000, "4.2 MB"),
        (10**15, "1.0 PB"),
        (10**19, "10000 PB"),
    ],
)
def test_sizes(count: int, shown: str) -> None:
    assert text.size(count) == shown


def test_counts_and_durations() -> None:
    assert text.count_of(1, "file") == "1 file"
    assert text.count_of(1204, "file") == "1,204 files"
    assert text.count_of(2, "entry", "entries") == "2 entries"
    assert [text.seconds(n) for n in (1.26, 59.9, 125, 10_920)] == [
        "1.3 s",
        "59.9 s",
        "2 min 5 s",
        "3 h 2 min",
    ]


def test_a_digest_is_short_and_never_missing() -> None:
    assert text.digest(Content(1, sha256="0123456789")) == "01234567"
    assert text.digest(Content(1, sha256="0" * 64, logical="rows1:abcdef123")) == "abcdef12"
    assert text.digest(Content(1)) == "no digest"


def test_an_error_is_one_line_and_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(StaleError("a\x1b[2Jkey moved\nand more")) == 4
    assert capsys.readouterr().err == "Error: a\\u001b[2Jkey moved\\u000aand more\n"


def test_what_nobody_expected_is_called_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ZeroDivisionError("division")
    except ZeroDivisionError as problem:
        assert report(problem) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback") and BUG in err


@pytest.mark.parametrize(
    ("problem", "code"),
    [(KeyboardInterrupt(), 130), (typer.Abort(), 130), (SystemExit(5), 5), (BuckiaError("x"), 1)],
)
def test_every_end_has_an_exit_code(problem: BaseException, code: int) -> None:
    assert report(problem) == code


def test_colours_are_for_terminals_that_want_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    report(BuckiaError("x"))
    monkeypatch.setenv("NO_COLOR", "1")
    report(BuckiaError("x"))
    assert capsys.readouterr().err == "\x1b[1;31mError:\x1b[0m x\nError: x\n"
