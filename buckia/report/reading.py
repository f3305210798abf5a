"""A plan into the page that a person reads. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Final

from buckia import text
from buckia.decisions import safeguards
from buckia.model import Action, Conflict, Content, Notice, Undo
from buckia.pairs import pair_of
from buckia.planfile import Plan
from buckia.report import groups, verdict
from buckia.report.ops import Kind, kind_of
from buckia.report.page import Claim, Limit, Page, Place, Side, Warned


def page_of(plan: Plan) -> Page:
    """The whole plan as it is read; nothing is left out and nothing shortened."""
    state, status = verdict.status(plan)
    return Page(
        state=state,
        status=status,
        notes=tuple(verdict.notes(plan)),
        lifted=tuple(_lifted(item) for item in plan.overrides),
        irreversible=groups.dangers(item for item in plan.actions if item.undo is Undo.NONE),
        conflicts=tuple(_claim(item) for item in plan.conflicts),
        deletions=groups.dangers(item for item in plan.actions if _is_deletion(item)),
        limits=tuple(_limits(plan)),
        places=tuple(_places(plan)),
        warnings=tuple(_warnings(plan.warnings)),
        digest=text.visible(plan.digest),
    )


def _is_deletion(item: Action) -> bool:
    return kind_of(item) is Kind.DELETE and item.undo is not Undo.NONE


# -- conflicts ------------------------------------------------------------------------------------


def _claim(item: Conflict) -> Claim:
    one, other = ("source", "target") if pair_of(item.bucket) else ("local", "remote")
    return Claim(
        text.name(item.bucket),
        text.name(item.key),
        text.visible(item.reason.replace("_", " ")),
        (_side(one, item.local), _side(other, item.remote)),
        tuple(text.visible(line) for line in item.changes),
    )


def _side(name: str, content: Content | None) -> Side:
    if content is None:
        return Side(name, "not there", "")
    return Side(name, text.size(content.size), text.digest(content))


# -- limits ---------------------------------------------------------------------------------------


def _limits(plan: Plan) -> Iterator[Limit]:
    """Every reason why apply may not take the plan, and what to do about it."""
    told = verdict.limits_of(plan)
    for advice, why in groupby(told, lambda why: safeguards.advice(why, plan.actions)):
        yield Limit(tuple(text.visible(line) for line in why), text.visible(advice))


_LIFTED: Final = {
    "max_delete": "{0} deletions a side are allowed in each bucket (--allow-deletes {0})",
    "accept_empty": "the {0} side may be empty, or hold nothing known (--accept-empty {0})",
    "allow_drift": "what no apply left in `{0}` is promoted as it is there (--allow-drift)",
    "keep_going": "targets go on when one before them failed (--keep-going)",
}


def _lifted(override: Mapping[str, str]) -> str:
    rule, allow = (text.visible(override.get(name, "")) for name in ("rule", "allow"))
    words = _LIFTED.get(rule, f"{rule}: {allow}".replace("{", "{{").replace("}", "}}"))
    if (rule, allow) == ("accept_empty", "source"):
        words = "the {0} may be empty, or hold nothing known"
    return words.format(allow)


# -- the rest -------------------------------------------------------------------------------------


def _places(plan: Plan) -> Iterator[Place]:
    mine: dict[str, list[Action]] = {}
    for item in plan.actions:
        mine.setdefault(item.bucket, []).append(item)
    for bucket, head in verdict.in_turn(plan):
        of_kind = _by_kind(mine.get(bucket, ()))
        calm = [item for item in of_kind[Kind.WRITE] if item.undo is not Undo.NONE]
        found = (
            *groups.settings_of(of_kind[Kind.SETTING]),
            *groups.by_folder(calm),
            *groups.manifests_of(of_kind[Kind.MANIFEST]),
            *groups.purges_of(of_kind[Kind.CACHE]),
        )
        records = groups.records(of_kind[Kind.RECORD])
        if found or records:
            yield Place(text.name(bucket), verdict.about(head), found, records)


def _by_kind(actions: Iterable[Action]) -> dict[Kind, list[Action]]:
    found: dict[Kind, list[Action]] = {kind: [] for kind in Kind}
    for item in actions:
        found[kind_of(item)].append(item)
    return found


def _warnings(notices: Iterable[Notice]) -> Iterator[Warned]:
    def kind(item: Notice) -> tuple[str, str, str]:
        return item.bucket, item.code, item.message

    for (bucket, code, message), items in groupby(sorted(notices, key=kind), kind):
        names = tuple(text.name(item.key) for item in items)
        yield Warned(text.name(bucket), text.visible(code), text.visible(message), names)
