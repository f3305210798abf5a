"""What no plan may do, whoever wrote it: a digest proves who was read, not who is right. Pure.

A plan that buckia made under this configuration always passes. One that was made by hand, or for
another purpose, is refused whole before either side is looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from buckia import purges
from buckia.decisions import phases, planner
from buckia.errors import DocumentError, StaleError
from buckia.layout import Layout
from buckia.model import KEPT, Action, Op, Undo, Value, in_place, is_kept, is_staged
from buckia.pairs import Pair, pair_of
from buckia.planfile import Plan
from buckia.rules import STAGE

Refuse = Callable[[str], str | None]
"""Why a key is out of scope, or None."""


def demand_sound(plan: Plan) -> None:
    """Raise `DocumentError` for a plan that contradicts itself."""
    if why := next(_contradictions(plan), None):
        raise DocumentError(f"the plan is not sound: {why}; nothing was changed; plan again")


def demand_within(
    plan: Plan, bucket: str, layout: Layout, refuse: Refuse, kept: Undo, *, caches: bool
) -> None:
    """Raise `DocumentError` for an action that leads where the bucket's configuration does not.

    `kept` is where this bucket keeps what is overwritten or deleted in it, `caches` whether there
    are any to be purged.
    """
    _demand(plan, bucket, lambda action: _strays(action, layout, refuse), kept, caches=caches)


def demand_between(plan: Plan, pair: Pair, refuse: Refuse, kept: Undo, *, caches: bool) -> None:
    """Raise `DocumentError` for an action of a promotion that leads out of its folders or buckets.

    `kept` and `caches` are those of the target.
    """
    _demand(plan, pair.name, lambda a: _crosses(a, plan, pair, refuse), kept, caches=caches)


def _demand(
    plan: Plan, name: str, strays: Callable[[Action], str | None], kept: Undo, *, caches: bool
) -> None:
    mine = [action for action in plan.actions if action.bucket == name]
    idle = _idle(plan, name)
    for action in mine:
        if action.op is Op.PURGE:
            why = idle.get(action.key) if caches else _NO_CACHES
        else:
            why = strays(action) or _misplaces(action, kept)
        if why:
            raise DocumentError(
                f"the plan is not sound: {action.op} of {action.key!r} {why}; nothing was "
                "changed; plan again"
            )


_NO_CACHES: Final = "needs a `pull_zone` and the `api_key` of its account, which are not configured"


def _idle(plan: Plan, name: str) -> dict[str, str]:
    """The purges that are for nothing the plan does, nor left over, and why they may not be."""
    found = [action for action in plan.actions if (action.op, action.bucket) == (Op.PURGE, name)]
    keys = purges.touched(plan.actions, name).values()
    used = purges.due((action.key for action in found), keys)
    return {
        action.key: "is for nothing that the plan changes"
        for action in found
        if action.key not in used and action.reason != purges.LEFT_OVER
    }


_BETWEEN: Final = (Op.COPY, Op.MOVE, Op.ADOPT, Op.DELETE_REMOTE, Op.FORGET, Op.PUBLISH)
"""What can be done between two buckets."""


def _crosses(action: Action, plan: Plan, pair: Pair, refuse: Refuse) -> str | None:
    """Why the keys of an action are none of what is promoted."""
    if action.op not in _BETWEEN or (action.op is Op.MOVE and plan.kind != "move"):
        return "is nothing that a promotion does"
    if action.op is Op.FORGET:
        return None
    if not action.key.startswith(tuple(f"{folder}/" for folder in plan.scope.paths)):
        return f"names the key {action.key!r}, which is in none of the folders"
    source = action.source
    if action.op is Op.PUBLISH:
        return _mispublishes(action, plan, pair)
    if why := refuse(action.key):
        return f"names the key {action.key!r}: {why}"
    if source and (source.bucket, source.key, source.path) != (pair.source, action.key, None):
        return "takes its bytes from somewhere else"
    if action.op is not Op.DELETE_REMOTE and source is None:
        return "has no source"
    return None


def _mispublishes(action: Action, plan: Plan, pair: Pair) -> str | None:
    """Why the manifest of a source may not go."""
    source = action.source
    if source is None:
        return None
    if plan.kind != "move" or (source.bucket, source.key) != (pair.source, action.key):
        return "takes away another manifest than that of a folder that moves"
    return None


def demand_published(plan: Plan, name: str, *, publishes: bool) -> None:
    """Raise `DocumentError` for a manifest that is published where the bucket is to have none."""
    for action in plan.actions:
        if action.bucket == name and action.publication is not None and not publishes:
            raise DocumentError(
                f"the plan is not sound: it publishes {action.key!r}, and `manifest` is not set "
                "for that bucket; nothing was changed; plan again"
            )


def demand_declared(plan: Plan, bucket: str, declared: Mapping[str, Value | None]) -> None:
    """Raise for a setting that the bucket's configuration does not declare, or not so."""
    for action in plan.actions:
        if action.bucket != bucket or action.setting is None:
            continue
        if action.key not in declared:
            raise DocumentError(
                f"the plan is not sound: it configures {action.key!r}, which the `settings` of "
                f"`{bucket}` do not declare; nothing was changed; plan again"
            )
        if action.setting.then != declared[action.key]:
            raise StaleError(
                f"the setting {action.key!r} of `{bucket}` is declared otherwise than the plan has "
                "it; nothing was changed; plan again"
            )


