"""`log`: what was applied, by whom, where and when. Nothing is changed."""

from __future__ import annotations

from typing import Annotated

import typer

from buckia.cli.options import Shared, complete_bucket, unfold
from buckia.cli.planning import draw
from buckia.cli.session import opened
from buckia.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(unfold(log))


def log(
    serial: Annotated[
        int | None,
        typer.Argument(metavar="[SERIAL]", min=0, help="Only what left a bucket at this serial."),
    ] = None,
    bucket: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Only applies to this bucket.", autocompletion=complete_bucket
        ),
    ] = None,
    most: Annotated[
        int, typer.Option("--most", "-n", metavar="N", min=1, help="Only the newest so many.")
    ] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    *,
    shared: Shared,
) -> None:
    """Tell what was applied here.

    Every apply keeps a journal: who ran it, where and when, which plan, who approved it if a build
    service tells, what became of each action, how long it took, requests, retries and bytes. With
    SERIAL all of that is told of the applies that left a bucket there. What --json prints is
    described by schemas/log.schema.json. `buckia.journal` says how long journals are kept, and
    `audit: true` copies them into a bucket.
    """
    from buckia.cli import show_log
    from buckia.records import logbook

    with opened(shared) as session:
        if bucket is not None:
            session.project.names([bucket])
        found = logbook.about(session.project.runs(), bucket)
        if serial is not None:
            found = logbook.of_serial(found, serial, bucket)
            if not found:
                raise UsageError(
                    f"no journal here tells of an apply that left serial {serial}; `buckia log` "
                    "lists those there are"
                )
        found = found[-most:]
        if json:
            session.publish(show_log.document(found, whole=serial is not None))
        elif not found:
            session.note("Nothing was applied here yet.")
        elif serial is None:
            draw(show_log.view(found))
        else:
            draw(show_log.detail(found, everything=bool(session.verbose)))
