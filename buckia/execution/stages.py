"""What a worker does with a portion: one group after the other, or in stages where the store would
rather see together what they have in common."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import groupby, takewhile

from buckia.errors import BuckiaError
from buckia.execution import copies, glances, publisher
from buckia.execution.portions import Group
from buckia.execution.sparing import demand_kept, is_renamed, prepare
from buckia.execution.steps import perform
from buckia.execution.tasks import Task, entry_of, outcome_of
from buckia.model import Entry, Op, Outcome, promotes
from buckia.stores.base import Clearing, Store


def carry_out(portion: Sequence[Group], stop: threading.Event) -> list[Outcome]:
    """Each action, or its first half.

    Copies that have to be seen are made first, all are looked at, and then what they were made for
    is done. Of those that a stop keeps from beginning nothing is told, as of any that wait.
    """
    told: list[Outcome] = []
    waiting: list[Task] = []
    with glances.over(use for group in portion for use in glances.beginning(group)):
        for group in takewhile(lambda group: not stop.is_set(), portion):
            if not glances.is_staged(group):
                told += _alone(group)
                continue
            made = prepare(group[0])
            if isinstance(made, Outcome):
                told.append(made)
            else:
                waiting.append(made)
    return told + _finish(waiting, stop)


def leave(portion: Sequence[Group], stop: threading.Event) -> list[Outcome]:
    """The second half of moves: the old keys go, if they still hold what was copied."""
    tasks = [group[0] for group in portion] if not stop.is_set() else []
    with glances.over(use for task in tasks for use in glances.leaving(task)):
        away = [copies.leave(task) for task in tasks if promotes(task.action)]
        mine = [task for task in tasks if not promotes(task.action)]
        gone = _cleared([(task, task.view.origin) for task in mine])
    return away + [_left(task, error) for task, error in gone]


def _left(task: Task, error: str | None) -> Outcome:
    assert task.action.source  # noqa: S101  (a move names its source)
    key = task.action.source.key
    return outcome_of(task.action, error=error) if error else outcome_of(task.action, left=key)


def _finish(tasks: Sequence[Task], stop: threading.Event) -> list[Outcome]:
    """What is left of actions that were prepared. After a stop only what needs no more than a look:
    the copies are there."""
    tasks = [task for task in tasks if is_renamed(task) or not stop.is_set()]
    deleting = [task for task in tasks if task.action.op is Op.DELETE_REMOTE]
    others = [task for task in tasks if task.action.op is not Op.DELETE_REMOTE]
    with glances.over(use for task in tasks for use in glances.finishing(task)):
        return _deleted(deleting) + [item for task in others for item in _alone((task,))]


def _deleted(tasks: Sequence[Task]) -> list[Outcome]:
    """Deletions in the bucket, those whose copies in the trash are seen."""
    told: list[Outcome] = []
    ready: list[tuple[Task, Entry | None]] = []
    for task in tasks:
        try:
            demand_kept(task)
        except BuckiaError as problem:
            told.append(outcome_of(task.action, error=str(problem)))
        else:
            assert task.action.expect  # noqa: S101  (the schema of plans)
            ready.append((task, entry_of(task.action.key, task.action.expect)))
    return told + [outcome_of(task.action, error=error) for task, error in _cleared(ready)]


def _cleared(tasks: Sequence[tuple[Task, Entry | None]]) -> list[tuple[Task, str | None]]:
    """Each task, and why its object was not deleted; where none is named, none is to go."""
    told: list[tuple[Task, str | None]] = [(task, None) for task, entry in tasks if entry is None]
    for _, group in groupby(tasks, lambda item: id(item[0].stores)):
        some = [(task, entry) for task, entry in group if entry is not None]
        if some:
            problems = _clear(some[0][0].stores.remote, [entry for _, entry in some])
            for (task, _), problem in zip(some, problems, strict=True):
                told.append((task, str(problem) if problem else None))
    return told


def _clear(store: Store, entries: Sequence[Entry]) -> list[BuckiaError | None]:
    if isinstance(store, Clearing):
        return store.clear(entries)
    return [_problem_of(store, entry) for entry in entries]


def _problem_of(store: Store, entry: Entry) -> BuckiaError | None:
    try:
        store.delete(entry)
    except BuckiaError as problem:
        return problem
    return None


def _alone(group: Group) -> list[Outcome]:
    if group[0].action.op is Op.PUBLISH:
        return [publisher.publish(task) for task in group]
    return copies.carry(group) if promotes(group[0].action) else [perform(task) for task in group]