def _contradictions(plan: Plan) -> Iterator[str]:
    if plan.conflicts or plan.blocked:
        yield "it says that it is applyable, and has conflicts or is blocked"
    if phases.order(plan.actions) != plan.actions:
        yield "its actions are not in order"
    for name, head in plan.buckets.items():
        pair, told = pair_of(name), head.promotion
        if (pair.source if pair else None) != (told.source if told else None):
            yield f"`{name}` says of another bucket that it is promoted from"
    if not plan.complete and any(action.op in phases.DELETIONS for action in plan.actions):
        yield "it says that a side was not seen complete, and deletes"
    comes = {(action.bucket, action.key) for action in plan.actions if action.op is Op.DOWNLOAD}
    yield from (
        f"the headers of {action.key!r} change and no local file is named"
        for action in plan.actions
        if _follows(action) and (action.bucket, action.key) not in comes
    )
    busy = (action for action in plan.actions if not _follows(action))
    places = Counter(place for action in busy for place in _changed(action))
    yield from (f"two actions change {key!r}" for (_, key), n in places.items() if n > 1)


def _follows(action: Action) -> bool:
    """Whether an action gives an object its headers, or its second key, after a download of it:
    two for one key."""
    dresses = in_place(action) and action.source is not None and action.source.path is None
    return dresses or is_kept(action)


def _changed(action: Action) -> list[tuple[str, str]]:
    """The keys that are not the same after an action, on a side or in the lockfile. A setting is
    none of them, though it may have the name of one."""
    if action.op in (Op.PURGE, Op.CONFIGURE):
        return []
    places = [(action.bucket, action.key)]
    if action.op is Op.MOVE and action.source and action.source.key is not None:
        places.append((action.source.bucket or action.bucket, action.source.key))
    return places


def _strays(action: Action, layout: Layout, refuse: Refuse) -> str | None:
    """Why the keys or the local file of an action are none of the bucket's."""
    if action.op is Op.FORGET:  # what has left the scope is forgotten, and nothing else
        return None
    if action.op is Op.CONFIGURE:  # its key is the name of a setting
        return None
    source = action.source
    if action.op is Op.PUBLISH:
        return "has a source, where nothing moves" if source else _unmapped(action.key, layout)
    origin = source.key if source else None
    if source and source.bucket is not None:
        return f"takes its bytes from the bucket {source.bucket!r}"
    if is_staged(action):
        if why := _misstages(action):
            return why
        origin = None if action.op is Op.UPLOAD else origin
    for key in (action.key, origin):
        if key is not None and (why := refuse(key)):
            return f"names the key {key!r}: {why}"
        if key is not None and layout.owner(key) is None:
            return f"names the key {key!r}, which is in no mapping of the bucket"
    renamed = action.reason == KEPT and action.expect is None
    if action.op is Op.DOWNLOAD and origin != action.key and not renamed:
        return f"takes its bytes from the key {origin!r}"
    path = source.path if source else None
    if path is not None and all(item.key_of(path) != action.key for item in layout.mappings):
        return f"takes its bytes from {path!r}, which is another file"
    return None


def _unmapped(key: str, layout: Layout) -> str | None:
    """Why the manifest of a folder is none of the bucket's."""
    folder = key.rpartition("/")[0] + "/"
    if any(prefix.startswith(folder) or folder.startswith(prefix) for prefix in layout.prefixes):
        return None
    if any(single.startswith(folder) for single in layout.single_keys):
        return None
    return f"names the key {key!r}, in whose folder no mapping leads"


def _misstages(action: Action) -> str | None:
    """Why what is staged for an action is not that of its content."""
    if action.op not in (Op.UPLOAD, Op.COPY, Op.MOVE, Op.ADOPT):
        return "needs no local file, and says that it was staged"
    content, source = action.content, action.source
    if action.op is not Op.UPLOAD:
        return None
    if not (content and content.sha256 and source and source.version):
        return "says that it was staged, and not what"
    if source.key != f"{STAGE}{content.sha256}":
        return f"takes its bytes from the key {source.key!r}"
    return None


def _misplaces(action: Action, kept: Undo) -> str | None:
    """Why what an action overwrites or deletes would not be kept where the plan says."""
    loses = not in_place(action)  # other headers are no other bytes, even where no digest tells it
    expected = planner.undo_of(action.op, action.content, action.expect, kept) if loses else None
    if action.undo is expected:
        return None
    return f"has `undo` {action.undo}, where it is {expected}"
