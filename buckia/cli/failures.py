"""From an exception to what a person reads and the exit code a script sees."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Final

import typer

from buckia.errors import BuckiaError, ConfigError, Interrupted, UsageError
from buckia.text import visible

BUG: Final = (
    "This is a bug in buckia. Please report it with the lines above at "
    "https://github.com/thepian/buckia/issues"
)

_MISUSE: Final = typer.BadParameter.__mro__[1]
"""The parent of all of typer's complaints about a command line, wherever typer keeps it."""


def report(problem: BaseException) -> int:
    """Tell on stderr what went wrong, in one line unless it is a bug; the exit code."""
    match problem:
        case ConfigError():  # one line a finding; `buckia validate` shows them all
            tell(str(problem).partition("\n")[0])
            return problem.exit_code
        case BuckiaError():
            tell(str(problem))
            return problem.exit_code
        case KeyboardInterrupt() | typer.Abort():
            return Interrupted.exit_code
        case SystemExit():
            return problem.code if isinstance(problem.code, int) else BuckiaError.exit_code
        case _ if isinstance(problem, _MISUSE):
            tell(_usage(problem))
            return UsageError.exit_code
    traceback.print_exception(problem)
    tell(f"{type(problem).__name__} was not expected. {BUG}")
    return BuckiaError.exit_code


def tell(message: str) -> None:
    """One `Error:` line on stderr."""
    label = "Error:"
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        label = f"\x1b[1;31m{label}\x1b[0m"
    print(label, visible(message), file=sys.stderr)  # noqa: T201


def _usage(problem: BaseException) -> str:
    message = " ".join(problem.format_message().split())  # type: ignore[attr-defined]
    message = message.replace(": Value error, ", ": ").rstrip(".")
    context = getattr(problem, "ctx", None)
    command = f"`{context.command_path if context else 'buckia'} --help`"
    advice = f" See {command}." if message.endswith("?") else f"; see {command}"
    return message[:1].lower() + message[1:] + advice
