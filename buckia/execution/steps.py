"""One action carried out: what each op does to two stores. Runs on worker threads.

Nothing here decides anything: the plan named every write and what it replaces, and the stores
refuse what no longer fits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from buckia.decisions.preflight import State
from buckia.errors import BuckiaError, PreconditionError
from buckia.execution.sparing import demand_copy, keep, renamed
from buckia.execution.tasks import Task, entry_of, outcome_of
from buckia.headers import bare, wears
from buckia.model import (
    KEPT,
    Action,
    Entry,
    Op,
    Outcome,
    in_place,
    is_kept,
    is_staged,
    replace,
    same_content,
)
from buckia.stores.base import Purging, settings_of


def perform(task: Task) -> Outcome:
    """Do one action, or its first half. A `BuckiaError` becomes the outcome's error."""
    action = task.action
    try:
        if task.state is State.SATISFIED:
            return _already(task)
        return _STEPS[action.op](task)
    except BuckiaError as problem:
        return outcome_of(action, error=str(problem))


def _already(task: Task) -> Outcome:
    """What a rerun finds done: recorded as it stands."""
    action, view = task.action, task.view
    if action.op in (Op.DELETE_REMOTE, Op.DELETE_LOCAL, Op.CONFIGURE):
        return outcome_of(action)
    if action.op is Op.DOWNLOAD:
        assert view.local and action.source  # noqa: S101
        if action.reason == KEPT:
            return outcome_of(action)
        return outcome_of(action, entry=_agreed(task, view.local, action.source.version))
    assert view.remote and action.content  # noqa: S101
    if in_place(action) or is_kept(action):
        return outcome_of(action, entry=_agreed(task, _mine(task), view.remote.version))
    left = action.source.key if action.op is Op.MOVE and action.source else None
    return outcome_of(action, entry=_stored(task, view.remote), left=left)


def _agreed(task: Task, local: Entry, version: str | None) -> Entry:
    """What both sides now hold: the local file's content under the bucket's token."""
    content = task.action.content
    assert content  # noqa: S101  (the schema of plans)
    return Entry(
        local.key,
        local.size,
        sha256=local.sha256,
        logical=local.logical,
        version=version,
        type=content.type if in_place(task.action) else local.type,
        path=_odd_path(task, local.path),
        headers=content.headers,
    )


def _odd_path(task: Task, path: str | None) -> str | None:
    """The local spelling, where it is not the one the layout would make."""
    return None if path == task.stores.local.usual_path(task.action.key) else path


def _stored(task: Task, stored: Entry) -> Entry:
    """An object just written or found, as the lockfile remembers it."""
    action = task.action
    assert action.content  # noqa: S101
    local = task.view.local
    wanted = entry_of(action.key, action.content)
    if local and local.logical and local.logical == wanted.logical:
        wanted = replace(wanted, sha256=local.sha256, size=local.size)
    path = action.source.path if action.source else None
    return replace(wanted, version=stored.version, path=_odd_path(task, path))


def _upload(task: Task) -> Outcome:
    action, stores, local = task.action, task.stores, task.view.local
    assert action.content  # noqa: S101
    wanted = entry_of(action.key, action.content)
    if local is None:
        return _from_stage(task, wanted)
    if local.logical:  # another SQLite library may write the same rows as other bytes
        wanted = replace(wanted, size=local.size, sha256=local.sha256)
    wanted = replace(wanted, md5=None, sha1=None)  # sha256 proves it; a store adds what it needs
    replacing = entry_of(action.key, action.expect) if action.expect else None
    keep(task)
    with stores.local.open(local) as body:
        flying = stores.watch(body, action)
        stored = stores.remote.put(wanted, flying, replacing=replacing)
    return outcome_of(action, entry=_stored(task, stored))


def _from_stage(task: Task, wanted: Entry) -> Outcome:
    """An upload without its local file: inside the service, where the object there has the same
    headers; else its bytes are sent once more, and checked as any upload's."""
    action, stores, staged = task.action, task.stores, task.view.origin
    assert staged  # noqa: S101  (preflight saw it)
    replacing = entry_of(action.key, action.expect) if action.expect else None
    keep(task)
    stored = None
    if _is_dressed_alike(staged, wanted) or not stores.remote.capabilities.headers:
        origin = replace(staged, sha256=staged.sha256 or wanted.sha256)
        stored = stores.remote.copy(stores.remote, origin, key=action.key, replacing=replacing)
    if stored is None:
        with stores.remote.open(staged) as body:
            flying = stores.watch(body, action)
            stored = stores.remote.put(wanted, flying, replacing=replacing)
    demand_copy(stores.remote, action.key, wanted)
    return outcome_of(action, entry=_stored(task, stored))


