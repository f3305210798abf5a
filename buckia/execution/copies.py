"""Objects brought from one bucket to others: inside the service, or read once for all of them.

Runs on worker threads and decides nothing, as `steps` does. The tasks of one call differ in their
target and in nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from buckia import mime, pool
from buckia.decisions.preflight import State
from buckia.errors import BuckiaError, IntegrityError
from buckia.execution.sparing import keep
from buckia.execution.tasks import Task, entry_of, outcome_of
from buckia.model import Content, Entry, Op, Outcome, replace, same_content
from buckia.stores.base import Store
from buckia.stores.hashing import CHUNK
from buckia.stores.meter import Meter
from buckia.streams.tee import Tee


def carry(tasks: Sequence[Task]) -> list[Outcome]:
    """Bring one object to the target of every task. A `BuckiaError` becomes the outcome's error."""
    told: list[Outcome] = []
    waiting: list[Task] = []
    for task in tasks:
        try:
            outcome = _copy(task)
        except BuckiaError as problem:
            outcome = outcome_of(task.action, error=str(problem))
        if outcome is None:
            waiting.append(task)
        else:
            told.append(outcome)
    return told + (_stream(waiting) if waiting else [])


def leave(task: Task) -> Outcome:
    """The second half of a move: delete the object in the source, once the other is proved."""
    action, origin = task.action, task.view.origin
    assert action.content and action.source and task.stores.source  # noqa: S101  (a promotion)
    try:
        found = task.stores.remote.head(action.key)
        if found is None or not _is_proved(task.stores.remote, found, action.content):
            raise IntegrityError(
                f"{task.stores.remote.url}/{action.key} is not what was to be moved there, so the "
                f"object in {task.stores.source.url} is left as it is; plan again"
            )
        if origin is not None:
            task.stores.source.delete(origin)
    except BuckiaError as problem:
        return outcome_of(action, error=str(problem))
    return outcome_of(action, left=action.source.key)


def proved(store: Store, found: Entry) -> Entry:
    """An object with the digests of its bytes, which are read."""
    meter = Meter()
    with store.open(found) as body:
        while chunk := body.read(CHUNK):
            meter.add(chunk)
    return replace(found, size=meter.size, **meter.digests)


def _is_proved(store: Store, found: Entry, content: Content) -> bool:
    """Whether an object is that content beyond doubt; read where the service does not tell."""
    same = same_content(found, content)
    return same if same is not None else same_content(proved(store, found), content) is True


def _arrived(task: Task, stored: Entry) -> Outcome:
    """What is known after a copy. A move is remembered by neither bucket for the other: what is
    gone from the source must never look like something to be deleted in the target."""
    action = task.action
    assert action.content  # noqa: S101  (the schema of plans)
    if same_content(stored, action.content) is False:
        words = f"{task.stores.remote.url}/{action.key} holds other bytes than were promoted"
        return outcome_of(action, error=f"{words}; plan again")
    known = entry_of(action.key, action.content)
    kind = action.content.type or stored.type
    return outcome_of(action, entry=replace(known, version=stored.version, type=kind))


def _copy(task: Task) -> Outcome | None:
    """The outcome where nothing has to be sent; None where the bytes have to be."""
    action, stores, origin = task.action, task.stores, task.view.origin
    assert action.content and action.source and stores.source  # noqa: S101  (a promotion)
    if task.state is State.SATISFIED or task.state is State.HALF or action.op is Op.ADOPT:
        assert task.view.remote  # noqa: S101  (preflight saw it)
        left = action.source.key if action.op is Op.MOVE and task.state is State.SATISFIED else None
        return replace(_arrived(task, task.view.remote), left=left)
    assert origin  # noqa: S101  (preflight saw it)
    replacing = entry_of(action.key, action.expect) if action.expect else None
    keep(task)
    exactly = replace(origin, sha256=origin.sha256 or action.content.sha256)
    stored = stores.remote.copy(stores.source, exactly, key=action.key, replacing=replacing)
    return _arrived(task, stored) if stored else None


def _stream(tasks: Sequence[Task]) -> list[Outcome]:
    """Read the object once, at the pace of the slowest target."""
    stores, origin = tasks[0].stores, tasks[0].view.origin
    content = tasks[0].action.content
    assert content and origin and stores.source  # noqa: S101  (preflight saw it)
    try:
        dress = _dress_of(stores.source, origin, content)
        with (
            stores.source.open(origin) as body,
            pool.threads(len(tasks), "tee") as threads,
        ):
            flying = stores.watch(body, tasks[0].action)
            tee = Tee(flying, len(tasks))
            sent = [
                threads.submit(_send, task, dress, tee, place) for place, task in enumerate(tasks)
            ]
            return [future.result() for future in sent]
    except BuckiaError as problem:
        return [outcome_of(task.action, error=str(problem)) for task in tasks]


def _dress_of(store: Store, origin: Entry, content: Content) -> Entry:
    """The object with its type and headers, which listings need not tell."""
    asked = origin.type is None or (origin.headers is None and store.capabilities.headers_in_place)
    found = (store.head(origin.key) if asked else None) or origin
    kind = content.type or found.type or origin.type or mime.guess(origin.key)
    return replace(origin, type=kind, headers=found.headers)


def _send(task: Task, dress: Entry, tee: Tee, place: int) -> Outcome:
    """Put one reader's bytes into one target."""
    action = task.action
    assert action.content  # noqa: S101  (the schema of plans)
    known = entry_of(action.key, action.content)
    wanted = replace(known, version=None, type=dress.type, headers=dress.headers)
    replacing = entry_of(action.key, action.expect) if action.expect else None
    try:
        stored = task.stores.remote.put(wanted, tee.readers[place], replacing=replacing)
        return _arrived(task, stored)
    except BuckiaError as problem:
        return outcome_of(action, error=str(problem))
    finally:
        tee.leave(place)
