"""Which manifests of a bucket have to be published, and what each will name. Pure.

A manifest names what the lockfile knows of a folder, under whatever name it knows it: the bucket's
own, or that of a pair whose target the bucket is; and of that what the bucket really holds.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Final

from msgspec import Struct

from buckia import documents, mime
from buckia.headers import STORAGE, kind_of
from buckia.lockfile import Locked, Lockfile
from buckia.manifest import folder_of, key_of
from buckia.model import (
    Action,
    Content,
    Entry,
    Headers,
    Op,
    Publication,
    Published,
    Source,
    action_id,
    in_place,
)
from buckia.pairs import pair_of, written_by

CHANGED: Final = "manifest"
GONE: Final = "folder_gone"
"""The folder holds nothing any more that a manifest could name, or has moved away."""
OFF: Final = "switched_off"

CACHE_CONTROL: Final = "cache-control"
_FRESH: Final = {CACHE_CONTROL: "no-cache"}
"""What a manifest is served with unless rules say otherwise: kept, but asked for each time."""

_TAKES_AWAY: Final = (Op.DELETE_REMOTE, Op.DELETE_LOCAL, Op.FORGET)
BRINGS: Final = (Op.UPLOAD, Op.DOWNLOAD, Op.COPY, Op.MOVE, Op.ADOPT)

Candidates = dict[str, list[Locked]]
"""What is known of each key, the bucket's own knowledge first."""


class View(Struct, frozen=True):
    """What a plan saw of a bucket.

    seen       the object at a key; None where there is none
    covers     whether the listing would have shown a key
    manifest   the manifest of a folder, looked up where the listing does not show it
    generation what the manifest in the bucket says it is; 0 where it is none
    """

    seen: Callable[[str], Entry | None]
    covers: Callable[[str], bool]
    manifest: Callable[[str], Entry | None]
    generation: Callable[[Entry], int]


class Wanted(Struct, frozen=True):
    """What of a bucket is to be published.

    name     the bucket, or the pair, that the plan is made under
    enabled  whether it has manifests at all
    headers  those of a manifest, by its key
    only     these folders and no others
    touched  of those, only what the plan changes something in
    """

    name: str
    enabled: bool
    headers: Callable[[str], Headers]
    only: frozenset[str] | None = None
    touched: bool = False


def headers_for(rules: Headers | None, settable: Container[str]) -> Headers:
    """The headers of a manifest, of those that can be set: those that rules want for it, and that
    it is asked for anew each time."""
    wanted = _FRESH | (rules or {})
    able = [name for name in sorted(wanted) if kind_of(name) in settable and name != STORAGE]
    return {name: wanted[name] for name in able}


def known(lock: Lockfile, bucket: str, only: frozenset[str] | None = None) -> dict[str, Candidates]:
    """What the lockfile knows of a bucket's folders, by folder."""
    names = [bucket, *sorted(n for n in lock.buckets if pair_of(n) and written_by(n) == bucket)]
    states = [lock.state(name) for name in names]
    found: dict[str, Candidates] = {}
    for entries in [*(s.entries for s in states), *(s.brought for s in states)]:
        for key, item in entries.items():
            folder = folder_of(key)
            if folder is not None and (only is None or folder in only):
                found.setdefault(folder, {}).setdefault(key, []).append(item)
    return found


def record_of(lock: Lockfile, bucket: str, folder: str) -> Published | None:
    """What is remembered of a folder's manifest: the latest, under whatever name."""
    names = (name for name in lock.buckets if written_by(name) == bucket)
    found = (lock.state(name).published.get(folder) for name in names)
    return max(filter(None, found), key=lambda item: item.generation, default=None)


def digest_of(files: Mapping[str, Locked], headers: Headers) -> str:
    """What tells whether a manifest would name anything else, or be served otherwise.

    Of a database the token tells: the rows may be known and the bytes not.
    """
    told = {
        key: [item.token, kind(key, item), None if item.logical else item.sha256]
        for key, item in files.items()
    }
    return documents.digest([told, headers])


def kind(key: str, item: Locked) -> str:
    """The content type of an object, as a manifest tells it."""
    return item.type or mime.guess(key)


