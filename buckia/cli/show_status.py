"""Where the buckets stand, on one screen and as data. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from buckia import documents, text
from buckia.cli.styled import Line, Styled
from buckia.model import Op
from buckia.planfile import Plan
from buckia.records import logbook
from buckia.records.logbook import Run
from buckia.runs.standing import Standing
from buckia.runs.status import BucketStatus
from buckia.sides import configuring

_NAMED: Final = 3
"""Keys of a kind that are named; `buckia plan` names them all."""

_BY_REASON: Final = {
    "local_new": ("local", "new"),
    "local_changed": ("local", "changed"),
    "local_deleted": ("local", "deleted"),
    "renamed": ("local", "renamed"),
    "remote_new": ("remote", "new"),
    "remote_changed": ("remote", "changed"),
    "remote_deleted": ("remote", "deleted"),
}
_BY_NOTICE: Final = {
    "orphan": ("local", "deleted"),
    "missing": ("remote", "deleted"),
    "foreign": ("remote", "foreign"),
}
_BY_OP: Final = {Op.PUBLISH: ("remote", "to publish")}
_OTHER: Final = ("either", "other")


def document(statuses: Sequence[BucketStatus], tiers: Sequence[Standing] = ()) -> bytes:
    """The status as JSON; `schemas/status.schema.json` describes it."""
    head = {"format": "buckia.status", "format_version": "1.0"}
    return documents.render({**head, **data(statuses, tiers)}, {})


def data(statuses: Sequence[BucketStatus], tiers: Sequence[Standing] = ()) -> dict[str, Any]:
    """The status as a JSON value."""
    return {
        "buckets": {item.name: _bucket_data(item) for item in statuses},
        "promotions": {item.pair.name: _tier_data(item) for item in tiers},
    }


def _tier_data(item: Standing) -> dict[str, Any]:
    return {
        "state": item.state,
        "files": item.files,
        "source_serial": {"promoted": item.held, "now": item.now},
        "changes": {str(op): count for op, count in item.plan.summary.actions.items()},
        "conflicts": [conflict.key for conflict in item.plan.conflicts],
    }


def _bucket_data(item: BucketStatus) -> dict[str, Any]:
    changes = _changes(item.plan)
    return {
        "provider": item.provider,
        "url": item.url,
        "serial": item.serial,
        "files": item.files,
        "unfinished": item.unfinished,
        "complete": item.plan.complete,
        "changes": {side: dict(kinds) for side, kinds in changes.items()},
        "conflicts": [conflict.key for conflict in item.plan.conflicts],
        "orphans": _keys(item.plan, "orphan"),
        "settings": _settings(item.plan),
        "differs": item.differs,
        "last": logbook.data(item.last, whole=False) if item.last else None,
        "lease": _lease_data(item),
    }


def _lease_data(item: BucketStatus) -> dict[str, Any] | None:
    holder = item.holder
    if holder is None:
        return None
    told = ("who", "where", "since", "plan", "run")
    return {name: getattr(holder, name) for name in told}


def _changes(plan: Plan) -> dict[str, Counter[str]]:
    """What changed since the last apply: side, kind, number of files."""
    found: dict[str, Counter[str]] = {"local": Counter(), "remote": Counter(), "either": Counter()}
    for action in plan.actions:
        if action.op is Op.CONFIGURE:
            continue
        side, kind = _BY_OP.get(action.op) or _BY_REASON.get(action.reason, _OTHER)
        found[side][kind] += 1
    for notice in plan.warnings:
        if notice.code in _BY_NOTICE:
            side, kind = _BY_NOTICE[notice.code]
            found[side][kind] += 1
    return found


def _settings(plan: Plan) -> list[str]:
    """The settings that are not as they are declared."""
    return [action.key for action in plan.actions if action.op is Op.CONFIGURE]


def _keys(plan: Plan, code: str) -> list[str]:
    return [item.key for item in plan.warnings if item.code == code]


def view(statuses: Sequence[BucketStatus], tiers: Sequence[Standing] = ()) -> Styled:
    """A few lines a bucket, and one for each target of a promotion."""
    lines: list[Line] = []
    for item in statuses:
        lines += [()] if lines else []
        lines += _bucket(item)
    return Styled([*lines, *_tiers(tiers)])


_COLOURS: Final = {"in step": "green", "behind": "yellow", "diverged": "bold yellow"}


def _tiers(tiers: Sequence[Standing]) -> Iterator[Line]:
    """The tiers side by side."""
    if not tiers:
        return
    from buckia.report.ops import OPS  # with the views of a plan, which no bucket by itself needs

    yield ()
    yield (("Promotions", "bold"),)
    width = max(len(item.pair.name) for item in tiers)
    for item in tiers:
        counts = [f"{count:,} to {OPS[op].todo}" for op, count in item.plan.summary.actions.items()]
        counts += [text.count_of(len(item.plan.conflicts), "conflict")] * bool(item.plan.conflicts)
        moved = f", now {item.now}" if item.now != item.held else ""
        told = f"{text.count_of(item.files, 'file')} of {text.name(item.pair.source)} "
        told += f"at serial {item.held}{moved}"
        yield (
            f"  {text.name(item.pair.name):<{width}}  ",
            (f"{item.state:<8}", _COLOURS[item.state]),
            f"  {'; '.join((told, *([', '.join(counts)] if counts else [])))}",
        )


def _bucket(item: BucketStatus) -> Iterator[Line]:
    known = f"{text.count_of(item.files, 'file')} at serial {item.serial}"
    known = known if item.serial else "never applied"
    where = item.plan.buckets[item.name].bucket
    about = f"  {item.provider} {text.visible(where)}, {known}"
    yield (text.name(item.name), "bold"), (about, "dim")
    if item.last:
        yield "  ", ("last apply ", "cyan"), _last(item.last)
    if item.holder:
        yield ((f"  applying   {text.visible(str(item.holder))}", "yellow"),)
    if item.unfinished:
        yield (("  an apply was not finished: apply the same plan again, or plan anew", "yellow"),)
    changes = _changes(item.plan)
    for side, kinds in changes.items():
        if kinds:
            words = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
            yield "  ", (f"{side:<11}", "cyan"), words
    yield from _listed("conflicts", [c.key for c in item.plan.conflicts], "bold yellow")
    yield from _listed("orphans", _keys(item.plan, "orphan"), "yellow")
    yield from _listed("settings", settings := _settings(item.plan), "cyan")
    unread = [*_keys(item.plan, "unreadable"), *_keys(item.plan, configuring.UNREAD)]
    yield from _listed("unread", unread, "bold red")
    if not (any(changes.values()) or item.plan.conflicts or settings):
        yield ((f"  {'nothing has changed since' if item.serial else 'nothing to do'}", "green"),)


def _last(run: Run) -> str:
    """When, by whom, which plan, and how it ended where it did not end well."""
    when = run.started.replace("T", " ").rstrip("Z")
    ended = "" if run.ended == "done" else f", {run.ended}"
    who = f"{run.who}@{run.host}" + (f", approved by {run.approver}" if run.approver else "")
    plan = run.plan.removeprefix("sha256:")[:12]
    return text.visible(f"{when} by {who}, plan {plan}{ended}")


def _listed(title: str, keys: Sequence[str], style: str) -> Iterator[Line]:
    if keys:
        named = ", ".join(text.name(key) for key in keys[:_NAMED])
        more = f" and {len(keys) - _NAMED:,} more" if len(keys) > _NAMED else ""
        yield "  ", (f"{title:<11}", style), f"{len(keys):,}: {named}{more}"
