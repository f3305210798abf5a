"""The command line. The only package that knows typer and rich.

Commands load what they work with when they run, so that `buckia --help` loads next to nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from copy import copy
from io import TextIOWrapper
from typing import Final

import typer
from typer.models import CommandInfo

from buckia import __version__
from buckia.cli import (
    appdata,
    applying,
    authorising,
    checking,
    clearing,
    examining,
    explaining,
    helping,
    importing,
    linking,
    naming,
    planning,
    promoting,
    pulling,
    purging,
    recalling,
    resolving,
    showing,
    touring,
    trashing,
    unlocking,
    verifying,
    watching,
)
from buckia.cli.arguments import spread
from buckia.cli.failures import report, tell
from buckia.cli.signals import leave
from buckia.errors import UsageError

EXIT_CODES: Final = """\b
Exit codes:
  0   done                        7   locked by another run
  1   error                       8   remote unreachable or refused
  2   changes (verify, or with    64  usage
      --detailed-exitcode)        65  bad plan or lockfile
  3   conflicts                   78  bad configuration
  4   stale, nothing changed      130 interrupted
  5   incomplete, resumable
  6   blocked by a limit
"""

app = typer.Typer(
    name="buckia",
    epilog=EXIT_CODES,
    rich_markup_mode=None,  # plain help loads in half the time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"buckia {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def buckia(
    ctx: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Terraform for buckets: plan, review and apply what moves between folders and buckets."""
    if ctx.invoked_subcommand is None:
        tell("a command is missing; see `buckia --help`")
        raise typer.Exit(UsageError.exit_code)


for module in (
    checking,
    planning,
    showing,
    watching,
    applying,
    promoting,
    verifying,
    trashing,
    importing,
    linking,
    purging,
    touring,
    unlocking,
    authorising,
    examining,
    clearing,
    naming,
    appdata,
    explaining,
    pulling,
    resolving,
    recalling,
    helping,
):
    module.register(app)


def _only(words: Sequence[str]) -> typer.Typer:
    """The program with the command that is named first and no other: typer makes ready all that it
    has, which takes longer than most of them run. Whole where none is named, for help say."""
    one = copy(app)
    one.registered_commands = [
        item for item in app.registered_commands if [item.name or _name_of(item)] == list(words)
    ]
    one.registered_groups = [item for item in app.registered_groups if [item.name] == list(words)]
    return one if len(one.registered_commands) + len(one.registered_groups) == 1 else app


def _name_of(item: CommandInfo) -> str:
    return typer.main.get_command_name(item.callback.__name__) if item.callback else ""


def run(argv: Sequence[str]) -> int:
    """Run one command line and say how it ended, as an exit code."""
    try:
        command = typer.main.get_command(_only(argv[:1]))
        ended = command.main(args=spread(argv), prog_name="buckia", standalone_mode=False)
    except BaseException as problem:
        return report(problem)
    return ended if isinstance(ended, int) else 0


def main() -> None:
    """What the `buckia` command is."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name no terminal can show is no end
    leave(run(sys.argv[1:]))
