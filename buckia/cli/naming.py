"""`id`: names of folders that nobody can guess."""

from __future__ import annotations

from typing import Annotated

import typer

from buckia.errors import BuckiaError

_MOST = 10_000


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(rich_markup_mode=None, no_args_is_help=False)
    group.command("new")(new)
    group.command("check")(check)
    app.add_typer(group, name="id", help="Names of folders that nobody can guess: new, check.")


def new(
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=_MOST, help="How many.")] = 1,
) -> None:
    """Print a new folder id: 22 letters and digits, 130 random bits.

    Where a server has no directory access control, whoever knows the name of a folder can read it,
    and nobody else can.
    """
    from buckia.ids import new_id

    for _ in range(count):
        print(new_id())  # noqa: T201


def check(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The ids.")],
) -> None:
    """Tell whether folder ids could be guessed. Exits with 1 when one could.

    Nothing can prove an id random: this finds what is short, counts, repeats itself, or reads like
    words.
    """
    from buckia import text
    from buckia.ids import guessable

    found = {name: guessable(name.rstrip("/")) for name in dict.fromkeys(ids)}
    for name, why in found.items():
        print(f"{text.name(name)}  {why or 'ok'}")  # noqa: T201
    if weak := sum(why is not None for why in found.values()):
        raise BuckiaError(
            f"{text.count_of(weak, 'id')} could be guessed; `buckia id new` makes one that cannot"
        )
