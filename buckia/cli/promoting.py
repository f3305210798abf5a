"""`promote`: folders of one bucket brought to others."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from buckia.cli import papers
from buckia.cli.applying import carry_out, demand_yes, propose
from buckia.cli.options import LockTimeout, Shared, complete_bucket, complete_folder, unfold
from buckia.cli.planning import deliver, refuse_doubtful
from buckia.cli.reporting import Page
from buckia.cli.session import can_ask, opened
from buckia.errors import UsageError

if TYPE_CHECKING:
    from buckia.rules import Overrides


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(unfold(promote))


@dataclass(frozen=True, kw_only=True)
class Freedom:
    """What a promotion may do that it would not do by itself. It stands in the plan."""

    allow_drift: Annotated[
        bool,
        typer.Option(
            "--allow-drift", help="Also what no apply left in the source, as it is there."
        ),
    ] = False
    allow_deletes: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Allow this many deletions in each target."),
    ] = None
    accept_empty: Annotated[
        bool,
        typer.Option(
            "--accept-empty", help="The source is meant to be empty, or to hold nothing known."
        ),
    ] = False
    keep_going: Annotated[
        bool,
        typer.Option("--keep-going", help="Go on to the next target when one has failed."),
    ] = False

    def overrides(self, source: str) -> Overrides:
        """The same as the rules have it."""
        from buckia.rules import Overrides

        return Overrides(
            self.allow_deletes,
            frozenset({"source"} if self.accept_empty else ()),
            source if self.allow_drift else "",
            self.keep_going,
        )


def promote(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A set of the configuration, or one folder.",
            autocompletion=complete_folder,
        ),
    ],
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="The bucket it comes from.", autocompletion=complete_bucket
        ),
    ],
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET", help="The buckets it goes to.", autocompletion=complete_bucket
        ),
    ],
    freedom: Freedom,
    move: Annotated[
        bool,
        typer.Option("--move", help="Take it away at the source once it is in the target."),
    ] = False,
    skip_conflicts: Annotated[
        bool, typer.Option("--skip-conflicts", help="Leave conflicts as they are and do the rest.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it, and do not ask.")] = False,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the plan to a file; `-` is stdout."),
    ] = None,
    lock_timeout: LockTimeout = 0.0,
    *,
    page: Page,
    shared: Shared,
) -> None:
    """Bring folders of one bucket to others.

    They are promoted as they were applied to the source. What changed in a target since the last
    promotion is a conflict, what is gone from the source goes from the targets. In a terminal the
    plan is shown and asked about; elsewhere, or with --out, it is written as JSON, which is what
    `buckia apply` takes. With --html a page for a browser is written besides, with what source and
    target hold.
    """
    if yes and out is not None:
        raise UsageError("--out writes the plan and --yes carries it out: give one of them")
    if out is not None:
        papers.refuse_target(out)
    page.refuse()
    writes = out is not None or not (yes or (can_ask() and sys.stdout.isatty()))
    with opened(shared) as session:
        made = session.promote(
            name, source, targets, move, skip_conflicts, freedom.overrides(source), asking=not yes
        )
        page.write(session, made)
        if writes:
            deliver(made, out, session)
            session.account()
            refuse_doubtful(made)
            return
        propose(session, made)
        if made.actions and not yes:
            demand_yes(made)
        carry_out(session, made, lock_timeout)
