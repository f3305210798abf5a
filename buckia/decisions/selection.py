"""What a run was asked to look at, and whose answer counts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Final, Literal

from msgspec import Struct

from buckia.errors import UsageError
from buckia.layout import Layout, clean, fold
from buckia.media import Facts
from buckia.model import KEPT, Action, Direction, Policy, is_kept, replace
from buckia.planfile import Resolution
from buckia.reconcile import Decision, Scope, Verdict, settle
from buckia.rules import Overrides, Rules


class Conflicts(list[Decision]):
    """The conflicts of one bucket. `look` tells more of one, `keepable` whether both sides of it
    can be kept: not where content travels one way only."""

    def __init__(
        self,
        found: Iterable[Decision],
        look: Callable[[Decision], Facts],
        keepable: Callable[[Decision], bool],
    ) -> None:
        super().__init__(found)
        self.look = look
        self.keepable = keepable


Ask = Callable[[str, Conflicts], Mapping[str, Policy]]
"""Asked once a bucket, by name, with all its conflicts; answers `local_wins`, `remote_wins` or
`keep_both` by key, and leaves out what is to stay a conflict."""


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


class Answers:
    """Who answers for conflicts, and what was answered, as the plan records it."""

    def __init__(self, ask: Ask | None) -> None:
        self._ask = ask
        self._given: list[tuple[str, Decision, Policy]] = []

    @property
    def ask(self) -> Ask | None:
        """The same one, listened to; None where there is nobody."""
        return self._heard if self._ask else None

    def _heard(self, bucket: str, conflicts: Conflicts) -> Mapping[str, Policy]:
        assert self._ask  # noqa: S101  (by `ask`)
        answers = self._ask(bucket, conflicts)
        self._given += [(bucket, i, answers[i.key]) for i in conflicts if i.key in answers]
        return answers

    def resolved(self, actions: Iterable[Action]) -> tuple[Resolution, ...]:
        """Every answer that counted; `actions` tell under which key what lost its own is kept."""
        kept = {(a.bucket, a.source.key): a.key for a in actions if is_kept(a) and a.source}
        made = [
            Resolution(bucket, i.key, i.reason, _CHOICES[choice], kept.get((bucket, i.key)))
            for bucket, i, choice in self._given
        ]
        return tuple(sorted(made, key=lambda one: (one.bucket, one.key.encode())))


_CHOICES: Final[Mapping[Policy, Literal["local_wins", "remote_wins", "keep_both"]]] = {
    Policy.LOCAL_WINS: "local_wins",
    Policy.REMOTE_WINS: "remote_wins",
    Policy.KEEP_BOTH: "keep_both",
}


def unseen(conflict: Decision) -> Facts:
    """What is told of a conflict where nobody looks."""
    return Facts()


def settle_asked(
    bucket: str,
    decisions: list[Decision],
    scope: Scope,
    rules: Rules,
    ask: Ask | None,
    look: Callable[[Decision], Facts] = unseen,
    names: Callable[[], Iterable[str]] | None = None,
) -> list[Decision]:
    """The decisions with every conflict settled that `ask` has an answer for.

    `names` are all keys that are taken already, so that both sides of a conflict can be kept; None
    where they cannot.
    """

    def direction_of(item: Decision) -> Direction | None:
        return scope.direction_of(item.key, item.local.path if item.local else None)

    def keepable(item: Decision) -> bool:
        return names is not None and direction_of(item) is Direction.BOTH

    found = (item for item in decisions if item.verdict is Verdict.CONFLICT)
    conflicts = Conflicts(found, look, keepable)
    if ask is None or not conflicts:
        return decisions
    answers = ask(bucket, conflicts)
    settled: list[Decision] = []
    taken: set[str] = set()
    for item in decisions:
        policy = answers.get(item.key) if item.verdict is Verdict.CONFLICT else None
        direction = direction_of(item)
        if policy is None or direction is None:
            settled.append(item)
        elif policy is not Policy.KEEP_BOTH:
            settled.append(settle(item, direction, policy, rules))
        else:
            if not keepable(item):
                raise UsageError(
                    f"{item.key}: both sides are kept only where both may change; keep one"
                )
            taken = taken or {fold(name) for name in names()} if names else taken
            settled += _both(item, scope, rules, taken)
    return sorted(settled, key=lambda made: made.key.encode("utf-8", "surrogatepass"))


def _both(item: Decision, scope: Scope, rules: Rules, taken: set[str]) -> list[Decision]:
    """The local content keeps its key, the other comes under a new one. Where one is deleted
    there is only one to keep."""
    if item.local is None or item.remote is None:
        winner = Policy.LOCAL_WINS if item.local else Policy.REMOTE_WINS
        return [settle(item, Direction.BOTH, winner, rules)]
    new = next(name for name in _spare_names(item.key) if _is_free(name, scope, taken))
    taken.add(fold(new))
    mine = replace(settle(item, Direction.BOTH, Policy.LOCAL_WINS, rules), reason=KEPT)
    wanted = rules.headers.wanted(new) if rules.headers.in_place else None
    return [mine, Decision(new, Verdict.DOWNLOAD, KEPT, None, None, item.remote, wanted)]


def _is_free(name: str, scope: Scope, taken: set[str]) -> bool:
    return fold(name) not in taken and scope.direction_of(name, None) is Direction.BOTH


def _spare_names(key: str) -> Iterator[str]:
    """`photo.remote.jpg`, `photo.remote-2.jpg` and so on for `photo.jpg`."""
    folder, slash, name = key.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    stem, ending = (stem, f".{ending}") if dot and stem else (name, "")
    for number in count(1):
        told = "remote" if number == 1 else f"remote-{number}"
        yield f"{folder}{slash}{stem}.{told}{ending}"


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
