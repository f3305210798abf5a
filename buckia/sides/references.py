"""Whether everything that databases refer to will be in the bucket: `media_refs`.

Asked of each database that a plan publishes, and of those that stay where the plan deletes beside
them. Databases are read as snapshots; what is only in a bucket is fetched.
"""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from buckia import sqlite
from buckia.decisions.publications import gone_by
from buckia.errors import ConfigError, UsageError
from buckia.layout import clean
from buckia.manifest import folder_of
from buckia.model import Action, Base, Entry, Listing, Notice, Op, promotes
from buckia.sides.contents import fetched
from buckia.stores import files
from buckia.stores.base import Store
from buckia.stores.local import LocalStore

CODE: Final = "media_refs"
_SHOWN: Final = 3
_PUBLISHES: Final = (Op.UPLOAD, Op.COPY, Op.MOVE, Op.ADOPT)
_UNASKED: Final = "has none of the tables that `media_refs` asks for"


class Scene(Struct, frozen=True):
    """What a plan makes of a bucket, as far as references go.

    name     the bucket, or the pair, and `query` what its target is asked
    actions  what happens in the bucket
    there    whether an object that no action is about will be there to be read
    local    where temporary files go, and databases are; `source` is the bucket that is promoted
    target   the bucket, and `listing` what it holds, `base` what is known of that
    """

    name: str
    query: str
    actions: list[Action]
    there: Callable[[str], bool]
    local: LocalStore
    target: Store
    listing: Listing
    base: Base
    source: Store | None = None


class Found(Struct, frozen=True):
    """Why a plan is blocked, and what else there is to say."""

    blocked: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()


def check(scene: Scene) -> Found:
    """Hold what databases refer to against what will be there.

    Raises `ConfigError` for a query that no database can be asked.
    """
    gone = {key for action in scene.actions for key in _deleted(action)}
    brought = {action.key for action in scene.actions if action.op in _PUBLISHES} - gone
    blocked: list[str] = []
    notices: list[Notice] = []
    for key, opened in sorted(_databases(scene, gone).items()):
        with opened() as path:
            named = _asked(scene, path) if path else []
        if named is None:
            notices.append(Notice("no_references", scene.name, key, _UNASKED))
            continue
        folder = key.partition("/")[0]
        wanted = {f"{folder}/{_path(text)}" for text in named}
        missing = {k for k in wanted if k in gone or not (k in brought or scene.there(k))}
        if missing:
            blocked.append(_told(scene.name, key, sorted(missing)))
    return Found(tuple(blocked), tuple(notices))


def _deleted(action: Action) -> set[str]:
    """The keys that are no objects any more after an action."""
    return {action.key} if action.op is Op.DELETE_REMOTE else gone_by(action) - {action.key}


def _path(text: str) -> str:
    return unicodedata.normalize("NFC", clean(text))


def _told(name: str, key: str, missing: list[str]) -> str:
    shown = ", ".join(missing[:_SHOWN])
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return f"{CODE}: {name}/{key} refers to what would not be there: {shown}{more}"


def _asked(scene: Scene, path: Path) -> list[str] | None:
    try:
        return sqlite.referred(path, scene.query)
    except UsageError as problem:
        raise ConfigError(f"`{CODE}` of bucket `{scene.name}`: {problem}; correct it") from None


Opened = Callable[[], AbstractContextManager[Path | None]]
"""How to come by a database: a file of its own, gone at the end; None where there is none."""


def _databases(scene: Scene, gone: set[str]) -> Mapping[str, Opened]:
    """The databases to be asked, each with how to come by it."""
    found: dict[str, Opened] = {}
    for action in scene.actions:
        content = action.content
        if action.op in _PUBLISHES and content and content.logical and folder_of(action.key):
            found[action.key] = _of(scene, action)
    folders = {folder_of(key) for key in gone} - {None}
    for key, then in scene.base.items():
        stays = key in scene.listing.entries and key not in gone | found.keys()
        if then.logical and stays and folder_of(key) in folders:
            found[key] = _staying(scene, then, scene.listing.entries[key])
    return found


def _of(scene: Scene, action: Action) -> Opened:
    """The database that an action publishes."""
    if promotes(action) and scene.source is not None and action.source:
        assert action.content  # noqa: S101  (by the caller)
        origin = Entry(action.key, action.content.size, version=action.source.version)
        return lambda: _remote(scene.source, origin, scene.local)
    return lambda: _here(scene.local, action.key)


def _staying(scene: Scene, then: Entry, now: Entry) -> Opened:
    """A database that is not changed: the local file, where it is the same."""
    mine = scene.local.head(then.key) if scene.source is None else None
    if mine is not None and mine.logical == then.logical:
        return lambda: _here(scene.local, then.key)
    return lambda: _remote(scene.target, now, scene.local)


@contextmanager
def _here(local: LocalStore, key: str) -> Iterator[Path | None]:
    mine = local.head(key)
    if mine is None:
        yield None
        return
    with local.temporary() as path:
        with (
            files.explained(key),
            local.open(mine) as body,
            files.open_new(path, files.PRIVATE) as copy,
        ):
            shutil.copyfileobj(body, copy)
        yield path


@contextmanager
def _remote(store: Store | None, entry: Entry, local: LocalStore) -> Iterator[Path | None]:
    assert store  # noqa: S101  (by the caller)
    with fetched(store, entry, local) as found:
        yield found.database
