"""The bars of a progress display. Loaded only where somebody sees them."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from buckia import text
from buckia.cli.progress import counted
from buckia.model import Tick


def make() -> Progress:
    """A display with no bars yet, on stderr. It leaves nothing behind."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None, table_column=Column(ratio=1)),
        _Counted(table_column=Column(no_wrap=True)),
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
        parts = counted(tick)
        if tick.total_bytes:
            speed = task.finished_speed or task.speed
            parts += [f"{text.size(round(speed))}/s"] if speed else []
        return Text(", ".join(parts), no_wrap=True)
