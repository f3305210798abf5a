"""Copies inside a bucket that have to be seen there before anything goes for them: those in its
trash, and those under another name."""

from __future__ import annotations

from typing import cast

from buckia.decisions.preflight import State
from buckia.errors import BuckiaError, IntegrityError, PreconditionError
from buckia.execution.tasks import Stores, Task, entry_of, outcome_of
from buckia.model import Entry, Op, Outcome, Undo, in_place, promotes, replace, same_content
from buckia.stores.base import Glancing, Store, Use, glances_of
from buckia.streams.flight import watched


def prepare(task: Task) -> Task | Outcome:
    """Make the copy inside the bucket that an action begins with, where it begins with one: it has
    to be seen there before anything goes for it, which `perform` does with the rest."""
    try:
        if made := _made(task):
            return replace(task, copied=made)
    except BuckiaError as problem:
        return outcome_of(task.action, error=str(problem))
    return task


def _made(task: Task) -> Entry | None:
    if is_renamed(task):
        return renamed(task)
    old = spared(task)
    return _kept(task.stores, old) if old else None


def is_renamed(task: Task) -> bool:
    """Whether an action has a copy made inside its bucket that is not there yet."""
    action = task.action
    inside = action.op in (Op.COPY, Op.MOVE) and not promotes(action) and not in_place(action)
    return inside and task.state is State.PENDING


def spared(task: Task) -> Entry | None:
    """The object that an action has to put into the trash before it overwrites or deletes it."""
    action = task.action
    wanted = action.op in (Op.UPLOAD, Op.DELETE_REMOTE) or promotes(action)
    if not (wanted and task.state is State.PENDING and action.expect):
        return None
    return entry_of(action.key, action.expect) if action.undo is Undo.TRASH else None


def renamed(task: Task) -> Entry:
    """The copy of an object under another name."""
    assert task.view.origin  # noqa: S101  (preflight saw it)
    return _copied(task.stores, task.view.origin, task.action.key)


def _copied(stores: Stores, old: Entry, key: str) -> Entry:
    """A copy inside the bucket, where nothing is yet; sent once more where the service has none."""
    remote = stores.remote
    if made := remote.copy(remote, old, key=key, replacing=None):
        return made
    with remote.open(old) as body:
        wanted = replace(old, key=key, version=None)
        return remote.put(wanted, watched(body, stores.stop), replacing=None)


def keep(task: Task) -> None:
    """See that a copy of what an action overwrites or deletes is in the bucket's trash."""
    if task.copied is None and (old := spared(task)):
        _kept(task.stores, old)
    demand_kept(task)


def demand_kept(task: Task) -> None:
    """Raise unless the copy that `keep` or `prepare` made is there."""
    if old := spared(task):
        demand_copy(task.stores.remote, task.stores.trash_key(old.key), old)


def _kept(stores: Stores, old: Entry) -> Entry:
    """The copy of an object in the trash."""
    key = stores.trash_key(old.key)
    try:
        return _copied(stores, old, key)
    except PreconditionError:  # an earlier run of this plan kept it already
        if found := stores.remote.head(key):
            return found
        raise


def demand_copy(remote: Store, key: str, old: Entry) -> None:
    """Raise unless the copy of an object that is to go is really there."""
    found = cast(Glancing, remote).seen(key) if Use.SEEN in glances_of(remote) else None
    if found and found.size == old.size and found.md5 in (old.md5, old.version):
        return
    found = remote.head(key)
    if found is None or same_content(found, old) is False:
        raise IntegrityError(
            f"{remote.url}/{old.key}: its copy at {key} is not there, so it is left as it is; run "
            "the same plan again"
        )
