"""What apply knows of each manifest before it is composed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from buckia.decisions.publications import BRINGS, Candidates, gone_by, known, record_of, touched_by
from buckia.lockfile import BucketState, Locked, Lockfile
from buckia.manifest import folder_of
from buckia.model import Action, Headers, Op, Published, promotes
from buckia.pairs import written_by


class Draft(Struct, frozen=True):
    """What apply knows of a manifest before it composes it.

    record   what is remembered of the one before
    files    what is known of every file it names, by key; several where only a look tells which
    headers  those it is published with
    """

    record: Published | None
    files: Candidates
    headers: Headers


def drafts(
    lock: Lockfile,
    name: str,
    actions: Iterable[Action],
    headers: Callable[[str], Headers],
) -> dict[str, Draft]:
    """What each manifest of a bucket will name, by the id of its action, by the lockfile as it is
    after all writes. What the `actions` still delete is named no more."""
    mine = [action for action in actions if action.bucket == name]
    wanted = [action for action in mine if action.op is Op.PUBLISH]
    only = frozenset(folder for item in wanted if (folder := folder_of(item.key)))
    touched, every = touched_by(mine), known(lock, written_by(name), only)
    found = {}
    for action in wanted:
        folder = action.key.partition("/")[0]
        files = _named(lock.state(name), action, touched.get(folder, []), every.get(folder, {}))
        record = record_of(lock, written_by(name), folder)
        found[action.id] = Draft(record, files, headers(action.key))
    return found


def _named(
    state: BucketState, action: Action, mine: Iterable[Action], every: Candidates
) -> Candidates:
    """What a manifest names, with all that may be known of it: what was just written is known."""
    gone = set(action.publication.omits if action.publication else ())
    written: dict[str, Locked | None] = {}
    for item in mine:
        gone |= gone_by(item)
        if item.op in BRINGS:
            moved = item.op is Op.MOVE and promotes(item)
            written[item.key] = (state.brought if moved else state.entries).get(item.key)
    files: Candidates = {}
    for key, candidates in every.items():
        if key in gone:
            continue
        if newest := written.get(key):
            files[key] = [newest]
        elif len({item.token for item in candidates}) == 1:
            files[key] = candidates[:1]
        else:
            files[key] = candidates
    return files
