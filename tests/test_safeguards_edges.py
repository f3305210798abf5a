"""The corners of what a plan must not do, decided without a disk or a bucket."""

from __future__ import annotations

from typing import Final

import pytest

from buckia.decisions.safeguards import Scene, advice, blocks, refuse_clashes, refuse_unlisted
from buckia.model import Action, Entry, Listing, Op
from buckia.reconcile import Decision, Verdict
from buckia.rules import NO_OVERRIDES, Limits, Rules

UP, DOWN = Verdict.UPLOAD, Verdict.DOWNLOAD
GONE_THERE, GONE_HERE = Verdict.DELETE_REMOTE, Verdict.DELETE_LOCAL
STRICT: Final = Rules(delete="yes", limits=Limits(0, 0))
LOOSE: Final = Rules(delete="yes", limits=Limits("100%"))


def entry(key: str, digest: str = "a", size: int = 1) -> Entry:
    return Entry(key, size, sha256=digest * 64, version=f"v{digest}")


def decided(verdict: Verdict, key: str, digest: str = "a", size: int = 1) -> Decision:
    """A decision with an entry on the sides that its verdict has one on."""
    made = entry(key, digest, size)
    local = made if verdict in (UP, GONE_HERE) else None
    base = made if verdict in (GONE_HERE, GONE_THERE) else None
    remote = made if verdict in (DOWN, GONE_THERE) else None
    return Decision(key, verdict, "r", local, base, remote)


def listing(*keys: str) -> Listing:
    return Listing({key: entry(key) for key in keys})


def clashes(decisions: list[Decision], here: Listing, there: Listing) -> dict[str, str]:
    """What is refused and why; everything else is kept."""
    kept, notices = refuse_clashes("main", decisions, here, there)
    told = {notice.key: notice.message for notice in notices}
    assert [item.key for item in kept] == [d.key for d in decisions if d.key not in told]
    return told


# -- clashes ---------------------------------------------------------------------------------------


def test_each_name_of_a_clash_is_told_the_others() -> None:
    """Itself left out, the others in order."""
    made = [decided(UP, "a"), decided(UP, "fine")]
    blind = "where case or accents are not told apart"
    assert clashes(made, listing("a", "fine"), listing("A", "b")) == {
        "A": f"is one file with 'a' {blind}",
        "a": f"is one file with 'A' {blind}",
    }
    assert clashes([decided(UP, "ß")], listing("ß"), listing("SS", "ss"))["ß"] == (
        f"is one file with 'SS', 'ss' {blind}"
    )


def test_a_file_that_is_a_folder_of_others_is_told_so() -> None:
    """The file is held back, what is below it is not."""
    made = [decided(UP, "x/y")]
    assert clashes(made, listing("x/y"), listing("x")) == {"x": "is also the name of a folder"}


def test_what_stands_there_already_is_no_reason_without_a_write() -> None:
    """Two names that a bucket holds anyway are looked at only when something comes."""
    made = [decided(GONE_THERE, "c")]
    assert clashes(made, listing(), listing("a", "A", "c")) == {}


def test_a_name_that_goes_makes_room_for_another_of_its_kind() -> None:
    """On the side it goes from, and on no other."""
    assert clashes([decided(UP, "A"), decided(GONE_THERE, "a")], listing("A"), listing("a")) == {}
    assert clashes([decided(DOWN, "A"), decided(GONE_HERE, "a")], listing("a"), listing("A")) == {}
    wrong = [decided(UP, "A"), decided(GONE_HERE, "a")]
    assert clashes(wrong, listing("A"), listing("a")).keys() == {"a", "A"}


def test_a_download_waits_for_what_stands_in_its_way() -> None:
    """Both names are told; of several in the way the first is named."""
    room = "move that away to make room"
    made = [decided(DOWN, "d/x"), decided(GONE_HERE, "d"), decided(UP, "up")]
    assert clashes(made, listing("d", "up"), listing("d/x")) == {
        "d/x": f"comes where 'd' stands; {room}",
        "d": "stands where 'd/x' comes; move it away to make room",
    }
    made = [decided(DOWN, "d"), decided(GONE_HERE, "d/x"), decided(GONE_HERE, "d/y")]
    told = clashes(made, listing("d/x", "d/y", "e"), listing("d"))
    assert told == {
        "d": f"comes where 'd/x' stands; {room}",
        "d/x": "stands where 'd' comes; move it away to make room",
        "d/y": "stands where 'd' comes; move it away to make room",
    }


def test_only_what_comes_needs_room_and_only_what_goes_can_make_it() -> None:
    """An upload takes no room here, and a file that stays is not said to go."""
    made = [decided(DOWN, "d/x"), decided(UP, "d")]
    assert clashes(made, listing("d"), listing("d/x"))["d"] == "is also the name of a folder"
    made = [decided(UP, "e/x"), decided(DOWN, "f")]
    assert clashes(made, listing("e/x", "e"), listing("f")).keys() == {"e"}


# -- empty sides -----------------------------------------------------------------------------------


def scene(
    decisions: list[Decision], base: int, here: Listing, there: Listing, known: str = ""
) -> Scene:
    names = [f"k{at}" for at in range(base)]
    return Scene(
        "main", decisions, here, {n: entry(n) for n in names}, there, frozenset(known.split())
    )