def plan(wanted: Wanted, lock: Lockfile, actions: Iterable[Action], view: View) -> list[Action]:
    """The manifests to be published after these actions, or taken away."""
    bucket, touched = written_by(wanted.name), touched_by(actions)
    only = frozenset(touched) if wanted.touched else wanted.only
    every = known(lock, bucket, only) if wanted.enabled else {}  # what is taken away names nothing
    folders = {*every, *touched}
    folders |= {f for n, s in lock.buckets.items() if written_by(n) == bucket for f in s.published}
    folders &= folders if only is None else only
    made = []
    for folder in sorted(folders, key=str.encode):
        record = record_of(lock, bucket, folder)
        step = _Step(wanted, folder, record, every.get(folder, {}), touched.get(folder, []))
        if action := step.action(view):
            made.append(action)
    return made


def touched_by(actions: Iterable[Action]) -> dict[str, list[Action]]:
    """The actions after which a folder is another, by folder."""
    found: dict[str, list[Action]] = {}
    for action in actions:
        if action.op not in (*_TAKES_AWAY, *BRINGS):
            continue
        keys = {action.key, *gone_by(action)}
        for folder in {folder for key in keys if (folder := folder_of(key)) is not None}:
            found.setdefault(folder, []).append(action)
    return found


def gone_by(action: Action) -> set[str]:
    """The keys that the bucket will not hold after an action, or the lockfile not know."""
    if action.op in _TAKES_AWAY:
        return {action.key}
    source = action.source
    moves = action.op is Op.MOVE and source is not None and source.bucket is None
    return {source.key} if moves and source and source.key else set()


class _Step(Struct, frozen=True):
    """One folder of a plan."""

    wanted: Wanted
    folder: str
    record: Published | None
    known: Candidates
    actions: list[Action]

    def action(self, view: View) -> Action | None:
        """What has to be done about the folder's manifest, or None."""
        if not self.wanted.enabled:
            return self._removal(view, OFF) if self.record and self.record.token else None
        here = f"{self.folder}/"
        brings = (item.key for item in self.actions if item.op in BRINGS)
        brought = {key for key in brings if key.startswith(here)}
        gone = {key for item in self.actions for key in gone_by(item)}
        held = {
            key: item
            for key, candidates in self.known.items()
            if key not in gone and (item := in_step(candidates, view, key))
        }
        if not (held or brought):
            return self._removal(view, GONE) if self.record else None
        found = view.manifest(self.folder)
        if not self._is_due(found, held):
            return None
        omits = self.known.keys() - held.keys() - brought - gone
        generation = max(
            self._generation(found, view), self.record.generation if self.record else 0
        )
        told = Publication(generation + 1, tuple(sorted(omits, key=str.encode)))
        return make(self.wanted.name, self.folder, CHANGED, found, told)

    def _generation(self, found: Entry | None, view: View) -> int:
        """What a manifest that others have published says of itself."""
        ours = found is None or (self.record and found.version == self.record.token)
        return 0 if ours or found is None else view.generation(found)

    def _is_due(self, found: Entry | None, held: Mapping[str, Locked]) -> bool:
        record = self.record
        if record is None or found is None or found.version != record.token:
            return True
        if any(_changes(item, self.known.get(item.key, [])) for item in self.actions):
            return True
        return record.named != digest_of(held, self.wanted.headers(key_of(self.folder)))

    def _removal(self, view: View, reason: str) -> Action | None:
        found = view.manifest(self.folder)
        return make(self.wanted.name, self.folder, reason, found) if found else None


def in_step(candidates: list[Locked], view: View, key: str) -> Locked | None:
    """What is known of an object, if it is still the one in the bucket."""
    if not view.covers(key):
        return candidates[0]
    found = view.seen(key)
    same = (item for item in candidates if found and item.token == found.version)
    return next(same, None)


def _changes(action: Action, candidates: list[Locked]) -> bool:
    """Whether the manifest names something else after an action. A file that is fetched back is the
    object that was known."""
    if action.op is not Op.DOWNLOAD or in_place(action):
        return True
    version = action.source.version if action.source else None
    return all(item.token != version for item in candidates)


def make(
    name: str,
    folder: str,
    reason: str,
    found: Entry | None,
    publication: Publication | None = None,
    source: Source | None = None,
) -> Action:
    """The action that publishes a folder's manifest, or takes it away."""
    key = key_of(folder)
    return Action(
        id=action_id(Op.PUBLISH, name, key),
        op=Op.PUBLISH,
        bucket=name,
        key=key,
        reason=reason,
        source=source,
        content=None,
        expect=Content(found.size, version=found.version) if found else None,
        undo=None,
        publication=publication,
    )
