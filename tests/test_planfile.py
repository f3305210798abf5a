"""The plan as a document: read back exactly, refused when touched, shown with care."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia import planfile, settings
from buckia.documents import digest
from buckia.errors import DocumentError
from buckia.model import (
    Action,
    Conflict,
    Content,
    Direction,
    Notice,
    Op,
    Setting,
    Source,
    Undo,
    action_id,
)
from buckia.planfile import BaseRef, BucketHead, Guards, Plan, PlanScope, Summary
from tests.strategies import any_keys, any_names, examples

GOLDEN = Path(__file__).parent / "formats" / "plan-1.json"
OLD = Content(3, sha256="0" * 64, version="v1", type="text/plain")
NEW = Content(4, sha256="1" * 64, md5="2" * 32, logical="3" * 64, type="image/png")


def act(op: Op, key: str, **more: Any) -> Action:
    """An action with the parts its op needs."""
    parts: dict[str, Any] = {"source": None, "content": None, "expect": None, "undo": None}
    if op in (Op.UPLOAD, Op.ADOPT):
        parts |= {"source": Source(path=f"tree/{key}"), "content": NEW}
    elif op is Op.DOWNLOAD:
        parts |= {"source": Source(key=key, version="v2"), "content": NEW}
    elif op in (Op.COPY, Op.MOVE):
        parts |= {"source": Source(path=f"tree/{key}", key="old", version="v1"), "content": OLD}
    elif op in (Op.DELETE_LOCAL, Op.DELETE_REMOTE):
        parts |= {"expect": OLD, "undo": Undo.TRASH}
    elif op is Op.CONFIGURE:
        setting = Setting(None, [{"id": "tmp", "expire_days": 3}])
        parts |= {"content": settings.content(setting.then), "setting": setting}
    return Action(action_id(op, "main", key), op, "main", key, "why", **{**parts, **more})


def plan_of(*actions: Action, **more: Any) -> Plan:
    """A sealed plan."""
    parts: dict[str, Any] = {
        "format": planfile.FORMAT,
        "format_version": planfile.VERSION,
        "digest": "",
        "kind": "sync",
        "complete": True,
        "applyable": True,
        "blocked": (),
        "config_digest": "sha256:" + "c" * 64,
        "scope": PlanScope(("images",), Direction.UPLOAD),
        "buckets": {
            "main": BucketHead(
                "s3",
                "photos",
                BaseRef("lineage-1", 7, "sha256:" + "b" * 64),
                Guards("atomic", "checked", "checked", "advisory"),
            )
        },
        "summary": Summary({Op.UPLOAD: 1}, 4, 0, 0, 12),
        "conflicts": (),
        "warnings": (),
        "overrides": (),
        "actions": actions,
    }
    return planfile.seal(Plan(**{**parts, **more}))


EXAMPLE = plan_of(
    act(Op.UPLOAD, "Grüße/日本語.png", expect=OLD, undo=Undo.VERSION),
    act(Op.DOWNLOAD, "b\u00ad.txt"),
    act(Op.MOVE, "c"),
    act(Op.DELETE_REMOTE, "d"),
    act(Op.FORGET, "e"),
    conflicts=(Conflict("main", "f", "both_new", OLD, None, NEW),),
    warnings=(Notice("skipped", "main", "g\u202e\n", "the name holds a control character"),),
    applyable=False,
    blocked=("conflicts: 1",),
)


CONFIGURING = plan_of(
    act(Op.CONFIGURE, "lifecycle", changes=("+ lifecycle:", "+   - id: tmp")),
)
"""A plan about a setting."""


def resealed(change: Callable[[dict[str, Any]], None]) -> bytes:
    """The example changed by somebody who knows how to make a digest."""
    value = json.loads(planfile.write(EXAMPLE))
    change(value)
    del value["digest"]
    return json.dumps({**value, "digest": digest(value)}).encode()


# -- the document ----------------------------------------------------------------------------------


def test_the_document_is_the_golden_one() -> None:
    """Plans that were reviewed under this format stay byte for byte what they were."""
    assert planfile.write(EXAMPLE).decode() == GOLDEN.read_text(encoding="utf-8")
    assert planfile.read(GOLDEN.read_bytes()) == EXAMPLE


def test_a_plan_has_a_line_for_each_part_and_each_action() -> None:
    """What `diff` shows is what changed; nothing invisible stands in it."""
    lines = planfile.write(EXAMPLE).decode().splitlines()
    assert sum(line.startswith('{"id":') for line in lines) == len(EXAMPLE.actions)
    heads = [line.split('"')[1] for line in lines if line.startswith('"')]
    assert heads == [name for name in Plan.__struct_fields__ if name != "resolved"]
    assert all(line.isprintable() for line in lines)


contents = st.builds(Content, st.integers(0, 2**50), *[st.none() | any_names] * 6)
actions = st.builds(
    lambda op, key, content: act(op, key, expect=content),
    st.sampled_from([Op.UPLOAD, Op.DOWNLOAD, Op.DELETE_LOCAL]),
    any_keys,
    contents,
)
notices = st.builds(Notice, any_names, any_names, any_names, any_names)


@examples(60)
@given(
    st.lists(actions, max_size=4, unique_by=lambda action: action.id),
    st.lists(notices, max_size=3),
    st.booleans(),
)
def test_a_plan_is_read_back_as_it_was_written(
    given_actions: list[Action], warnings: list[Notice], complete: bool
) -> None:
    """Whatever keys and texts it holds; and a viewer sees the same."""
    plan = plan_of(*given_actions, warnings=tuple(warnings), complete=complete)
    data = planfile.write(plan)
    assert planfile.read(data) == planfile.view(data) == plan
    assert planfile.write(planfile.read(data)) == data


def test_order_of_fields_and_white_space_are_not_content() -> None:
    """A plan that went through a formatter is still the plan that was reviewed."""
    value = json.loads(planfile.write(EXAMPLE))
    turned = json.dumps(dict(reversed(value.items())), indent=4, ensure_ascii=False)
    assert planfile.read(turned.encode()) == EXAMPLE


# -- what is refused -------------------------------------------------------------------------------

EDITS: dict[str, tuple[str, str]] = {
    "key": ('"key":"c"', '"key":"x"'),
    "size": ('"size":4', '"size":5'),
    "op": ('"op":"forget"', '"op":"adopt"'),
    "flag": ('"applyable": false', '"applyable": true'),
    "serial": ('"serial":7', '"serial":8'),
    "summary": ('"unchanged":12', '"unchanged":13'),
    "warning": ('"message":"the name', '"message":"a name'),
    "conflict": ('"reason":"both_new"', '"reason":"both_old"'),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_plan_is_refused(name: str) -> None:
    """Every part is under the digest; a viewer still shows what it says."""
    old, new = EDITS[name]
    text = planfile.write(EXAMPLE).decode()
    assert old in text
    edited = text.replace(old, new).encode()
    with pytest.raises(DocumentError, match="edited or damaged"):
        planfile.read(edited)
    assert planfile.view(edited) != EXAMPLE


DAMAGED: dict[str, bytes] = {
    "empty": b"",
    "cut": planfile.write(EXAMPLE)[:-9],
    "list": b"[]",
    "number": b"12",
    "text": b"plan",
    "binary": b"\xff\xfe",
    "bad utf-8": planfile.write(EXAMPLE).replace(b"images", b"\xffmages"),
    "deep": b"[" * 100_000,
    "long number": b'{"format":' + b"9" * 5000 + b"}",
    "not a number": planfile.write(EXAMPLE).replace(b'"bytes_up":4', b'"bytes_up":NaN'),
    "half a character": planfile.write(EXAMPLE).replace(b"images", rb"\ud800"),
    "a key twice": planfile.write(EXAMPLE).replace(b'"serial":7', b'"serial":7,"serial":7'),
    "merge markers": planfile.write(EXAMPLE).replace(b'"kind"', b'<<<<<<< HEAD\n"kind"'),
    "another format": planfile.write(EXAMPLE).replace(b"buckia.plan", b"buckia.lock"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_refused_in_one_line(name: str) -> None:
    """By apply and by viewers alike."""
    for reader in (planfile.read, planfile.view):
        with pytest.raises(DocumentError) as damage:
            reader(DAMAGED[name])
        assert "\n" not in str(damage.value)


@pytest.mark.parametrize("version", ["2.0", "0.9", "", "x"])
def test_another_major_version_is_refused(version: str) -> None:
    """By apply and by viewers alike, naming both versions."""
    data = resealed(lambda value: value.update(format_version=version))
    for reader in (planfile.read, planfile.view):
        with pytest.raises(DocumentError, match=r"this buckia reads 1\.0"):
            reader(data)


@pytest.mark.parametrize(
    "place", [[], ["scope"], ["buckets", "main", "base"], ["actions", 0], ["actions", 0, "content"]]
)
def test_unknown_fields_are_refused_by_apply_and_left_out_by_viewers(place: list[Any]) -> None:
    """What apply does not understand it does not carry out."""

    def add(value: dict[str, Any]) -> None:
        for step in place:
            value = value[step]
        value["invented"] = {"deep": [1]}

    data = resealed(add)
    with pytest.raises(DocumentError, match="unknown field `invented`"):
        planfile.read(data)
    shown = planfile.view(data)
    assert msgspec.structs.replace(shown, digest=EXAMPLE.digest) == EXAMPLE


@pytest.mark.parametrize(
    ("op", "missing"),
    [
        (Op.UPLOAD, "content"),
        (Op.UPLOAD, "source"),
        (Op.DOWNLOAD, "content"),
        (Op.DOWNLOAD, "source"),
        (Op.COPY, "source"),
        (Op.MOVE, "content"),
        (Op.ADOPT, "content"),
        (Op.DELETE_REMOTE, "expect"),
        (Op.DELETE_LOCAL, "expect"),
        (Op.CONFIGURE, "setting"),
    ],
)
def test_an_action_without_what_it_needs_is_refused(op: Op, missing: str) -> None:
    """A sound digest does not make a sound action."""
    plan = plan_of(act(op, "k", **{missing: None}))
    with pytest.raises(DocumentError, match=f"{op} of 'k' has no {missing}"):
        planfile.read(planfile.write(plan))


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (act(Op.PURGE, "../up/"), "holds the segment `..`"),
        (act(Op.CONFIGURE, "cors", content=NEW), "does not lead"),
        (act(Op.CONFIGURE, "cors", expect=OLD), "does not lead"),
        (act(Op.CONFIGURE, "cors", content=None, setting=Setting(None, None)), "does not lead"),
        (act(Op.CONFIGURE, "cors", undo=Undo.TRASH), "no setting has"),
        (act(Op.CONFIGURE, "cors", source=Source(path="a")), "no setting has"),
        (act(Op.UPLOAD, "k", setting=Setting(None, "enabled")), "only `configure` has"),
        (act(Op.MOVE, "k", source=Source(path="tree/k", version="v")), "move of 'k' has no"),
        (act(Op.UPLOAD, "../up"), "holds the segment `..`"),
        (act(Op.DELETE_LOCAL, "/abs"), "holds an empty segment"),
        (act(Op.MOVE, "k", source=Source(key="../up", version="v")), "holds the segment `..`"),
        (msgspec.structs.replace(act(Op.FORGET, "k"), bucket="other"), "no bucket 'other'"),
        (msgspec.structs.replace(act(Op.FORGET, "k"), id="0" * 12), "another id"),
    ],
)
def test_an_action_that_no_plan_of_buckia_holds_is_refused(action: Action, why: str) -> None:
    """Names that lead elsewhere, unknown buckets, made-up ids, ops this version cannot do."""
    with pytest.raises(DocumentError, match=why.replace("(", r"\(")):
        planfile.read(planfile.write(plan_of(action)))


def test_an_unknown_op_is_refused() -> None:
    """The set of ops is closed."""
    data = resealed(lambda value: value["actions"][0].update(op="explode"))
    for reader in (planfile.read, planfile.view):
        with pytest.raises(DocumentError, match="explode"):
            reader(data)


def test_an_action_named_twice_is_refused() -> None:
    """One action, one outcome."""
    with pytest.raises(DocumentError, match="twice"):
        planfile.read(planfile.write(plan_of(act(Op.FORGET, "k"), act(Op.FORGET, "k"))))
