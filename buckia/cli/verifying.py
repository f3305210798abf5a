"""`verify`: whether both sides still are what the lockfile says. Nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from buckia import text
from buckia.cli.options import Buckets, Shared, unfold
from buckia.cli.planning import draw
from buckia.cli.session import opened

if TYPE_CHECKING:
    from buckia.sides.verify import Verified

_DIFFERS: Final = 2


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(unfold(verify))


def verify(
    choice: Buckets,
    deep: Annotated[
        str | None,
        typer.Option(
            metavar="[all|N|P%]",
            help="Also read both sides whole: all, a number of each, or a share.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    *,
    shared: Shared,
) -> None:
    """Hold both sides against the lockfile.

    Says what is not as the last apply left it: on the local side changed, missing and new files,
    in the bucket changed, vanished and foreign objects. That is told from the listing, and from the
    cache of files that were not written since. With --deep the bytes decide: objects are downloaded
    and files read anew, all of them or a sample that is always the same for one state of the
    lockfile. Exit code 0 means that all is as recorded, 2 that something differs. What --json
    prints is described by schemas/verify.schema.json.
    """
    from buckia.cli import show_verify
    from buckia.sides.whole import sample

    sample((), deep or "all", "")  # a mistake in it is told before anything is looked at
    with opened(shared) as session:
        with session.looking():
            found = session.project.verify(choice.wanted, deep)
        if json:
            session.publish(show_verify.document(found))
        elif not session.quiet:
            draw(show_verify.view(found, everything=bool(session.verbose)))
        _refuse_unread(found)
    if any(item.findings for item in found):
        raise typer.Exit(_DIFFERS)


def _refuse_unread(found: Sequence[Verified]) -> None:
    """Raise `BuckiaError` where part of a side could not be read."""
    from buckia.errors import BuckiaError

    unread = [f"{item.name}/{skipped.place}" for item in found for skipped in item.unread]
    if unread:
        more = f" and {len(unread) - 3:,} more" if len(unread) > 3 else ""
        raise BuckiaError(
            f"{text.count_of(len(unread), 'place')} could not be read: {', '.join(unread[:3])}"
            f"{more}; nothing is said about what is there; make it readable and verify again"
        )