def _is_dressed_alike(staged: Entry, wanted: Entry) -> bool:
    """Whether a copy would have the wanted type and headers, and no others."""
    return staged.type == wanted.type and (staged.headers or {}) == bare(wanted.headers)


def _download(task: Task) -> Outcome:
    action, stores = task.action, task.stores
    assert action.content and action.source  # noqa: S101
    wanted = entry_of(action.key, action.content)
    seen = task.view.local if action.expect else None  # preflight held it against `expect`
    with stores.remote.open(replace(wanted, key=action.source.key or action.key)) as body:
        flying = stores.watch(body, action)
        stored = stores.local.put(replace(wanted, version=None), flying, replacing=seen)
    if action.reason == KEPT:  # the lockfile takes note of it when the bucket has it, too
        return outcome_of(action)
    return outcome_of(action, entry=_agreed(task, stored, wanted.version))


def _copy(task: Task) -> Outcome:
    action, stores, origin = task.action, task.stores, task.view.origin
    if in_place(action):
        return _change_headers(task)
    stored: Entry | None = task.view.remote
    if task.state is not State.HALF:
        assert origin  # noqa: S101  (preflight saw it)
        stored = task.copied or renamed(task)
        demand_copy(stores.remote, action.key, origin)
    assert stored  # noqa: S101  (by the state)
    stored = _dressed(task, stored)
    if is_kept(action):
        return outcome_of(action, entry=_agreed(task, _mine(task), stored.version))
    return outcome_of(action, entry=_stored(task, stored))


def _dressed(task: Task, copied: Entry) -> Entry:
    """A copy under another name with the headers of that name; it brought those of the old one."""
    content, remote = task.action.content, task.stores.remote
    assert content  # noqa: S101  (the schema of plans)
    if content.headers is None and content.type is None:
        return copied
    held = copied if wears(copied, content) else remote.head(copied.key) or copied
    if wears(held, content):
        return held
    wanted = replace(copied, type=content.type, headers=content.headers)
    return remote.put_headers(wanted, replacing=replace(held, headers=None))


def _change_headers(task: Task) -> Outcome:
    action = task.action
    assert action.content and action.expect  # noqa: S101  (the schema of plans)
    mine = _mine(task)
    stored = task.stores.remote.put_headers(
        entry_of(action.key, action.content), replacing=entry_of(action.key, action.expect)
    )
    return outcome_of(action, entry=_agreed(task, mine, stored.version))


def _mine(task: Task) -> Entry:
    """The local file of an object whose headers change; a download may just have brought it."""
    action = task.action
    assert action.content and action.source  # noqa: S101  (the schema of plans)
    mine = task.view.local if action.source.path else task.stores.local.head(action.key)
    if mine is None and is_staged(action):
        return _as_planned(action)
    if mine is None or same_content(mine, action.content) is False:
        raise PreconditionError(f"{action.key}: the local file has changed meanwhile; plan again")
    return mine


def _delete_remote(task: Task) -> Outcome:
    action = task.action
    assert action.expect  # noqa: S101
    keep(task)
    task.stores.remote.delete(entry_of(action.key, action.expect))
    return outcome_of(action)


def _delete_local(task: Task) -> Outcome:
    action = task.action
    assert task.view.local  # noqa: S101  (preflight held it against `expect`)
    task.stores.local.delete(task.view.local)
    return outcome_of(action)


def _adopt(task: Task) -> Outcome:
    action = task.action
    assert action.content  # noqa: S101
    local = task.view.local or _as_planned(action)
    return outcome_of(action, entry=_agreed(task, local, action.content.version))


def _as_planned(action: Action) -> Entry:
    """The local file as the plan has it, where the plan says that it need not be there."""
    assert action.content and action.source  # noqa: S101  (the schema of plans)
    known = entry_of(action.key, action.content)
    return replace(known, type=None, headers=None, path=action.source.path)


def _configure(task: Task) -> Outcome:
    action, settings = task.action, settings_of(task.stores.remote)
    assert action.setting and settings  # noqa: S101  (preflight read it)
    settings.configure(action.key, action.setting.then, expect=action.setting.now)
    return outcome_of(action)


def _purge(task: Task) -> Outcome:
    cast(Purging, task.stores.remote).purge(task.action.key)
    return outcome_of(task.action)


_STEPS: Final[dict[Op, Callable[[Task], Outcome]]] = {
    Op.UPLOAD: _upload,
    Op.DOWNLOAD: _download,
    Op.COPY: _copy,
    Op.MOVE: _copy,
    Op.DELETE_REMOTE: _delete_remote,
    Op.DELETE_LOCAL: _delete_local,
    Op.ADOPT: _adopt,
    Op.FORGET: lambda task: outcome_of(task.action),
    Op.PURGE: _purge,
    Op.CONFIGURE: _configure,
}
