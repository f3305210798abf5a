"""What a plan must not do: clash names, empty a side, delete too much. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from buckia.layout import collisions, shadowed
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
    kept = [d for d in decisions if d.key not in refused]
    return kept, [Notice("collision", bucket, key, refused[key]) for key in sorted(refused)]


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
        places = {"": len(base), **Counter(_top(key) for key in base)}
        counts = {"": len(gone), **Counter(_top(key) for key in gone)}
        for place, count in counts.items():
            allowed = limits.allowed(places.get(place, 0))
            if count > allowed:
                where = f"{bucket}/{place}" if place else bucket
                blocked.append(f"max_delete: {where}: {verdict} {count}, allowed {allowed}")
    return sorted(blocked)


def _net(decisions: list[Decision], gone: Verdict, arrives: Verdict) -> list[str]:
    """Keys that a side loses without their content staying on it under another name."""
    came: Counter[str | None] = Counter()
    for item in decisions:
        if item.verdict is arrives:
            came.update(_identities(item.local if arrives is Verdict.UPLOAD else item.remote))
    keys: list[str] = []
    for item in decisions:
        if item.verdict is gone:
            match = next((i for i in _identities(item.base) if came[i] > 0), None)
            match = match or next((i for i in _identities(item.remote) if came[i] > 0), None)
            if match:
                came[match] -= 1
            else:
                keys.append(item.key)
    return keys


def _identities(entry: Entry | None) -> list[str]:
    if entry is None or not entry.size:
        return []
    return [digest for digest in (entry.sha256, entry.md5) if digest]


def _top(key: str) -> str:
    head, slash, _ = key.partition("/")
    return head if slash else ""
