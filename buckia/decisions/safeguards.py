"""What a plan must not do: clash names, empty a side, delete too much. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from msgspec import Struct

from buckia.layout import collisions, fold, folders_of, parents, shadowed
from buckia.model import Action, Entry, Listing, Notice, Op, same_content
from buckia.reconcile import Decision, Verdict
from buckia.rules import Limits, Overrides, Rules

NONE: Final[Mapping[str, str]] = {}
"""No key at all."""

_ADVICE: Final = {
    "max_delete": "is anything missing by accident? If it is meant, plan with "
    "`--allow-deletes {count}` or raise `limits`",
    "empty_local": "is the disk mounted, is it the right folder? If it is meant to be empty, plan "
    "with `--accept-empty local`",
    "empty_remote": "is it the right bucket? If it is meant to be empty, plan with "
    "`--accept-empty remote`",
    "unrecognised_local": "no file in the folder is as buckia left it: is the disk mounted, is it "
    "the right folder? If it is, plan with `--accept-empty local`",
    "unrecognised_remote": "no object in the bucket is as buckia left it: is it the right bucket? "
    "If it is, plan with `--accept-empty remote`",
    "protect": "put the file back, or change `protect` in the configuration",
    "empty_source": "is it the right bucket, the right folder? If it is meant to be empty, plan "
    "with `--accept-empty`",
    "unrecognised_source": "nothing in the source is as it was promoted: is it the right bucket? "
    "If it is, plan with `--accept-empty`",
    "left_behind": "a folder moves whole or not at all: apply the source first, or promote "
    "with `--allow-drift`",
    "media_refs": "put the files there, take the rows out of the database, or leave them undeleted",
    "foreign_there": "limit that bucket's `folders`, or let it delete less than "
    "`delete_orphaned: all`",
}


def advice(why: str, actions: Iterable[Action]) -> str:
    """What a person can do about a line of `blocks`, given the plan's actions; "" for any other."""
    deletes = (Op.DELETE_REMOTE, Op.DELETE_LOCAL)
    lost = Counter((item.bucket, item.op) for item in actions if item.op in deletes)
    words = _ADVICE.get(why.partition(":")[0], "")
    return words.format(count=max(lost.values(), default=0))


def refuse_clashes(
    bucket: str,
    decisions: list[Decision],
    local: Listing,
    remote: Listing,
    *,
    folders: bool = False,
    obstacles: Mapping[str, str] = NONE,
) -> tuple[list[Decision], list[Notice]]:
    """Leave out whatever would put two names on a side that some file system takes for one.

    Looked at is what each side would hold afterwards; what already stands there is left as it is.
    `folders`: the bucket is one, as the local side always is. `obstacles` are keys that cannot come
    because of what no listing shows, with the reason.
    """
    writes = [d for d in decisions if d.verdict in (Verdict.UPLOAD, Verdict.DOWNLOAD)]
    if not writes:
        return decisions, []
    refused: dict[str, str] = {}
    seen: set[str] = set()
    for listing, arrives, leaves in (
        (remote, Verdict.UPLOAD, Verdict.DELETE_REMOTE),
        (local, Verdict.DOWNLOAD, Verdict.DELETE_LOCAL),
    ):
        after = set(listing.entries) | {d.key for d in decisions if d.verdict is arrives}
        after -= {d.key for d in decisions if d.verdict is leaves}
        if after != seen:  # mostly both sides will hold the same
            refused |= _clashes(after)
        seen = after
    refused |= _occupied(decisions, local, Verdict.DOWNLOAD, Verdict.DELETE_LOCAL)
    if folders:
        refused |= _occupied(decisions, remote, Verdict.UPLOAD, Verdict.DELETE_REMOTE)
    refused = {**obstacles, **refused}
    kept = [d for d in decisions if d.key not in refused]
    return kept, [Notice("collision", bucket, key, refused[key]) for key in sorted(refused)]


def _clashes(keys: Collection[str]) -> dict[str, str]:
    """The keys of a side that some file system takes for another, and why."""
    found: dict[str, str] = {}
    for group in collisions(keys):
        for key in group:
            others = ", ".join(repr(other) for other in group if other != key)
            found[key] = f"is one file with {others} where case or accents are not told apart"
    return found | dict.fromkeys(shadowed(keys), "is also the name of a folder")


def refuse_unlisted(
    bucket: str, decisions: list[Decision], base: Mapping[str, Entry]
) -> tuple[list[Decision], list[Notice]]:
    """The same for a plan that looked at some paths only: new names are also held against what the
    lockfile knows elsewhere."""
    writes = (Verdict.UPLOAD, Verdict.DOWNLOAD)
    new = {fold(d.key): d.key for d in decisions if d.verdict in writes and d.key not in base}
    if not new:
        return decisions, []
    seen = {d.key for d in decisions}
    refused = {
        new[folded]: f"is one file with {key!r} where case or accents are not told apart"
        for key in base
        if key not in seen and (folded := fold(key)) in new
    }
    kept = [d for d in decisions if d.key not in refused]
    return kept, [Notice("collision", bucket, key, why) for key, why in sorted(refused.items())]


