"""The command line. The only package that knows typer and rich.

Commands load what they work with when they run, so that `buckia --help` loads next to nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Final

import typer
from typer.models import CommandInfo

from buckia import __version__
from buckia.cli.arguments import spread
from buckia.cli.commands import COMMANDS, lighten, list_all, register
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

HELP: Final = ("-h", "--help")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"buckia {__version__}")
        raise typer.Exit


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


def _program() -> typer.Typer:
    """The program without commands."""
    made = typer.Typer(
        name="buckia",
        epilog=EXIT_CODES,
        rich_markup_mode=None,  # plain help loads in half the time
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": list(HELP)},
    )
    made.callback(invoke_without_command=True)(buckia)
    return made


def whole() -> typer.Typer:
    """The program with all its commands. Loading and making them ready takes longer than most of
    them run."""
    made = _program()
    register(made, *COMMANDS)
    return made


def _fitting(argv: Sequence[str]) -> typer.Typer:
    """The program with as little as a command line needs: the command it names, only the list where
    it asks for help, everything where it does neither (a shell that completes, a mistake)."""
    if not argv or (argv[0] not in HELP and argv[0] not in COMMANDS):
        return whole()
    made = _program()
    if argv[0] in HELP:
        list_all(made)
        return made
    register(made, argv[0])
    made.registered_commands = [
        item for item in made.registered_commands if (item.name or _name_of(item)) == argv[0]
    ]
    return made


def _name_of(item: CommandInfo) -> str:
    return typer.main.get_command_name(item.callback.__name__) if item.callback else ""


def run(argv: Sequence[str]) -> int:
    """Run one command line and say how it ended, as an exit code."""
    try:
        command = typer.main.get_command(_fitting(argv))
        lighten(command)
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
