"""`doctor`: whether everything is in order, here and in the buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from buckia.cli.options import Buckets, Shared, unfold
from buckia.cli.planning import draw
from buckia.cli.session import opened

if TYPE_CHECKING:
    from buckia.cli.session import Session
    from buckia.runs.doctor import Report


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(unfold(doctor))


def doctor(
    choice: Buckets,
    probe: Annotated[
        bool, typer.Option("--probe", help="Also try out the buckets with scratch objects.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    *,
    shared: Shared,
) -> None:
    """Check configuration, credentials and buckets.

    Without --probe nothing is changed: it tells where the credentials come from, whether the
    service answers, whether this computer's clock is right, and how long a small request takes.
    With --probe it writes scratch objects below .buckia/probe/ in each bucket, reads, copies and
    deletes them, breaks conditions and checksums on purpose, and tells what the service does
    against what buckia relies on; afterwards they are gone. Exit code 8 means that a bucket is out
    of reach or refuses, 1 that something else has to be mended. What --json prints is described by
    schemas/doctor.schema.json.
    """
    from buckia.cli import show_doctor
    from buckia.runs.doctor.findings import exit_code

    with opened(shared) as session:
        found = _examined(session, choice, probing=probe, shown=not json)
        if json:
            session.publish(show_doctor.document(found))
        session.note(show_doctor.line(found))
    if code := exit_code(found):
        raise typer.Exit(code)


def _examined(session: Session, choice: Buckets, *, probing: bool, shown: bool) -> list[Report]:
    """Every report; each is shown as soon as it is there, because a probe takes its time."""
    from buckia.cli import show_doctor

    found: list[Report] = []
    with session.changing() if probing else session.looking():
        for report in session.project.examine(choice.wanted, probing=probing):
            if shown and not session.quiet:
                draw(show_doctor.view([report], follows=bool(found)))
            found.append(report)
    return found
