"""Looking at both sides of every action before the first change: is the plan still true?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from buckia import pool
from buckia.decisions.preflight import State, View, is_version, judge
from buckia.errors import StaleError
from buckia.execution import copies, publisher
from buckia.execution.tasks import Stores, Task
from buckia.model import (
    Action,
    Op,
    Progress,
    Tick,
    in_place,
    is_staged,
    promotes,
    replace,
    same_content,
)
from buckia.sides import configuring, contents
from buckia.sides.sightings import Seen

_SHOWN: Final = 10
"""Diverged actions named in an error; the rest are counted."""

_TOGETHER: Final = 100
"""Actions that a worker looks at together where both sides are listed, so that a look is quick."""


def inspect(
    actions: Iterable[Action],
    stores: Stores,
    workers: int,
    progress: Progress,
    seen: Seen | None = None,
) -> list[Task]:
    """Look at both sides of every action of one bucket. Changes nothing.

    `seen` is what both sides have just told of many keys; without it each is looked at alone.

    Raises `StaleError` naming what diverged: then no action of the plan may run.
    """
    wanted = list(actions)
    tasks: list[Task] = []
    diverged: list[str] = []
    settings = configuring.live(wanted, stores.remote)

    def look(action: Action) -> tuple[Task, str]:
        if action.op is Op.CONFIGURE:
            view = View(None, None, setting=settings[action.key])
            state, why = judge(action, view)
            return Task(action, state, view, stores), why
        view = _with_md5(action, _view(action, stores, seen), stores)
        state, why = judge(action, view)
        # A listing tells less than a look; and one that came back short looks like any other.
        if seen and (state is State.DIVERGED or action.op is Op.DELETE_LOCAL):
            view = _with_md5(action, _view(action, stores, None), stores)
            state, why = judge(action, view)
        if state is State.DIVERGED and _may_be_done(action, view):
            state, why = judge(_read_up(action, view, stores), view)
        if (
            action.op is Op.PUBLISH
            and state is State.HALF
            and not _is_published(action, view, stores)
        ):
            state, why = State.DIVERGED, "somebody else has published a manifest"
        if state is State.DIVERGED and _may_be_copied(action, view):
            assert view.remote  # noqa: S101  (just asked)
            view = replace(view, remote=copies.proved(stores.remote, view.remote))
            state, why = judge(action, view)
        return Task(action, state, view, stores), why

    def look_at(some: Sequence[Action]) -> list[tuple[Task, str]]:
        return list(map(look, some))

    portions = pool.batches(wanted, _TOGETHER if seen else 1)
    for batches in pool.each(look_at, portions, workers=workers, name="preflight"):
        for task, why in chain.from_iterable(batches):
            tasks.append(task)
            if task.state is State.DIVERGED:
                diverged.append(f"{task.action.key}: {why}")
        progress(Tick("preflight", "", len(tasks), 0, len(wanted)))
    diverged += _early(tasks)
    if diverged:
        shown = "; ".join(sorted(diverged)[:_SHOWN])
        more = f"; and {len(diverged) - _SHOWN} more" if len(diverged) > _SHOWN else ""
        raise StaleError(f"the plan is stale, nothing was changed: {shown}{more}; plan again")
    rank = {action.id: at for at, action in enumerate(wanted)}
    return sorted(tasks, key=lambda task: rank[task.action.id])


def _view(action: Action, stores: Stores, seen: Seen | None) -> View:
    if action.op is Op.PURGE or (action.op is Op.FORGET and action.reason == "scope_left"):
        return View(None, None)  # nothing to see; out of scope there may be no path to look at
    here = seen.local if seen else stores.near.head
    there = seen.remote if seen else stores.remote.head
    if action.op is Op.PUBLISH:
        return View(None, stores.remote.head(action.key))
    if promotes(action):
        mine = here(action.key)
        return View(mine, there(action.key), mine)
    if action.op in (Op.COPY, Op.MOVE) and action.source and action.source.key:
        old = action.source.key
        if in_place(action):
            return View(here(old), there(old))
        left = here(old) if action.op is Op.MOVE else None
        return View(here(action.key), there(action.key), there(old), left)
    mine = here(action.key)
    origin = action.source.key if action.source else None
    if action.op is Op.DOWNLOAD and origin and origin != action.key:
        return View(mine, there(action.key), there(origin))
    if action.op is Op.UPLOAD and mine is None and is_staged(action):
        assert action.source and action.source.key  # noqa: S101  (a staged upload names it)
        return View(None, there(action.key), stores.remote.head(action.source.key))
    return View(mine, there(action.key))


def _with_md5(action: Action, view: View, stores: Stores) -> View:
    """The view with the md5 of a local file, where that is all that a plan knows of what a download
    brings: a run that was cut may have brought it already."""
    content, mine = action.content, view.local
    if action.op is not Op.DOWNLOAD or not (content and content.md5 and mine):
        return view
    if same_content(mine, content) is not None:
        return view
    return replace(view, local=stores.local.with_md5(mine))


def _is_published(action: Action, view: View, stores: Stores) -> bool:
    """Whether a manifest is of the generation that an action would publish."""
    told = publisher.read(stores.remote, view.remote) if view.remote else None
    wanted = action.publication
    return bool(told and wanted and told.generation == wanted.generation)


def _early(tasks: Iterable[Task]) -> list[str]:
    """The manifests that nobody can have published for this plan, since something that comes before
    is not done."""
    before = {Op.UPLOAD, Op.DOWNLOAD, Op.COPY, Op.MOVE}
    waits = any(t.state is State.PENDING and t.action.op in before for t in tasks)
    half = (t for t in tasks if t.action.op is Op.PUBLISH and t.state is State.HALF)
    return [f"{t.action.key}: somebody else has published a manifest" for t in half if waits]


def _may_be_done(action: Action, view: View) -> bool:
    """Whether a download may have been made by a run that was cut before it could say so, and the
    plan knows too little of the object to tell."""
    content, mine = action.content, view.local
    if action.op is not Op.DOWNLOAD or not (content and mine and action.source):
        return False
    unknown = same_content(mine, content) is None or (mine.logical and not content.logical)
    return bool(unknown) and is_version(view.origin or view.remote, action.source.version)


def _may_be_copied(action: Action, view: View) -> bool:
    """The same of a copy from another bucket: the target does not tell whose bytes it holds."""
    found, content = view.remote, action.content
    if not (promotes(action) and found and content):
        return False
    return found.size == content.size and same_content(found, content) is None


def _read_up(action: Action, view: View, stores: Stores) -> Action:
    """The action with what the bytes of its object tell, rows included."""
    origin = view.origin or view.remote
    assert action.content and origin  # noqa: S101  (by the caller)
    with contents.fetched(stores.remote, origin, stores.local) as found:
        told = replace(action.content, sha256=found.sha256, logical=found.logical)
    return replace(action, content=told)
