"""The corners of the table: what it says for reasons, and what the quick paths must not skip."""

from __future__ import annotations

from typing import Final

import pytest

from buckia.model import Direction, Entry, Listing, Policy, Skipped, replace
from buckia.reconcile import Decision, Scope, Verdict, decide, reconcile, row_of
from buckia.rules import Rules
from tests.test_reconcile import NOW, sides

BOTH: Final = Scope(lambda key, path: Direction.BOTH)
EVERYTHING: Final = Rules(delete="all")
UNSEEN: Final = (Skipped("elsewhere/", "cannot be read", unknown=True),)

REASONS: Final = {
    "x--": "local_new",
    "--y": "remote_new",
    "x-x": "both_equal",
    "x-y": "both_new",
    "bbb": "unchanged",
    "xbb": "local_changed",
    "bby": "remote_changed",
    "xbx": "both_equal",
    "xby": "both_changed",
    "-bb": "local_deleted",
    "bb-": "remote_deleted",
    "-b-": "both_deleted",
    "-by": "resurrected",
    "xb-": "resurrected",
}


def decisions(
    local: Entry | None,
    base: Entry | None,
    remote: Entry | None,
    rules: Rules = EVERYTHING,
    skipped: tuple[Skipped, ...] = (),
) -> list[Decision]:
    """What is decided of one key, beside another that is in base and unchanged."""
    sure = sides("bbb", "sure")
    listings = [
        {entry.key: entry for entry in (item, known) if entry}
        for item, known in zip((local, base, remote), sure, strict=True)
    ]
    here, then, there = listings
    return reconcile(Listing(here, skipped), then, Listing(there), rules, BOTH, NOW)


@pytest.mark.promise("INV-22")
@pytest.mark.parametrize(("row", "reason"), REASONS.items())
def test_each_row_gives_its_reason(row: str, reason: str) -> None:
    """Plans, views and the notices go by these words."""
    assert decide("k", *sides(row), Direction.BOTH, Rules(), NOW).reason == reason


@pytest.mark.parametrize("row", ["-by", "xb-"])
def test_what_stays_a_conflict_is_not_called_resurrected(row: str) -> None:
    """Where the direction makes it a conflict, the reason is what happened."""
    way = Direction.UPLOAD if row == "-by" else Direction.DOWNLOAD
    made = decide("k", *sides(row), way, Rules(), NOW)
    known = {"-by": "local_deleted_remote_changed", "xb-": "local_changed_remote_deleted"}
    assert (made.verdict, made.reason) == ("conflict", known[row])


@pytest.mark.promise("INV-14")
def test_two_seconds_do_not_tell_which_side_is_newer() -> None:
    """FAT and buckets count in seconds."""
    rules = Rules(policy=Policy.NEWEST_WINS)
    local, base, remote = sides("xby")
    assert local and remote
    for apart, verdict in ((2_000_000_000, "conflict"), (2_000_000_001, "upload")):
        ours, theirs = replace(local, modified=NOW), replace(remote, modified=NOW - apart)
        assert decide("k", ours, base, theirs, Direction.BOTH, rules, NOW).verdict == verdict


@pytest.mark.parametrize("version", ["v", "w"])
def test_sides_that_prove_equal_are_equal_whatever_base_can_say(version: str) -> None:
    """Base shares a digest with only one of them, or claims the token of other bytes."""
    base = Entry("k", 1, sha256="a" * 64, version="v")
    remote = Entry("k", 1, md5="c" * 32, version=version)
    for digest in ("a", "b"):
        local = Entry("k", 1, sha256=digest * 64, md5="c" * 32)
        row = row_of(local, base, remote)
        assert row == ("bbb" if (digest, version) == ("a", "v") else "xbx")


@pytest.mark.promise("INV-21")
@pytest.mark.parametrize("same_bytes", [True, False])
def test_a_database_with_other_rows_is_not_passed_over(same_bytes: bool) -> None:
    """Its rows decide, also where its file's bytes are those of the last apply."""
    base = Entry("k", 1, sha256="a" * 64, logical="rows", version="v")
    local = Entry("k", 1, sha256="a" * 64 if same_bytes else "b" * 64, logical="other rows")
    (made,) = decisions(local, base, Entry("k", 1, version="v"))
    assert made.verdict == "upload"


def test_a_database_of_other_bytes_and_the_same_rows_is_passed_over() -> None:
    """No decision at all, as for any unchanged file."""
    base = Entry("k", 1, sha256="a" * 64, logical="rows", version="v")
    local = Entry("k", 1, sha256="b" * 64, logical="rows")
    assert decisions(local, base, Entry("k", 1, version="v")) == []


@pytest.mark.parametrize(
    ("row", "sure", "unsure"),
    [
        ("--y", "delete_remote", "foreign"),
        ("-bb", "delete_remote", "orphan"),
        ("bb-", "delete_local", "missing"),
    ],
)
@pytest.mark.promise("INV-1", "L6")
def test_a_deletion_in_doubt_is_reported_as_what_it_is(row: str, sure: str, unsure: str) -> None:
    """Foreign stays foreign, gone locally an orphan, gone remotely missing."""
    rules = replace(EVERYTHING, delete="all")
    upload = Scope(lambda key, path: Direction.UPLOAD if row == "--y" else Direction.BOTH)
    local, base, remote = sides(row)
    known = sides("bbb", "sure")
    for skipped, expected in (((), sure), (UNSEEN, unsure)):
        here, then, there = (
            {entry.key: entry for entry in pair if entry}
            for pair in zip((local, base, remote), known, strict=True)
        )
        (made,) = reconcile(Listing(here, skipped), then, Listing(there), rules, upload, NOW)
        assert made.verdict == expected


def test_a_key_that_left_the_scope_says_so() -> None:
    """Apply does not look for a file that may have no place any more, and goes by this word."""
    left = Scope(lambda key, path: None)
    _, base, _ = sides("-b-")
    assert base
    (made,) = reconcile(Listing({}), {"k": base}, Listing({}), EVERYTHING, left, NOW)
    assert made == Decision("k", Verdict.FORGET, "scope_left", None, base, None)


def test_a_skipped_file_freezes_no_other_of_the_same_beginning() -> None:
    """`link` is left alone, `linked` is not."""
    link = (Skipped("k", "is a link"),)
    listed = {key: Entry(key, 1, sha256="a" * 64) for key in ("k", "kk", "k/x")}
    made = reconcile(Listing(listed, link), {}, Listing({}), Rules(), BOTH, NOW)
    assert [item.key for item in made] == ["k/x", "kk"]


@pytest.mark.promise("INV-22")
def test_names_that_are_no_text_have_their_place_in_the_order_too() -> None:
    """A listing may hold anything; deciding about it does not fail."""
    listed = {key: Entry(key, 1, sha256="a" * 64) for key in ("b\udcff", "a", "b\uffee")}
    made = reconcile(Listing(listed), {}, Listing({}), Rules(), BOTH, NOW)
    assert [item.key for item in made] == ["a", "b\udcff", "b\uffee"]
