"""One action carried out: what each op does to two stores. Runs on worker threads.

Nothing here decides anything: the plan named every write and what it replaces, and the stores
refuse what no longer fits.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from typing import BinaryIO, Final, cast

from msgspec import Struct, field

from buckia.drafts import Draft
from buckia.errors import BuckiaError, IntegrityError, PreconditionError
from buckia.flight import Flight, watched
from buckia.headers import bare, wears
from buckia.layout import MAX_KEY_BYTES
from buckia.model import (
    KEPT,
    Action,
    Content,
    Entry,
    Op,
    Outcome,
    Undo,
    in_place,
    is_kept,
    is_staged,
    replace,
    same_content,
)
from buckia.passing import Passing
from buckia.preflight import State, View
from buckia.rules import RESERVED_PREFIX
from buckia.stores.base import Purging, Store, settings_of
from buckia.stores.local import LocalStore

TRASH: Final = f"{RESERVED_PREFIX}trash/"


class Stores(Struct, frozen=True):
    """The two stores a bucket's actions run between, and the plan's own name for its trash.

    In a promotion `source` is the bucket that content comes from; it takes the place of the local
    side, which then only has room for temporary files. `through` is whether the bytes pass through
    this machine. `flight` is told how far each file is, `passing` what large ones held, where a
    manifest is to tell of it.
    """

    local: LocalStore
    remote: Store
    plan: str
    stop: threading.Event
    source: Store | None = None
    through: bool = False
    flight: Flight = field(default_factory=Flight)
    passing: Passing | None = None

    def watch(self, body: BinaryIO, action: Action) -> BinaryIO:
        """A body that ends with the run and tells how far it is, and what it held where wanted."""
        flying = watched(body, self.stop, self.flight, action.id)
        size = action.content.size if action.content else 0
        return self.passing.metered(flying, size) if self.passing else flying

    @property
    def near(self) -> Store:
        """The side that content comes from: the files, or the bucket that is promoted."""
        return self.source or self.local

    def trash_key(self, key: str) -> str:
        """Where an overwritten or deleted object is kept in a bucket without versions.

        A key so long that none can stand before it is kept under its digest.
        """
        place = f"{TRASH}{self.plan.removeprefix('sha256:')[:12]}/"
        if len((place + key).encode()) > MAX_KEY_BYTES:
            return f"{place}{hashlib.sha256(key.encode()).hexdigest()}"
        return place + key


class Task(Struct, frozen=True):
    """An action together with how the world stood to it before the first change.

    `draft` is what a manifest will name, known once all else is written.
    """

    action: Action
    state: State
    view: View
    stores: Stores
    draft: Draft | None = None


def perform(task: Task) -> Outcome:
    """Do one action, or its first half. A `BuckiaError` becomes the outcome's error."""
    action = task.action
    try:
        if task.state is State.SATISFIED:
            return _already(task)
        return _STEPS[action.op](task)
    except BuckiaError as problem:
        return _outcome(action, done=False, error=str(problem))


def leave(task: Task) -> Outcome:
    """The second half of a move: delete the old key, if it still is what was copied."""
    action = task.action
    assert action.source and action.source.key  # noqa: S101  (a move names its source)
    try:
        old = task.view.origin
        if old is not None:
            task.stores.remote.delete(old)
    except BuckiaError as problem:
        return _outcome(action, done=False, error=str(problem))
    return _outcome(action, left=action.source.key)


def _outcome(
    action: Action,
    *,
    done: bool = True,
    entry: Entry | None = None,
    left: str | None = None,
    error: str | None = None,
) -> Outcome:
    return Outcome(action.id, action.op, action.bucket, action.key, done, entry, left, error)


def _already(task: Task) -> Outcome:
    """What a rerun finds done: recorded as it stands."""
    action, view = task.action, task.view
    if action.op in (Op.DELETE_REMOTE, Op.DELETE_LOCAL, Op.CONFIGURE):
        return _outcome(action)
    if action.op is Op.DOWNLOAD:
        assert view.local and action.source  # noqa: S101
        if action.reason == KEPT:
            return _outcome(action)
        return _outcome(action, entry=_agreed(task, view.local, action.source.version))
    assert view.remote and action.content  # noqa: S101
    if in_place(action) or is_kept(action):
        return _outcome(action, entry=_agreed(task, _mine(task), view.remote.version))
    left = action.source.key if action.op is Op.MOVE and action.source else None
    return _outcome(action, entry=_stored(task, view.remote), left=left)


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


def entry_of(key: str, content: Content) -> Entry:
    """What a plan names, as a store has it."""
    return Entry(
        key,
        content.size,
        sha256=content.sha256,
        md5=content.md5,
        sha1=content.sha1,
        logical=content.logical,
        version=content.version,
        type=content.type,
        headers=content.headers,
    )


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
    if replacing is not None and action.undo is Undo.TRASH:
        keep(stores, replacing)
    with stores.local.open(local) as body:
        flying = stores.watch(body, action)
        stored = stores.remote.put(wanted, flying, replacing=replacing)
    return _outcome(action, entry=_stored(task, stored))


