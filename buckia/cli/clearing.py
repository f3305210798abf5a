"""`gc`: what killed runs left in buckets and here, and its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from buckia import text
from buckia.cli.options import Buckets, Shared, unfold
from buckia.cli.planning import draw
from buckia.cli.session import can_ask, opened
from buckia.errors import BuckiaError, IncompleteError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buckia.cli.session import Session
    from buckia.runs.leftovers import Found, Leftover


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(unfold(gc))


def gc(
    choice: Buckets,
    older_than: Annotated[
        str, typer.Option(metavar="1d", help="Only what nobody touched for so long: 1h, 30d, 4w.")
    ] = "1d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it, and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    *,
    shared: Shared,
) -> None:
    """End unfinished uploads and clear what killed runs left.

    An upload in parts that is cut off stays in the bucket, unseen by listings and paid for. It is
    ended when its newest part is older than --older-than by the clock of the service, whoever
    began it. So are scratch objects of `doctor --probe`, claims and expired leases below .buckia/,
    and temporary files here; contents that `plan --stage` put there when they are 30 days old. What
    is younger, and what is in the trash, stays.
    """
    from buckia.cli.ask import confirm
    from buckia.rules import seconds

    age = seconds(older_than)
    if not (dry_run or yes or can_ask()):
        raise UsageError("gc asks, and there is no terminal to ask in: add --yes, or --dry-run")
    with opened(shared) as session:
        with session.looking():
            found = session.project.leftovers(choice.wanted, age)
        _show(found.leftovers)
        about = _counted(found.leftovers)
        if not found.leftovers and not found.unseen:
            session.note(f"Nothing is left that is older than {older_than}.")
        elif not found.leftovers:
            pass  # what could not be looked at is told below
        elif dry_run:
            session.note(f"{about}. Nothing was cleared: that was a dry run.")
        elif not yes and not confirm(f"{about}. Clear all of it for good?"):
            raise BuckiaError("the answer was no; nothing was changed")
        else:
            _clear(session, found)
        _refuse_unseen(found)


def _clear(session: Session, found: Found) -> None:
    with session.changing():
        done = list(session.project.clear(found.leftovers))
    session.note(f"Cleared: {_counted(done)}.")


def _show(found: Sequence[Leftover]) -> None:
    from buckia.cli.rows import Rows

    rows = [
        (
            time.strftime("%Y-%m-%d %H:%M", time.localtime(item.touched // 1_000_000_000)),
            text.name(item.entry.key),
            item.kind.value,
            text.size(item.entry.size),
            text.name(item.bucket or "here"),
        )
        for item in found
    ]
    if rows:
        draw(Rows(rows, None))


def _counted(found: Sequence[Leftover]) -> str:
    """`2 unfinished uploads, 1 claim, 4.2 MB`."""
    kinds = sorted({item.kind for item in found})
    counts = [text.count_of(sum(i.kind is kind for i in found), kind.value) for kind in kinds]
    return ", ".join([*counts, text.size(sum(item.entry.size for item in found))])


def _refuse_unseen(found: Found) -> None:
    """Raise the error of a bucket that could not be looked at."""
    for problem in found.unseen.values():
        if not found.leftovers:
            raise problem
        raise IncompleteError(f"{problem}; the rest was looked at")
