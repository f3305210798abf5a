"""Plans on the screen: what was lifted, what blocks, and what changes in databases."""

from __future__ import annotations

from msgspec.structs import replace

from buckia.model import Conflict, Content, Op, Undo
from tests.cli.test_show import HOSTILE, action, drawn, plan

CHANGES = ("items: 2 rows added, 1 changed", "schema of `items` changed")


def test_lifted_limits_are_the_first_thing_to_see() -> None:
    told = (
        {"rule": "accept_empty", "allow": "local"},
        {"rule": "max_delete", "allow": "12"},
        {"rule": "of a later version"},
    )
    page = drawn(
        replace(
            plan(action(Op.DELETE_LOCAL, "x", was=1, undo=Undo.NONE), blocked=("protect: b/x: d",)),
            overrides=told,
        )
    )
    order = [
        "cannot be applied",
        "Limits lifted for this plan  3",
        "the local side may be empty, or hold nothing known (--accept-empty local)",
        "12 deletions a side are allowed in each bucket (--allow-deletes 12)",
        "of a later version: ",
        "Cannot be undone",
        "Blocked  1",
    ]
    places = [page.index(words) for words in order]
    assert places == sorted(places)


def test_each_rule_is_followed_by_what_to_do() -> None:
    """Once for a run of the same rule."""
    page = drawn(
        plan(
            blocked=(
                "empty_local: b",
                "max_delete: b/x: delete_remote 9, allowed 1",
                "max_delete: b: delete_remote 9, allowed 1",
                "protect: b/x/1: delete_remote",
                "unknown: b",
            )
        ),
        width=200,
    )
    told = page.partition("Blocked")[2]
    rules = [line.split()[0] for line in told.splitlines() if ": " in line and "?" not in line]
    assert rules == ["empty_local:", "max_delete:", "max_delete:", "protect:", "unknown:"]
    assert page.count("--allow-deletes") == page.count("--accept-empty local") == 1
    assert page.count("change `protect` in the configuration") == 1


def test_what_changes_in_a_database_stands_under_it() -> None:
    upload = replace(action(Op.UPLOAD, "a/App.sqlite", was=4, undo=Undo.TRASH), changes=CHANGES)
    page = drawn(plan(upload, action(Op.UPLOAD, "a/other")))
    lines = [line.strip() for line in page.splitlines()]
    at = next(n for n, line in enumerate(lines) if "App.sqlite" in line)
    assert lines[at + 1 : at + 3] == list(CHANGES)
    assert "other" in lines[at + 3]


def test_it_stands_under_what_cannot_be_undone_and_under_conflicts_too() -> None:
    danger = replace(action(Op.UPLOAD, "db", was=4, undo=Undo.NONE), changes=CHANGES)
    conflict = Conflict("b", "db2", "both_new", Content(1), None, Content(2), CHANGES[:1])
    page = drawn(plan(danger, conflicts=(conflict,)))
    assert page.count(CHANGES[0]) == 2
    assert f"here    {CHANGES[0]}" in page


def test_hostile_tables_cannot_deceive() -> None:
    upload = replace(action(Op.UPLOAD, "db"), changes=(HOSTILE,))
    conflict = Conflict("b", "db", "both_new", None, None, None, (HOSTILE,))
    for width in (20, 60, 200):
        page = drawn(plan(upload, conflicts=(conflict,)), width=width)
        assert all(char.isprintable() for char in page.replace("\n", ""))


def test_purges_stand_apart_from_files() -> None:
    purges = [action(Op.PURGE, key) for key in ("/", "a/", "a/b.jpg")]
    purges = [replace(item, content=None) for item in purges]
    purges[2] = replace(purges[2], reason="left_over")
    page = drawn(plan(action(Op.UPLOAD, "a/b.jpg", was=4, undo=Undo.TRASH), *purges))
    lines = [line.strip() for line in page.splitlines()]
    at = lines.index("purge from caches  3 addresses")
    rows = [" ".join(line.split()) for line in lines[at + 1 : at + 4]]
    assert rows == ["~ everything", "~ a/ and all below", "~ a/b.jpg left over"]
    assert "1 to upload (10 bytes), 3 to purge" in page