def _from_stage(task: Task, wanted: Entry) -> Outcome:
    """An upload without its local file: inside the service, where the object there has the same
    headers; else its bytes are sent once more, and checked as any upload's."""
    action, stores, staged = task.action, task.stores, task.view.origin
    assert staged  # noqa: S101  (preflight saw it)
    replacing = entry_of(action.key, action.expect) if action.expect else None
    if replacing is not None and action.undo is Undo.TRASH:
        keep(stores, replacing)
    stored = None
    if _is_dressed_alike(staged, wanted) or not stores.remote.capabilities.headers:
        origin = replace(staged, sha256=staged.sha256 or wanted.sha256)
        stored = stores.remote.copy(stores.remote, origin, key=action.key, replacing=replacing)
    if stored is None:
        with stores.remote.open(staged) as body:
            flying = stores.watch(body, action)
            stored = stores.remote.put(wanted, flying, replacing=replacing)
    _demand_copy(stores.remote, action.key, wanted)
    return _outcome(action, entry=_stored(task, stored))


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
        return _outcome(action)
    return _outcome(action, entry=_agreed(task, stored, wanted.version))


def _copy(task: Task) -> Outcome:
    action, stores, origin = task.action, task.stores, task.view.origin
    if in_place(action):
        return _change_headers(task)
    stored: Entry | None = task.view.remote
    if task.state is not State.HALF:
        assert origin  # noqa: S101  (preflight saw it)
        stored = stores.remote.copy(stores.remote, origin, key=action.key, replacing=None)
        if stored is None:
            with stores.remote.open(origin) as body:
                wanted = replace(origin, key=action.key, version=None)
                stored = stores.remote.put(wanted, watched(body, stores.stop), replacing=None)
        _demand_copy(stores.remote, action.key, origin)
    assert stored  # noqa: S101  (by the state)
    stored = _dressed(task, stored)
    if is_kept(action):
        return _outcome(action, entry=_agreed(task, _mine(task), stored.version))
    return _outcome(action, entry=_stored(task, stored))


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
    return _outcome(action, entry=_agreed(task, mine, stored.version))


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
    action, stores = task.action, task.stores
    assert action.expect  # noqa: S101
    old = entry_of(action.key, action.expect)
    if action.undo is Undo.TRASH:
        keep(stores, old)
    stores.remote.delete(old)
    return _outcome(action)


def _delete_local(task: Task) -> Outcome:
    action = task.action
    assert task.view.local  # noqa: S101  (preflight held it against `expect`)
    task.stores.local.delete(task.view.local)
    return _outcome(action)


def _adopt(task: Task) -> Outcome:
    action = task.action
    assert action.content  # noqa: S101
    local = task.view.local or _as_planned(action)
    return _outcome(action, entry=_agreed(task, local, action.content.version))


def _as_planned(action: Action) -> Entry:
    """The local file as the plan has it, where the plan says that it need not be there."""
    assert action.content and action.source  # noqa: S101  (the schema of plans)
    known = entry_of(action.key, action.content)
    return replace(known, type=None, headers=None, path=action.source.path)


def _configure(task: Task) -> Outcome:
    action, settings = task.action, settings_of(task.stores.remote)
    assert action.setting and settings  # noqa: S101  (preflight read it)
    settings.configure(action.key, action.setting.then, expect=action.setting.now)
    return _outcome(action)


def _purge(task: Task) -> Outcome:
    cast(Purging, task.stores.remote).purge(task.action.key)
    return _outcome(task.action)


_STEPS: Final[dict[Op, Callable[[Task], Outcome]]] = {
    Op.UPLOAD: _upload,
    Op.DOWNLOAD: _download,
    Op.COPY: _copy,
    Op.MOVE: _copy,
    Op.DELETE_REMOTE: _delete_remote,
    Op.DELETE_LOCAL: _delete_local,
    Op.ADOPT: _adopt,
    Op.FORGET: lambda task: _outcome(task.action),
    Op.PURGE: _purge,
    Op.CONFIGURE: _configure,
}


def keep(stores: Stores, old: Entry) -> None:
    """Put a copy of an object into the bucket's trash before it is overwritten or deleted."""
    key = stores.trash_key(old.key)
    try:
        kept = stores.remote.copy(stores.remote, old, key=key, replacing=None)
        if kept is None:
            with stores.remote.open(old) as body:
                wanted = replace(old, key=key, version=None)
                stores.remote.put(wanted, watched(body, stores.stop), replacing=None)
    except PreconditionError:  # an earlier run of this plan kept it already
        if stores.remote.head(key) is None:
            raise
    _demand_copy(stores.remote, key, old)


def _demand_copy(remote: Store, key: str, old: Entry) -> None:
    """Raise unless the copy of an object that is to go is really there."""
    found = remote.head(key)
    if found is None or same_content(found, old) is False:
        raise IntegrityError(
            f"{remote.url}/{old.key}: its copy at {key} is not there, so it is left as it is; run "
            "the same plan again"
        )
