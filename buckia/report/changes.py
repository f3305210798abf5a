"""What became different from one plan to the next, for whoever reviewed the first. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from buckia import documents
from buckia.model import Action, Conflict, Notice, Undo
from buckia.planfile import BucketHead, Plan
from buckia.report.ops import Kind, kind_of

FORMAT: Final = "buckia.plan-diff"
VERSION: Final = "1.0"


class Field(Struct, frozen=True):
    """Something a plan says of itself as a whole, before and now, as JSON values."""

    name: str
    was: Any
    now: Any


class Changed(Struct, frozen=True):
    """An action of both plans, and which parts of it differ."""

    parts: tuple[str, ...]
    was: Action
    now: Action


class Disputed(Struct, frozen=True):
    """A conflict that came, went or changed: `was` and `now` are None where there was none."""

    was: Conflict | None
    now: Conflict | None


class Difference(Struct, frozen=True):
    """What differs. Actions that delete or cannot be undone come first in each list."""

    old: str
    new: str
    header: tuple[Field, ...]
    conflicts: tuple[Disputed, ...]
    added: tuple[Action, ...]
    removed: tuple[Action, ...]
    changed: tuple[Changed, ...]
    warnings_added: tuple[Notice, ...]
    warnings_removed: tuple[Notice, ...]

    @property
    def same(self) -> bool:
        """Whether both are the same plan."""
        return self.old == self.new


_WHOLE: Final = ("kind", "complete", "applyable", "blocked", "config_digest", "scope", "overrides")
_HEAD: Final = ("provider", "bucket", "base", "guards", "promotion")
_PARTS: Final = ("reason", "source", "content", "expect", "undo", "changes", "setting")


def compare(old: Plan, new: Plan) -> Difference:
    """What differs from the first plan to the second."""
    before = {action.id: action for action in old.actions}
    after = {action.id: action for action in new.actions}
    changed = (
        Changed(parts, before[item.id], item)
        for item in new.actions
        if item.id in before and (parts := _parts(before[item.id], item))
    )
    return Difference(
        old=old.digest,
        new=new.digest,
        header=(*_fields("", _WHOLE, old, new), *_buckets(old, new)),
        conflicts=tuple(_conflicts(old, new)),
        added=_first(item for item in new.actions if item.id not in before),
        removed=_first(item for item in old.actions if item.id not in after),
        changed=tuple(sorted(changed, key=lambda item: _danger(item.now))),
        warnings_added=_missing(new.warnings, old.warnings),
        warnings_removed=_missing(old.warnings, new.warnings),
    )


def _parts(was: Action, now: Action) -> tuple[str, ...]:
    return tuple(name for name in _PARTS if getattr(was, name) != getattr(now, name))


def _danger(item: Action) -> tuple[bool, bool]:
    return item.undo is not Undo.NONE, kind_of(item) is not Kind.DELETE


def _first(actions: Iterable[Action]) -> tuple[Action, ...]:
    return tuple(sorted(actions, key=_danger))


def _fields(place: str, names: Sequence[str], was: Any, now: Any) -> Iterator[Field]:
    for name in names:
        one, other = (getattr(side, name, None) for side in (was, now))
        if one != other:
            yield Field(place + name, msgspec.to_builtins(one), msgspec.to_builtins(other))


def _buckets(old: Plan, new: Plan) -> Iterator[Field]:
    for name in sorted(old.buckets.keys() | new.buckets.keys()):
        was, now = old.buckets.get(name), new.buckets.get(name)
        if was is None or now is None:
            yield Field(f"buckets.{name}", _named(was), _named(now))
        else:
            yield from _fields(f"buckets.{name}.", _HEAD, was, now)


def _named(head: BucketHead | None) -> str | None:
    return None if head is None else f"{head.provider} {head.bucket}"


def _conflicts(old: Plan, new: Plan) -> Iterator[Disputed]:
    before = {(item.bucket, item.key): item for item in old.conflicts}
    after = {(item.bucket, item.key): item for item in new.conflicts}
    for place in sorted(before.keys() | after.keys()):
        if before.get(place) != after.get(place):
            yield Disputed(before.get(place), after.get(place))


_Item = TypeVar("_Item")


def _missing(items: Sequence[_Item], others: Sequence[_Item]) -> tuple[_Item, ...]:
    known = set(map(repr, others))
    return tuple(item for item in items if repr(item) not in known)


# -- in words and as a document --------------------------------------------------------------------


_NAMED: Final = 3


def told(old: Plan, new: Plan) -> list[str]:
    """The same in a few words, for an error; only the digests may differ."""
    found = compare(old, new)
    groups = {
        "added": _in_turn(new, found.added),
        "removed": _in_turn(old, found.removed),
        "changed": _in_turn(new, [item.now for item in found.changed]),
    }
    words = [_counted(how, actions) for how, actions in groups.items() if actions]
    for name in sorted(old.buckets.keys() & new.buckets.keys()):
        was, now = old.buckets[name].base, new.buckets[name].base
        if was != now:
            far = f", from serial {was.serial} to {now.serial}" if was.serial != now.serial else ""
            words.append(f"the base of `{name}` moved{far}")
    covered = ("digest", "actions", "summary", *(("buckets",) if words else ()))
    return words + [
        f"`{name}` differs"
        for name in Plan.__struct_fields__
        if name not in covered and getattr(old, name) != getattr(new, name)
    ]


def _in_turn(plan: Plan, actions: Sequence[Action]) -> list[Action]:
    """These actions as the plan has them in order."""
    ids = {item.id for item in actions}
    return [item for item in plan.actions if item.id in ids]


def _counted(how: str, actions: list[Action]) -> str:
    named = ", ".join(f"{action.op} {action.key}" for action in actions[:_NAMED])
    more = f" and {len(actions) - _NAMED} more" if len(actions) > _NAMED else ""
    return f"{len(actions)} action{'s' if actions[1:] else ''} {how} ({named}{more})"


def document(found: Difference) -> bytes:
    """The difference as JSON, one change a line; `schemas/plan-diff.schema.json` describes it."""
    head = {
        "format": FORMAT,
        "format_version": VERSION,
        "same": found.same,
        "old": found.old,
        "new": found.new,
        "summary": {
            "added": len(found.added),
            "removed": len(found.removed),
            "changed": len(found.changed),
        },
    }
    states: tuple[tuple[str, Callable[[], Iterable[Any]]], ...] = (
        ("added", lambda: ({"was": None, "now": item} for item in found.added)),
        ("removed", lambda: ({"was": item, "now": None} for item in found.removed)),
        ("changed", lambda: (msgspec.structs.asdict(item) for item in found.changed)),
    )
    actions = [{"change": name, **item} for name, items in states for item in items()]
    warnings = [
        *({"change": "added", "warning": item} for item in found.warnings_added),
        *({"change": "removed", "warning": item} for item in found.warnings_removed),
    ]
    lists = {"header": found.header, "conflicts": found.conflicts, "warnings": warnings}
    return documents.render(head, {**lists, "actions": actions})
