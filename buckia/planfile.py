"""The plan as a document: what a person reviews and apply executes.

Fixed key order, one action a line, no clocks, hosts, users or absolute paths: equal inputs give
equal bytes. Viewers (`view`) ignore what they do not know; apply (`read`) refuses it.
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args, get_type_hints

import msgspec
from msgspec import Struct

from buckia import documents, purges, settings
from buckia.errors import DocumentError
from buckia.headers import TYPE
from buckia.headers import refuse as refuse_headers
from buckia.layout import refuse_key
from buckia.manifest import is_manifest
from buckia.model import (
    Action,
    Conflict,
    Content,
    Count,
    Direction,
    Notice,
    Op,
    Setting,
    action_id,
    in_place,
    replace,
)

FORMAT: Final = "buckia.plan"
VERSION: Final = "1.0"

Guard = Literal["atomic", "checked"]


class BaseRef(Struct, frozen=True, forbid_unknown_fields=True):
    """The state a plan was made from: the lockfile's lineage, serial and digest for a bucket."""

    lineage: str | None
    serial: Count
    digest: str


class Guards(Struct, frozen=True, forbid_unknown_fields=True):
    """How each kind of write is protected from a change after the look: refused by the service
    itself (`atomic`), or looked at again just before (`checked`).

    `lease` is how two runs at once are kept apart: by the service, or by agreement (`advisory`).
    Where nobody knows yet what a service enforces it is `untried`: apply tries it, and says so if
    the lease turns out to be advisory.
    """

    create: Guard
    replace: Guard
    delete: Guard
    lease: Literal["atomic", "untried", "advisory"]


