"""What a killed run leaves lying about, and who clears it away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from buckia import journal
from buckia.project import Project
from buckia.stores import files
from buckia.stores.local import LocalStore
from tests.helpers import ALL_DELETIONS, World

ELSEWHERE = 4711
"""The number of a file system that no test runs on."""


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that passes for one on another file system."""
    plain = Path.stat
    place = tmp_path / "far"
    place.mkdir()

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = plain(path, follow_symlinks=follow_symlinks)
        return os.stat_result((*found[:2], ELSEWHERE, *found[3:])) if path == place else found

    monkeypatch.setattr(Path, "stat", stat)
    return place


def test_a_temporary_file_beside_its_target_is_gone_at_the_end(tmp_path: Path, far: Path) -> None:
    with files.near(tmp_path / "tmp", far / "a") as path:
        assert path.parent == far and path.name.startswith(".buckia.")
        path.write_bytes(b"half")
    assert not list(far.iterdir()) and not list((tmp_path / "tmp").iterdir())


def test_what_a_killed_run_left_beside_its_target_is_cleared(tmp_path: Path, far: Path) -> None:
    """With the companions and the room of a database; files of others stay."""
    killed = files.near(tmp_path / ".buckia.d/tmp", far / "a")
    path = killed.__enter__()
    for stray in (path, path.with_name(f"{path.name}-journal")):
        stray.write_bytes(b"half")
    (far / ".buckia-0a_b1c2d").mkdir()
    (far / ".buckia.0123456789abcdef").write_bytes(b"of another run")
    LocalStore(tmp_path, work=".buckia.d").tidy()
    assert [item.name for item in far.iterdir()] == [".buckia.0123456789abcdef"]
    assert not (tmp_path / ".buckia.d/tmp").exists()


def test_a_link_that_leads_elsewhere_is_not_followed(tmp_path: Path, far: Path) -> None:
    work = tmp_path / ".buckia.d/tmp"
    work.mkdir(parents=True)
    (far / "precious").write_bytes(b"content")
    (work / "0123456789abcdef").symlink_to(far / "precious")
    (work / "folder").symlink_to(far)
    LocalStore(tmp_path, work=".buckia.d").tidy()
    assert (far / "precious").read_bytes() == b"content" and not work.exists()


def test_a_killed_run_leaves_nothing_in_a_folder_that_is_a_bucket(tmp_path: Path) -> None:
    world = World(tmp_path, {"main": None})
    world.write("a", b"content")
    stray = tmp_path / "buckets/main/.buckia/tmp/0123456789abcdef"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"half")
    world.sync()
    assert world.left_behind() == []


def test_a_bucket_that_a_new_plan_finds_in_order_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that did everything and died before it said so is over once a plan says nothing."""
    world = World(tmp_path, {"main": None}, **ALL_DELETIONS)
    world.write("a", b"content")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("buckia.records.recorder.Recorder.save", _die)
        world.sync()
    with Project(world.config) as project:
        assert [status.unfinished for status in project.status()] == [True]
    plan = world.plan()
    assert not plan.actions
    world.apply(plan, preflight_only=True)
    assert world.lock().state("main").partial
    world.apply(plan)
    state = world.lock().state("main")
    assert (state.partial, state.serial) == (False, 1)
    assert all(record.finished for record in journal.records(world.root / ".buckia.d/journal"))


def _die(*args: object) -> None:
    raise KeyboardInterrupt
