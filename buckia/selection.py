"""What a run was asked to look at, and whose answer counts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from buckia.errors import UsageError
from buckia.layout import Layout, clean
from buckia.model import Direction, Policy, replace
from buckia.reconcile import Decision, Scope, Verdict, settle
from buckia.rules import Overrides, Rules

Ask = Callable[[str, list[Decision]], Mapping[str, Policy]]
"""Asked once a bucket, by name, with all its conflicts; answers `local_wins` or `remote_wins` by
key, and leaves out what is to stay a conflict."""


class Wish(Struct, frozen=True):
    """What a plan was asked for: the paths, the direction, who answers for conflicts, which limits
    are lifted; `written` collects which bucket changes which local path, and `told` is whether to
    say what changes in databases, which means fetching them."""

    paths: tuple[str, ...]
    direction: Direction | None
    ask: Ask | None
    overrides: Overrides
    written: dict[str, str]
    told: bool = True


_UP = (Verdict.UPLOAD, Verdict.DELETE_REMOTE, Verdict.COPY)
_DOWN = (Verdict.DOWNLOAD, Verdict.DELETE_LOCAL)


def scope(layout: Layout, refuse: Callable[[str], str | None], paths: Sequence[str]) -> Scope:
    """The keys a run looks at: all in the layout, or those under `paths`.

    Raises `UsageError` for a path that leaves the configuration's folder.
    """
    for path in paths:
        if path.startswith(("/", "~")) or ".." in path.split("/"):
            raise UsageError(
                f"--paths {path}: give paths below the configuration's folder, or keys"
            )
    wishes = layout.narrow(paths)

    def direction_of(key: str, path: str | None) -> Direction | None:
        return None if refuse(key) else layout.direction_of(key, path)

    return Scope(direction_of, wishes.holds)


def settle_asked(
    bucket: str, decisions: list[Decision], scope: Scope, rules: Rules, ask: Ask | None
) -> list[Decision]:
    """The decisions with every conflict settled that `ask` has an answer for."""
    conflicts = [item for item in decisions if item.verdict is Verdict.CONFLICT]
    if ask is None or not conflicts:
        return decisions
    answers = ask(bucket, conflicts)
    return [_settled(item, scope, rules, answers) for item in decisions]


def _settled(item: Decision, scope: Scope, rules: Rules, answers: Mapping[str, Policy]) -> Decision:
    policy = answers.get(item.key) if item.verdict is Verdict.CONFLICT else None
    direction = scope.direction_of(item.key, item.local.path if item.local else None)
    return settle(item, direction, policy, rules) if policy and direction else item


def one_way(decisions: list[Decision], direction: Direction | None) -> list[Decision]:
    """The decisions without those that would travel the other way than was asked for."""
    if direction is None or direction is Direction.BOTH:
        return decisions
    if direction is Direction.UPLOAD:
        return [item for item in decisions if item.verdict not in _DOWN]
    bare = (replace(item, headers=None) for item in decisions if item.verdict not in _UP)
    return list(bare)


def deletes(decisions: list[Decision]) -> bool:
    """Whether anything at all would be deleted."""
    return any(item.verdict in (Verdict.DELETE_REMOTE, Verdict.DELETE_LOCAL) for item in decisions)


def one_writer(
    decisions: list[Decision],
    path_of: Callable[[str], str],
    bucket: str,
    written: dict[str, str],
) -> list[Decision]:
    """The decisions without local changes to files that another bucket of the plan changes.

    The first bucket of the configuration wins; the next plan sees the rest with fresh eyes.
    `written` collects who changes what.
    """
    kept: list[Decision] = []
    for item in decisions:
        if item.verdict in _DOWN and written.setdefault(path_of(item.key), bucket) != bucket:
            item = replace(item, verdict=Verdict.DRIFT, reason="other_bucket_first")
        kept.append(item)
    return kept


def clean_paths(paths: Sequence[str]) -> tuple[str, ...]:
    """Paths as a plan records them: without `./` and trailing slashes, sorted, once each."""
    return tuple(sorted({clean(path) for path in paths}))
