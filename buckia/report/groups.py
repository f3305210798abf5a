"""Actions in groups: what happens, where, to what. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from buckia import purges, settings, text
from buckia.model import Action, Op, Undo, in_place, is_there, promotes
from buckia.report.ops import OPS, RANK, Kind, kind_of, words_of
from buckia.report.page import Group, Row

_KEPT: Final[dict[Undo | None, str]] = {
    Undo.VERSION: "kept as a version",
    Undo.TRASH: "kept in the trash",
}
_RENAMES: Final = (Op.MOVE, Op.COPY)


def dangers(actions: Iterable[Action]) -> tuple[Group, ...]:
    """What deletes or cannot be undone, by bucket, op and where it is kept, under whole keys."""

    def group(item: Action) -> tuple[str, int, str]:
        return item.bucket, RANK[item.op], item.undo or ""

    found = []
    for _, items in groupby(sorted(actions, key=group), group):
        same = list(items)
        rows = tuple(_row(item, "~" if item.content else "-", text.name(item.key)) for item in same)
        place, kept = text.name(same[0].bucket), _KEPT.get(same[0].undo, "")
        found.append(_group(same, "in", place, rows, kept))
    return tuple(found)


def by_folder(actions: Iterable[Action]) -> tuple[Group, ...]:
    """What travels, by op and top folder."""

    def group(item: Action) -> tuple[int, bool, str]:
        return RANK[item.op], in_place(item), _top(item.key)

    found = []
    for (_, _, top), items in groupby(sorted(actions, key=group), group):
        same = list(items)
        rows = tuple(
            _row(item, _sign(item), text.name(item.key[len(top) :]), _note(item, top))
            for item in same
        )
        found.append(_group(same, "", text.name(top), rows))
    return tuple(found)


def settings_of(actions: Sequence[Action]) -> tuple[Group, ...]:
    """The settings of a bucket, with the lines that go and come. What is told is made from the
    documents that apply will use, not from what the plan says of them."""
    rows = []
    for item in actions:
        told = item.setting
        now, then = (told.now, told.then) if told else (None, None)
        sign = "+" if now is None else "-" if then is None else "~"
        lines = settings.differences(item.key, now, then)
        changes = tuple(text.visible(line) for line in lines)
        rows.append(Row(sign, text.name(item.key), changes=changes, id=item.id))
    about = text.count_of(len(rows), "setting")
    word = OPS[Op.CONFIGURE].todo
    return (Group(Kind.SETTING, word, "", "", about, tuple(rows)),) if rows else ()


def manifests_of(actions: Sequence[Action]) -> tuple[Group, ...]:
    """The manifests that are published or taken away, by folder."""
    rows = tuple(_manifest(item) for item in actions)
    about = text.count_of(len(rows), "folder")
    word = OPS[Op.PUBLISH].todo
    return (Group(Kind.MANIFEST, word, "", "manifests", about, rows),) if rows else ()


def _manifest(item: Action) -> Row:
    folder, told = text.name(item.key.partition("/")[0] + "/"), item.publication
    if told is None:
        return Row("-", folder, "taken away", id=item.id)
    notes = [f"generation {told.generation:,}"]
    if told.omits:
        notes.append(f"without {text.count_of(len(told.omits), 'unsettled file')}")
    return Row("~" if item.expect else "+", folder, ", ".join(notes), id=item.id)


def purges_of(actions: Sequence[Action]) -> tuple[Group, ...]:
    """What caches in front of a bucket drop."""
    rows = tuple(
        Row("~", address(item.key), "left over" if item.reason == purges.LEFT_OVER else "")
        for item in actions
    )
    about = text.count_of(len(rows), "address", "addresses")
    return (Group(Kind.CACHE, OPS[Op.PURGE].todo, "from", "caches", about, rows),) if rows else ()


def address(purge: str) -> str:
    """A purge in words."""
    if purge == purges.ALL:
        return "everything"
    return f"{text.name(purge)} and all below" if purge.endswith("/") else text.name(purge)


def records(actions: Sequence[Action]) -> tuple[Group, ...]:
    """What only the lockfile remembers or forgets: a count of each."""
    found = []
    for op, words in OPS.items():
        same = [item for item in actions if item.op is op]
        rows = tuple(_row(item, "", text.name(item.key)) for item in same)
        if rows:
            about = f"{text.count_of(len(rows), 'file')} {words.means}"
            found.append(Group(words.kind, words.todo, "", "", about, rows))
    return tuple(found)


def _group(
    items: Sequence[Action], lead: str, place: str, rows: tuple[Row, ...], note: str = ""
) -> Group:
    """What is done to how many files of how many bytes."""
    words = words_of(items[0])
    count, total = text.count_of(len(items), "file"), text.size(sum(row.bytes for row in rows))
    about = ", ".join(part for part in (count, total, note) if part)
    return Group(words.kind, words.todo, lead, place, about, rows)


def _row(item: Action, sign: str, name: str, note: str = "") -> Row:
    known = (item.content or item.expect) if item.op is not Op.CONFIGURE else None
    size = text.size(known.size) if known else ""
    if known and item.content and item.expect and not in_place(item):
        size = f"{size}, was {text.size(item.expect.size)}"
    changes = tuple(text.visible(line) for line in item.changes)
    return Row(sign, name, note, size, known.size if known else 0, changes, item.id)


def row_of(item: Action) -> Row:
    """An action under its whole key."""
    return _row(item, _sign(item), _name(item), _note(item, ""))


def _name(item: Action) -> str:
    return address(item.key) if item.op is Op.PURGE else text.name(item.key)


def _top(key: str) -> str:
    top, slash, _ = key.partition("/")
    return top + slash if slash else ""


def _sign(item: Action) -> str:
    if kind_of(item) is Kind.DELETE:
        return "-"
    renames = item.op in _RENAMES and not (promotes(item) or in_place(item))
    return ">" if renames else "~" if item.expect else "+"


def _note(item: Action, top: str) -> str:
    if promotes(item):
        return "already there" if is_there(item) else ""
    if item.op in _RENAMES and item.source and item.source.key and not in_place(item):
        return f"from {text.name(item.source.key.removeprefix(top))}"
    return "resurrected" if item.reason == "resurrected" else ""
