"""The corners of a plan: what it reports, what it counts, what it promises of a bucket."""

from __future__ import annotations

from typing import Any, Final

import pytest

from buckia import manifest
from buckia.decisions.assembly import assemble, guards
from buckia.decisions.phases import order, phase
from buckia.decisions.planner import BucketPlan, plan_bucket
from buckia.model import Action, Content, Entry, Listing, Notice, Op, Skipped, Undo, replace
from buckia.planfile import Plan, PlanScope
from buckia.reconcile import Decision, Verdict
from buckia.rules import Rules
from buckia.stores.base import Capabilities

ENTRY: Final = Entry("k", 3, sha256="a" * 64, version="v")
NOTHING: Final = Listing({})
UNSEEN: Final = Listing({}, (Skipped("dir/", "cannot be read", unknown=True),))


def planned(verdict: Verdict, local: Listing = NOTHING, **more: Any) -> BucketPlan:
    """A bucket with one decision."""
    made = Decision("k", verdict, more.pop("reason", "r"), ENTRY, ENTRY, ENTRY)
    return plan_bucket("main", [made], local, {}, NOTHING, Rules(), Capabilities(), **more)


def whole(part: BucketPlan, **more: Any) -> Plan:
    return assemble({"main": part}, {}, config_digest="c", scope=PlanScope(), **more)


def action(op: Op, key: str = "k", *, logical: str | None = None, **more: Any) -> Action:
    parts: dict[str, Any] = {"source": None, "expect": None, "undo": None, **more}
    content = Content(3, logical=logical) if op not in _EMPTY else None
    return Action(
        id=f"{op}{key}", op=op, bucket="main", key=key, reason="r", content=content, **parts
    )


_EMPTY: Final = (Op.DELETE_LOCAL, Op.DELETE_REMOTE, Op.FORGET)

# -- reports ---------------------------------------------------------------------------------------

REPORTS: Final = {
    Verdict.ORPHAN: "gone locally, kept in the bucket: deletions do not travel here",
    Verdict.MISSING: "gone from the bucket, kept locally: deletions do not travel here",
    Verdict.FOREIGN: "in the bucket, not put there by buckia",
    Verdict.DRIFT: "the sides differ and this mapping's direction or policy leaves it so",
}


@pytest.mark.promise("L6")
@pytest.mark.parametrize(("verdict", "words"), REPORTS.items())
def test_what_is_only_reported_says_why(verdict: Verdict, words: str) -> None:
    """And, where a side was not seen whole, that nothing is deleted for that reason."""
    sure, unsure = planned(verdict), planned(verdict, UNSEEN)
    assert sure.notices == [Notice(str(verdict), "main", "k", words)]
    assert (sure.actions, sure.complete) == ([], True)
    doubt = f"{words} (nothing is deleted while a side is not wholly known)"
    unread = Notice("unreadable", "main", "dir/", "cannot be read")
    assert unsure.notices == [unread, Notice(str(verdict), "main", "k", doubt)]
    assert not unsure.complete


def test_what_was_left_alone_is_reported_under_its_own_word() -> None:
    """Unreadable is only what nobody could look at."""
    left = Listing({}, (Skipped("a", "is a link"), Skipped("b", "beside", code="sidecar")))
    told = planned(Verdict.NOTHING, left).notices
    assert [(item.code, item.key) for item in told] == [("skipped", "a"), ("sidecar", "b")]


def test_what_came_back_is_reported() -> None:
    """A modification that beat a deletion is a thing to look at."""
    told = planned(Verdict.UPLOAD, reason="resurrected").notices
    words = "deleted on one side, changed on the other: kept"
    assert told == [Notice("resurrected", "main", "k", words)]
    assert planned(Verdict.UPLOAD).notices == []


# -- the whole -------------------------------------------------------------------------------------


def test_a_conflict_blocks_unless_it_is_left_out() -> None:
    """By default it is not; left out, it is told."""
    part = planned(Verdict.CONFLICT)
    plan, skipped = whole(part), whole(part, skip_conflicts=True)
    assert (plan.kind, plan.applyable, plan.blocked) == ("sync", False, ("conflicts: 1",))
    assert len(plan.conflicts) == 1
    assert (skipped.applyable, skipped.conflicts) == (True, ())
    words = "left as it is on both sides"
    assert skipped.warnings == (Notice("conflict_skipped", "main", "k", words),)


@pytest.mark.promise("INV-22")
def test_warnings_have_one_order() -> None:
    """By bucket, by the bytes of the key, names that are no text included, and by code."""
    places = ["z", "é", "a\udcff", "a"]
    notices = [Notice(code, "main", key, "m") for key in places for code in ("y", "x")]
    part = BucketPlan([], [], notices, [], 0, True)
    with pytest.raises(UnicodeEncodeError):  # a document is text, and this would be none
        whole(part)
    told = whole(BucketPlan([], [], notices[:4], [], 0, True)).warnings
    assert [(item.key, item.code) for item in told] == [
        *(("z", "x"), ("z", "y"), ("é", "x"), ("é", "y"))
    ]


