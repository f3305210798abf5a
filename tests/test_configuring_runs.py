"""Bucket settings where things go wrong: runs cut short, plans that were touched; other verbs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from buckia import journal, planfile, settings
from buckia.errors import DocumentError, StaleError, StoreError
from buckia.model import Op, Setting, Undo, action_id, replace
from buckia.planfile import Plan
from buckia.project import Project
from buckia.stores.base import Capabilities
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World, ops
from tests.settled import CORS, PUBLIC, RULES, MemorySettings, settled_world
from tests.strategies import examples
from tests.tampering import forged, refused
from tests.test_settings import declarations

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.fixture
def both(tmp_path: Path) -> tuple[World, MemorySettings]:
    """A world that declares two settings of a bucket which has neither."""
    return settled_world(tmp_path, {"cors": CORS, "lifecycle": RULES}, **ALL_DELETIONS)


# -- cut short -------------------------------------------------------------------------------------


class Cut(BaseException):
    """The end of a process, as far as a test can have one."""


@pytest.mark.parametrize("again", ["same", "new"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", ["cors", "versioning"])
@pytest.mark.promise("L3")
def test_a_run_cut_while_it_configures_ends_the_same(
    tmp_path: Path, at: str, after: bool, again: str
) -> None:
    """Law 3: before the change or after it, with the same plan or a new one."""
    declared = {"cors": CORS, "versioning": "enabled", "lifecycle": RULES}
    world, live = settled_world(tmp_path, declared, **ALL_DELETIONS)
    world.settled({"mine": b"1", "old": b"1"})
    for name in declared:
        del live.documents[name]
    world.write("mine", b"2")
    world.remove("old")
    plan = world.plan()

    def hook(name: str, done: bool) -> None:
        if (name, done) == (at, after):
            raise Cut

    live.hook = hook
    with pytest.raises(Cut):
        world.apply(plan)
    assert world.remote() == {"mine": b"1", "old": b"1"}
    live.hook = lambda name, done: None
    assert not world.apply(plan if again == "same" else world.plan()).failed
    assert {name: live.documents[name] for name in declared} == {
        "cors": CORS,
        "versioning": "enabled",
        "lifecycle": RULES,
    }
    assert world.remote() == {"mine": b"2"}
    assert ops(world.plan()) == []
    assert live.set_.count(at) <= 1 + len(declared)
    assert world.lock().state("main").partial is False


def test_a_crash_after_the_last_setting_costs_one_serial(
    both: tuple[World, MemorySettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal knows what the lockfile could not be told."""
    world, _ = both
    plan = world.plan()
    with monkeypatch.context() as patch:
        patch.setattr("buckia.records.recorder.Recorder.save", _die)
        with pytest.raises(Cut):
            world.apply(plan)
    assert world.lock().state("main").serial == 0
    assert ops(world.plan()) == []
    applied = world.apply(plan)
    assert not applied.failed
    assert world.lock().state("main").serial == 1
    assert world.apply(plan).already
    records = journal.records(world.root / ".buckia.d" / "journal")
    assert all(record.finished for record in records)


def _die(*_: object) -> None:
    raise Cut


# -- what is kept of files -------------------------------------------------------------------------


class Versioned(MemoryStore):
    """A bucket that keeps versions while its setting says so."""

    def __init__(self) -> None:
        super().__init__()
        self.settings = MemorySettings()

    @property
    def capabilities(self) -> Capabilities:
        on = self.settings.documents.get("versioning") == "enabled"
        return replace(super().capabilities, versions=on)


@pytest.mark.parametrize(("now", "then"), [("suspended", "enabled"), ("enabled", "suspended")])
def test_a_plan_that_switches_versioning_does_not_rely_on_it(
    tmp_path: Path, now: str, then: str
) -> None:
    """What it overwrites goes to the trash, on either side of the switch, a rerun included."""
    store = Versioned()
    world = World(tmp_path, {"main": store}, **ALL_DELETIONS)
    world.settled({"mine": b"1"})
    world = world.under(provider="s3", bucket_name="main", settings={"versioning": then})
    store.settings.documents["versioning"] = now
    world.write("mine", b"2")
    plan = world.plan()
    assert [action.undo for action in plan.actions] == [None, Undo.TRASH]
    store.settings.hook = lambda name, after: _die() if after else None
    with pytest.raises(Cut):
        world.apply(plan)
    store.settings.hook = lambda name, after: None
    assert not world.apply(plan).failed
    assert b"1" in world.everything()
    world.write("mine", b"3")
    kept = Undo.VERSION if then == "enabled" else Undo.TRASH
    assert [action.undo for action in world.plan().actions] == [kept]


