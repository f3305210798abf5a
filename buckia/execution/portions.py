"""What a worker is handed at once: some small tasks of many, anything else by itself. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from buckia.execution import glances
from buckia.execution.tasks import Task
from buckia.model import Op, promotes

Group = tuple[Task, ...]
"""A task, and those of later targets that the same bytes are sent to while they are read."""

TOGETHER: Final = 8
"""Groups that a worker is handed at once, where there are many."""

LIGHT: Final = 1024 * 1024
"""Bytes that these may have in all."""

_LEAST: Final = 16
"""Tasks that are worth being seen together."""

_INSIDE: Final = 64
"""How many bytes a service copies by itself while one passes through this machine."""


def portions(
    groups: Sequence[Group], workers: int, seen: Callable[[Group], bool] = lambda group: False
) -> Iterator[list[Group]]:
    """What a worker takes at once: some small files of many, anything else by itself. To hand over
    each of many alone takes a seventh of the CPU of small uploads. Of those that are `seen`
    together it takes more."""
    usual = min(TOGETHER, len(groups) // (TOGETHER * workers))
    more = min(glances.TOGETHER, len(groups) // workers)
    portion: list[Group] = []
    weight = most = 0
    for done, group in enumerate(groups):
        size = sum(map(weight_of, group))
        if portion and (len(portion) >= most or weight + size > LIGHT):
            yield portion
            portion, weight = [], 0
        if not portion:  # smaller ones at last, so that all workers end together
            share = (len(groups) - done) // workers
            most = max(usual, min(more, max(share, _LEAST))) if seen(group) else usual
        portion.append(group)
        weight += size
    if portion:
        yield portion


def weight_of(task: Task) -> int:
    """The bytes of a task that pass through this machine; what a service copies weighs less."""
    action = task.action
    inside = action.op in (Op.COPY, Op.MOVE) and not task.stores.through
    return action.content.size // _INSIDE if inside and action.content else size_of(task)


def size_of(task: Task) -> int:
    """The bytes that a task is about, where it brings any."""
    moves_bytes = task.action.op in (Op.UPLOAD, Op.DOWNLOAD) or promotes(task.action)
    return task.action.content.size if moves_bytes and task.action.content else 0