@pytest.mark.promise("INV-2")
@pytest.mark.parametrize(("base", "known", "blocked"), [
    (1, "local", []),
    (1, "remote", ["empty_local: main"]),
    (2, "local", ["empty_local: main"]),
])  # fmt: skip
def test_one_file_may_go_without_a_question_where_the_side_is_known(
    base: int, known: str, blocked: list[str]
) -> None:
    """It was the only one; a folder that may be another is asked about, and so are two files."""
    gone = [decided(GONE_THERE, f"k{at}") for at in range(base)]
    there = listing(*[f"k{at}" for at in range(base)])
    assert blocks(scene(gone, base, listing(), there, known), LOOSE, NO_OVERRIDES) == blocked


@pytest.mark.promise("INV-3")
@pytest.mark.parametrize(
    ("here", "known", "blocked"),
    [
        (Entry("k0", 9, version="va"), "", []),
        (Entry("k0", 1, sha256="a" * 64, version="another"), "", []),
        (Entry("k0", 1, sha256="b" * 64, version="another"), "", ["unrecognised_local: main"]),
        (Entry("k0", 1, sha256="b" * 64, version="another"), "local", []),
        (Entry("k0", 1, sha256="b" * 64, version="x"), "remote", ["unrecognised_local: main"]),
        (Entry("elsewhere", 1, sha256="a" * 64, version="va"), "", ["unrecognised_local: main"]),
    ],
)
def test_a_side_is_known_by_one_file_or_by_its_marker(
    here: Entry, known: str, blocked: list[str]
) -> None:
    """By a token or by content, at a key that the lockfile knows."""
    made = scene([decided(GONE_THERE, "k1")], 3, Listing({here.key: here}), listing("k1"), known)
    assert blocks(made, LOOSE, NO_OVERRIDES) == blocked


# -- what is net of renames ------------------------------------------------------------------------


@pytest.mark.promise("INV-4")
def test_only_content_that_is_known_makes_a_rename() -> None:
    """Two files nobody has a digest of are not the same, and no two empty ones are."""
    unknown = Decision("new", DOWN, "r", None, None, Entry("new", 1, version="n"))
    old = Entry("k0", 1, version="o")
    lost = Decision("k0", GONE_HERE, "r", old, old, None)
    for decisions in (
        [unknown, lost],
        [decided(DOWN, "n", size=0), decided(GONE_HERE, "k0", size=0)],
    ):
        made = scene(decisions, 3, listing("k1"), listing("k1"), "local remote")
        assert blocks(made, STRICT, NO_OVERRIDES) == ["max_delete: main: delete_local 1, allowed 0"]
    renamed = [decided(DOWN, "new"), decided(GONE_HERE, "k0")]
    made = scene(renamed, 3, listing("k1"), listing("k1"), "local remote")
    assert blocks(made, STRICT, NO_OVERRIDES) == []


# -- names that a plan for some paths did not see --------------------------------------------------


def test_a_new_name_is_held_against_what_was_not_looked_at() -> None:
    """Not against itself, nor against what the plan saw; what is not written is no new name."""
    base = {key: entry(key) for key in ("A", "B", "c", "D", "e")}
    made = [
        decided(UP, "a"),
        decided(DOWN, "b"),
        decided(UP, "c"),
        decided(GONE_THERE, "d"),
        decided(UP, "E"),
        decided(GONE_THERE, "e"),
    ]
    kept, notices = refuse_unlisted("main", made, base)
    assert [item.key for item in kept] == ["c", "d", "E", "e"]
    blind = "where case or accents are not told apart"
    assert [(item.code, item.bucket, item.key, item.message) for item in notices] == [
        ("collision", "main", "a", f"is one file with 'A' {blind}"),
        ("collision", "main", "b", f"is one file with 'B' {blind}"),
    ]
    assert refuse_unlisted("main", made[2:4], base) == (made[2:4], [])


# -- advice ----------------------------------------------------------------------------------------


def deletion(op: Op, key: str, bucket: str = "main") -> Action:
    return Action(key, op, bucket, key, "r", None, None, None, None)


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("empty_local: main", "--accept-empty local"),
        ("empty_remote: main", "--accept-empty remote"),
        ("unrecognised_local: main", "--accept-empty local"),
        ("unrecognised_remote: main", "--accept-empty remote"),
        ("empty_source: a->b", "--accept-empty`"),
        ("unrecognised_source: a->b", "as it was promoted"),
        ("left_behind: a->b", "--allow-drift"),
        ("media_refs: main", "take the rows out"),
        ("foreign_there: main", "delete_orphaned"),
        ("protect: main", "`protect`"),
    ],
)
def test_each_limit_has_its_own_advice(why: str, words: str) -> None:
    """It names the option or the setting that a person can change."""
    assert words in advice(why, [])


def test_the_advice_about_deletions_counts_them() -> None:
    """The most of one kind in one bucket; nothing else of the plan counts."""
    made = [
        deletion(Op.DELETE_REMOTE, "a"),
        deletion(Op.DELETE_REMOTE, "b"),
        deletion(Op.DELETE_LOCAL, "c"),
        deletion(Op.DELETE_REMOTE, "d", "other"),
        *(deletion(Op.UPLOAD, str(n)) for n in range(9)),
    ]
    assert "--allow-deletes 2`" in advice("max_delete: main", made)
    assert "--allow-deletes 0`" in advice("max_delete: main", [])
    assert advice("unknown: main", made) == ""
