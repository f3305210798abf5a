"""What changed in a plan since it was reviewed."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from buckia import planfile
from buckia.cli import show_changes
from buckia.documents import schema
from buckia.model import Conflict, Notice, Op, Undo, replace
from buckia.planfile import BaseRef, Plan
from buckia.report import changes
from tests.cli.console import buckia
from tests.report.plans import DECEIT, PLANS, act, content, head, hostile, plan

UPLOAD: Final = act(Op.UPLOAD, "a.txt")
GONE: Final = act(Op.DELETE_REMOTE, "old.txt", was=3, undo=Undo.VERSION)
OLD: Final = plan([UPLOAD, act(Op.UPLOAD, "b.txt"), GONE])


def shown(old: Plan, new: Plan, width: int = 100) -> str:
    out = StringIO()
    found = changes.compare(old, new)
    Console(file=out, width=width, highlight=False).print(show_changes.view(found))
    return out.getvalue()


def test_the_same_plan_differs_in_nothing() -> None:
    found = changes.compare(OLD, plan([UPLOAD, act(Op.UPLOAD, "b.txt"), GONE]))
    assert found.same
    assert found == changes.Difference(OLD.digest, OLD.digest, (), (), (), (), (), (), ())
    assert shown(OLD, OLD).splitlines()[0] == "It is the same plan."


def test_actions_that_came_went_and_changed_are_told_apart() -> None:
    other = replace(UPLOAD, content=content(99, "f"), expect=content(7, "e"), undo=Undo.NONE)
    found = changes.compare(OLD, plan([other, act(Op.UPLOAD, "c.txt"), GONE]))
    assert [item.key for item in found.added] == ["c.txt"]
    assert [item.key for item in found.removed] == ["b.txt"]
    assert [(item.now.key, item.parts) for item in found.changed] == [
        ("a.txt", ("content", "expect", "undo"))
    ]
    page = shown(OLD, plan([other, act(Op.UPLOAD, "c.txt"), GONE]))
    for words in (
        "Since then: 1 action added, 1 removed, 1 changed.",
        "what it leaves: 99 bytes ffffffff, was 10 bytes aaaaaaaa",
        "what it expects: 7 bytes eeeeeeee, was nothing",
        "what is kept: none, was nothing",
        OLD.digest,
    ):
        assert words in page


def test_what_is_dangerous_comes_first() -> None:
    some = [
        act(Op.UPLOAD, "1"),
        act(Op.DELETE_REMOTE, "2", was=1, undo=Undo.TRASH),
        act(Op.UPLOAD, "3", was=1, undo=Undo.NONE),
        act(Op.DELETE_REMOTE, "4", was=1, undo=Undo.NONE),
    ]
    found = changes.compare(plan(), plan(some))
    assert [item.key for item in found.added] == ["4", "3", "2", "1"]


@pytest.mark.parametrize(("new", "name", "words"), [
    ({"config_digest": "sha256:d"}, "config_digest", "configuration  differs"),
    ({"overrides": ({"rule": "keep_going", "allow": "yes"},)}, "overrides", "limits lifted"),
    ({"blocked": ("max_delete: x",)}, "blocked", "can be applied  no, was yes"),
    ({"buckets": {"assets": head(base=BaseRef("9b1c", 42, "d"))}}, "buckets.assets.base",
     "base.serial  42, was"),
    ({"buckets": {"assets": head("other")}}, "buckets.assets.bucket", "other, was acme-assets"),
    ({"buckets": {}}, "buckets.assets", "nothing, was s3 acme-assets"),
])  # fmt: skip
def test_the_plan_as_such_is_compared(new: dict[str, Any], name: str, words: str) -> None:
    later = plan(OLD.actions, **new)
    assert name in [item.name for item in changes.compare(OLD, later).header]
    assert words in shown(OLD, later)


def test_conflicts_and_warnings_are_compared() -> None:
    one = Conflict("assets", "k", "both_changed", content(1), None, content(2))
    other = replace(one, remote=content(3))
    notice = Notice("skipped", "assets", "link", "is a link")
    was, now = plan(conflicts=(one,)), plan(conflicts=(other,), warnings=(notice,))
    found = changes.compare(was, now)
    assert found.conflicts == (changes.Disputed(one, other),)
    assert found.warnings_added == (notice,) and found.warnings_removed == ()
    assert "k  changed" in shown(was, now) and "k  gone" in shown(was, plan())
    assert "k  new" in shown(plan(), was)


@pytest.mark.promise("HYG-7")
@pytest.mark.parametrize("width", [30, 100])
def test_a_hostile_name_cannot_deceive(width: int) -> None:
    for old, new in ((plan(), hostile()), (hostile(), plan())):
        page = shown(old, new, width)
        assert all(char.isprintable() for char in page.replace("\n", ""))
        assert not any(line.startswith("It is the same") for line in page.splitlines())
    assert any("\u202e" in name for name in DECEIT.values())


@pytest.mark.parametrize("name", [name for name in PLANS if name != "many"])
def test_the_document_is_as_its_schema_says(name: str) -> None:
    Draft202012Validator.check_schema(schema("plan-diff"))
    for pair in ((OLD, PLANS[name]()), (PLANS[name](), OLD), (OLD, OLD)):
        value = json.loads(changes.document(changes.compare(*pair)))
        Draft202012Validator(schema("plan-diff")).validate(value)


def test_the_command_compares_files_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.json").write_bytes(planfile.write(OLD))
    Path("new.json").write_bytes(planfile.write(plan([UPLOAD])))
    told = buckia("plan-diff", "old.json", "new.json")
    assert (told.code, told.err) == (0, "") and "2 actions removed" in told.out
    assert buckia("plan-diff", "old.json", "new.json", "--detailed-exitcode").code == 2
    assert buckia("plan-diff", "old.json", "old.json", "--detailed-exitcode").code == 0
    data = json.loads(buckia("plan-diff", "old.json", "new.json", "--json").out)
    assert data["summary"] == {"added": 0, "removed": 2, "changed": 0}
    assert buckia("plan-diff", "-", "-").code == 64
    Path("new.json").write_text(Path("new.json").read_text().replace("a.txt", "z.txt"))
    assert buckia("plan-diff", "old.json", "new.json").code == 65
