"""What the tasks of a portion look at before they write, seen together by the stores that can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from buckia.decisions.preflight import State
from buckia.execution.sparing import is_renamed, spared
from buckia.execution.tasks import Task
from buckia.model import Op, promotes
from buckia.stores.base import Glancing, Store, Use, glances_of

TOGETHER: Final = 64
"""Tasks whose keys are seen together: enough to be worth a page of a listing, and few enough to be
done soon after it."""

Uses = Iterator[tuple[Store, Use, str]]
"""What is about to be done, in which store, with which key."""


def is_staged(group: Sequence[Task]) -> bool:
    """Whether what a group does comes in two stages, with a look in between that the store would
    rather take at many keys."""
    task = group[0]
    if len(group) > 1 or task.state is not State.PENDING:
        return False
    if not (task.action.op is Op.DELETE_REMOTE or is_renamed(task) or spared(task)):
        return False
    return Use.SEEN in glances_of(task.stores.remote)


def writing(group: Sequence[Task]) -> Uses:
    """All that a group does, or the first half of a move."""
    for task in group:
        yield from _copying(task)
        yield from finishing(task)


def beginning(group: Sequence[Task]) -> Uses:
    """What it does before such a look; all, where there is none."""
    return _copying(group[0]) if is_staged(group) else writing(group)


def _copying(task: Task) -> Uses:
    """The copies inside the bucket that come first."""
    remote, action, origin = task.stores.remote, task.action, task.view.origin
    if spared(task):
        yield remote, Use.READ, action.key
        yield remote, Use.KEEP, task.stores.trash_key(action.key)
    if is_renamed(task) and origin:
        yield remote, Use.READ, origin.key
        yield remote, Use.COPY, action.key


def finishing(task: Task) -> Uses:
    """What comes after them."""
    remote, action, origin = task.stores.remote, task.action, task.view.origin
    if task.state is not State.PENDING:
        return
    if spared(task):
        yield remote, Use.SEEN, task.stores.trash_key(action.key)
    if is_renamed(task):
        yield remote, Use.SEEN, action.key
    if action.op is Op.DELETE_REMOTE:
        yield remote, Use.DELETE, action.key
    if action.op in (Op.COPY, Op.MOVE) and promotes(action) and origin and not task.stores.through:
        yield task.stores.near, Use.READ, origin.key
        yield remote, Use.COPY, action.key


def leaving(task: Task) -> Uses:
    """What the second half of a move does."""
    if task.view.origin:
        near = promotes(task.action)
        yield task.stores.near if near else task.stores.remote, Use.DELETE, task.view.origin.key


def told(use: tuple[Store, Use, str]) -> bool:
    """Whether the store would rather see this together with others."""
    store, what, _ = use
    return what in glances_of(store)


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
