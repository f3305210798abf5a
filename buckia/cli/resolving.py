"""`resolve`: the conflicts of a plan settled, in a new plan. Neither side is changed."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from buckia.cli import papers
from buckia.cli.options import Shared, complete_plan, unfold
from buckia.cli.planning import called, refuse_doubtful
from buckia.cli.session import Session, can_ask, opened, refuse_bucket
from buckia.errors import UsageError
from buckia.terms import Policy
from buckia.text import count_of

if TYPE_CHECKING:
    from buckia.planfile import Plan


class Use(StrEnum):
    """What settles a conflict."""

    LOCAL = "local"
    REMOTE = "remote"
    SOURCE = "source"
    TARGET = "target"
    BOTH = "both"


_POLICIES: Final = {
    Use.LOCAL: Policy.LOCAL_WINS,
    Use.REMOTE: Policy.REMOTE_WINS,
    Use.SOURCE: Policy.LOCAL_WINS,
    Use.TARGET: Policy.REMOTE_WINS,
    Use.BOTH: Policy.KEEP_BOTH,
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(unfold(resolve))


def resolve(
    plan: Annotated[
        str,
        typer.Argument(
            metavar="PLAN", help="A plan file; `-` is stdin.", autocompletion=complete_plan
        ),
    ],
    use: Annotated[
        Use | None,
        typer.Option(
            help="Do not ask: keep this side of every conflict, or both sides. Of a promotion the "
            "sides are source and target."
        ),
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(
            metavar="GLOB", help="With --use: only conflicts whose key matches, as in .gitignore."
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The new plan; else PLAN is replaced. `-` is stdout."),
    ] = None,
    *,
    shared: Shared,
) -> None:
    """Settle the conflicts of a plan and write a new one.

    In a terminal one is asked about after another. Both sides of each conflict are described; the
    answer is to keep local, remote, both (the other gets a new name) or to skip it, and a capital
    letter answers for all like it. The new plan has a digest of its own and records every answer.
    Nothing but the answers may be different in it: if something else changed since, that is told,
    exit code 4, and nothing is written. Exit code 3 means that conflicts are left.
    """
    from buckia import planfile
    from buckia.decisions import resolving

    if use is None and path is not None:
        raise UsageError("--path says what --use is for: give both")
    if use is None and not can_ask():
        raise UsageError(
            "resolve asks, and there is no terminal to ask in: say --use local, remote or both"
        )
    target = out or plan
    if target == papers.STREAM and out is None:
        raise UsageError("a plan on stdin cannot be replaced: say --out FILE")
    refuse_bucket(plan, shared.config)
    papers.refuse_target(target)
    old = planfile.read(papers.read(plan), called(plan))
    resolving.demand_conflicts(old, path)
    with opened(shared) as session:
        if not old.conflicts:
            session.note("Nothing to resolve: the plan has no conflicts.")
            return
        made = session.resolve(old, resolving.answering(_POLICIES[use], path) if use else None)
        _deliver(session, old, made, target)
        refuse_doubtful(made)


def _deliver(session: Session, old: Plan, made: Plan, target: str) -> None:
    """Write the plan, unless everything was skipped."""
    from buckia import planfile

    settled = len(made.resolved) - len(old.resolved)
    if not settled:
        session.note("Nothing was settled, and nothing written.")
        return
    papers.write(planfile.write(made), target)
    left = f", {len(made.conflicts):,} left" if made.conflicts else ""
    advice = f"; `buckia apply {target}` does it" if made.applyable else ""
    where = "" if target == papers.STREAM else f" Written to {target}{advice}."
    session.note(f"Settled: {count_of(settled, 'conflict')}{left}.{where}")
