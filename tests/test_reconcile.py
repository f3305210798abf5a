"""The table of the documentation, row by row, in every direction and under every policy."""

from __future__ import annotations

import itertools
from typing import Final, Literal

import pytest

from buckia.model import Direction, Entry, Policy, replace
from buckia.reconcile import (
    CLOCK_SKEW,
    Decision,
    Verdict,
    decide,
    row_of,
    settle,
)
from buckia.rules import Rules

Sides = tuple[Entry | None, Entry | None, Entry | None]
Delete = Literal["no", "yes", "all"]

NOW: Final = 1_800_000_000_000_000_000
HOUR: Final = 3_600_000_000_000

TABLE: Final = """
x--  upload         upload         nothing
--y  download       foreign        download
x-x  adopt          adopt          adopt
x-y  conflict       conflict       conflict
bbb  nothing        nothing        nothing
xbb  upload         upload         conflict
bby  download       conflict       download
xbx  adopt          adopt          adopt
xby  conflict       conflict       conflict
-bb  orphan         orphan         download
bb-  missing        upload         missing
-b-  forget         forget         forget
-by  download       conflict       download
xb-  upload         upload         conflict
"""
"""Local, base, remote; then both ways, upload only, download only."""

SETTLED: Final = """
x-y  local_wins     upload         upload         drift
x-y  remote_wins    download       drift          download
xby  local_wins     upload         upload         drift
xby  remote_wins    download       drift          download
xbb  local_wins     -              -              drift
xbb  remote_wins    -              -              download
bby  local_wins     -              upload         -
bby  remote_wins    -              drift          -
-by  local_wins     -              orphan         -
-by  remote_wins    -              drift          -
xb-  local_wins     -              -              drift
xb-  remote_wins    -              -              missing
"""
"""What a policy makes of each conflict; `-` where the row is none."""

DELETED: Final = {"orphan": "delete_remote", "missing": "delete_local"}


def cells(table: str) -> list[tuple[str, ...]]:
    """The cells of a table: what stands left of each, its direction, itself."""
    return [
        (*line.split()[:-3], direction, cell)
        for line in table.strip().splitlines()
        for direction, cell in zip(Direction, line.split()[-3:], strict=True)
        if cell != "-"
    ]


def sides(row: str, key: str = "k") -> Sides:
    """The three entries of a row. Their tokens tell nothing, as after a copy of the bucket."""
    local, base, remote = (
        Entry(key, 1, sha256=name * 64, version=f"{name}-{place}") if name != "-" else None
        for place, name in zip(("local", "base", "base"), row, strict=True)
    )
    return local, base, remote


def verdict(
    row: str, direction: str, rules: Rules | None = None, times: tuple[int, int] | None = None
) -> Verdict:
    local, base, remote = sides(row)
    if times and local and remote:
        local, remote = replace(local, modified=times[0]), replace(remote, modified=times[1])
    return decide("k", local, base, remote, Direction(direction), rules or Rules(), NOW).verdict


@pytest.mark.parametrize(("row", "direction", "expected"), cells(TABLE))
@pytest.mark.promise("INV-5")
def test_each_cell_of_the_table(row: str, direction: str, expected: str) -> None:
    """Without a policy and without permission to delete, the table alone decides."""
    assert row_of(*sides(row)) == row
    assert verdict(row, direction) == expected


@pytest.mark.parametrize("delete", ["yes", "all"])
@pytest.mark.parametrize(("row", "direction", "expected"), cells(TABLE))
def test_deletions_travel_where_they_may(
    row: str, direction: str, expected: str, delete: Delete
) -> None:
    """With `delete_orphaned` an orphan and a missing file are deleted; `all` adds what is foreign;
    nothing else is changed by it."""
    foreign = {"foreign": "delete_remote"} if delete == "all" else {}
    wanted = {**DELETED, **foreign}.get(expected, expected)
    assert verdict(row, direction, Rules(delete=delete)) == wanted


@pytest.mark.parametrize(("row", "policy", "direction", "expected"), cells(SETTLED))
def test_each_conflict_under_each_policy(
    row: str, policy: str, direction: str, expected: str
) -> None:
    """A side that wins travels if the direction lets it; else the difference stays, reported."""
    assert verdict(row, direction, Rules(policy=Policy(policy))) == expected
    deleting = Rules(policy=Policy(policy), delete="yes")
    assert verdict(row, direction, deleting) == DELETED.get(expected, expected)


def test_the_tables_of_this_test_are_whole() -> None:
    """Every conflict of the first table stands in the second, for both sides."""
    conflicts = {(row, way) for row, way, cell in cells(TABLE) if cell == "conflict"}
    for policy in ("local_wins", "remote_wins"):
        assert {(row, way) for row, p, way, _ in cells(SETTLED) if p == policy} == conflicts


