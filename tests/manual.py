"""The man pages in man/, made from the command line itself: one page a command, and buckia(1).

`python -m tests.reference` writes them with the other generated pages. The wheel brings them to
share/man/man1, where `man buckia` finds them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from buckia import __version__
from buckia.cli.helping import topics
from buckia.config.file import NAMES, VARIABLE
from tests.commandline import (
    STREAMS,
    Parameter,
    exit_codes,
    first,
    meaning,
    parameters,
    registered,
)

_MADE: Final = '.\\" Made by `python -m tests.reference` from buckia/cli/.\n'
_WHAT: Final = "plan, review and apply what moves between folders and buckets"
_SPECIAL: Final = str.maketrans({"\\": "\\e", "-": "\\-", "'": "\\(aq", "^": "\\(ha", "~": "\\(ti"})
"""What roff would show as something else."""
_FILES: Final = {
    ".buckia": f"The configuration; also {' or '.join(NAMES[1:])}.",
    ".buckia.lock": "The lockfile: what the last apply left. Keep it in version control.",
    ".buckia.d/": "This machine's own: journals, the trash of local files, a cache.",
}
_ENVIRONMENT: Final = {
    VARIABLE: "The configuration to use, as `--config` does.",
    "BUCKIA_TOKEN_NAME": "The credential called NAME, before the one in the keyring.",
    "BUCKIA_APPROVER": "Who approved an apply, for the journal.",
    "CI": "Where it is set, apply changes no local file without `--allow-local`, and progress is a "
    "line now and then.",
    "NO_COLOR": "Where it is set, nothing is coloured.",
}


def pages() -> dict[str, str]:
    """Every man page by the name of its file."""
    commands = {_title(name): _command(name, function) for name, function in registered()}
    made = {"buckia": _overview(), **commands}
    return {f"{name}.1": "".join(lines) for name, lines in made.items()}


def escape(text: str) -> str:
    """A text as roff shows it: every character itself, what stands in backticks bold."""
    text = text.translate(_SPECIAL)
    text = re.sub(r"[^\x00-\x7f]", lambda found: f"\\[u{ord(found[0]):04X}]", text)
    text = re.sub(r"`([^`\n]*)`", r"\\fB\1\\fR", text).replace("`", "\\(ga")
    return re.sub(r"^\.", "\\\\&.", text, flags=re.M)


def _overview() -> Iterator[str]:
    yield from _head("buckia", _WHAT)
    yield ".SH SYNOPSIS\n\\fBbuckia\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n"
    yield ".SH DESCRIPTION\n"
    yield from _paragraphs(STREAMS)
    yield ".SH COMMANDS\n"
    for name, function in registered():
        yield _item(f"\\fB{escape(_title(name))}\\fR(1)", first(function))
    yield ".SH IDEAS\n"
    for name, page in topics().items():
        yield f".SS {name}\n"
        yield from _paragraphs(page)
    yield ".SH EXIT STATUS\n"
    yield from (_item(f"\\fB{code}\\fR", meaning(code)) for code in exit_codes())
    for section, told in (("ENVIRONMENT", _ENVIRONMENT), ("FILES", _FILES)):
        yield f".SH {section}\n"
        yield from (_item(f"\\fB{escape(name)}\\fR", words) for name, words in told.items())


def _command(name: str, function: Callable[..., Any]) -> Iterator[str]:
    every = parameters(function)
    arguments = [item for item in every if item.is_argument]
    title = _title(name)
    yield from _head(title, first(function))
    usage = "".join(f" {escape(item.usage)}" for item in arguments)
    yield f".SH SYNOPSIS\n\\fBbuckia {escape(name)}\\fR{usage} [\\fIOPTIONS\\fR]\n"
    told = inspect.cleandoc(function.__doc__ or "").partition("\n\n")[2]
    if told:
        yield ".SH DESCRIPTION\n"
        yield from _paragraphs(told)
    yield from _section("ARGUMENTS", arguments)
    yield from _section("OPTIONS", [item for item in every if not item.is_argument])
    yield ".SH SEE ALSO\n\\fBbuckia\\fR(1), which has the exit codes\n"


def _title(name: str) -> str:
    return f"buckia-{name.replace(' ', '-')}"


def _head(title: str, what: str) -> Iterator[str]:
    yield f'{_MADE}.TH {escape(title.upper())} 1 "" "buckia {__version__}" "buckia"\n.nh\n.ad l\n'
    yield f".SH NAME\n{escape(title)} \\- {escape(what.rstrip('.'))}\n"


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs; one that is indented is kept line by line."""
    for paragraph in text.strip("\n").split("\n\n"):
        kept = paragraph.startswith(" ")
        yield f".PP\n.nf\n{escape(paragraph)}\n.fi\n" if kept else f".PP\n{escape(paragraph)}\n"


def _section(name: str, items: Iterable[Parameter]) -> Iterator[str]:
    rows = [_item(_written(item), _told(item)) for item in items]
    yield from [f".SH {name}\n", *rows] if rows else []


def _written(item: Parameter) -> str:
    if item.is_argument:
        return f"\\fI{escape(item.value)}\\fR"
    words = ", ".join(f"\\fB{escape(word)}\\fR" for word in item.words)
    return f"{words} \\fI{escape(item.value)}\\fR" if item.value else words


def _told(item: Parameter) -> str:
    return f"{item.info.help or ''}{f' Default: {item.told}.' if item.told else ''}"


def _item(tag: str, text: str) -> str:
    return f".TP\n{tag}\n{escape(text)}\n"