class Promotion(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the content of a promotion comes from, and how.

    source  the bucket, by its name in the configuration
    base    the state of that bucket when the plan was made
    turn    of several targets, one with a lower number is finished before the next begins
    copies  whether the service copies by itself, or the bytes pass through this machine
    """

    source: str
    base: BaseRef
    turn: Count
    copies: Literal["inside", "through"]


class BucketHead(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a plan says of a bucket as a whole, or of a pair of buckets in a promotion."""

    provider: str
    bucket: str
    base: BaseRef
    guards: Guards
    promotion: Promotion | None = None


class PlanScope(Struct, frozen=True, forbid_unknown_fields=True):
    """What the plan was asked about: the `--paths` and the direction; empty means everything."""

    paths: tuple[str, ...] = ()
    direction: Direction | None = None


class Summary(Struct, frozen=True, forbid_unknown_fields=True):
    """The plan in numbers: actions by op, bytes each way, keys that need nothing."""

    actions: dict[Op, Count]
    bytes_up: Count
    bytes_down: Count
    irreversible: Count
    unchanged: Count


class Resolution(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A conflict that a person settled: what happened on which side, what was chosen, and for
    `keep_both` the new key of the content that would have lost its own."""

    bucket: str
    key: str
    reason: str
    choice: Literal["local_wins", "remote_wins", "keep_both"]
    kept: str | None = None


class Plan(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The whole order. Apply reads this and nothing else decides.

    complete   both sides were seen whole; if not, nothing is deleted
    applyable  apply will take it; if not, `blocked` says why
    """

    format: str
    format_version: str
    digest: str
    kind: str
    complete: bool
    applyable: bool
    blocked: tuple[str, ...]
    config_digest: str
    scope: PlanScope
    buckets: dict[str, BucketHead]
    summary: Summary
    conflicts: tuple[Conflict, ...]
    warnings: tuple[Notice, ...]
    overrides: tuple[dict[str, str], ...]
    actions: tuple[Action, ...]
    resolved: tuple[Resolution, ...] = ()


_EDITED: Final = "{what} was edited or damaged: its content does not match its digest; plan again"
_LISTS = ("conflicts", "resolved", "warnings", "overrides", "actions")


def seal(plan: Plan) -> Plan:
    """The same plan with the digest of its own content."""
    return replace(plan, digest=_digest(plan))


def _digest(plan: Plan) -> str:
    value = msgspec.to_builtins(plan)
    del value["digest"]
    return documents.digest(value)


def write(plan: Plan) -> bytes:
    """The document of a sealed plan."""
    head = {name: getattr(plan, name) for name in plan.__struct_fields__ if name not in _LISTS}
    lists = {name: getattr(plan, name) for name in _LISTS}
    if not plan.resolved:  # left out, as a digest has it
        del lists["resolved"]
    return documents.render(head, lists)


def read(data: bytes, what: str = "the plan") -> Plan:
    """The plan in a document, for apply: anything unknown, edited or damaged is refused.

    Raises `DocumentError`.
    """
    value = _header(data, what)
    try:
        plan = msgspec.convert(value, Plan)
    except msgspec.ValidationError as problem:
        raise DocumentError(
            f"{what} holds something this buckia does not know: {problem}; plan again"
        ) from None
    if _digest(plan) != plan.digest:
        raise DocumentError(_EDITED.format(what=what))
    ids = [action.id for action in plan.actions]
    if len(set(ids)) != len(ids):
        raise DocumentError(f"{what} names the same action twice; plan again")
    for action in plan.actions:
        if why := _unsound(action, plan):
            raise DocumentError(
                f"{what} is not sound: {action.op} of {action.key!r} {why}; plan again"
            )
    return plan


_NEEDS: Final[dict[Op, tuple[str, ...]]] = {
    Op.UPLOAD: ("source", "content"),
    Op.DOWNLOAD: ("source", "content"),
    Op.COPY: ("source", "content"),
    Op.MOVE: ("source", "content"),
    Op.DELETE_REMOTE: ("expect",),
    Op.DELETE_LOCAL: ("expect",),
    Op.ADOPT: ("source", "content"),
    Op.FORGET: (),
    Op.PURGE: (),
    Op.CONFIGURE: ("setting",),
    Op.PUBLISH: (),
}
"""The parts without which an op cannot be carried out. Ops that are not here this buckia cannot."""


_SETS: Final = (Op.UPLOAD, Op.COPY, Op.MOVE)
"""The ops that set headers, and so only such as rules can hold."""


def _unsound(action: Action, plan: Plan) -> str | None:
    """Why an action is none that buckia would have planned, whatever its digest says."""
    if action.op not in _NEEDS:
        return "is nothing this buckia can do"
    if action.bucket not in plan.buckets:
        return f"is for no bucket {action.bucket!r} of the plan"
    if action.id != action_id(action.op, action.bucket, action.key):
        return "has another id than its own"
    missing = next((name for name in _NEEDS[action.op] if getattr(action, name) is None), None)
    if missing:
        return f"has no {missing}"
    if action.setting is not None and (why := _misstates(action, action.setting)):
        return why
    if why := _mispublishes(action):
        return why
    origin = action.source.key if action.source else None
    if origin is None and action.op in (Op.COPY, Op.MOVE):
        return "has no key to take it from"
    if in_place(action) and action.expect is None:
        return "has no expect"
    if action.op in _SETS and action.content and (why := _bad_headers(action.content)):
        return why
    refuse = purges.refuse if action.op is Op.PURGE else refuse_key
    why = refuse(action.key) or (refuse_key(origin) if origin is not None else None)
    return f"names a key that {why}" if why else None


def _misstates(action: Action, setting: Setting) -> str | None:
    """Why the documents of a setting are not what the action says of them."""
    if action.op is not Op.CONFIGURE:
        return "has a setting, which only `configure` has"
    if (action.source, action.undo) != (None, None):
        return "has a source or an `undo`, which no setting has"
    sides = settings.content(setting.now), settings.content(setting.then)
    if sides != (action.expect, action.content) or sides[0] == sides[1]:
        return "does not lead from what it expects to its content"
    return None


def _mispublishes(action: Action) -> str | None:
    """Why an action is none on a manifest, where it says so, or is one and says too much."""
    if action.op is not Op.PUBLISH:
        return "has a publication, which only `publish` has" if action.publication else None
    if not is_manifest(action.key):
        return "names a key where no manifest is"
    if (action.content, action.undo) != (None, None):
        return "has a content or an `undo`, which no manifest has"
    if not (action.publication or action.expect or action.source):
        return "neither publishes anything nor takes it away"
    return None


def _bad_headers(content: Content) -> str | None:
    """Why no upload or copy can set these headers, or None."""
    kind = {TYPE: content.type} if content.type is not None else {}
    return refuse_headers(kind) or refuse_headers(content.headers)


def view(data: bytes, what: str = "the plan") -> Plan:
    """The plan in a document, for looking at: unknown fields are left out, the digest unchecked."""
    value = _header(data, what)
    try:
        return msgspec.convert(_known(value, Plan), Plan)
    except msgspec.ValidationError as problem:
        raise DocumentError(f"{what} cannot be shown: {problem}; plan again") from None


def refuse_edited(data: bytes, what: str = "the plan") -> None:
    """Raise `DocumentError` for a document whose digest is not that of its content.

    Unknown fields count as content, so this also holds for plans of a later version: a reviewer who
    approves a digest has seen what it stands for.
    """
    value = _header(data, what)
    if value.pop("digest", None) != documents.digest(value):
        raise DocumentError(_EDITED.format(what=what))


def _header(data: bytes, what: str) -> dict[str, Any]:
    value = documents.parse(data, what)
    if value.get("format") != FORMAT:
        raise DocumentError(
            f"{what} is not a plan: its `format` is {value.get('format')!r}; "
            "`buckia plan --out FILE` writes one"
        )
    major = str(value.get("format_version", "")).partition(".")[0]
    if major != VERSION.partition(".")[0]:
        raise DocumentError(
            f"{what} has format version {value.get('format_version')!r}; this buckia reads "
            f"{VERSION}: use the version that wrote it, or plan again"
        )
    return value


def _known(value: Any, kind: Any) -> Any:
    """A JSON value without the fields its type does not have."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        if not isinstance(value, dict):
            return value
        hints = get_type_hints(kind)
        return {name: _known(item, hints[name]) for name, item in value.items() if name in hints}
    inner = [part for part in get_args(kind) if part not in (type(None), ...)]
    if isinstance(value, list) and inner:
        return [_known(item, inner[0]) for item in value]
    if isinstance(value, dict) and len(inner) == 2:
        return {name: _known(item, inner[1]) for name, item in value.items()}
    if len(inner) == 1:
        return _known(value, inner[0])
    return value
