"""One pure table: from what two sides hold and what the last apply left, to one verdict a key.

A row is named by three characters for local, base and remote: `-` absent, `b` as in base, `x` and
`y` something else; two `x` are the same something. `local` is the side changes are usually made
on; for promote it is the source bucket and `remote` is the target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from buckia.headers import agrees, fits
from buckia.model import (
    Direction,
    Entry,
    Headers,
    Listing,
    Policy,
    Skipped,
    replace,
    same_content,
)
from buckia.rules import Rules


class Verdict(StrEnum):
    """What should become of a key."""

    UPLOAD = "upload"
    DOWNLOAD = "download"
    DELETE_REMOTE = "delete_remote"
    DELETE_LOCAL = "delete_local"
    COPY = "copy"
    """Onto its own key: the bytes stay, the headers become what rules want."""
    ADOPT = "adopt"
    FORGET = "forget"
    CONFLICT = "conflict"
    ORPHAN = "orphan"
    """Gone locally, unchanged remotely: deleted remotely if deletions may travel, else reported."""
    MISSING = "missing"
    """Gone remotely, unchanged locally: deleted locally if deletions may travel, else reported."""
    FOREIGN = "foreign"
    """In the bucket, never put there by buckia, and not to be downloaded."""
    DRIFT = "drift"
    """A difference the direction or the policy leaves alone; reported."""
    NOTHING = "nothing"


class Decision(Struct, frozen=True, gc=False):
    """A verdict on a key, with the reason and everything the three sides know of it.

    `headers` are those that rules want of the object, where this mapping uploads.
    """

    key: str
    verdict: Verdict
    reason: str
    local: Entry | None
    base: Entry | None
    remote: Entry | None
    headers: Headers | None = None


_V = Verdict

TABLE: Final[dict[str, tuple[str, Verdict, Verdict, Verdict]]] = {
    # row   reason              both          upload        download
    "x--": ("local_new", _V.UPLOAD, _V.UPLOAD, _V.NOTHING),
    "--y": ("remote_new", _V.DOWNLOAD, _V.FOREIGN, _V.DOWNLOAD),
    "x-x": ("both_equal", _V.ADOPT, _V.ADOPT, _V.ADOPT),
    "x-y": ("both_new", _V.CONFLICT, _V.CONFLICT, _V.CONFLICT),
    "bbb": ("unchanged", _V.NOTHING, _V.NOTHING, _V.NOTHING),
    "xbb": ("local_changed", _V.UPLOAD, _V.UPLOAD, _V.CONFLICT),
    "bby": ("remote_changed", _V.DOWNLOAD, _V.CONFLICT, _V.DOWNLOAD),
    "xbx": ("both_equal", _V.ADOPT, _V.ADOPT, _V.ADOPT),
    "xby": ("both_changed", _V.CONFLICT, _V.CONFLICT, _V.CONFLICT),
    "-bb": ("local_deleted", _V.ORPHAN, _V.ORPHAN, _V.DOWNLOAD),
    "bb-": ("remote_deleted", _V.MISSING, _V.UPLOAD, _V.MISSING),
    "-b-": ("both_deleted", _V.FORGET, _V.FORGET, _V.FORGET),
    "-by": ("local_deleted_remote_changed", _V.DOWNLOAD, _V.CONFLICT, _V.DOWNLOAD),
    "xb-": ("local_changed_remote_deleted", _V.UPLOAD, _V.UPLOAD, _V.CONFLICT),
}
"""The table of the documentation ("How buckia decides"), row by row."""

_COLUMN = {Direction.BOTH: 1, Direction.UPLOAD: 2, Direction.DOWNLOAD: 3}

RESURRECTED: Final = {
    ("-by", Verdict.DOWNLOAD),
    ("xb-", Verdict.UPLOAD),
}
"""A modification beats a deletion, and the plan says so."""

SETTLED: Final[dict[tuple[str, Policy], tuple[Verdict, Verdict, Verdict]]] = {
    # What a policy makes of a conflict: both, upload, download. The loser is always kept.
    ("x-y", Policy.LOCAL_WINS): (_V.UPLOAD, _V.UPLOAD, _V.DRIFT),
    ("xby", Policy.LOCAL_WINS): (_V.UPLOAD, _V.UPLOAD, _V.DRIFT),
    ("xbb", Policy.LOCAL_WINS): (_V.UPLOAD, _V.UPLOAD, _V.DRIFT),
    ("bby", Policy.LOCAL_WINS): (_V.UPLOAD, _V.UPLOAD, _V.DRIFT),
    ("-by", Policy.LOCAL_WINS): (_V.ORPHAN, _V.ORPHAN, _V.DRIFT),
    ("xb-", Policy.LOCAL_WINS): (_V.UPLOAD, _V.UPLOAD, _V.DRIFT),
    ("x-y", Policy.REMOTE_WINS): (_V.DOWNLOAD, _V.DRIFT, _V.DOWNLOAD),
    ("xby", Policy.REMOTE_WINS): (_V.DOWNLOAD, _V.DRIFT, _V.DOWNLOAD),
    ("xbb", Policy.REMOTE_WINS): (_V.DOWNLOAD, _V.DRIFT, _V.DOWNLOAD),
    ("bby", Policy.REMOTE_WINS): (_V.DOWNLOAD, _V.DRIFT, _V.DOWNLOAD),
    ("-by", Policy.REMOTE_WINS): (_V.DOWNLOAD, _V.DRIFT, _V.DOWNLOAD),
    ("xb-", Policy.REMOTE_WINS): (_V.MISSING, _V.DRIFT, _V.MISSING),
}

CLOCK_SKEW: Final = 2_000_000_000
"""Times closer than this (ns) do not tell which side is newer: FAT and buckets count in seconds."""


def row_of(local: Entry | None, base: Entry | None, remote: Entry | None) -> str:
    """The row of the table that three entries fall into."""
    known = local is not None and remote is not None and same_content(local, remote) is True
    here = "-" if local is None else "b" if base and same_content(local, base) else "x"
    if remote is None:
        there = "-"
    elif base and is_base(remote, base):
        there = "b"
    else:
        there = "x" if known else "y"
    if known and here != there:  # equal, whatever base can tell of each
        here, there = "x", "x"
    return here + ("b" if base else "-") + there


def is_base(remote: Entry, base: Entry) -> bool:
    """Whether the bucket still holds what the last apply left, by token or else by content."""
    return remote.version == base.version or same_content(remote, base) is True


def decide(
    key: str,
    local: Entry | None,
    base: Entry | None,
    remote: Entry | None,
    direction: Direction,
    rules: Rules,
    now: int | None = None,
) -> Decision:
    """The verdict on one key: the table, then the conflict policy, then the deletion policy.

    `now` (ns since 1970) lets `newest_wins` distrust times in the future; without it that policy
    settles nothing.
    """
    row = row_of(local, base, remote)
    column = _COLUMN[direction]
    reason = str(TABLE[row][0])
    verdict = TABLE[row][column]
    assert isinstance(verdict, Verdict)  # noqa: S101  (for the type checker)
    if verdict is Verdict.CONFLICT:
        conflict = Decision(key, verdict, reason, local, base, remote)
        policy = _winner(rules.policy, local, remote, now)
        return settle(conflict, direction, policy, rules) if policy else conflict
    if (row, verdict) in RESURRECTED:
        reason = "resurrected"
    elif row == "bbb" and base and remote and remote.version != base.version:
        verdict, reason = Verdict.ADOPT, "rewritten"
    verdict = _permit(verdict, rules)
    return _dress(Decision(key, verdict, reason, local, base, remote), direction, rules)


def settle(conflict: Decision, direction: Direction, policy: Policy, rules: Rules) -> Decision:
    """The decision a side-wins policy makes of a conflict; its reason becomes the policy."""
    row = row_of(conflict.local, conflict.base, conflict.remote)
    verdict = SETTLED[row, policy][_COLUMN[direction] - 1]
    settled = replace(conflict, verdict=_permit(verdict, rules), reason=str(policy))
    return _dress(settled, direction, rules)


def _dress(made: Decision, direction: Direction, rules: Rules) -> Decision:
    """The decision with the headers that rules want; where only they are to change, a copy."""
    if direction is Direction.DOWNLOAD:
        return made
    made = replace(made, headers=rules.headers.wanted(made.key))
    if not rules.headers.in_place or _is_dressed(made):
        return made
    return replace(made, verdict=Verdict.COPY, reason="headers_changed")


def _is_dressed(made: Decision) -> bool:
    """Whether what is left to do for a key leaves its object with the headers that are wanted."""
    if made.verdict is Verdict.ADOPT and made.remote:
        return agrees(made.remote, made.headers)
    if made.verdict is Verdict.NOTHING and made.remote and made.base:
        return fits(made.headers, made.base)
    return True


def _permit(verdict: Verdict, rules: Rules) -> Verdict:
    """Deletions travel only where the configuration lets them."""
    if verdict is Verdict.ORPHAN and rules.delete != "no":
        return Verdict.DELETE_REMOTE
    if verdict is Verdict.MISSING and rules.delete != "no":
        return Verdict.DELETE_LOCAL
    if verdict is Verdict.FOREIGN and rules.delete == "all":
        return Verdict.DELETE_REMOTE
    return verdict


def _winner(
    policy: Policy, local: Entry | None, remote: Entry | None, now: int | None
) -> Policy | None:
    """Which side a policy prefers; None leaves the conflict to a person."""
    if policy is Policy.ASK:
        return None
    if policy is not Policy.NEWEST_WINS:
        return policy
    here = local.modified if local else None
    there = remote.modified if remote else None
    if not here or not there or now is None or max(here, there) > now + CLOCK_SKEW:
        return None
    if abs(here - there) <= CLOCK_SKEW:
        return None
    return Policy.LOCAL_WINS if here > there else Policy.REMOTE_WINS


class Scope(Struct, frozen=True):
    """Which keys a run looks at, and which way each may travel.

    direction_of  the direction of a key, given the local path that holds it; None: left the scope
    selected      whether the run was asked about this key at all (`--paths`)
    """

    direction_of: Callable[[str, str | None], Direction | None]
    selected: Callable[[str, str | None], bool] = lambda key, path: True


def reconcile(
    local: Listing,
    base: Mapping[str, Entry],
    remote: Listing,
    rules: Rules,
    scope: Scope,
    now: int | None = None,
) -> list[Decision]:
    """Every decision that is not "nothing", sorted by the bytes of its key.

    What either side could not see is left alone, and any doubt about a side turns every deletion
    into a report. Without a base nothing is ever deleted.
    """
    here, there = local.entries, remote.entries
    frozen = Frozen((*local.skipped, *remote.skipped))
    careful = not (local.complete and remote.complete and base)
    fit = rules.headers.fit if rules.headers.rules else _bare
    decisions: list[Decision] = []
    for key in here.keys() | base.keys() | there.keys():
        mine, then, theirs = here.get(key), base.get(key), there.get(key)
        if mine and then and theirs and _untouched(mine, then, theirs) and fit(key, then):
            continue
        path = mine.path if mine else then.path if then else None
        if frozen.holds(key) or not scope.selected(key, path):
            continue
        direction = scope.direction_of(key, path)
        if direction is None:
            if then is not None:
                decisions.append(Decision(key, Verdict.FORGET, "scope_left", mine, then, theirs))
            continue
        made = decide(key, mine, then, theirs, direction, rules, now)
        if careful:
            made = _spare(made)
        if made.verdict is not Verdict.NOTHING:
            decisions.append(made)
    decisions.sort(key=lambda made: made.key.encode("utf-8", "surrogatepass"))
    return decisions


def _untouched(mine: Entry, then: Entry, theirs: Entry) -> bool:
    """The row `bbb` told by plain comparison: most keys of most plans, so it has to be quick."""
    return (
        theirs.version == then.version
        and mine.logical == then.logical
        and (mine.sha256 == then.sha256 or mine.logical is not None)
    )


def _bare(key: str, then: Entry) -> bool:
    """Whether what is known has no headers, as without rules it should be."""
    return not then.headers


def _spare(made: Decision) -> Decision:
    """The same decision with a deletion turned back into a report."""
    if made.verdict is Verdict.DELETE_REMOTE:
        kind = Verdict.FOREIGN if made.base is None else Verdict.ORPHAN
        return replace(made, verdict=kind)
    if made.verdict is Verdict.DELETE_LOCAL:
        return replace(made, verdict=Verdict.MISSING)
    return made


class Frozen:
    """Keys and folders that some side could not show: no decision is made about them."""

    def __init__(self, skipped: tuple[Skipped, ...]) -> None:
        self._keys = {item.place for item in skipped}
        self._all = "./" in self._keys
        self._folders = tuple(item.place for item in skipped if item.place.endswith("/"))

    def holds(self, key: str) -> bool:
        """Whether a key is one of them, or below one."""
        below = bool(self._folders) and key.startswith(self._folders)
        return self._all or below or key in self._keys
