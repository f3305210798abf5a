"""Plans on the screen."""

from __future__ import annotations

import random
import re
from io import StringIO
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from buckia.cli import show, show_status
from buckia.model import (
    Action,
    Conflict,
    Content,
    Direction,
    Notice,
    Op,
    Source,
    Undo,
    action_id,
    replace,
)
from buckia.planfile import BaseRef, BucketHead, Guards, Plan, PlanScope, Summary
from buckia.runs.status import BucketStatus

HOSTILE = "a/[red]\u202egpj\x1b]0;title\x07\nThis plan can be applied.\\u202e"


def drawn(plan: Plan, *, width: int = 100, everything: bool = False, colour: bool = False) -> str:
    out = StringIO()
    Console(file=out, width=width, force_terminal=colour).print(
        show.view(plan, everything=everything)
    )
    return out.getvalue()


def action(op: Op, key: str, *, undo: Undo | None = None, was: int | None = None) -> Action:
    content = None if op in (Op.DELETE_REMOTE, Op.DELETE_LOCAL) else Content(10, sha256="ab" * 32)
    expect = Content(was, sha256="cd" * 32) if was is not None else None
    source = Source(key=f"{key}.old") if op is Op.MOVE else None
    return Action(action_id(op, "b", key), op, "b", key, "local_new", source, content, expect, undo)


def plan(
    *actions: Action,
    conflicts: tuple[Conflict, ...] = (),
    warnings: tuple[Notice, ...] = (),
    blocked: tuple[str, ...] = (),
    complete: bool = True,
    scope: PlanScope = PlanScope(),  # noqa: B008 - frozen
    guards: Guards = Guards("atomic", "checked", "checked", "advisory"),  # noqa: B008
) -> Plan:
    ops = {op: sum(item.op is op for item in actions) for op in Op}
    counts = {op: count for op, count in ops.items() if count}
    head = BucketHead("local", "dir", BaseRef(None, 3, ""), guards)
    return Plan(
        format="buckia.plan",
        format_version="1.0",
        digest="sha256:" + "0" * 64,
        kind="sync",
        complete=complete,
        applyable=not (conflicts or blocked),
        blocked=blocked,
        config_digest="",
        scope=scope,
        buckets={"b": head},
        summary=Summary(counts, 10 * ops[Op.UPLOAD], 10 * ops[Op.DOWNLOAD], 0, 7),
        conflicts=conflicts,
        warnings=warnings,
        overrides=(),
        actions=actions,
    )


@pytest.mark.parametrize(("create", "lease", "words"), [
    ("atomic", "atomic", "dir, serial 3\n"),
    ("atomic", "advisory", "dir, serial 3\n"),
    ("checked", "advisory", "dir, serial 3, lease advisory\n"),
    ("checked", "untried", "dir, serial 3, lease untried\n"),
])  # fmt: skip
def test_a_lease_that_may_not_keep_others_out_is_told(create: Any, lease: Any, words: str) -> None:
    """Of two that begin at once, apply warns just there."""
    guards = Guards(create, "checked", "checked", lease)
    assert words in drawn(plan(action(Op.UPLOAD, "new.txt"), guards=guards))


def test_danger_comes_before_routine() -> None:
    conflict = Conflict("b", "both.txt", "both_changed", Content(1, sha256="11"), None, None)
    page = drawn(
        plan(
            action(Op.UPLOAD, "new.txt"),
            action(Op.UPLOAD, "over.txt", was=5, undo=Undo.NONE),
            action(Op.DELETE_LOCAL, "old.txt", was=5, undo=Undo.TRASH),
            conflicts=(conflict,),
            warnings=(Notice("skipped", "b", "link", "is a symbolic link"),),
            blocked=("max_delete: b: too many", "conflicts: 1"),
        )
    )
    order = ["cannot be applied", "Cannot be undone", "over.txt", "Conflicts", "both.txt",
             "not there", "Deletions", "kept in the trash", "old.txt", "Blocked",
             "too many", "new.txt", "Warnings", "link", "sha256:"]  # fmt: skip
    places = [page.index(words) for words in order]
    assert places == sorted(places)
    assert page.count("over.txt") == page.count("old.txt") == 1


def test_the_first_line_says_whether_it_can_be_applied() -> None:
    def first(made: Plan) -> str:
        return drawn(made).splitlines()[0]

    assert first(plan()) == "Nothing to do: 7 files unchanged."
    assert first(plan(action(Op.UPLOAD, "a"))) == (
        "This plan can be applied: 1 to upload (10 bytes)."
    )
    assert first(plan(blocked=("empty_local: b",))) == (
        "This plan cannot be applied: blocked by 1 limit."
    )


def test_a_partial_or_incomplete_plan_says_so() -> None:
    unread = Notice("unreadable", "b", "secret/", "cannot be read: Permission denied")
    page = drawn(
        plan(complete=False, warnings=(unread,), scope=PlanScope(("x",), Direction.UPLOAD))
    )
    assert "1 place could not be read, so nothing is deleted" in page
    assert "It only covers x, uploads." in page


