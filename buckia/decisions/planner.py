"""From decisions to the plan: collisions, moves, limits, actions in order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from buckia import columns, headers, purges
from buckia.decisions import header_changes, moves, safeguards
from buckia.decisions.moves import plain
from buckia.decisions.phases import DELETIONS
from buckia.model import (
    KEPT,
    Action,
    Conflict,
    Content,
    Entry,
    Listing,
    Notice,
    Op,
    Source,
    Undo,
    action_id,
    content_of,
    replace,
    same_content,
)
from buckia.reconcile import Decision, Verdict
from buckia.rules import NO_OVERRIDES, Overrides, Rules
from buckia.stores.base import Capabilities

_REPORTS: Final = {
    Verdict.ORPHAN: "gone locally, kept in the bucket: deletions do not travel here",
    Verdict.MISSING: "gone from the bucket, kept locally: deletions do not travel here",
    Verdict.FOREIGN: "in the bucket, not put there by buckia",
    Verdict.DRIFT: "the sides differ and this mapping's direction or policy leaves it so",
}
_UNSURE: Final = " (nothing is deleted while a side is not wholly known)"


Publish = Callable[[Sequence[Action]], Iterable[Action]]
"""The manifests to be published after some actions."""


def publishes_nothing(actions: Sequence[Action]) -> Iterable[Action]:
    """A `Publish` for buckets without manifests."""
    return ()


class BucketPlan(Struct, frozen=True):
    """The part of a plan that concerns one bucket."""

    actions: list[Action]
    conflicts: list[Conflict]
    notices: list[Notice]
    blocked: list[str]
    unchanged: int
    complete: bool


def plan_bucket(
    bucket: str,
    decisions: list[Decision],
    local: Listing,
    base: Mapping[str, Entry],
    remote: Listing,
    rules: Rules,
    capabilities: Capabilities,
    *,
    trash: bool = True,
    overrides: Overrides = NO_OVERRIDES,
    known: frozenset[str] = frozenset(),
    obstacles: Mapping[str, str] = safeguards.NONE,
    owed: tuple[str, ...] = (),
    configure: Sequence[Action] = (),
    publish: Publish = publishes_nothing,
) -> BucketPlan:
    """Everything the plan says about one bucket.

    `trash` keeps what is overwritten or deleted remotely where the bucket has no versions. `known`
    names the sides that carry the marker of this history (`safeguards.Scene`). `obstacles` are keys
    for which there is no room, with the reason. `owed` are purges that earlier runs left undone,
    `configure` the actions on the settings of the bucket, which the caller adds. `publish` tells
    which manifests follow.
    """
    complete = local.complete and remote.complete
    notices = [
        Notice("unreadable" if item.unknown else item.code, bucket, item.place, item.why)
        for item in (*local.skipped, *remote.skipped)
    ]
    decisions, clashes = safeguards.refuse_clashes(
        bucket, decisions, local, remote, folders=capabilities.folders, obstacles=obstacles
    )
    scene = safeguards.Scene(bucket, decisions, local, base, remote, known)
    blocked = safeguards.blocks(scene, rules, overrides)
    undo = kept_by(capabilities, trash=trash, actions=configure)
    actions, rest = moves.pair(bucket, decisions, capabilities)
    actions += [made for item in rest if (made := _action(bucket, item, undo))]
    actions += header_changes.changes(bucket, rest, capabilities)
    actions += [_kept(bucket, item) for item in rest if _keeps_other(item)]
    actions += publish(actions)
    if capabilities.caches:
        actions += purges.plan(bucket, actions, capabilities.caches, owed)
    conflicts = [conflict_of(bucket, item) for item in rest if item.verdict is Verdict.CONFLICT]
    notices += clashes + [
        Notice(
            str(item.verdict),
            bucket,
            item.key,
            _REPORTS[item.verdict] + ("" if complete else _UNSURE),
        )
        for item in rest
        if item.verdict in _REPORTS
    ]
    alike = header_changes.listed_alike(decisions, local, remote)
    notices += header_changes.warnings(bucket, rules.headers, capabilities, alike, base)
    notices += [
        Notice("resurrected", bucket, item.key, "deleted on one side, changed on the other: kept")
        for item in rest
        if item.reason == "resurrected"
    ]
    keys = columns.count(local.entries, remote.entries)
    old = (item for item in decisions if not _keeps_other(item))  # that key is none yet
    touched = sum(item.local is not None or item.remote is not None for item in old)
    return BucketPlan(actions, conflicts, notices, blocked, keys - touched, complete)


def _action(bucket: str, item: Decision, undo: Undo) -> Action | None:
    """The action of a verdict; None for reports and conflicts."""
    build = _BUILDERS.get(item.verdict)
    if build is None:
        return None
    op = Op(item.verdict)
    source, content, expect = build(item)
    return Action(
        id=action_id(op, bucket, item.key),
        op=op,
        bucket=bucket,
        key=item.key,
        reason=item.reason,
        source=source,
        content=content,
        expect=expect,
        undo=undo_of(op, content, expect, undo),
    )


def undo_of(op: Op, content: Content | None, expect: Content | None, kept: Undo) -> Undo | None:
    """Where bytes that an action takes away can be found; `kept` is how the bucket keeps its own.

    None where none are lost.
    """
    copies = op in (Op.COPY, Op.MOVE)
    if expect is None or not (copies or op in (Op.UPLOAD, Op.DOWNLOAD, *DELETIONS)):
        return None
    if copies and content and same_content(content, expect):
        return None
    return Undo.TRASH if op in (Op.DOWNLOAD, Op.DELETE_LOCAL) else kept


def kept_by(capabilities: Capabilities, *, trash: bool, actions: Iterable[Action] = ()) -> Undo:
    """How a bucket keeps what is overwritten or deleted in it by these actions.

    Where they also switch its versioning, versions do not count: they are kept on one side of that
    step only, and the plan has to hold on both.
    """
    switched = any(item.op is Op.CONFIGURE and item.key == "versioning" for item in actions)
    versions = capabilities.versions and not switched
    return Undo.VERSION if versions else Undo.TRASH if trash else Undo.NONE


_Parts = tuple[Source | None, Content | None, Content | None]


def _upload(item: Decision) -> _Parts:
    assert item.local  # noqa: S101
    kind = headers.type_for(item.key, item.headers)
    content = replace(content_of(item.local), version=None, type=kind, headers=item.headers)
    return Source(path=item.local.path), content, _seen(item.remote)


def _download(item: Decision) -> _Parts:
    assert item.remote  # noqa: S101
    source = Source(key=item.remote.key, version=item.remote.version)
    content = content_of(replace(_vouched(item), headers=header_changes.recorded(item)))
    return source, content, plain(item.local)


def _vouched(item: Decision) -> Entry:
    """The remote entry with what base knows of the same version: a listing tells less."""
    assert item.remote  # noqa: S101  (by the verdicts)
    if item.base and item.remote.version == item.base.version:
        return replace(item.remote, sha256=item.base.sha256, logical=item.base.logical)
    return item.remote


def _seen(entry: Entry | None) -> Content | None:
    return content_of(entry) if entry else None


def _adopt(item: Decision) -> _Parts:
    assert item.local and item.remote  # noqa: S101
    agreed = replace(
        item.local,
        version=item.remote.version,
        type=item.remote.type,
        headers=header_changes.recorded(item),
    )
    return Source(path=item.local.path), content_of(agreed), None


_BUILDERS: Final[Mapping[Verdict, Callable[[Decision], _Parts]]] = {
    Verdict.UPLOAD: _upload,
    Verdict.DOWNLOAD: _download,
    Verdict.DELETE_REMOTE: lambda item: (None, None, _seen(_vouched(item))),
    Verdict.DELETE_LOCAL: lambda item: (None, None, plain(item.local)),
    Verdict.ADOPT: _adopt,
    Verdict.FORGET: lambda item: (None, None, None),
}


def _keeps_other(item: Decision) -> bool:
    """Whether a download brings what would have lost its key, under another one."""
    return item.verdict is Verdict.DOWNLOAD and item.reason == KEPT


def _kept(bucket: str, item: Decision) -> Action:
    """The same object under its new key in the bucket, once its download is there."""
    assert item.remote  # noqa: S101  (by the verdict)
    return Action(
        id=action_id(Op.COPY, bucket, item.key),
        op=Op.COPY,
        bucket=bucket,
        key=item.key,
        reason=KEPT,
        source=Source(key=item.remote.key, version=item.remote.version),
        content=replace(content_of(item.remote), version=None, type=None, headers=item.headers),
        expect=None,
        undo=None,
    )


def conflict_of(bucket: str, item: Decision) -> Conflict:
    """A conflict as a plan tells it."""
    return Conflict(
        bucket=bucket,
        key=item.key,
        reason=item.reason,
        local=plain(item.local),
        base=_seen(item.base),
        remote=_seen(item.remote),
    )
