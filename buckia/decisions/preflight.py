"""Before the first change: is each action still what was reviewed? The judgement is pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from buckia.headers import contradicts, wears
from buckia.model import (
    Action,
    Content,
    Entry,
    Op,
    Value,
    in_place,
    is_kept,
    is_staged,
    promotes,
    same_content,
)
from buckia.pairs import pair_of


class State(StrEnum):
    """How the world stands to an action."""

    PENDING = "pending"
    """The destination is what the action expects: it can be done."""
    HALF = "half"
    """A copy that is made, and whose old key or whose old headers may still be there; a manifest
    that may be the one to be published."""
    SATISFIED = "satisfied"
    """The destination already is what the action leaves behind."""
    DIVERGED = "diverged"
    """Neither: somebody changed something since the plan."""


class View(Struct, frozen=True):
    """What is there now: the local file and the object.

    `origin` is the object that a move or copy is made from, or a download under another name, or
    that holds what was staged; `left` the local file under a move's old name. In a promotion the
    object of the source is in the place of the local file. For a setting, its document.
    """

    local: Entry | None
    remote: Entry | None
    origin: Entry | None = None
    left: Entry | None = None
    setting: Value | None = None


Judgement = tuple[State, str]

_CHANGED: Final = "has changed since the plan"
_APPEARED: Final = "has appeared since the plan"
_VANISHED: Final = "is gone since the plan"
_STAGING: Final = "`buckia plan --stage` puts into the bucket what a plan needs"


def judge(action: Action, view: View) -> Judgement:
    """Whether an action is pending, satisfied or diverged; for the last, what happened to what."""
    judges = _BETWEEN if promotes(action) and action.op in _BETWEEN else _JUDGES
    return judges[action.op](action, view)


def is_version(entry: Entry | None, version: str | None) -> bool:
    """Whether the object is there and still the version named."""
    return entry is not None and version is not None and entry.version == version


def _difference(found: Entry | None, expected: Content | None, what: str) -> Judgement:
    why = _APPEARED if expected is None else _VANISHED if found is None else _CHANGED
    return State.DIVERGED, f"{what} {why}"


def _upload(action: Action, view: View) -> Judgement:
    content, expect, found = action.content, action.expect, view.remote
    assert content  # noqa: S101  (the schema of plans)
    untouched = is_version(found, expect.version) if expect else found is None
    arrived = found is not None and same_content(found, content) and not (expect and untouched)
    if found and arrived and not contradicts(found, content.headers):
        return State.SATISFIED, ""
    if not untouched:
        return _difference(found, expect, "the object in the bucket")
    if view.local is None:
        return _without_file(action, view)
    if not same_content(view.local, content):
        return State.DIVERGED, f"the local file {_CHANGED}"
    return State.PENDING, ""


def _without_file(action: Action, view: View) -> Judgement:
    """An upload whose local file is not here: what it held may be staged."""
    if not is_staged(action):
        words = f"the local file {_VANISHED} (or was never on this machine: {_STAGING})"
        return State.DIVERGED, words
    assert action.source  # noqa: S101  (by `is_staged`)
    if is_version(view.origin, action.source.version):
        return State.PENDING, ""
    why = _VANISHED if view.origin is None else _CHANGED
    return State.DIVERGED, f"what was staged of it {why} ({_STAGING})"


def _is_here(action: Action, view: View) -> bool:
    """Whether the local file is what it was, or is not needed and not there."""
    if view.local is None:
        return is_staged(action)
    return bool(action.content and same_content(view.local, action.content))


def _download(action: Action, view: View) -> Judgement:
    content, expect, found = action.content, action.expect, view.local
    assert content and action.source  # noqa: S101
    if found and same_content(found, content):
        return State.SATISFIED, ""
    untouched = found is None if expect is None else bool(found and same_content(found, expect))
    if not untouched:
        return _difference(found, expect, "the local file")
    origin = view.remote if action.source.key in (None, action.key) else view.origin
    if not is_version(origin, action.source.version):
        return _difference(origin, content, "the object in the bucket")
    return State.PENDING, ""


def _copy(action: Action, view: View) -> Judgement:
    content, source = action.content, action.source
    assert content and source  # noqa: S101
    if in_place(action):
        return _change_headers(action, view)
    if view.remote and same_content(view.remote, content):
        return (State.SATISFIED if wears(view.remote, content) else State.HALF), ""
    if view.remote:
        return State.DIVERGED, f"the object in the bucket {_APPEARED}"
    if not (is_kept(action) or _is_here(action, view)):
        return _difference(view.local, content, "the local file")
    if not is_version(view.origin, source.version):
        return _difference(view.origin, content, f"the object {source.key!r} it is copied from")
    return State.PENDING, ""


def _change_headers(action: Action, view: View) -> Judgement:
    """A file that a download of the same plan brings is not looked at: that is the download's."""
    content, expect, source, found = action.content, action.expect, action.source, view.remote
    assert content and source  # noqa: S101
    if source.path is not None and not _is_here(action, view):
        return _difference(view.local, content, "the local file")
    untouched = is_version(found, source.version)
    if (
        found
        and (untouched or same_content(found, content))
        and _is_changed(found, content, expect)
    ):
        return State.SATISFIED, ""
    return (
        (State.PENDING, "") if untouched else _difference(found, expect, "the object in the bucket")
    )


def _is_changed(found: Entry, content: Content, expect: Content | None) -> bool:
    """Whether an object has the new headers and no longer those that were to go; not if it was
    only listed, where the listing does not tell."""
    gone = ((expect.headers if expect else None) or {}).keys() - (content.headers or {}).keys()
    seen = found.headers is not None or not gone
    return seen and wears(found, content) and not (gone & (found.headers or {}).keys())


