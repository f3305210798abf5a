"""`status`: where everything stands, once or again and again. Nothing is changed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from buckia.cli.options import Buckets, Shared, unfold
from buckia.cli.planning import draw, refuse_incomplete
from buckia.cli.session import Session, opened
from buckia.errors import ConflictError, IncompleteError, Interrupted, UsageError

if TYPE_CHECKING:
    from buckia.runs.standing import Standing
    from buckia.runs.status import BucketStatus

_CHANGES: Final = 2
_CLEAR: Final = "\x1b[H\x1b[2J"
_SECONDS: Final = 10.0

Look = Callable[[], "tuple[list[BucketStatus], list[Standing]]"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(unfold(status))


def status(
    choice: Buckets,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    detailed_exitcode: Annotated[
        bool,
        typer.Option(
            "--detailed-exitcode",
            help="Exit with 5 after an apply that was cut, 3 on conflicts, 2 on other changes.",
        ),
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")
    ] = False,
    interval: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="With --watch: the pause between looks.")
    ] = _SECONDS,
    *,
    shared: Shared,
) -> None:
    """Tell where everything stands.

    For each bucket: the last apply that has a journal here, what changed on which side since, also
    behind buckia's back, orphans, conflicts, an apply that was cut short, whoever is applying now;
    then the tiers of promotions. What --json prints is described by schemas/status.schema.json.
    """
    if watch and (json or detailed_exitcode or not sys.stdout.isatty()):
        raise UsageError(
            "--watch redraws a terminal; leave it out with --json, --detailed-exitcode or a pipe"
        )
    with opened(shared) as session:

        def look() -> tuple[list[BucketStatus], list[Standing]]:
            with session.looking():
                found = session.project.status(choice.wanted)
                return found, session.project.standings(choice.wanted)

        if watch:
            _watch(look, interval)
        found, tiers = look()
        _once(session, found, tiers, json=json)
    if detailed_exitcode:
        _tell_by_code(found)


def _once(
    session: Session, found: list[BucketStatus], tiers: list[Standing], *, json: bool
) -> None:
    from buckia.cli import show_status

    if json:
        session.publish(show_status.document(found, tiers))
    else:
        draw(show_status.view(found, tiers))
    for item in found:
        refuse_incomplete(item.plan)


def _watch(look: Look, interval: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Draw, wait, and draw anew; what ends it is Ctrl-C, without a word."""
    from buckia.cli import show_status

    try:
        while True:
            found, tiers = look()
            sys.stdout.write(_CLEAR)
            draw(show_status.view(found, tiers))
            sys.stdout.write(
                f"\n{time.strftime('%H:%M:%S')}, every {interval:g} s; Ctrl-C ends it\n"
            )
            sys.stdout.flush()
            sleep(interval)
    except (KeyboardInterrupt, Interrupted):
        sys.stdout.write("\n")  # after the terminal's own ^C
        raise typer.Exit(Interrupted.exit_code) from None


def _tell_by_code(found: Sequence[BucketStatus]) -> None:
    """End with the gravest of what there is to say."""
    codes = {0}
    for item in found:
        codes.add(IncompleteError.exit_code if item.unfinished else 0)
        codes.add(ConflictError.exit_code if item.plan.conflicts else 0)
        codes.add(_CHANGES if item.differs else 0)
    if code := max(codes):
        raise typer.Exit(code)
