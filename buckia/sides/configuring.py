"""Settings of buckets, live and declared: what differs becomes actions.

Nothing is asked about that is not declared, and so nothing else can be changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from buckia import settings
from buckia.errors import ConfigError, StoreError
from buckia.model import Action, Notice, Op, Setting, Value, action_id
from buckia.stores.base import Configurable, Store, settings_of

UNREAD: Final = "unread_setting"
"""The code of a notice about a declared setting that cannot be read."""


class Found(Struct, frozen=True):
    """How the declared settings of a bucket stand: what differs, and what cannot be told."""

    differing: dict[str, Setting]
    unread: dict[str, str]


NONE: Final = Found({}, {})
"""Of a bucket that declares no settings."""


def compare(bucket: str, declared: Mapping[str, Value | None], store: Store) -> Found:
    """Hold the declared settings of a bucket against the live ones.

    Raises `ConfigError` for a bucket that has none, `StoreError` when nothing can be told at all.
    """
    if not declared:
        return NONE
    live = _settings(store, bucket).read(declared)
    unread = {name: str(now) for name, now in live.items() if isinstance(now, StoreError)}
    differing = {
        name: Setting(now, declared[name])
        for name, now in live.items()
        if not isinstance(now, StoreError) and now != declared[name]
    }
    return Found(differing, unread)


def actions(bucket: str, found: Found) -> list[Action]:
    """An action for each setting that differs."""
    return [_action(bucket, name, setting) for name, setting in found.differing.items()]


def _action(bucket: str, name: str, setting: Setting) -> Action:
    now, then = setting.now, setting.then
    reason = "new" if now is None else "unwanted" if then is None else "changed"
    return Action(
        id=action_id(Op.CONFIGURE, bucket, name),
        op=Op.CONFIGURE,
        bucket=bucket,
        key=name,
        reason=f"setting_{reason}",
        source=None,
        content=settings.content(then),
        expect=settings.content(now),
        undo=None,  # the plan itself holds what is overwritten
        changes=settings.differences(name, now, then),
        setting=setting,
    )


def notices(bucket: str, found: Found) -> list[Notice]:
    """A notice for each setting that cannot be read."""
    return [Notice(UNREAD, bucket, name, why) for name, why in found.unread.items()]


def live(wanted: Iterable[Action], store: Store) -> dict[str, Value | None]:
    """What the settings are now that these actions set, all asked at once.

    Raises `StoreError` where one cannot be told.
    """
    parts = {
        action.key: action.setting.now if action.setting.then is None else action.setting.then
        for action in wanted
        if action.setting is not None
    }
    if not parts:
        return {}
    found: dict[str, Value | None] = {}
    for name, now in _settings(store, store.url).read(parts).items():
        if isinstance(now, StoreError):
            raise now
        found[name] = now
    return found


def _settings(store: Store, bucket: str) -> Configurable:
    found = settings_of(store)
    if found is None:
        raise ConfigError(f"`{bucket}` has no settings; take `settings` out of its configuration")
    return found
