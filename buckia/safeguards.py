"""What a plan must not do: clash names, empty a side, delete too much. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from buckia.layout import collisions, parents, shadowed
from buckia.model import Entry, Listing, Notice
from buckia.reconcile import Decision, Verdict
from buckia.rules import Limits


def refuse_clashes(
    bucket: str, decisions: list[Decision], local: Listing, remote: Listing
) -> tuple[list[Decision], list[Notice]]:
    """Leave out whatever would put two names on a side that some file system takes for one.

    Looked at is what each side would hold afterwards; what already stands there is left as it is.
    """
    writes = [d for d in decisions if d.verdict in (Verdict.UPLOAD, Verdict.DOWNLOAD)]
    if not writes:
        return decisions, []
    refused: dict[str, str] = {}
    for listing, arrives, leaves in (
        (remote, Verdict.UPLOAD, Verdict.DELETE_REMOTE),
        (local, Verdict.DOWNLOAD, Verdict.DELETE_LOCAL),
    ):
        after = set(listing.entries) | {d.key for d in decisions if d.verdict is arrives}
        after -= {d.key for d in decisions if d.verdict is leaves}
        for group in collisions(after):
            for key in group:
                others = ", ".join(repr(other) for other in group if other != key)
                refused[key] = f"is one file with {others} where case or accents are not told apart"
        for key in shadowed(after):
            refused[key] = "is also the name of a folder"
    refused |= _occupied(decisions, local)
    kept = [d for d in decisions if d.key not in refused]
    return kept, [Notice("collision", bucket, key, refused[key]) for key in sorted(refused)]


def _occupied(decisions: list[Decision], local: Listing) -> dict[str, str]:
    """Files that come where a local file or folder still stands, and what stands there.

    On a disk the old would have to go before the new is there, so a person makes room.
    """
    comes = {d.key for d in decisions if d.verdict is Verdict.DOWNLOAD}
    goes = {d.key for d in decisions if d.verdict is Verdict.DELETE_LOCAL}
    refused: dict[str, str] = {}
    pairs = [(key, top) for key in comes for top in parents(key) if top in local.entries]
    pairs += [(top, key) for key in local.entries for top in parents(key) if top in comes]
    for new, old in sorted(pairs, reverse=True):
        refused[new] = f"comes where {old!r} stands; move that away to make room"
        if old in goes:
            refused[old] = f"stands where {new!r} comes; move it away to make room"
    return refused


def empty_sides(
    bucket: str,
    decisions: list[Decision],
    local: Listing,
    base: Mapping[str, Entry],
    remote: Listing,
) -> Iterable[str]:
    """An empty side is far more often an unmounted disk than a wish to delete everything."""
    if len(base) < 2:
        return
    for listing, verdict, side in (
        (local, Verdict.DELETE_REMOTE, "local"),
        (remote, Verdict.DELETE_LOCAL, "remote"),
    ):
        if not listing.entries and any(d.verdict is verdict for d in decisions):
            yield f"empty_{side}: {bucket}"


def over_limits(
    bucket: str, decisions: list[Decision], base: Mapping[str, Entry], limits: Limits
) -> list[str]:
    """Where a side, or a top-level folder of it, would lose more than the limits allow.

    Deletions whose content arrives elsewhere on the same side are renames and do not count.
    """
    blocked: list[str] = []
    for verdict, arrives in (
        (Verdict.DELETE_REMOTE, Verdict.UPLOAD),
        (Verdict.DELETE_LOCAL, Verdict.DOWNLOAD),
    ):
        gone = _net(decisions, verdict, arrives)
        if not gone:
            continue
        held = Counter(top for key in base if (top := _top(key)))
        lost = Counter(top for key in gone if (top := _top(key)))
        places = [(bucket, len(gone), len(base))]
        places += [(f"{bucket}/{top}", count, held[top]) for top, count in lost.items()]
        for where, count, of in places:
            if count > (allowed := limits.allowed(of)):
                blocked.append(f"max_delete: {where}: {verdict} {count}, allowed {allowed}")
    return sorted(blocked)


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
