"""What `apply --json` prints: one JSON object a line, as it happens."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from buckia.errors import BuckiaError, Interrupted

if TYPE_CHECKING:
    from buckia.cli.session import Session
    from buckia.model import Outcome
    from buckia.planfile import Plan
    from buckia.runs.applying import Applied

FORMAT: Final = "buckia.events"
VERSION: Final = "1.0"


class Events:
    """The stream of one apply. Each line is on its way before the next thing happens."""

    def __init__(
        self, scrub: Callable[[str], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._scrub = scrub
        self._clock = clock
        self._began = clock()
        self._done: set[str] = set()
        self._failed: set[str] = set()

    def start(self, made: Plan) -> None:
        """The plan is about to be applied."""
        self._emit(
            "start",
            format=FORMAT,
            format_version=VERSION,
            plan=made.digest,
            buckets=list(made.buckets),
            actions=len(made.actions),
        )

    def outcomes(self, batch: list[Outcome]) -> None:
        """Actions were done, or could not be."""
        for item in batch:
            (self._done if item.done else self._failed).add(item.id)
            size = {"size": item.entry.size} if item.entry else {}
            error = {"error": item.error} if item.error else {}
            self._emit(
                "outcome",
                id=item.id,
                op=str(item.op),
                bucket=item.bucket,
                key=item.key,
                done=item.done,
                **size,
                **error,
            )

    def end(self, applied: Applied | None, problem: BaseException | None, used: Any) -> None:
        """It is over: what came of it, and the exit code of the command."""
        code = getattr(problem, "exit_code", 1) if problem else 0
        if isinstance(problem, KeyboardInterrupt):
            code = Interrupted.exit_code
        told = str(problem) if isinstance(problem, BuckiaError) else None
        self._emit(
            "end",
            code=code,
            error=told,
            already=bool(applied and applied.already),
            done=len(self._done),
            failed=len(self._failed - self._done),
            serials=applied.serials if applied else {},
            seconds=round(self._clock() - self._began, 3),
            used=used,
        )

    def _emit(self, event: str, **values: Any) -> None:
        line = self._scrub(encoded({"event": event, **values}))
        sys.stdout.buffer.write(f"{line}\n".encode())
        sys.stdout.buffer.flush()


def encoded(value: Mapping[str, Any]) -> str:
    """One JSON object as one line, in which nothing invisible can hide."""
    import msgspec

    from buckia import documents

    return documents.escape(msgspec.json.encode(value).decode())


def for_session(session: Session) -> Events:
    """The stream of a session, without the secrets it knows of."""
    return Events(session.project.hygiene.scrub)
