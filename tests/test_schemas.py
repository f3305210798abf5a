"""The published schemas of documents: valid, complete, and of one mind with what buckia reads."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from jsonschema import Draft202012Validator

from buckia import journal, lockfile, model, planfile
from buckia.documents import schema
from buckia.errors import DocumentError
from buckia.stores.usage import Usage
from tests.helpers import ALL_DELETIONS, World
from tests.test_planfile import CONFIGURING, EXAMPLE

NAMES: Final = ("plan", "lock", "journal")
Where = tuple[str | int, ...]


def refused_by_schema(name: str, value: Any) -> bool:
    return not Draft202012Validator(schema(name)).is_valid(value)


def refused_by_plan(value: Any) -> bool:
    """What apply says of a plan that is sealed anew, names aside."""
    try:
        planfile.read(planfile.write(planfile.seal(msgspec.convert(value, planfile.Plan))))
    except msgspec.ValidationError:
        return True
    except DocumentError as problem:
        names = ("twice", "another id", "no bucket", "names a key", "does not lead")
        return not any(words in str(problem) for words in names)
    return False


def refused_as(*kinds: Any) -> Callable[[Any], bool]:
    """What the typed decoder says, where it alone is asked."""

    def refused(value: Any) -> bool:
        for kind in kinds:
            try:
                found = msgspec.json.decode(json.dumps(value), type=kind)
            except msgspec.ValidationError:
                continue
            formats = (lockfile.FORMAT, journal.FORMAT, None)
            major = getattr(found, "format_version", "1").partition(".")[0]
            if getattr(found, "format", None) in formats and major == "1":
                return False
        return True

    return refused


HEADERS: Final = {"cache-control": "no-store", "meta-a": "b"}


def lock_document() -> Any:
    entry = lockfile.Locked(
        1, "a" * 64, "token", "rows", "tree/a", "text/plain", "other token", HEADERS
    )
    source = planfile.BaseRef("two", 1, "sha256:2")
    state = lockfile.BucketState("one", 3, "sha256:0", "sha256:1", True, {"a": entry}, source)
    return json.loads(lockfile.write(lockfile.EMPTY.with_state("main", state)))


def journal_lines() -> list[Any]:
    entry = model.Entry(
        "a", 1, "2" * 64, "3" * 32, "4" * 40, "rows", "v", 17, "t", "tree/a", HEADERS
    )
    base = planfile.BaseRef("one", 3, "sha256:0")
    source = model.Source("tree/old", "other", "old", "v")
    lines: list[Any] = [
        journal.Header(
            journal.FORMAT,
            "1.0",
            "sha256:1",
            {"main": journal.Origin(base, "one", base)},
            "t",
            "u",
            "h",
            1,
            "someone",
            "https://ci.example/1",
        ),
        model.Outcome("id", model.Op.MOVE, "main", "a", True, entry, "old", source=source),
        model.Outcome("id", model.Op.UPLOAD, "main", "a", False, error="no"),
        journal.Finish("finish", "t"),
        journal.Finish("finish", "t", Usage(list=1, write=2, sent=300), 1.5, {"main": 4}),
    ]
    return [json.loads(msgspec.json.encode(line)) for line in lines]


def plan_document() -> Any:
    head = EXAMPLE.buckets["main"]
    promotion = planfile.Promotion("other", head.base, 1, "inside")
    heads = {**EXAMPLE.buckets, "other>main": model.replace(head, promotion=promotion)}
    plan = model.replace(EXAMPLE, buckets=heads, actions=tuple(map(_dressed, EXAMPLE.actions)))
    return json.loads(planfile.write(planfile.seal(plan)))


def _dressed(action: model.Action) -> model.Action:
    parts = {
        name: model.replace(part, headers=HEADERS)
        for name in ("content", "expect")
        if (part := getattr(action, name))
    }
    return model.replace(action, **parts)


PLAN_DOCUMENT: Final = plan_document()
LINE = refused_as(journal.Header, model.Outcome, journal.Finish)
DOCUMENTS: list[tuple[str, Any, Callable[[Any], bool]]] = [
    ("plan", PLAN_DOCUMENT, refused_by_plan),
    ("plan", json.loads(planfile.write(CONFIGURING)), refused_by_plan),
    ("lock", lock_document(), refused_as(lockfile.Lockfile)),
    *(("journal", line, LINE) for line in journal_lines()),
]

OTHERS: Final[tuple[Any, ...]] = (
    None, "text", "", 0, 1.5, -1, True, [], {}, ["text"], {"text": "text"}, 10**30
)  # fmt: skip
"""Without 1.0: to a JSON Schema that is a whole number, to the readers it is none."""


def places(value: Any, at: Where = ()) -> Iterator[Where]:
    """Every place in a document."""
    yield at
    if isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*at, name))


def mutations(value: Any) -> Iterator[tuple[str, Any]]:
    """The document with one thing left out, added, or replaced by something else."""
    for at in places(value):
        for other in OTHERS:
            if at:
                twin, parent = parent_of(value, at)
                parent[at[-1]] = other
                yield f"{at} = {other!r}", twin
            else:
                yield f"all = {other!r}", other
        if at and isinstance(at[-1], str):
            twin, parent = parent_of(value, at)
            del parent[at[-1]]
            yield f"{at} left out", twin
            twin, parent = parent_of(value, at)
            parent["invented"] = 1
            yield f"{at[:-1]} with something invented", twin


def parent_of(value: Any, at: Where) -> tuple[Any, Any]:
    """A copy of a document, and the part of it that holds a place."""
    twin = copy.deepcopy(value)
    parent = twin
    for step in at[:-1]:
        parent = parent[step]
    return twin, parent


# -- the schemas themselves ------------------------------------------------------------------------


def objects(value: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object with properties in a schema, but for those in conditions."""
    if isinstance(value, dict):
        if "properties" in value and "type" in value:
            yield where, value
        for name, item in value.items():
            if name not in ("if", "then"):
                yield from objects(item, f"{where}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from objects(item, where)


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_valid_closed_and_explains_everything(name: str) -> None:
    """Good enough to make the reference page from."""
    whole = schema(name)
    Draft202012Validator.check_schema(whole)
    assert whole["$schema"].endswith("draft/2020-12/schema")
    assert whole["$id"].endswith(f"/{name}.schema.json")
    assert whole["description"].endswith(".")
    for where, part in objects(whole):
        assert part["additionalProperties"] is False, where
        for option, value in part["properties"].items():
            target = whole["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else value
            assert (value.get("description") or target["description"])[-1] == ".", (where, option)


@pytest.mark.parametrize(
    ("name", "part", "kind"),
    [
        ("plan", "", planfile.Plan),
        ("plan", "bucket", planfile.BucketHead),
        ("plan", "base", planfile.BaseRef),
        ("plan", "promotion", planfile.Promotion),
        ("plan", "action", model.Action),
        ("plan", "source", model.Source),
        ("plan", "setting", model.Setting),
        ("plan", "content", model.Content),
        ("plan", "conflict", model.Conflict),
        ("plan", "resolution", planfile.Resolution),
        ("plan", "notice", model.Notice),
        ("lock", "", lockfile.Lockfile),
        ("lock", "bucket", lockfile.BucketState),
        ("lock", "base", planfile.BaseRef),
        ("lock", "entry", lockfile.Locked),
        ("journal", "header", journal.Header),
        ("journal", "origin", journal.Origin),
        ("journal", "finish", journal.Finish),
        ("journal", "usage", Usage),
        ("journal", "outcome", model.Outcome),
        ("journal", "source", model.Source),
        ("journal", "entry", model.Entry),
    ],
)
def test_a_schema_lists_the_fields_that_are_read(name: str, part: str, kind: Any) -> None:
    """No more and no fewer, and the same ones are required."""
    found = schema(name)["$defs"][part] if part else schema(name)
    fields = msgspec.structs.fields(kind)
    assert set(found["properties"]) == {field.name for field in fields}
    assert set(found.get("required", ())) == {field.name for field in fields if field.required}


# -- the documents ---------------------------------------------------------------------------------


def test_documents_of_a_real_run_are_valid(tmp_path: Path) -> None:
    """Plan, lockfile and every line of the journal, with most kinds of action in them."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"a": b"1", "b": b"2", "c": b"3", "d": b"4"})
    (world.tree / "a").rename(world.tree / "é")
    world.drop("b")
    world.write("c", b"here")
    world.put("c", b"there")
    world.put("e", b"5")
    plan = world.plan(skip_conflicts=True)
    found: list[tuple[str, Any]] = [("plan", json.loads(planfile.write(world.plan())))]
    world.apply(plan)
    found.append(("lock", json.loads((world.root / lockfile.KEY).read_bytes())))
    for path in (world.root / ".buckia.d" / "journal").iterdir():
        found += [("journal", json.loads(line)) for line in path.read_bytes().splitlines()]
    assert len(found) > 10
    for name, value in found:
        errors = [error.message for error in Draft202012Validator(schema(name)).iter_errors(value)]
        assert errors == [], (name, value)


@pytest.mark.parametrize(("name", "value", "refused"), DOCUMENTS, ids=lambda part: str(part)[:9])
def test_schema_and_reader_refuse_the_same_documents(
    name: str, value: Any, refused: Callable[[Any], bool]
) -> None:
    """Anything left out, added or replaced: both take it or both refuse it."""
    assert not refused(value)
    assert not refused_by_schema(name, value)
    different = [
        what for what, twin in mutations(value) if refused(twin) != refused_by_schema(name, twin)
    ]
    assert different == []