@pytest.mark.promise("INV-17")
def test_phases_are_these() -> None:
    """Settings, files, databases, manifests, deletions, the lockfile's own, the service's caches,
    and last of all what they hold of manifests."""
    phases = {op: phase(action(op)) for op in Op}
    files = dict.fromkeys((Op.UPLOAD, Op.DOWNLOAD, Op.COPY, Op.MOVE), 1)
    gone = dict.fromkeys((Op.DELETE_REMOTE, Op.DELETE_LOCAL), 5)
    memory = dict.fromkeys((Op.ADOPT, Op.FORGET), 6)
    rest = {Op.CONFIGURE: 0, Op.PUBLISH: 4, Op.PURGE: 7}
    assert phases == {**files, **gone, **memory, **rest}
    assert phase(replace(action(Op.PURGE), key=manifest.key_of("a"))) == 8
    for op in files:
        assert phase(action(op, logical="rows")) == 2
    assert phase(action(Op.ADOPT, logical="rows")) == 6
    made = [action(op, key, logical=rows) for key in "ba" for op, rows in _MIXED]
    told = [f"{item.op} {item.key}" for item in order(made)]
    assert told == [
        *("upload a", "upload b", "download a", "download b"),
        *("delete_local a", "delete_local b", "adopt a", "adopt b"),
    ]


_MIXED: Final = [(Op.ADOPT, "r"), (Op.DELETE_LOCAL, None), (Op.DOWNLOAD, "r"), (Op.UPLOAD, None)]


def test_the_summary_counts_bytes_that_travel_and_losses_that_stay() -> None:
    """An adoption moves nothing; what a trash or version keeps is not irreversible."""
    made = [
        action(Op.UPLOAD, "a"),
        action(Op.DOWNLOAD, "b"),
        action(Op.ADOPT, "c"),
        *(action(Op.DELETE_REMOTE, f"{undo}", undo=undo) for undo in Undo),
    ]
    told = whole(BucketPlan(made, [], [], [], 7, True)).summary
    assert (told.bytes_up, told.bytes_down, told.irreversible, told.unchanged) == (3, 3, 1, 7)
    assert told.actions == {Op.UPLOAD: 1, Op.DOWNLOAD: 1, Op.DELETE_REMOTE: 3, Op.ADOPT: 1}


@pytest.mark.promise("INV-20")
@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("exchange", [True, False])
@pytest.mark.parametrize("provable", [True, False])
def test_a_lease_is_sure_only_where_both_conditions_are(
    create: bool, exchange: bool, provable: bool
) -> None:
    """To take it needs one, to take it over the other; and where apply can find out, nobody knows
    better before."""
    known = Capabilities(create_if_absent=create, replace_if_match=exchange)
    told = guards(known, provable=provable)
    assert told.create == ("atomic" if create else "checked")
    assert told.replace == ("atomic" if exchange else "checked")
    assert told.delete == "checked"
    assert told.lease == (
        "atomic" if create and exchange else "untried" if provable else "advisory"
    )


@pytest.mark.parametrize(
    ("made", "most", "create", "replace"),
    [
        (action(Op.UPLOAD), 3, "atomic", "atomic"),
        (action(Op.UPLOAD), 2, "checked", "atomic"),
        (action(Op.UPLOAD, expect=Content(3)), 2, "atomic", "checked"),
        (action(Op.COPY), 3, "checked", "atomic"),
        (action(Op.MOVE), 3, "checked", "atomic"),
        (action(Op.DOWNLOAD), 2, "atomic", "atomic"),
    ],
)
def test_guards_are_those_of_the_weakest_write(
    made: Action, most: int, create: str, replace: str
) -> None:
    """A body that goes in parts and a copy may be guarded less than all others."""
    both: dict[str, Any] = {"create_if_absent": True, "replace_if_match": True, "copy": True}
    told = guards(Capabilities(guarded=most, **both), [made])
    assert (told.create, told.replace, told.lease) == (create, replace, "atomic")
    sure = Capabilities(guards_copies=True, **both)
    assert guards(sure, [made]) == guards(sure)


def test_what_is_lost_in_a_bucket_without_versions_is_kept_by_default() -> None:
    """Unless the configuration switches the trash off."""
    gone = Verdict.DELETE_REMOTE
    assert [item.undo for item in planned(gone).actions] == [Undo.TRASH]
    assert [item.undo for item in planned(gone, trash=False).actions] == [Undo.NONE]
