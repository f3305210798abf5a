"""Why a key is treated as it is: the rules it passes, its row of the table, what follows. Pure.

Nothing is decided here. The verdict comes from `buckia.reconcile`, the rules are the ones it was
made with; this says in words what they say of one key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from buckia import globs
from buckia.layout import Layout, Mapping, refuse_key
from buckia.model import Direction, Entry
from buckia.reconcile import TABLE, Verdict, row_of
from buckia.rules import Rules, built_in_exclude

Where = Callable[..., str | None]
"""The file and line of an option of the bucket, given its name and parts; None if unknown."""


class Rule(Struct, frozen=True):
    """One rule that has something to say of a key.

    `holds` is False where it keeps the key out. `option` is the configuration's name for it,
    `pattern` the one that matched, `place` its file and line.
    """

    option: str
    holds: bool
    why: str
    pattern: str | None = None
    place: str | None = None


class Ruling(Struct, frozen=True):
    """A policy that had a say in the verdict: an option, its value, its file and line."""

    option: str
    value: str
    place: str | None = None


class Explanation(Struct, frozen=True):
    """Everything there is to say of one key in one bucket.

    row       the row of the table, and `meaning` in words; None where the key is out of scope
    table     the verdict of the row in the column of `direction`, before any policy
    verdict   what is left of it after policies and limits
    rulings   the options that the verdict hangs on
    notes     what else a person should know
    """

    bucket: str
    key: str
    path: str | None
    direction: Direction | None
    rules: tuple[Rule, ...]
    local: Entry | None
    base: Entry | None
    remote: Entry | None
    row: str | None
    meaning: str
    reason: str
    table: Verdict | None
    verdict: Verdict
    rulings: tuple[Ruling, ...]
    next: str
    notes: tuple[str, ...] = ()

    @property
    def in_scope(self) -> bool:
        """Whether every rule lets the key in."""
        return all(rule.holds for rule in self.rules)


MEANINGS: Final = {
    "x--": "here and nowhere else, and no apply knows of it",
    "--y": "in the bucket and nowhere else, and no apply knows of it",
    "x-x": "the same on both sides, and no apply knows of it",
    "x-y": "different on both sides, and no apply knows of it",
    "bbb": "on both sides as the last apply left it",
    "xbb": "changed here since the last apply, in the bucket as it was left",
    "bby": "here as the last apply left it, changed in the bucket since",
    "xbx": "changed on both sides since the last apply, to the same",
    "xby": "changed on both sides since the last apply, and not to the same",
    "-bb": "gone here since the last apply, in the bucket as it was left",
    "bb-": "here as the last apply left it, gone from the bucket since",
    "-b-": "gone from both sides since the last apply",
    "-by": "gone here since the last apply, changed in the bucket",
    "xb-": "changed here since the last apply, gone from the bucket",
    "---": "on neither side, and no apply knows of it",
}
"""The rows of the table in words."""

NEXT: Final = {
    Verdict.UPLOAD: "the local file is uploaded",
    Verdict.DOWNLOAD: "the object is downloaded",
    Verdict.DELETE_REMOTE: "the object is deleted from the bucket",
    Verdict.DELETE_LOCAL: "the local file is deleted, into the trash",
    Verdict.COPY: "the object gets other headers; its bytes stay",
    Verdict.ADOPT: "the lockfile takes note of it; no bytes move",
    Verdict.FORGET: "the lockfile forgets it; neither side changes",
    Verdict.CONFLICT: "nothing until somebody chooses: `buckia plan` asks in a terminal, `buckia "
    "resolve PLAN` settles it in a plan",
    Verdict.ORPHAN: "nothing: it is reported as an orphan and stays in the bucket",
    Verdict.MISSING: "nothing: it is reported as missing and stays here",
    Verdict.FOREIGN: "nothing: it is reported as foreign and stays in the bucket",
    Verdict.DRIFT: "nothing: the difference is reported and stays",
    Verdict.NOTHING: "nothing: there is nothing to do for it",
}
"""What the next apply does about each verdict."""

_ONE_WAY: Final = {
    Direction.BOTH: "travels both ways",
    Direction.UPLOAD: "travels up only",
    Direction.DOWNLOAD: "travels down only",
}
_CLASHES: Final = frozenset({"x-y", "xby", "xbb", "bby", "-by", "xb-"})
_COLUMNS: Final = {Direction.BOTH: 1, Direction.UPLOAD: 2, Direction.DOWNLOAD: 3}
_TOLD: Final = {"no": "false", "yes": "true", "all": "all"}


def rules_on(
    key: str, path: str | None, layout: Layout, rules: Rules, own: bool, where: Where
) -> list[Rule]:
    """Every rule that has something to say of a key, up to the first that keeps it out.

    `own` says that the key stands for the configuration file itself.
    """
    found: list[Rule] = []
    for rule in _asked(key, path, layout, rules, own, where):
        found.append(rule)
        if not rule.holds:
            break
    return found


def _asked(
    key: str, path: str | None, layout: Layout, rules: Rules, own: bool, where: Where
) -> Iterator[Rule]:
    if why := refuse_key(key):
        yield Rule("name", False, f"the name {why}")
    yield _mapped(key, path, layout, where)
    if own:
        yield Rule("built in", False, "the configuration file is never content")
    if why := built_in_exclude(key):
        yield Rule("built in", False, f"is {why}")
    yield from _globs(key, rules, where)
    yield from _patterns(key, rules, where)
    if (at := globs.deciding(rules.protect, key)) is not None and rules.protects(key):
        place = where("protect", at)
        yield Rule("protect", True, "no plan may delete it", rules.protect[at], place)


def _mapped(key: str, path: str | None, layout: Layout, where: Where) -> Rule:
    """Which mapping a key belongs to, or why it belongs to none."""
    by_path = (m for m in layout.mappings if path is not None and m.key_of(path) == key)
    mapping = next(by_path, layout.owner(key))
    if mapping is not None:
        option, *parts = _option(mapping, layout)
        shown = mapping.path or "./"
        way = _ONE_WAY[mapping.direction]
        return Rule(str(option), True, way, shown, where(option, *parts))
    limited = [m for m in layout.mappings if m.folders and key.startswith(m.prefix)]
    if limited:
        named = ", ".join(limited[0].folders)
        why = f"its folder is none of {named}"
        return Rule("folders", False, why, None, where("folders"))
    return Rule("paths", False, "no mapping of the bucket covers it", None, where("paths"))


def _option(mapping: Mapping, layout: Layout) -> tuple[str | int, ...]:
    if mapping.single:
        upload = mapping.direction is Direction.UPLOAD
        return ("upload_files" if upload else "files", mapping.path)
    folders = [item for item in layout.mappings if not item.single]
    return ("paths", folders.index(mapping))


def _globs(key: str, rules: Rules, where: Where) -> Iterator[Rule]:
    at = globs.deciding(rules.include, key)
    if rules.include:
        alone = Rules(include=rules.include)
        holds = alone.excludes(key) is None
        pattern = None if at is None else rules.include[at]
        why = "matches" if holds else "matches none of them"
        place = where("include") if at is None else where("include", at)
        yield Rule("include", holds, why, pattern, place)
    at = globs.deciding(rules.exclude, key)
    if at is not None:
        out = Rules(exclude=rules.exclude).excludes(key) is not None
        why = "matches" if out else "is excepted"
        yield Rule("exclude", not out, why, rules.exclude[at], where("exclude", at))


def _patterns(key: str, rules: Rules, where: Where) -> Iterator[Rule]:
    if rules.include_pattern:
        holds = Rules(include_pattern=rules.include_pattern).excludes(key) is None
        why = "matches" if holds else "does not match"
        yield Rule("include_pattern", holds, why, rules.include_pattern, where("include_pattern"))
    if rules.exclude_pattern:
        out = Rules(exclude_pattern=rules.exclude_pattern).excludes(key) is not None
        if out:
            pattern = rules.exclude_pattern
            yield Rule("exclude_pattern", False, "matches", pattern, where("exclude_pattern"))


def table_row(
    local: Entry | None, base: Entry | None, remote: Entry | None, direction: Direction
) -> tuple[str, Verdict]:
    """The row that three entries fall into, and its verdict in the column of a direction."""
    row = row_of(local, base, remote)
    verdict = TABLE[row][_COLUMNS[direction]] if row in TABLE else Verdict.NOTHING
    assert isinstance(verdict, Verdict)  # noqa: S101  (for the type checker)
    return row, verdict


def rulings_on(
    row: str, table: Verdict, direction: Direction, rules: Rules, where: Where
) -> list[Ruling]:
    """The options that a verdict hangs on, given its row and what the table says."""
    found: list[Ruling] = []
    settles = table is Verdict.CONFLICT and row in _CLASHES
    if settles:
        policy = str(rules.policy)
        found.append(Ruling("conflict_resolution", policy, where("conflict_resolution")))
    elif direction is not Direction.BOTH and row in TABLE and TABLE[row][1] is not table:
        found.append(Ruling("direction", str(direction)))
    if table in (Verdict.ORPHAN, Verdict.MISSING, Verdict.FOREIGN) or (
        settles and "-" in (row[0], row[2])
    ):
        told = _TOLD[rules.delete]
        found.append(Ruling("delete_orphaned", told, where("delete_orphaned")))
    return found
