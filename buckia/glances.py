"""What the tasks of a portion look at before they write, seen together by the stores that can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from buckia.model import Op, Undo, in_place, promotes
from buckia.preflight import State
from buckia.steps import Task
from buckia.stores.base import Glancing, Store, Use

TOGETHER: Final = 32
"""Tasks whose keys are seen together: enough to be worth a page of a listing, and few enough to be
done soon after it."""

Uses = Iterator[tuple[Store, Use, str]]
"""What is about to be done, in which store, with which key."""


def writing(task: Task) -> Uses:
    """What a task does, or its first half."""
    action, stores = task.action, task.stores
    if task.state is not State.PENDING or in_place(action):
        return
    if action.expect and action.undo is Undo.TRASH:
        yield stores.remote, Use.READ, action.key
        yield stores.remote, Use.KEEP, stores.trash_key(action.key)
    if action.op is Op.DELETE_REMOTE:
        yield stores.remote, Use.DELETE, action.key
    if action.op in (Op.COPY, Op.MOVE) and task.view.origin and not stores.through:
        yield stores.near if promotes(action) else stores.remote, Use.READ, task.view.origin.key
        yield stores.remote, Use.COPY, action.key


def leaving(task: Task) -> Uses:
    """What the second half of a move does."""
    if task.view.origin:
        near = promotes(task.action)
        yield task.stores.near if near else task.stores.remote, Use.DELETE, task.view.origin.key


def told(use: tuple[Store, Use, str]) -> bool:
    """Whether the store would rather see this together with others."""
    store, what, _ = use
    return isinstance(store, Glancing) and what in store.glances


@contextmanager
def over(uses: Iterable[tuple[Store, Use, str]]) -> Iterator[None]:
    """See all of it, and let it be done while this lasts."""
    wanted: dict[int, tuple[Store, dict[Use, list[str]]]] = {}
    for store, use, key in uses:
        wanted.setdefault(id(store), (store, {}))[1].setdefault(use, []).append(key)
    with ExitStack() as stack:
        for store, seen in wanted.values():
            if isinstance(store, Glancing):
                stack.enter_context(store.glance(seen))
        yield
