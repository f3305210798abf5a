"""Manifests that others write, that are switched off, that are forged, and the reserved name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buckia import manifest, planfile
from buckia.errors import DocumentError, StaleError
from buckia.execution import publisher
from buckia.model import Op, Source, Undo, action_id, replace
from buckia.planfile import seal
from tests.helpers import World, ops
from tests.test_manifest_laws import demand_true
from tests.test_publications import BIG, KEY, held, world_at

# -- what others do --------------------------------------------------------------------------------


def test_an_overwritten_manifest_is_published_anew(tmp_path: Path) -> None:
    """Of another generation than any that was ever seen, whoever published that."""
    world = world_at(tmp_path)
    world.write("T/a", b"1")
    world.sync()
    for data in (b"junk", manifest.write(manifest.make(41, []))):
        world.put(KEY, data)
        assert ops(world.plan()) == ["publish " + KEY]
        world.sync()
        demand_true(world)
    assert held(world).generation == 42
    world.drop(KEY)
    world.sync()
    assert held(world).generation == 43


def test_a_manifest_that_appeared_makes_a_plan_stale(tmp_path: Path) -> None:
    """Also one that names itself as the next generation, where this run has not written yet."""
    world = world_at(tmp_path)
    world.write("T/a", b"1")
    world.sync()
    world.write("T/a", b"2")
    plan = world.plan()
    for data in (b"junk", manifest.write(manifest.make(2, []))):
        world.put(KEY, data)
        with pytest.raises(StaleError, match="somebody else has published"):
            world.apply(plan)
        assert world.remote()["T/a"] == b"1"


def test_who_publishes_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is deleted then, and the next plan finds the end."""
    world = world_at(tmp_path)
    world.write("T/a", b"1")
    world.write("T/b", b"1")
    world.sync()
    world.remove("T/b")
    plan, plain = world.plan(), publisher.publish

    def late(task: Any) -> Any:
        world.put(KEY, b"theirs")
        return plain(task)

    with monkeypatch.context() as patch:
        patch.setattr(publisher, "publish", late)
        failed = world.apply(plan).failed
    assert [item.op for item in failed] == [Op.PUBLISH]
    assert {"T/b", KEY} <= world.remote().keys()
    assert world.remote()[KEY] == b"theirs"
    world.sync()
    demand_true(world)
    assert "T/b" not in world.remote()


def test_two_clones_do_not_take_turns(tmp_path: Path) -> None:
    """One that finds what it would publish writes nothing."""
    world = world_at(tmp_path / "one")
    world.write("T/a", b"1")
    world.sync()
    twin = world.clone(tmp_path / "two")
    world.write("T/b", b"2")
    world.sync()
    twin.sync()
    assert held(world).generation == 2
    assert (ops(world.plan()), ops(twin.plan())) == ([], [])


def test_switched_off_the_manifests_go(tmp_path: Path) -> None:
    """In a plan like any other, and those that others put there stay."""
    world = world_at(tmp_path)
    world.write("T/a", b"1")
    world.sync()
    world.put(manifest.key_of("other"), b"1")
    off = world.under(manifest=False)
    assert [item.reason for item in off.plan().actions] == ["switched_off"]
    off.sync()
    assert list(published_keys(world)) == [manifest.key_of("other")]
    assert ops(off.plan()) == []


def published_keys(world: World) -> list[str]:
    return [key for key in world.remote() if manifest.is_manifest(key)]


# -- the reserved name -----------------------------------------------------------------------------


def test_the_name_is_nobodys_file(tmp_path: Path) -> None:
    """A local file of that name is not uploaded, the object is no foreign one and is not fetched,
    also where everything foreign would go."""
    world = world_at(tmp_path, delete_orphaned="all", direction="upload")
    world.write("T/a", b"1")
    world.write(KEY, b"mine")
    world.sync()
    plan = world.plan()
    assert (plan.actions, plan.warnings, plan.summary.unchanged) == ((), (), 1)
    assert world.local()[KEY] == b"mine"
    assert held(world).by_path().keys() == {"a"}
    with world.open() as project:
        assert project.verify()[0].findings == ()


# -- plans that nobody made ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"key": "T/other"}, "where no manifest is"),
        ({"key": manifest.key_of("elsewhere")}, "no mapping leads"),
        ({"undo": Undo.NONE}, "no manifest has"),
        ({"source": Source(key=KEY)}, "where nothing moves"),
        ({"publication": None, "expect": None}, "neither publishes"),
    ],
)
def test_a_forged_publication_is_refused(tmp_path: Path, change: Any, why: str) -> None:
    world = world_at(tmp_path, folders=["T"])
    world.write("T/a", b"1")
    plan = world.plan()
    (action,) = [item for item in plan.actions if item.op is Op.PUBLISH]
    forged = replace(action, **change)
    forged = replace(forged, id=action_id(Op.PUBLISH, "main", forged.key))
    made = seal(replace(plan, actions=(forged,)))
    with pytest.raises(DocumentError, match=why):
        world.apply(planfile.read(planfile.write(made)))


def test_no_manifest_is_published_where_none_is_wanted(tmp_path: Path) -> None:
    world = world_at(tmp_path)
    world.write("T/a", b"1")
    plan = world.plan()
    off = world.under(manifest=False)
    made = seal(replace(plan, config_digest=off.plan().config_digest))
    with pytest.raises(DocumentError, match="`manifest` is not set"):
        off.apply(made)


def test_a_folder_of_nothing_but_what_others_changed_has_no_manifest(tmp_path: Path) -> None:
    """Until the change is settled; then it has one again."""
    world = world_at(tmp_path, direction="upload", conflict_resolution="remote_wins")
    world.write("T/a", b"1")
    world.sync()
    world.put("T/a", b"theirs")
    plan = world.plan()
    assert [item.reason for item in plan.actions] == ["folder_gone"]
    world.sync()
    assert KEY not in world.remote()
    assert ops(world.plan()) == []
    world.put("T/a", b"1")
    world.sync()
    assert held(world).by_path().keys() == {"a"}


# -- where the files are not -----------------------------------------------------------------------


def test_a_staged_plan_publishes_where_the_files_are_not(tmp_path: Path) -> None:
    """As in CI: everything is named, blocks only of what passed through."""
    world = world_at(tmp_path / "one")
    world.write("T/a", b"1")
    world.write("T/big", BIG)
    with world.open() as project:
        plan = project.stage(project.plan()).plan
    twin = world.clone(tmp_path / "two")
    for path in list(twin.tree.rglob("*")):
        if path.is_file():
            path.unlink()
    assert not twin.apply(plan).failed
    demand_true(twin)
    assert held(twin).by_path().keys() == {"a", "big"}