@pytest.mark.parametrize("width", [40, 60, 160])
def test_a_hostile_name_cannot_deceive(width: int) -> None:
    made = plan(
        action(Op.UPLOAD, HOSTILE),
        action(Op.MOVE, HOSTILE + "2"),
        action(Op.DELETE_REMOTE, HOSTILE, was=3, undo=Undo.NONE),
        conflicts=(Conflict("b", HOSTILE, HOSTILE, None, None, Content(1, sha256=HOSTILE)),),
        warnings=(Notice(HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
        blocked=(HOSTILE,),
        scope=PlanScope((HOSTILE,)),
    )
    page = drawn(made, width=width)
    assert all(char.isprintable() for char in page.replace("\n", ""))
    assert not any(line.startswith("This plan can be") for line in page.splitlines())
    assert "\\u202egpj\\u001b]0;title\\u0007\\u000a" in "".join(page.split()).replace("\n", "")
    assert len({line for line in page.splitlines() if len(line) > width}) <= 1  # the digest


def test_markup_in_a_name_is_not_markup() -> None:
    assert "[red]x[bold]" in drawn(plan(action(Op.UPLOAD, "[red]x[bold]")), colour=True)


def test_long_lists_are_folded_unless_asked() -> None:
    many = plan(*(action(Op.UPLOAD, f"t/{n:05}") for n in range(1214)))
    folded = drawn(many)
    assert "00009" in folded and "00010" not in folded and "and 1,204 more" in folded
    assert "01213" in drawn(many, everything=True)


def test_a_list_one_longer_than_the_fold_is_shown_whole() -> None:
    assert "more" not in drawn(plan(*(action(Op.UPLOAD, f"t/{n}") for n in range(11))))


def test_conflicts_are_folded_too() -> None:
    many = [Conflict("b", f"k{n}", "both_new", None, None, None) for n in range(30)]
    assert "and 20 more" in drawn(plan(conflicts=tuple(many)))


def test_records_are_counted_not_listed() -> None:
    page = drawn(plan(*(action(Op.ADOPT, f"same{n}") for n in range(3)), action(Op.FORGET, "gone")))
    assert "3 files the same on both sides" in page and "1 file gone" in page
    assert "same0" not in page


def test_columns_stand_under_each_other_in_any_script() -> None:
    made = plan(action(Op.UPLOAD, "图片.png"), action(Op.UPLOAD, "long/" + "x" * 90))
    page = drawn(made, width=40)
    assert all(cell_len(line) <= 40 for line in page.splitlines()[:-1])
    assert "".join(page.split()).count("x" * 90) == 0  # folded, the size beside its first line
    assert re.search(r"x+  10 bytes\n +x+\n", page)
    assert "    +  图片.png  10 bytes\n" in page


def test_no_colour_means_none(monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan(action(Op.UPLOAD, "a"))
    assert "\x1b[32m" in drawn(made, colour=True) or "\x1b[1;32m" in drawn(made, colour=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in drawn(made, colour=True)
    assert "\x1b[1;32m" not in drawn(made, colour=True)


def test_any_plan_can_be_shown() -> None:
    chance = random.Random(4)
    for _ in range(50):
        some = [
            action(chance.choice(list(Op)), f"{chance.choice('xyz')}/{n}", undo=chance.choice(
                [None, *Undo]), was=chance.choice([None, 4]))
            for n in range(chance.randrange(40))
        ]  # fmt: skip
        assert drawn(plan(*some), width=chance.choice([20, 50, 120]))


def test_the_status_tells_sides_apart() -> None:
    made = plan(
        action(Op.UPLOAD, "a"),
        conflicts=(Conflict("b", "c\n", "both_new", None, None, None),),
        warnings=(Notice("orphan", "b", "o", "kept"), Notice("missing", "b", "m", "kept")),
    )
    status = BucketStatus("b", "local", "file:b", 3, 9, True, made)
    out = StringIO()
    Console(file=out, width=100).print(show_status.view([status, status]))
    page = out.getvalue()
    assert page.count("1 new, 1 deleted") == 2 and "remote     1 deleted" in page
    assert "conflicts  1: c\\u000a" in page and "orphans    1: o" in page
    assert "an apply was not finished" in page and "nothing has changed" not in page
    assert show_status.data([status])["buckets"]["b"]["changes"]["local"] == {
        "new": 1,
        "deleted": 1,
    }


def test_changed_headers_are_shown_as_such() -> None:
    """Apart from real copies, with what becomes different under each key, and nobody reads of a
    copy from itself."""

    def dressed(key: str) -> Action:
        known = action(Op.COPY, key, was=10)
        changes = ("cache-control: no-store, was max-age=60",)
        return replace(known, source=Source("t", key=key), changes=changes)

    renamed = replace(action(Op.COPY, "new"), source=Source("t", key="old"))
    shown = drawn(plan(dressed("a/one.jpg"), dressed("a/two.jpg"), renamed))
    assert "1 to copy, 2 to change headers" in shown
    assert "change headers a/  2 files, 20 bytes" in shown
    assert "~  one.jpg  10 bytes\n" in shown
    assert "cache-control: no-store, was max-age=60" in shown
    assert ">  new  from old" in shown
    assert "from a/one.jpg" not in shown
