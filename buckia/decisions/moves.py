"""Renames told apart from new content, so that no byte is sent twice. Pure."""

from __future__ import annotations

from buckia import headers, mime
from buckia.model import Action, Content, Entry, Op, Source, action_id, content_of, replace
from buckia.reconcile import Decision, Verdict
from buckia.stores.base import Capabilities


def pair(
    bucket: str, decisions: list[Decision], capabilities: Capabilities
) -> tuple[list[Action], list[Decision]]:
    """Pair an upload with the key its content had before: a copy inside the service, no bytes sent.

    Where the old key may be deleted the two are one move, else the old key stays and it is a copy.
    Only bytes count here, so databases are left out; so are empty files, which have no identity.
    A copy brings its headers along: where rules want fewer at the new key, it is no such pair.
    """
    if not capabilities.copy:
        return [], decisions
    old: dict[str, list[Decision]] = {}
    for item in decisions:
        if item.reason == "local_deleted" and (digest := _identity(item.base)):
            old.setdefault(digest, []).append(item)
    actions: list[Action] = []
    gone: set[str] = set()
    for item in decisions:
        digest = _identity(item.local) if item.reason == "local_new" else None
        twins = old.get(digest) if digest else None
        twin = next((one for one in twins or () if _can_become(one, item, capabilities)), None)
        if twins is None or twin is None:
            continue
        twins.remove(twin)
        moved = twin.verdict is Verdict.DELETE_REMOTE
        actions.append(_move(bucket, item, twin, Op.MOVE if moved else Op.COPY))
        gone |= {item.key, twin.key} if moved else {item.key}
    return actions, [item for item in decisions if item.key not in gone]


def _move(bucket: str, new: Decision, old: Decision, op: Op) -> Action:
    assert new.local and old.remote  # noqa: S101  (rows x-- and -bb, by the caller)
    return Action(
        id=action_id(op, bucket, new.key),
        op=op,
        bucket=bucket,
        key=new.key,
        reason="renamed",
        source=Source(path=new.local.path, key=old.key, version=old.remote.version),
        content=replace(
            content_of(new.local), version=None, type=_type_for(new, old), headers=new.headers
        ),
        expect=None,
        undo=None,
    )


def _type_for(new: Decision, old: Decision) -> str | None:
    """The content type a copy is given; None where it keeps the one it has."""
    same = mime.guess(new.key) == mime.guess(old.key)
    return None if same else headers.type_for(new.key, new.headers)


def _can_become(old: Decision, new: Decision, capabilities: Capabilities) -> bool:
    """Whether a copy of the old object can have the headers that are wanted at the new key."""
    had, wanted = (old.base.headers if old.base else None) or {}, new.headers or {}
    if had == wanted and _type_for(new, old) is None:
        return True
    return capabilities.headers_in_place and had.keys() <= wanted.keys()


def _identity(entry: Entry | None) -> str | None:
    if entry is None or entry.logical or not entry.size:
        return None
    return entry.sha256


def plain(entry: Entry | None) -> Content | None:
    """What a plan says of a local file: no token, which would only repeat the digest."""
    return replace(content_of(entry), version=None) if entry else None
