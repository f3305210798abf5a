"""`apply` and `sync`: carrying out a plan."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Annotated, Final

import typer

from buckia import text
from buckia.cli import checkout, papers
from buckia.cli.checkout import AllowLocal
from buckia.cli.options import Allowance, Choice, LockTimeout, Shared, complete_plan, unfold
from buckia.cli.planning import called, draw, refuse_doubtful, refuse_incomplete
from buckia.cli.session import Session, can_ask, opened, refuse_bucket
from buckia.errors import BuckiaError, DocumentError, IncompleteError, UsageError
from buckia.terms import Op

if TYPE_CHECKING:
    from buckia.model import Outcome
    from buckia.planfile import Plan
    from buckia.runs.applying import Applied

_COPIES: Final = (Op.COPY, Op.MOVE)
_UPLOAD_ALONE: Final = ", or plan with `--direction upload`"
_NAMED: Final = 10
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(unfold(apply))
    app.command()(unfold(sync))


def apply(
    allowance: Allowance,
    plan: Annotated[
        str | None,
        typer.Argument(
            metavar="[PLAN]", help="A plan file; `-` is stdin.", autocompletion=complete_plan
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Without a plan: do not ask.")] = False,
    preflight_only: Annotated[
        bool, typer.Option("--preflight-only", help="Check that the plan still fits, no more.")
    ] = False,
    expect_digest: Annotated[
        str | None,
        typer.Option(metavar="sha256:...", help="Refuse any plan but the one of this digest."),
    ] = None,
    allow_local: AllowLocal = False,
    lock_timeout: LockTimeout = 0.0,
    json: Annotated[
        bool, typer.Option("--json", help="Print what happens as JSON, one event a line.")
    ] = False,
    *,
    shared: Shared,
) -> None:
    """Execute a plan, exactly. Without a plan: plan, show, ask, then apply.

    The same plan can be applied again: what is done is not done twice, what was cut short goes on.
    The events that --json prints are described by schemas/events.schema.json; the last one has the
    exit code.
    """
    if plan is None and expect_digest is not None:
        raise UsageError("--expect-digest needs a plan file: `buckia apply PLAN --expect-digest`")
    if plan is None and not (yes or preflight_only or can_ask()):
        raise UsageError(
            "apply without a plan asks, and there is no terminal to ask in: name a plan file "
            "(`buckia plan --out plan.json`), or --yes"
        )
    if plan is not None and allowance != Allowance():
        raise UsageError("limits are lifted when planning: give these options to `buckia plan`")
    if plan is not None:
        refuse_bucket(plan, shared.config)
    made = _read(plan, expect_digest) if plan is not None else None
    if made is not None and not allow_local:
        checkout.refuse_plan(made, _UPLOAD_ALONE)
    with opened(shared) as session:
        if made is None:
            made = propose(session, session.plan(Choice(**vars(allowance)), asking=not yes))
            if not allow_local:
                checkout.refuse_plan(made, _UPLOAD_ALONE)
            if made.actions and not (yes or preflight_only):
                demand_yes(made)
        carry_out(session, made, lock_timeout, preflight_only=preflight_only, json=json)


def _read(name: str, expected: str | None) -> Plan:
    from buckia import planfile

    if expected is not None and not _DIGEST.fullmatch(expected):
        raise UsageError(
            "--expect-digest takes `sha256:` and 64 hexadecimal digits; copy the last line of "
            "`buckia show PLAN`"
        )
    made = planfile.read(papers.read(name), called(name))
    if expected not in (None, made.digest):
        raise DocumentError(
            f"{called(name)} is not the plan expected: its digest is {made.digest}; nothing was "
            "changed; review it, or get the plan that was approved"
        )
    return made


def propose(session: Session, made: Plan) -> Plan:
    """A new plan, shown on stderr and fit to be applied."""
    from buckia.cli import show
    from buckia.runs.refusals import refuse_unfit

    if not session.quiet and (made.actions or made.conflicts or made.warnings):
        draw(show.view(made, everything=bool(session.verbose)), sys.stderr)
    refuse_unfit(made)
    return made


def demand_yes(made: Plan) -> None:
    """Ask whether to apply; `BuckiaError` if the answer is no."""
    from buckia.cli.ask import confirm

    if not confirm(f"\nApply {text.count_of(len(made.actions), 'action')}?"):
        raise BuckiaError("the answer was no; nothing was changed")


def sync(
    choice: Choice,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and stop.")
    ] = False,
    lock_timeout: LockTimeout = 0.0,
    *,
    shared: Shared,
) -> None:
    """Plan and apply in one."""
    from buckia.cli import show

    with opened(shared) as session:
        if dry_run:
            made = session.plan(choice)
            draw(show.view(made, everything=bool(session.verbose)))
            session.account()
            refuse_doubtful(made)
        else:
            carry_out(session, propose(session, session.plan(choice)), lock_timeout)


def carry_out(
    session: Session,
    made: Plan,
    lock_timeout: float,
    *,
    preflight_only: bool = False,
    json: bool = False,
) -> None:
    """Apply a plan and tell what was done."""
    if json:
        _stream(session, made, lock_timeout, preflight_only)
        return
    began = time.monotonic()
    applied = session.apply(made, lock_timeout, preflight_only=preflight_only)
    took = time.monotonic() - began
    if preflight_only:
        session.note(f"The plan still fits: {_actions(made)} could be done. Nothing was changed.")
    elif applied.already:
        session.note("Nothing to do: this plan is applied already.")
    elif not made.actions:
        session.note("Nothing to do.")
    else:
        session.note(f"Applied: {_summary(made, applied)} in {text.seconds(took)}.")
    session.account()
    _refuse_failed(made, applied)
    refuse_incomplete(made)


def _stream(session: Session, made: Plan, lock_timeout: float, preflight_only: bool) -> None:
    """Apply a plan and print what happens, the end with its exit code in any case."""
    from buckia.cli import events

    stream = events.for_session(session)
    stream.start(made)
    applied: Applied | None = None
    problem: BaseException | None = None
    try:
        applied = session.apply(
            made, lock_timeout, preflight_only=preflight_only, observe=stream.outcomes
        )
        _refuse_failed(made, applied)
        refuse_incomplete(made)
    except BaseException as raised:
        problem = raised
        raise
    finally:
        stream.end(applied, problem, session.project.used)


def _actions(made: Plan) -> str:
    return text.count_of(len(made.actions), "action")


def _summary(made: Plan, applied: Applied) -> str:
    """`12 uploaded, 1 moved, 4.2 MB`."""
    from buckia.report.ops import DRESS, OPS, words_of

    sizes = {
        action.id: action.content.size
        for action in made.actions
        if action.op in (Op.UPLOAD, Op.DOWNLOAD) and action.content
    }
    done = {item.id: item for item in applied.outcomes if item.done}
    told = {action.id: words_of(action).done for action in made.actions}
    counts = Counter(told.get(item.id) or OPS[item.op].done for item in done.values())
    words = dict.fromkeys([*(words.done for words in OPS.values()), DRESS.done])
    parts = [f"{counts[word]:,} {word}" for word in words if counts[word]]
    moved = sum(sizes.get(id_, 0) for id_ in done)
    parts = [*(parts or ["nothing"]), *([text.size(moved)] if moved else [])]
    return ", ".join([*parts, *_ways(made, done)])


def _ways(made: Plan, done: Collection[str]) -> Iterator[str]:
    """How many bytes a promotion brought which way."""
    from buckia.model import is_there

    ways: Counter[str] = Counter()
    for action in made.actions:
        head = made.buckets[action.bucket].promotion if action.op in _COPIES else None
        if head and action.id in done and action.content and not is_there(action):
            ways[head.copies] += action.content.size
    if ways["inside"]:
        yield f"{text.size(ways['inside'])} inside the service"
    if ways:
        yield f"{text.size(ways['through'])} through this machine"


def _refuse_failed(made: Plan, applied: Applied) -> None:
    """Raise `IncompleteError` after naming what failed, and why."""
    failed = sorted(applied.failed, key=lambda item: (item.bucket, item.key))
    if not failed:
        return
    for item in failed[:_NAMED]:
        print(_failure(item), file=sys.stderr)  # noqa: T201
    if len(failed) > _NAMED:
        print(f"  and {len(failed) - _NAMED:,} more", file=sys.stderr)  # noqa: T201
    done = len({item.id for item in applied.outcomes if item.done})
    raise IncompleteError(
        f"{text.count_of(len(failed), 'action')} failed, {done:,} of {len(made.actions):,} are "
        f"done{_untouched(made, applied)}; run the same plan again to resume"
    )


def _untouched(made: Plan, applied: Applied) -> str:
    """The targets of a promotion that were left for later, because one before them failed."""
    from buckia.pairs import written_by

    begun = {item.bucket for item in applied.outcomes}
    left = {action.bucket for action in made.actions} - begun
    named = [f"`{written_by(name)}`" for name in sorted(left) if made.buckets[name].promotion]
    return f", and {', '.join(named)} not begun" if named else ""


def _failure(item: Outcome) -> str:
    words = f"{item.op} {item.bucket}/{item.key}: {item.error}"
    return f"  {text.visible(words)}"
