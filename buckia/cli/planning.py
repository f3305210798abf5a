"""`plan` and `status`: what would be done, and where things stand. Nothing is changed."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Final, TextIO

import typer

from buckia.cli import papers
from buckia.cli.options import Choice, Shared, unfold
from buckia.cli.reporting import Page
from buckia.cli.session import Session, opened
from buckia.cli.styled import Styled
from buckia.errors import StaleError, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from buckia.planfile import Plan

_CHANGES: Final = 2
_UNWRAPPED: Final = 10_000
_DRAWN: Final = ("COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""Environment variables by which rich draws even where there is no terminal."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(unfold(plan))


def plan(
    choice: Choice,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the plan to a file; `-` is stdout."),
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 when there is something to do.")
    ] = False,
    stage: Annotated[
        bool,
        typer.Option(
            "--stage",
            help="Put what the plan uploads into the bucket, so that apply needs no local files.",
        ),
    ] = False,
    check: Annotated[
        str | None,
        typer.Option(metavar="PLAN", help="Plan anew what a plan file was about, and compare."),
    ] = None,
    *,
    page: Page,
    shared: Shared,
) -> None:
    """Say what apply would do. Changes neither side.

    In a terminal the plan is shown; elsewhere, or with --out, it is written as JSON, which is what
    `buckia apply` takes. With --check nothing is shown or written: exit code 0 means that planning
    now gives the very same plan, 4 that it does not.

    With --stage apply can run where the files are not, in CI say: their content waits in the bucket
    below .buckia/stage/ until the plan is applied, and no key of a folder changes.

    With --html a page for a browser is written besides, with pictures and texts before and after
    and the rows that change in databases, which are read from both sides for it.
    """
    if check is not None:
        if choice != Choice() or out is not None or detailed_exitcode or stage or page != Page():
            raise UsageError("--check plans what the plan file was about: give it no other options")
        _check(check, shared)
        return
    if out is not None:
        papers.refuse_target(out)
    page.refuse()
    if stage and out is None and sys.stdout.isatty():
        raise UsageError("--stage is for a plan that is applied elsewhere: add --out FILE")
    with opened(shared) as session:
        made = session.plan(choice)
        if stage and made.applyable:
            made = _staged(session, made)
        page.write(session, made)
        deliver(made, out, session)
        session.account()
        refuse_doubtful(made)
    if detailed_exitcode and made.actions:
        raise typer.Exit(_CHANGES)


def _staged(session: Session, made: Plan) -> Plan:
    from buckia import text

    staged = session.stage(made)
    if staged.sent:
        size = text.size(sum(entry.size for entry in staged.sent))
        session.note(f"Staged: {text.count_of(len(staged.sent), 'content')}, {size}.")
    return staged.plan


def _check(name: str, shared: Shared) -> None:
    from buckia import planfile
    from buckia.report import changes
    from buckia.runs import staging

    old = planfile.read(papers.read(name), called(name))
    with opened(shared) as session:
        bare = staging.unstaged(old)
        if found := changes.told(bare, session.plan_again(old)):
            raise StaleError(
                f"{called(name)} is not what would be planned now: {'; '.join(found)}; nothing was "
                "changed; plan again"
            )
        session.note("Planned now, it is the same plan.")


def deliver(made: Plan, out: str | None, session: Session) -> None:
    """Give the plan to whoever reads: a person at a terminal, a file or a pipe."""
    from buckia import planfile
    from buckia.cli import show

    person = sys.stdout.isatty() and out != papers.STREAM
    target = out or (None if person else papers.STREAM)
    if person:
        draw(show.view(made, everything=bool(session.verbose)))
    else:
        session.note(f"Plan: {show.line(made)}.")
    if target is not None:
        papers.write(planfile.write(made), target)
    if out not in (None, papers.STREAM):
        advice = f"; `buckia apply {out}` does it" if made.applyable and made.actions else ""
        session.note(f"Written to {out}{advice}.")


def refuse_doubtful(made: Plan) -> None:
    """Raise what apply would say of the plan, or that a part of a side was not seen."""
    from buckia.runs.refusals import refuse_unfit

    refuse_unfit(made)
    refuse_incomplete(made)


def refuse_incomplete(made: Plan) -> None:
    """Raise `BuckiaError` where part of a side, or `AccessError` where a setting could not be
    read."""
    from buckia import text
    from buckia.errors import AccessError, BuckiaError
    from buckia.sides.configuring import UNREAD

    unread = [item for item in made.warnings if item.code == UNREAD]
    unseen = [item for item in made.warnings if item.code == "unreadable"]
    if made.complete and unread:
        count = text.count_of(len(unread), "declared setting")
        named = "; ".join(item.message for item in unread[:3])
        raise AccessError(
            f"{count} could not be read: {named}; all else is planned; get the right, or take it "
            "out of `settings`"
        )
    if made.complete:
        return
    named = ", ".join(f"{item.bucket}/{item.key} ({item.message})" for item in unseen[:3])
    more = f" and {len(unseen) - 3:,} more" if len(unseen) > 3 else ""
    raise BuckiaError(
        f"{text.count_of(len(unseen), 'place')} could not be read: {named}{more}; nothing is "
        "deleted while a side is not wholly known; make it readable and plan again"
    )


def called(plan: str) -> str:
    """A plan file as errors name it."""
    return "the plan on stdin" if plan == papers.STREAM else plan


def draw(what: RenderableType, stream: TextIO | None = None) -> None:
    """Print a view, on stdout or elsewhere, without the spaces that would end its lines.

    What is not a terminal gets every line whole, so that it can be searched.
    """
    stream = stream or sys.stdout
    bare = not stream.isatty() and os.environ.keys().isdisjoint(_DRAWN)
    if bare and isinstance(what, Styled):
        stream.write(what.plain)
    else:
        stream.write(_rendered(what, stream))
    stream.flush()


def _rendered(what: RenderableType, stream: TextIO) -> str:
    from rich.console import Console

    width = None if stream.isatty() or "COLUMNS" in os.environ else _UNWRAPPED
    console = Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
    with console.capture() as lines:
        console.print(what, crop=False)  # no end of a name or digest is lost in a narrow terminal
    return "".join(f"{line.rstrip()}\n" for line in lines.get().split("\n")[:-1])
