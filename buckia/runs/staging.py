"""What a plan needs of local files, in the bucket: so that apply can run where they are not.

Each content is an object below `.buckia/stage/`, under its sha256 and so once for all files that
hold it. The plan names its version. Nothing else in the bucket is touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from msgspec import Struct

from buckia import planfile, pool
from buckia.errors import Interrupted, PreconditionError, StoreError
from buckia.execution import copies
from buckia.execution.tasks import entry_of
from buckia.model import Action, Entry, Op, Source, Tick, is_staged, replace, same_content
from buckia.planfile import Plan
from buckia.rules import STAGE
from buckia.stores.base import Store
from buckia.stores.local import LocalStore
from buckia.streams.flight import watched
from buckia.workspace import Workspace

NEEDING: Final = (Op.UPLOAD, Op.COPY, Op.MOVE, Op.ADOPT)
"""What looks at a local file, and can do without it."""


class Sent(Struct, frozen=True):
    """A content that is staged: how, and whether it had to be sent."""

    entry: Entry
    new: bool


class Staged(Struct, frozen=True):
    """A plan that needs no local files, and the objects that were sent for it."""

    plan: Plan
    sent: tuple[Entry, ...] = ()


def stage(space: Workspace, plan: Plan) -> Staged:
    """Put what the plan uploads into its buckets, and say so in the plan.

    What is there already is not sent again. Raises `Interrupted` after a signal, and the errors of
    stores where a file changed since the plan or a bucket refuses; what was staged stays then.
    """
    if any(head.promotion for head in plan.buckets.values()):
        return Staged(plan)
    actions = {action.id: action for action in plan.actions}
    sent: list[Entry] = []
    for name in plan.buckets:
        mine = [item for item in plan.actions if item.bucket == name and item.op in NEEDING]
        found = _stage_bucket(space, plan, name, [a for a in mine if a.op is Op.UPLOAD])
        sent += [item.entry for item in found.values() if item.new]
        actions |= {action.id: _marked(action, found) for action in mine}
    made = replace(plan, actions=tuple(actions.values()))
    return Staged(planfile.seal(made), tuple(sent))


def unstaged(plan: Plan) -> Plan:
    """The plan as it was before anything was staged for it."""
    actions = tuple(map(_unmarked, plan.actions))
    return planfile.seal(replace(plan, actions=actions))


def clear(space: Workspace, plan: Plan, names: Iterable[str]) -> None:
    """Delete what was staged for the plan in these buckets, if it still is that.

    What cannot be deleted is left to `buckia gc`: the plan is applied whether it goes or not.
    """
    for name in names:
        for entry in _staged(plan, name):
            with suppress(StoreError):
                space.remote(name).delete(entry)


def _staged(plan: Plan, name: str) -> list[Entry]:
    """The staged objects that a plan names in a bucket, each once."""
    found = {
        action.source.key: Entry(
            action.source.key, action.content.size, version=action.source.version
        )
        for action in plan.actions
        if action.bucket == name and action.op is Op.UPLOAD and is_staged(action)
        if action.source and action.source.key and action.content
    }
    return list(found.values())


def _stage_bucket(
    space: Workspace, plan: Plan, name: str, uploads: list[Action]
) -> dict[str, Sent]:
    """What is staged of these uploads, by key of the stage."""
    named = {item.key: item.source.path for item in uploads if item.source and item.source.path}
    base = space.load_state().lock.state(name).base()
    local, remote = space.local(name, base, plan.digest, named), space.remote(name)
    once = {key: action for action in uploads if (key := _key(action))}
    found: dict[str, Sent] = {}

    def send(item: tuple[str, Action]) -> tuple[str, Sent]:
        key, action = item
        return key, _send(space, local, remote, key, action)

    workers = space.config.bucket(name).max_workers
    for batch in pool.each(
        send, list(once.items()), workers=workers, name="stage", stop=space.stop
    ):
        found |= dict(batch)
        space.progress(Tick("stage", "", len(found), 0, len(once)))
        if space.stop.is_set():
            raise Interrupted("stopped; what was staged stays; run it again to go on")
    return found


def _send(space: Workspace, local: LocalStore, remote: Store, key: str, action: Action) -> Sent:
    """One content into the stage; read first where it is there and the bucket does not tell."""
    assert action.content  # noqa: S101  (the schema of plans)
    wanted = replace(entry_of(key, action.content), version=None)
    there = remote.head(key)
    if there is not None:
        same = same_content(replace(there, logical=None), action.content)
        found = copies.proved(remote, there) if same is None else there
        if same_content(found, action.content):
            return Sent(there, new=False)
    mine = local.head(action.key)
    if mine is None or not same_content(mine, action.content):
        raise PreconditionError(f"{action.key}: the local file has changed since; plan again")
    with local.open(mine) as body:
        stored = remote.put(wanted, watched(body, space.stop), replacing=there)
    return Sent(stored, new=True)


def _key(action: Action) -> str | None:
    """Where the content of an upload is staged."""
    content = action.content
    return f"{STAGE}{content.sha256}" if content and content.sha256 else None


def _marked(action: Action, found: dict[str, Sent]) -> Action:
    """The action as one that needs no local file."""
    source = action.source
    if source is None or source.path is None:  # the same plan brings the file
        return action
    if action.op is not Op.UPLOAD:
        return replace(action, source=replace(source, staged=True))
    key = _key(action)
    if key is None:
        return action
    version = found[key].entry.version
    return replace(action, source=replace(source, key=key, version=version, staged=True))


def _unmarked(action: Action) -> Action:
    if not (action.source and action.source.staged):
        return action
    if action.op is Op.UPLOAD:
        return replace(action, source=Source(path=action.source.path))
    return replace(action, source=replace(action.source, staged=False))