# -- whatever is declared, and whatever is there ---------------------------------------------------


@examples(15)
@given(said=declarations("s3"), there=declarations("s3"))
@pytest.mark.promise("L1")
def test_any_declaration_is_reached_from_anything(
    tmp_path_factory: pytest.TempPathFactory, said: dict[str, Any], there: dict[str, Any]
) -> None:
    """In one apply, after which there is nothing to do, and by the document that the plan holds."""
    world, live = settled_world(tmp_path_factory.mktemp("any"), said)
    live.documents |= {n: d for n, d in settings.declared("s3", there).items() if d is not None}
    before = dict(live.documents)
    plan = planfile.read(planfile.write(world.plan()))
    assert not world.apply(plan).failed
    wanted = settings.declared("s3", said)
    assert {name: live.documents.get(name) for name in wanted} == wanted
    others = live.documents.keys() - wanted.keys()
    assert {name: live.documents[name] for name in others} == {
        name: document for name, document in before.items() if name not in wanted
    }
    assert ops(world.plan()) == []
    with world.open() as project:
        again = settings.declared("s3", project.import_settings("main").said)
    assert {name: again.get(name) for name in wanted} == wanted


# -- plans that were touched -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"key": "policy"}, DocumentError, "another id"),
        ({"setting": {"now": None, "then": "else"}}, DocumentError, "does not lead"),
        ({"undo": "trash"}, DocumentError, "no setting has"),
    ],
)
@pytest.mark.promise("INV-16")
def test_a_tampered_setting(
    both: tuple[World, MemorySettings],
    change: dict[str, Any],
    error: type[StoreError],
    words: str,
) -> None:
    """A digest proves who was read, not who is right."""
    world, live = both
    data = forged(world, lambda value: value["actions"][0].update(change))
    refused(world, data, error, words, code=65)
    assert live.set_ == []


def sealed_with(plan: Plan, name: str, then: Any) -> Plan:
    """A sound plan of somebody else's making."""
    made = replace(
        plan.actions[0],
        id=action_id(Op.CONFIGURE, "main", name),
        key=name,
        content=settings.content(then),
        setting=Setting(None, then),
    )
    return planfile.seal(replace(plan, actions=(made,)))


@pytest.mark.promise("INV-16")
def test_a_setting_that_the_configuration_does_not_declare(
    both: tuple[World, MemorySettings],
) -> None:
    """A plan leads nowhere that the configuration does not, and to nothing else there."""
    world, live = both
    plan = world.plan()
    foreign = sealed_with(plan, "policy", PUBLIC)
    refused(world, foreign, DocumentError, "'policy'", "do not declare", code=65)
    other = sealed_with(plan, "cors", [{**CORS[0], "allowed_origins": ["*"]}])
    refused(world, other, StaleError, "'cors'", "declared otherwise", code=4)
    assert live.set_ == []


# -- the other verbs -------------------------------------------------------------------------------


def test_status_and_verify_tell_what_is_not_as_declared(
    both: tuple[World, MemorySettings],
) -> None:
    """And what cannot be told."""
    world, live = both
    world.settled({"a": b"1"})
    live.documents["cors"] = []
    with world.open() as project:
        told = project.verify()[0]
        assert [(f.side, f.kind, f.key) for f in told.findings] == [("remote", "setting", "cors")]
        assert told.findings[0].recorded == settings.content(CORS)
        assert ops(project.status()[0].plan) == ["configure cors"]
    live.denied = {"lifecycle"}
    assert [item.place for item in verified(world).unread] == ["setting lifecycle"]


def verified(world: World) -> Any:
    with Project(world.config, stores=world.stores) as project:
        return project.verify()[0]
