"""A configuration opened for one command, with its progress, its log and its signals."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from buckia.cli import papers
from buckia.cli.narration import narrating
from buckia.cli.options import Choice, Shared
from buckia.cli.signals import UNCHANGED, Stop
from buckia.errors import ConfigError, Interrupted, StaleError, UsageError

if TYPE_CHECKING:
    from buckia.cli.progress import Display, Lines
    from buckia.config import Config
    from buckia.decisions.selection import Ask
    from buckia.model import Outcome, Tick
    from buckia.planfile import Plan
    from buckia.project import Project
    from buckia.report.previews import Previews
    from buckia.rules import Overrides
    from buckia.runs.applying import Applied
    from buckia.runs.staging import Staged

_LOOKING: Final = ("list", "hash", "compare", "verify", "preflight", "preview")

log = logging.getLogger(__name__)


class Session:
    """What a command works with. `verbose` and `quiet` are the options of that name."""

    def __init__(
        self, project: Project, display: Display | Lines, stop: Stop, shared: Shared
    ) -> None:
        self.project = project
        self.verbose = shared.verbose
        self.quiet = shared.quiet
        self._display = display
        self._stop = stop

    def plan(self, choice: Choice, *, asking: bool = True) -> Plan:
        """Plan what was asked for; in a terminal, ask about each conflict."""
        ask = self._ask(asking and not choice.skip_conflicts)
        with self._display:
            return self.project.plan(
                choice.wanted,
                paths=choice.paths or (),
                direction=choice.one_way,
                skip_conflicts=choice.skip_conflicts,
                ask=ask,
                overrides=choice.overrides,
            )

    def promote(
        self,
        name: str,
        source: str,
        targets: Sequence[str],
        move: bool,
        skip_conflicts: bool,
        overrides: Overrides,
        *,
        asking: bool = True,
    ) -> Plan:
        """Plan a promotion; in a terminal, ask about each conflict."""
        ask = self._ask(asking and not skip_conflicts)
        with self._display:
            return self.project.promote(
                name,
                source,
                targets,
                move=move,
                skip_conflicts=skip_conflicts,
                ask=ask,
                overrides=overrides,
            )

    def _ask(self, wanted: bool) -> Ask | None:
        """Who is asked about conflicts, if there is somebody."""
        if not (wanted and can_ask()):
            return None
        from buckia.cli.ask import ask_about

        return ask_about(self._display)

    def resolve(self, old: Plan, ask: Ask | None) -> Plan:
        """Plan what a plan was asked for with its conflicts settled by `ask`, or by the person at
        the terminal. `StaleError` if anything else would be different."""
        from buckia.cli.ask import ask_about
        from buckia.decisions import resolving

        asking = ask or ask_about(self._display)
        made = self.plan_again(old, resolving.again(old, asking))
        resolving.refuse_moved(old, made)
        return made

    def plan_again(self, old: Plan, ask: Ask | None = None) -> Plan:
        """Plan what a plan was asked for, with the answers it holds. `StaleError` if its buckets
        are not configured any more."""
        from buckia.pairs import buckets_of
        from buckia.rules import Overrides

        config = self.project.config
        if gone := set(buckets_of(old.buckets)) - config.buckets.keys():
            raise StaleError(
                f"the plan is for the bucket {min(gone)!r}, which this configuration does not "
                "have; nothing was changed; plan again"
            )
        skip_conflicts = any(item.code == "conflict_skipped" for item in old.warnings)
        ask, overrides = ask or _answers(old), Overrides.of(old.overrides)
        with self._display:
            if any(head.promotion for head in old.buckets.values()):
                return self.project.promote_again(
                    old, skip_conflicts=skip_conflicts, ask=ask, overrides=overrides
                )
            return self.project.plan(
                [name for name in config.buckets if name in old.buckets],
                paths=old.scope.paths,
                direction=old.scope.direction,
                skip_conflicts=skip_conflicts,
                ask=ask,
                overrides=overrides,
            )

    def stage(self, plan: Plan) -> Staged:
        """Stage what a plan needs; after a first signal it ends between two files."""
        with self._display, self._stop.changing():
            return self.project.stage(plan)

    def apply(
        self,
        plan: Plan,
        lock_timeout: float = 0.0,
        *,
        preflight_only: bool = False,
        observe: Callable[[list[Outcome]], None] = lambda batch: None,
    ) -> Applied:
        """Apply a plan; after a first signal it ends saved. `observe` is told every outcome."""
        with self._display, self._stop.changing():
            return self.project.apply(
                plan, preflight_only=preflight_only, lock_timeout=lock_timeout, observe=observe
            )

    def previews(self, plan: Plan, most: int) -> Previews:
        """What a plan changes inside files, to be looked at."""
        with self._display:
            return self.project.previews(plan, most)

    def publish(self, report: bytes) -> None:
        """Print a report as JSON, if it holds nothing that none may hold."""
        papers.write(self.project.hygiene.demand_clean(report, "the report"), papers.STREAM)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Show progress while something is looked at."""
        with self._display:
            yield

    @contextmanager
    def changing(self) -> Iterator[None]:
        """While something is changed, let a first signal end it between two files."""
        with self._stop.changing():
            yield

    def account(self) -> None:
        """A line on what was asked of the buckets so far, where anything was."""
        from buckia.cli import usage

        if told := usage.line(self.project.traffic):
            self.note(told)

    def note(self, text: str) -> None:
        """A line for people, on stderr."""
        if not self.quiet:
            print(text, file=sys.stderr)  # noqa: T201


@contextmanager
def opened(
    shared: Shared, adapt: Callable[[Config], Config] = lambda config: config
) -> Iterator[Session]:
    """The configuration that the options name, at work; `adapt` may change it for this run."""
    from buckia.cli.progress import for_people
    from buckia.config import file as config_file
    from buckia.project import Project

    stop = Stop()
    with narrating(shared), stop.heard():
        path = locate(shared.config)
        log.info("configuration: %s", path)
        display = for_people(quiet=shared.quiet)

        def progress(tick: Tick) -> None:
            if stop.event.is_set() and tick.stage in _LOOKING:
                raise Interrupted(UNCHANGED)
            display.show(tick)

        config = adapt(config_file.load(path))
        with Project(config, progress=progress, stop=stop.event) as project:
            yield Session(project, display, stop, shared)


def _answers(old: Plan) -> Ask:
    """Answers every conflict as it was answered for a plan."""
    from buckia.decisions.resolving import answers_of

    given = answers_of(old)
    return lambda bucket, conflicts: {
        item.key: given[bucket, item.key] for item in conflicts if (bucket, item.key) in given
    }


def locate(explicit: str | None) -> Path:
    """The configuration file, named as shortly as it can be from here."""
    from buckia.config import file as config_file

    path, here = config_file.find(Path(), explicit), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def refuse_bucket(name: str, config: str | None) -> None:
    """Raise `UsageError` for a bucket named where a plan file belongs."""
    from buckia.config import file as config_file

    if name == papers.STREAM or Path(name).is_file():
        return
    with suppress(ConfigError):
        if name in config_file.load(locate(config)).buckets:
            raise UsageError(
                f"{name} is a bucket, and this takes a plan file; `buckia plan {name} --out "
                "plan.json` makes one"
            )


def can_ask() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()
