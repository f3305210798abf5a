"""Why a plan is not applied: all that is refused before either side is looked at."""

from __future__ import annotations

from typing import Final

from buckia.decisions import bounds, planner, safeguards
from buckia.errors import BlockedError, ConflictError, DocumentError, StaleError, UsageError
from buckia.lease.leases import Leases
from buckia.model import left_by
from buckia.pairs import buckets_of, pair_of, written_by
from buckia.planfile import Plan
from buckia.runs import tiers
from buckia.workspace import Workspace

_SHOWN: Final = 5
"""Reasons named in an error; the plan has them all."""


def refuse_unfit(plan: Plan) -> None:
    """Raise `BlockedError` or `ConflictError` for a plan that apply may not take."""
    limits = [why for why in plan.blocked if not why.startswith("conflicts")]
    if limits:
        more = f"; and {len(limits) - _SHOWN} more" if len(limits) > _SHOWN else ""
        told = dict.fromkeys(safeguards.advice(why, plan.actions) for why in limits)
        advice = "; ".join(words for words in told if words) or "plan again"
        raise BlockedError(
            f"the plan is blocked by {'; '.join(limits[:_SHOWN])}{more}; nothing was changed; "
            f"{advice}"
        )
    if not plan.applyable:
        count = len(plan.conflicts)
        between = any(head.promotion for head in plan.buckets.values())
        raise ConflictError(
            f"the plan has {count} unresolved conflict{'' if count == 1 else 's'}; nothing was "
            f"changed; `buckia resolve` settles them, or {'promote' if between else 'plan'} with "
            "`--skip-conflicts`"
        )


def refuse_other_config(space: Workspace, plan: Plan) -> None:
    """Raise `StaleError` for a plan that was made under another configuration."""
    missing = [name for name in buckets_of(plan.buckets) if name not in space.config.buckets]
    if missing:
        raise StaleError(
            f"the plan is for the bucket {missing[0]!r}, which this configuration does not "
            "have; nothing was changed; plan again"
        )
    if space.config_digest(plan.buckets) != plan.config_digest:
        raise StaleError(
            "the configuration has changed since the plan; nothing was changed; plan again"
        )


def refuse_unsound(space: Workspace, plan: Plan) -> None:
    """Raise `DocumentError`, whoever wrote the plan: it goes nowhere that this configuration does
    not lead."""
    bounds.demand_sound(plan)
    for name, head in plan.buckets.items():
        bucket = space.config.bucket(written_by(name))
        if (head.provider, head.bucket) != (bucket.provider, bucket.bucket_name):
            raise DocumentError(
                f"the plan is not sound: it names {head.bucket!r} at {head.provider} for "
                f"`{name}`, which is {bucket.bucket_name!r} at {bucket.provider}; nothing was "
                "changed; plan again"
            )
    for name in sorted({action.bucket for action in plan.actions}):
        if pair := pair_of(name):
            tiers.demand_within(space, plan, pair)
            continue
        bucket = space.config.bucket(name)
        refuse = space.refuse(name)
        told = space.remote(name).capabilities
        mine = [action for action in plan.actions if action.bucket == name]
        kept = planner.kept_by(told, trash=bucket.keeps_trash, actions=mine)
        caches = told.caches is not None
        bounds.demand_within(plan, name, bucket.layout, refuse, kept, caches=caches)
        bounds.demand_published(plan, name, publishes=bucket.manifest)
        bounds.demand_declared(plan, name, space.declared(name))


def refuse_aliases(plan: Plan, leases: Leases) -> None:
    """Raise `UsageError` for a move within one bucket that goes by two names: what was copied
    would be what is deleted."""
    if leases.aliases and any(map(left_by, plan.actions)):
        named = " and ".join(f"`{name}`" for name in buckets_of(plan.buckets))
        raise UsageError(f"{named} are the same bucket; nothing was changed; name two")
