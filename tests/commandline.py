"""The command line as data: its commands, their parameters and exit codes, for pages and tests.

Read from the signatures of the functions, not from the help, which differs with the terminal and
the version of typer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields
from enum import StrEnum
from typing import Any, Final, get_args, get_origin, get_type_hints

from msgspec import Struct
from typer.models import ArgumentInfo, ParameterInfo

from buckia import errors
from buckia.cli import whole
from buckia.cli.options import Shared

SHARED: Final = {field.name for field in fields(Shared)}
"""The options that every command with a configuration takes."""

STREAMS: Final = (
    "stdout holds the result, a document or nothing; stderr is for people. Where stderr is no "
    "terminal there is no progress and no question, and `NO_COLOR` switches colours off."
)
"""Where output goes, for every command alike."""


class Parameter(Struct):
    """An argument or option of a command, as its signature has it."""

    name: str
    info: ParameterInfo
    default: Any
    choices: tuple[str, ...]
    several: bool = False

    @property
    def is_argument(self) -> bool:
        """Whether it is told by its place."""
        return isinstance(self.info, ArgumentInfo)

    @property
    def value(self) -> str:
        """What stands for its value."""
        word = self.info.metavar or "|".join(self.choices)
        return word[1:-1] if word.startswith("[") and word.endswith("]") else word

    @property
    def usage(self) -> str:
        """An argument in a command line."""
        word = f"{self.value.removesuffix('...')}..." if self.several else self.value
        return word if self.default is inspect.Parameter.empty else f"[{word}]"

    @property
    def words(self) -> list[str]:
        """The words an option can be written by."""
        words = [word for word in (self.info.default, *(self.info.param_decls or ())) if word]
        words = [str(word) for word in words if word is not ...]
        return words or [f"--{self.name.replace('_', '-')}"]

    @property
    def written(self) -> str:
        """The ways to write it."""
        if self.is_argument:
            return f"`{self.value}`"
        value = f" {self.value}" if self.value else ""
        return ", ".join(f"`{word}{value}`" for word in self.words)

    @property
    def told(self) -> str:
        """Its default where that says something."""
        return "" if self.default in (None, False, 0, inspect.Parameter.empty) else self.default


def registered() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every command and its function, those of a group after their group's name."""
    app = whole()
    groups = [(f"{group.name} ", group.typer_instance) for group in app.registered_groups]
    for prefix, typer in (("", app), *groups):
        for item in typer.registered_commands if typer else ():
            if item.callback:
                yield prefix + (item.name or item.callback.__name__), item.callback


def parameters(function: Callable[..., Any]) -> list[Parameter]:
    """The arguments and options of a command, in order."""
    hints = get_type_hints(function, include_extras=True)
    found = []
    for item in inspect.signature(function).parameters.values():
        (info,) = hints[item.name].__metadata__
        if info.hidden:
            continue
        kind = hints[item.name].__origin__
        kinds = [each for each in (kind, *get_args(kind)) if isinstance(each, type)]
        choices = [word for each in kinds if issubclass(each, StrEnum) for word in each]
        several = any(get_origin(each) is list for each in (kind, *get_args(kind)))
        found.append(Parameter(item.name, info, item.default, tuple(choices), several))
    return found


def first(told: object) -> str:
    """What it does, in one line."""
    return inspect.cleandoc(told.__doc__ or "").partition("\n")[0]


def exit_codes() -> dict[int, list[type[errors.BuckiaError]]]:
    """Every exit code and the errors that end a command with it."""
    found: dict[int, list[type[errors.BuckiaError]]] = {0: [], 2: []}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.BuckiaError):
            found.setdefault(kind.exit_code, []).append(kind)
    return dict(sorted(found.items()))


def meaning(code: int) -> str:
    """What an exit code says."""
    return _SAID[code] if code in _SAID else first(exit_codes()[code][0])


_SAID: Final = {
    0: "Done.",
    1: "Something else went wrong; the message says what.",
    2: "There are changes: `plan --detailed-exitcode`, or `verify` found a difference.",
}
