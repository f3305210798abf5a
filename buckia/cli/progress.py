"""How far a run is, on stderr."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from buckia.cli import text
from buckia.model import Tick

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


class Display:
    """Turns ticks into one line a stage. Used as a context manager; gone from the screen after."""

    def __init__(self, *, off: bool = False) -> None:
        self._off = off
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Display:
        if not self._off:
            self._progress = _lines()  # a new one: a used one would erase what came after it
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


def _lines() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        _Counted(),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True, highlight=False),
        transient=True,
        expand=True,
    )


class _Counted(ProgressColumn):
    """`12/40 files, 1.2 of 4.2 MB, 300 kB/s`."""

    def render(self, task: Task) -> Text:
        tick: Tick | None = task.fields.get("tick")
        if tick is None:
            return Text()
        of = f"/{tick.total_files:,}" if tick.total_files is not None else ""
        parts = [f"{tick.files:,}{of} files"]
        if tick.total_bytes:
            parts.append(f"{text.size(tick.bytes)} of {text.size(tick.total_bytes)}")
            speed = task.finished_speed or task.speed
            parts += [f"{text.size(round(speed))}/s"] if speed else []
        return Text(", ".join(parts), no_wrap=True)