@pytest.mark.parametrize(
    ("row", "policy"),
    list(itertools.product(["x-y", "xby", "xbb", "bby", "-by", "xb-"], Policy)),
)
def test_a_policy_touches_conflicts_only(row: str, policy: Policy) -> None:
    """What the table decides without a conflict is the same under every policy."""
    for known, direction, cell in cells(TABLE):
        if known == row and cell != "conflict":
            assert verdict(row, direction, Rules(policy=policy), (NOW, NOW - HOUR)) == cell


@pytest.mark.parametrize(
    ("local", "remote", "winner"),
    [
        (NOW, NOW - HOUR, "local_wins"),
        (NOW - HOUR, NOW, "remote_wins"),
        (NOW + CLOCK_SKEW, NOW - HOUR, "local_wins"),
        (NOW - CLOCK_SKEW - 1, NOW, "remote_wins"),
        (NOW - CLOCK_SKEW, NOW, None),
        (NOW, NOW, None),
        (0, NOW, None),
        (NOW, 0, None),
        (NOW + HOUR, NOW, None),
        (NOW, NOW + HOUR, None),
    ],
)
@pytest.mark.promise("INV-14")
def test_newest_wins_only_where_times_can_be_believed(
    local: int, remote: int, winner: str | None
) -> None:
    """Equal, missing and future times leave the conflict to a person, in every row."""
    for row, direction, cell in cells(TABLE):
        if cell != "conflict":
            continue
        expected = "conflict"
        if winner and "-" not in (row[0], row[2]):
            expected = verdict(row, direction, Rules(policy=Policy(winner)))
        newest = Rules(policy=Policy.NEWEST_WINS)
        assert verdict(row, direction, newest, (local, remote)) == expected


def test_newest_wins_needs_a_clock() -> None:
    """Without the present time no time can be believed."""
    local, base, remote = sides("xby")
    assert local and remote
    local, remote = replace(local, modified=NOW), replace(remote, modified=NOW - HOUR)
    rules = Rules(policy=Policy.NEWEST_WINS)
    made = decide("k", local, base, remote, Direction.BOTH, rules, None)
    assert made.verdict is Verdict.CONFLICT


@pytest.mark.parametrize("row", ["-by", "xb-"])
def test_a_modification_beats_a_deletion_and_says_so(row: str) -> None:
    """Even where deletions travel the changed side comes back, flagged."""
    made = decide("k", *sides(row), Direction.BOTH, Rules(delete="all"), NOW)
    assert made.reason == "resurrected"
    assert made.verdict in (Verdict.UPLOAD, Verdict.DOWNLOAD)


def test_the_same_bytes_written_anew_are_adopted() -> None:
    """A new token on known content changes the memory, not a side."""
    local, base, remote = sides("bbb")
    assert remote
    anew = replace(remote, version="another")
    made = decide("k", local, base, anew, Direction.BOTH, Rules(), NOW)
    assert (made.verdict, made.reason) == (Verdict.ADOPT, "rewritten")


def test_sides_without_a_common_digest_count_as_different() -> None:
    """Not knowing is no proof of being equal: a conflict, not an adoption."""
    local = Entry("k", 1, sha256="a" * 64)
    remote = Entry("k", 1, md5="b" * 32, version="v")
    assert row_of(local, None, remote) == "x-y"
    assert row_of(local, Entry("k", 1, sha256="c" * 64, version="w"), remote) == "xby"


def test_the_token_joins_sides_that_share_no_digest() -> None:
    """The bucket's token from the last apply proves that an object is still what it was."""
    local = Entry("k", 1, sha256="a" * 64)
    base = Entry("k", 1, sha256="a" * 64, version="v")
    assert row_of(local, base, Entry("k", 1, version="v")) == "bbb"


def test_databases_are_one_by_their_rows() -> None:
    """Two databases of other bytes and the same rows are the same content."""
    local = Entry("k", 1, sha256="a" * 64, logical="rows")
    base = Entry("k", 2, sha256="b" * 64, logical="rows", version="v")
    assert row_of(local, base, Entry("k", 2, version="v")) == "bbb"


def test_settling_keeps_what_was_known() -> None:
    """A person's answer becomes the reason; the three sides stay in the decision."""
    local, base, remote = sides("xby")
    conflict = Decision("k", Verdict.CONFLICT, "both_changed", local, base, remote)
    made = settle(conflict, Direction.BOTH, Policy.LOCAL_WINS, Rules())
    assert made == replace(conflict, verdict=Verdict.UPLOAD, reason="local_wins")
