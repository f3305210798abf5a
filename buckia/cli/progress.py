"""How far a run is, on stderr."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from buckia import text
from buckia.model import Tick

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_STAGES: Final = {
    "list": "Listing the bucket",
    "hash": "Reading files",
    "compare": "Comparing databases",
    "preview": "Reading what changes",
    "verify": "Reading objects",
    "preflight": "Checking the plan",
    "fetch": "Fetching",
    "swap": "Putting in place",
}
_APPLY: Final = "Applying"


EVERY: Final = 5.0
"""Seconds between two lines of progress where nobody sees a bar move."""


class Lines:
    """Turns ticks into a line every few seconds, for the log of a pipeline. Used as `Display` is.

    A stage that is over before its first line is due is not told at all.
    """

    def __init__(
        self, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._clock = clock
        self._told = clock()
        self._lock = threading.Lock()

    def __enter__(self) -> Lines:
        self._told = self._clock()
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is left on a screen."""

    @contextmanager
    def paused(self) -> Iterator[None]:
        """See `Display.paused`."""
        yield

    def show(self, tick: Tick) -> None:
        """Tell how far a stage is, if the last line is old enough. Called from any thread."""
        with self._lock:
            now = self._clock()
            if now - self._told < EVERY:
                return
            self._told = now
            self._write(f"{_STAGES.get(tick.stage, _APPLY)}: {', '.join(counted(tick))}\n")


def counted(tick: Tick) -> list[str]:
    """`12/40 files`, `1.2 of 4.2 MB`."""
    of = f"/{tick.total_files:,}" if tick.total_files is not None else ""
    parts = [f"{tick.files:,}{of} files"]
    if tick.total_bytes:
        parts.append(f"{text.size(tick.bytes)} of {text.size(tick.total_bytes)}")
    return parts


def for_people(*, quiet: bool) -> Display | Lines:
    """How progress is shown: as bars in a terminal, as lines in a pipeline (`CI` is set), or not
    at all."""
    pipeline = os.environ.get("CI", "").lower() not in ("", "0", "false")
    if pipeline and not quiet and not sys.stderr.isatty():
        return Lines(lambda line: (sys.stderr.write(line), sys.stderr.flush()))
    return Display(off=quiet or not sys.stderr.isatty())


class Display:
    """Turns ticks into one line a stage. Used as a context manager; gone from the screen after."""

    def __init__(self, *, off: bool = False) -> None:
        self._off = off
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Display:
        if not self._off:
            from buckia.cli import bars

            self._progress = bars.make()  # a new one: a used one would erase what came after it
            self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            used, self._progress = self._progress, None
            self._tasks.clear()
        if used is not None:
            used.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the screen to something else for as long as this lasts."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def show(self, tick: Tick) -> None:
        """Show how far a stage is. Called from any thread."""
        stage = _STAGES.get(tick.stage, _APPLY)
        by_bytes = bool(tick.total_bytes)
        done = tick.bytes if by_bytes else tick.files
        total = tick.total_bytes if by_bytes else tick.total_files
        with self._lock:
            if self._progress is None:
                return
            if stage not in self._tasks:
                self._tasks[stage] = self._progress.add_task(stage, total=None)
            task = self._tasks[stage]
            if done < self._progress.tasks[self._progress.task_ids.index(task)].completed:
                self._progress.reset(task)  # the same stage of the next bucket
            self._progress.update(task, total=total, completed=done, tick=tick)
