"""`unlock`: whose lease a bucket is under, and its removal when that run is dead."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from buckia import text
from buckia.cli import papers
from buckia.cli.options import Shared, complete_bucket, unfold
from buckia.cli.session import can_ask, opened
from buckia.errors import BuckiaError, UsageError

if TYPE_CHECKING:
    from buckia.cli.session import Session
    from buckia.lease import Found

log = logging.getLogger(__name__)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(unfold(unlock))


def unlock(
    bucket: Annotated[
        str, typer.Argument(metavar="BUCKET", help="Which.", autocompletion=complete_bucket)
    ],
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why that run is known to be dead.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the holder as JSON; without --reason, no more.")
    ] = False,
    *,
    shared: Shared,
) -> None:
    """Remove the lease that a dead run left in a bucket.

    Shows who holds it, since when and for which plan, and removes exactly that lease. Nobody has
    to: a lease that is not renewed expires, after ten minutes as a rule, and an apply that waits
    with --lock-timeout takes it over. A run that is alive after all stops before its next write.
    """
    from buckia import lease

    with opened(shared) as session:
        with session.looking():
            store = session.project.remote(bucket)
            found = lease.look(store)
        if json:
            papers.write(_document(bucket, found), papers.STREAM)
        if found is None:
            session.note(f"Nothing to unlock: nobody holds the lease of {text.name(bucket)}.")
        elif reason or not json:
            session.note(text.visible(f"{bucket}  {found.holder}"))
            _demand(bucket, reason, yes=yes)
            lease.remove(store, found)
            _tell(session, bucket, found, reason)


def _document(bucket: str, found: Found | None) -> bytes:
    from msgspec.structs import asdict

    from buckia import documents

    holder = asdict(found.holder) if found else None
    return documents.render({"bucket": bucket, "holder": holder}, {})


def _demand(bucket: str, reason: str | None, *, yes: bool) -> None:
    """Raise unless there is a reason, and somebody who means it."""
    if not reason:
        raise UsageError(f"to remove it, say why: `buckia unlock {bucket} --reason TEXT`")
    if yes:
        return
    if not can_ask():
        raise UsageError("unlock asks, and there is no terminal to ask in: add --yes")
    from buckia.cli.ask import confirm

    if not confirm("\nIs that run dead, and is its lease to be removed?"):
        raise BuckiaError("the answer was no; nothing was removed")


def _tell(session: Session, bucket: str, found: Found, reason: str | None) -> None:
    log.info("unlocked %s, held by %s: %s", bucket, found.holder, reason)
    session.note(f"Unlocked {text.name(bucket)}.")