def _occupied(
    decisions: list[Decision], side: Listing, arrives: Verdict, leaves: Verdict
) -> dict[str, str]:
    """Files that come where a file or folder of a disk still stands, and what stands there.

    The old would have to go before the new is there, so a person makes room.
    """
    comes = {d.key for d in decisions if d.verdict is arrives}
    if not comes:
        return {}
    goes = {d.key for d in decisions if d.verdict is leaves}
    refused: dict[str, str] = {}
    pairs = [(key, top) for key in comes for top in parents(key) if top in side.entries]
    if not comes.isdisjoint(folders_of(side.entries)):
        pairs += [(top, key) for key in side.entries for top in parents(key) if top in comes]
    for new, old in sorted(pairs, reverse=True):
        refused[new] = f"comes where {old!r} stands; move that away to make room"
        if old in goes:
            refused[old] = f"stands where {new!r} comes; move it away to make room"
    return refused


class Scene(Struct, frozen=True):
    """All that a judgement about deletions needs: what is decided, and what each side holds.

    `known` names the sides that carry buckia's own marker of this history, `names` is what the two
    are called.
    """

    bucket: str
    decisions: list[Decision]
    local: Listing
    base: Mapping[str, Entry]
    remote: Listing
    known: frozenset[str] = frozenset()
    names: tuple[str, str] = ("local", "remote")

    @property
    def sides(self) -> tuple[tuple[str, Listing, Verdict, Verdict], ...]:
        """Each side by name: what it holds, the deletions its absences ask for on the other side,
        and what takes the other side's losses in."""
        return (
            (self.names[0], self.local, Verdict.DELETE_REMOTE, Verdict.UPLOAD),
            (self.names[1], self.remote, Verdict.DELETE_LOCAL, Verdict.DOWNLOAD),
        )

    def has(self, verdict: Verdict) -> bool:
        """Whether anything was decided so."""
        return any(item.verdict is verdict for item in self.decisions)


def blocks(scene: Scene, rules: Rules, overrides: Overrides) -> list[str]:
    """Why apply may not take the plan; empty when it may. Each begins with the rule's name."""
    if not any(scene.has(gone) for _, _, gone, _ in scene.sides):
        return []
    found = [*_empty_sides(scene, overrides), *_protected(scene, rules)]
    if not rules.limits.off:
        found += _over_limits(scene, rules.limits, overrides)
    return sorted(found)


def _empty_sides(scene: Scene, overrides: Overrides) -> Iterable[str]:
    """An empty side is far more often an unmounted disk than a wish to delete everything, and a
    side that shares nothing with the lockfile and has no marker is somebody else's folder. The only
    file there was may go without a question, where a marker tells that the side is the right one.
    """
    one = len(scene.base) < 2
    for side, listing, gone, _ in scene.sides:
        if side in overrides.accept_empty or not scene.has(gone) or (one and side in scene.known):
            continue
        if not listing.entries:
            yield f"empty_{side}: {scene.bucket}"
        elif side not in scene.known and not recognised(listing, scene.base):
            yield f"unrecognised_{side}: {scene.bucket}"


def recognised(listing: Listing, base: Mapping[str, Entry]) -> bool:
    """Whether a side holds anything as the lockfile knows it."""
    return any(
        entry.version == base[key].version or same_content(entry, base[key])
        for key, entry in listing.entries.items()
        if key in base
    )


def _protected(scene: Scene, rules: Rules) -> Iterable[str]:
    for item in scene.decisions:
        if item.verdict in (Verdict.DELETE_REMOTE, Verdict.DELETE_LOCAL) and rules.protects(
            item.key
        ):
            yield f"protect: {scene.bucket}/{item.key}: {item.verdict}"


def _over_limits(scene: Scene, limits: Limits, overrides: Overrides) -> Iterable[str]:
    """Where a side, or a top-level folder of it, would lose more than the limits allow.

    Deletions whose content arrives elsewhere on the same side are renames and do not count.
    """
    bucket, base = scene.bucket, scene.base
    for _, _, verdict, arrives in scene.sides:
        gone = _net(scene.decisions, verdict, arrives)
        if not gone or len(gone) <= (overrides.allow_deletes or 0):
            continue
        held = Counter(top for key in base if (top := _top(key)))
        lost = Counter(top for key in gone if (top := _top(key)))
        places = [(bucket, len(gone), len(base))]
        places += [(f"{bucket}/{top}", count, held[top]) for top, count in lost.items()]
        for where, count, of in places:
            if count > (allowed := limits.allowed(of)):
                yield f"max_delete: {where}: {verdict} {count}, allowed {allowed}"


def _net(decisions: list[Decision], gone: Verdict, arrives: Verdict) -> list[str]:
    """Keys that a side loses without their content staying on it under another name."""
    came: dict[str, list[str]] = {}
    for item in decisions:
        if item.verdict is arrives:
            for name in _identities(item.local if arrives is Verdict.UPLOAD else item.remote):
                came.setdefault(name, []).append(item.key)
    used: set[str] = set()

    def stays(item: Decision) -> bool:
        for name in (*_identities(item.base), *_identities(item.remote)):
            while twins := came.get(name):
                if (twin := twins.pop()) not in used:
                    used.add(twin)
                    return True
        return False

    return [item.key for item in decisions if item.verdict is gone and not stays(item)]


def _identities(entry: Entry | None) -> list[str]:
    if entry is None or not entry.size:
        return []
    return [digest for digest in (entry.sha256, entry.md5) if digest]


def _top(key: str) -> str:
    head, slash, _ = key.partition("/")
    return head if slash else ""