def _move(action: Action, view: View) -> Judgement:
    content, source = action.content, action.source
    assert content and source  # noqa: S101
    arrived = view.remote is not None and bool(same_content(view.remote, content))
    if arrived and view.origin is None and view.remote:
        return (State.SATISFIED if wears(view.remote, content) else State.HALF), ""
    if view.left is not None:
        return State.DIVERGED, f"the local file {source.key!r} {_APPEARED}"
    if arrived and is_version(view.origin, source.version):
        return State.HALF, ""
    if arrived:
        return State.DIVERGED, f"the object {source.key!r} it is moved from {_CHANGED}"
    return _copy(action, view)


def _delete_remote(action: Action, view: View) -> Judgement:
    assert action.expect  # noqa: S101
    if view.remote is None:
        return State.SATISFIED, ""
    if not is_version(view.remote, action.expect.version):
        return State.DIVERGED, f"the object in the bucket {_CHANGED}"
    if view.local is not None:
        what = "an object in the source" if pair_of(action.bucket) else "a local file"
        return State.DIVERGED, f"{what} {_APPEARED}"
    return State.PENDING, ""


def _delete_local(action: Action, view: View) -> Judgement:
    assert action.expect  # noqa: S101
    if view.local is None:
        return State.SATISFIED, ""
    if not same_content(view.local, action.expect):
        return State.DIVERGED, f"the local file {_CHANGED}"
    if view.remote is not None:
        return State.DIVERGED, f"an object in the bucket {_APPEARED}"
    return State.PENDING, ""


def _adopt(action: Action, view: View) -> Judgement:
    assert action.content  # noqa: S101
    if not _is_here(action, view):
        return _difference(view.local, action.content, "the local file")
    if not is_version(view.remote, action.content.version):
        return _difference(view.remote, action.content, "the object in the bucket")
    return State.PENDING, ""


def _forget(action: Action, view: View) -> Judgement:
    if action.reason == "both_deleted" and (view.local or view.remote):
        return State.DIVERGED, f"it {_APPEARED}"
    if view.local and pair_of(action.bucket):  # gone from the source, and the target keeps it
        return State.DIVERGED, f"an object in the source {_APPEARED}"
    return State.PENDING, ""


def _configure(action: Action, view: View) -> Judgement:
    assert action.setting  # noqa: S101  (the schema of plans)
    if view.setting == action.setting.then:
        return State.SATISFIED, ""
    if view.setting != action.setting.now:
        return State.DIVERGED, f"the setting {_CHANGED}"
    return State.PENDING, ""


def _publish(action: Action, view: View) -> Judgement:
    """Another manifest than expected may be the one that a run published before it was cut."""
    expect, found = action.expect, view.remote
    if is_version(found, expect.version) if expect else found is None:
        return State.PENDING, ""
    if action.publication is None and found is None:
        return State.PENDING, ""  # gone already, the source's may not be
    if action.publication is not None and found is not None:
        return State.HALF, ""
    return _difference(found, expect, "the manifest in the bucket")


def _promotion(action: Action, view: View) -> Judgement:
    """A copy from another bucket; `view.local` is the object there."""
    content, expect, source, found = action.content, action.expect, action.source, view.remote
    assert content and source  # noqa: S101  (the schema of plans)
    untouched = is_version(found, expect.version) if expect else found is None
    if found and not (expect and untouched) and same_content(found, content):
        return State.SATISFIED, ""
    if not untouched:
        return _difference(found, expect, "the object in the target")
    if not is_version(view.local, source.version):
        return _difference(view.local, content, "the object in the source")
    return State.PENDING, ""


def _departure(action: Action, view: View) -> Judgement:
    """A copy from another bucket, where the object goes once its copy is there."""
    content, source = action.content, action.source
    assert content and source  # noqa: S101  (the schema of plans)
    arrived = view.remote is not None and same_content(view.remote, content) is True
    if arrived and view.local is None:
        return State.SATISFIED, ""
    if arrived and is_version(view.local, source.version):
        return State.HALF, ""
    if arrived:
        return State.DIVERGED, f"the object in the source {_CHANGED}"
    return _promotion(action, view)


def _agreement(action: Action, view: View) -> Judgement:
    """Two buckets that hold the same: both still what they were."""
    content, source = action.content, action.source
    assert content and source  # noqa: S101  (the schema of plans)
    if not is_version(view.local, source.version):
        return _difference(view.local, content, "the object in the source")
    if not is_version(view.remote, content.version):
        return _difference(view.remote, content, "the object in the target")
    return State.PENDING, ""


_BETWEEN: Final[Mapping[Op, Callable[[Action, View], Judgement]]] = {
    Op.COPY: _promotion,
    Op.MOVE: _departure,
    Op.ADOPT: _agreement,
}

_JUDGES: Final[Mapping[Op, Callable[[Action, View], Judgement]]] = {
    Op.UPLOAD: _upload,
    Op.DOWNLOAD: _download,
    Op.COPY: _copy,
    Op.MOVE: _move,
    Op.DELETE_REMOTE: _delete_remote,
    Op.DELETE_LOCAL: _delete_local,
    Op.ADOPT: _adopt,
    Op.FORGET: _forget,
    Op.PURGE: lambda action, view: (State.PENDING, ""),  # no cache tells what it holds
    Op.CONFIGURE: _configure,
    Op.PUBLISH: _publish,
}
