"""Bucket settings through plan and apply, against a bucket in memory."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from buckia import planfile, pool, settings
from buckia.errors import ConfigError, StaleError
from buckia.model import Direction, Setting
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World, codes, ops
from tests.settled import CORS, PUBLIC, RULES, MemorySettings, settled_world
from tests.tampering import refused

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.fixture
def both(tmp_path: Path) -> tuple[World, MemorySettings]:
    """A world that declares two settings of a bucket which has neither."""
    return settled_world(tmp_path, {"cors": CORS, "lifecycle": RULES}, **ALL_DELETIONS)


# -- what is planned -------------------------------------------------------------------------------


@pytest.mark.promise("L1")
def test_settings_that_differ_are_planned_and_then_there_is_nothing_to_do(
    both: tuple[World, MemorySettings],
) -> None:
    """Law 1, with files beside them; nothing that is not declared is even asked about."""
    world, live = both
    world.write("a", b"1")
    plan = world.plan()
    assert ops(plan) == ["configure cors", "configure lifecycle", "upload a"]
    action = plan.actions[1]
    assert (action.reason, action.expect, action.undo) == ("setting_new", None, None)
    assert action.content == settings.content(RULES)
    assert action.setting == Setting(None, RULES)
    assert action.changes[0] == "+ lifecycle:"
    assert not world.apply(plan).failed
    assert live.documents["cors"] == CORS and live.documents["lifecycle"] == RULES
    assert world.remote() == {"a": b"1"}
    assert ops(world.plan()) == []
    assert set(live.asked) == {"cors", "lifecycle"}


@pytest.mark.parametrize(
    ("now", "declared", "reason"),
    [
        (None, "enabled", "setting_new"),
        ("suspended", "enabled", "setting_changed"),
        ("enabled", "enabled", None),
    ],
)
def test_a_setting_is_compared_as_it_is(
    tmp_path: Path, now: str | None, declared: str, reason: str | None
) -> None:
    """Whatever a lockfile would remember of it."""
    world, live = settled_world(tmp_path, {"versioning": declared})
    if now:
        live.documents["versioning"] = now
    assert [action.reason for action in world.plan().actions] == ([reason] if reason else [])
    world.sync()
    assert live.documents["versioning"] == declared
    live.documents["versioning"] = "suspended"  # by hand
    assert [action.expect for action in world.plan().actions] == [settings.content("suspended")]


def test_an_absent_setting_is_removed_and_stays_so(tmp_path: Path) -> None:
    """`absent` is a wish like any other."""
    world, live = settled_world(tmp_path, {"cors": "absent"})
    assert ops(world.plan()) == []
    live.documents["cors"] = CORS
    plan = world.plan()
    action = plan.actions[0]
    assert (action.reason, action.content) == ("setting_unwanted", None)
    assert action.expect == settings.content(CORS)
    world.apply(plan)
    assert "cors" not in live.documents
    assert ops(world.plan()) == []


def test_what_is_not_declared_is_never_touched(tmp_path: Path) -> None:
    """Nor read: a missing right there is nobody's affair."""
    world, live = settled_world(tmp_path, {"cors": CORS})
    live.documents["policy"] = {"Statement": []}
    live.denied = {"policy", "acl"}
    world.sync()
    assert live.documents["policy"] == {"Statement": []}
    assert set(live.asked) == {"cors"}


@pytest.mark.parametrize("wish", [{"paths": ["tree/a"]}, {"direction": Direction.DOWNLOAD}])
def test_a_plan_about_less_leaves_settings_out(
    both: tuple[World, MemorySettings], wish: dict[str, Any]
) -> None:
    """A plan for some paths, or one that brings nothing to the bucket."""
    world, live = both
    assert ops(world.plan(**wish)) == []
    assert live.asked == []
    assert len(world.plan(direction=Direction.UPLOAD).actions) == 2


@pytest.mark.promise("L7")
def test_equal_worlds_plan_equal_bytes(tmp_path: Path) -> None:
    """Law 7: however the declaration is written."""
    one, _ = settled_world(tmp_path / "1", {"cors": CORS, "lifecycle": RULES})
    other, _ = settled_world(
        tmp_path / "2",
        {
            "lifecycle": [{"expire_days": 3, "enabled": True, "prefix": "tmp/", "id": "tmp"}],
            "cors": [{"allowed_methods": ["GET", "GET"], "allowed_origins": ["https://a.example"]}],
        },
    )
    assert planfile.write(one.plan()) == planfile.write(other.plan())


def test_a_setting_and_a_file_may_have_one_name(both: tuple[World, MemorySettings]) -> None:
    """They are two things."""
    world, live = both
    world.write("cors", b"a file")
    world.sync()
    assert world.remote() == {"cors": b"a file"}
    assert live.documents["cors"] == CORS
    world.remove("cors")
    world.sync()
    assert (world.remote(), live.documents["cors"]) == ({}, CORS)


def test_a_setting_that_cannot_be_read_is_said_and_holds_nothing_up(
    both: tuple[World, MemorySettings],
) -> None:
    """The others are set, the files travel, and the plan names what is missing."""
    world, live = both
    world.write("a", b"1")
    live.denied = {"cors"}
    plan = world.plan()
    assert ops(plan) == ["configure lifecycle", "upload a"]
    assert codes(plan) == ["unread_setting cors"]
    assert "needs a right" in plan.warnings[0].message
    assert plan.complete and plan.applyable
    world.apply(plan)
    assert world.remote() == {"a": b"1"}


def test_a_bucket_without_settings_cannot_have_some_declared(tmp_path: Path) -> None:
    """Of a store that has none: an error of the configuration."""
    world = World(tmp_path, {"main": MemoryStore()})
    world = world.under(provider="s3", bucket_name="main", settings={"cors": CORS})
    with pytest.raises(ConfigError, match="has no settings"):
        world.plan()


# -- what is applied -------------------------------------------------------------------------------


def test_an_apply_of_settings_counts_and_the_same_plan_again_is_done(
    both: tuple[World, MemorySettings],
) -> None:
    """The serial moves though no entry does; what was done is not done twice."""
    world, live = both
    world.settled({"a": b"1"})
    assert world.lock().state("main").serial == 1
    live.documents["cors"] = []
    plan = world.plan()
    assert world.apply(plan).serials == {"main": 2}
    assert world.lock().state("main").serial == 2
    live.set_.clear()
    assert world.apply(plan).already
    live.documents["cors"] = []  # and by hand changed back: that is for a new plan
    assert world.apply(plan).already
    assert live.set_ == []
    live.documents["cors"] = CORS
    assert world.sync().outcomes == ()
    assert world.lock().state("main").serial == 2


@pytest.mark.promise("L5")
def test_a_setting_that_changed_since_the_plan_stops_all_of_it(
    both: tuple[World, MemorySettings],
) -> None:
    """Law 5: exit 4, and nothing is touched."""
    world, live = both
    world.write("a", b"1")
    plan = world.plan()
    live.documents["lifecycle"] = [{"id": "theirs", "expire_days": 1}]
    refused(world, plan, StaleError, "lifecycle: the setting has changed since the plan", code=4)
    assert live.set_ == []
    assert world.remote() == {}


def test_a_setting_that_changes_after_preflight_is_left_alone(
    both: tuple[World, MemorySettings],
) -> None:
    """It is looked at again right before it is set."""
    world, live = both
    plan = world.plan()
    theirs: list[Any] = [{"id": "theirs", "expire_days": 1}]
    live.hook = lambda name, after: live.documents.update(lifecycle=theirs)
    applied = world.apply(plan)
    assert [(o.key, o.error) for o in applied.failed] == [
        ("lifecycle", "lifecycle: is not what was reviewed; plan again")
    ]
    assert live.documents["lifecycle"] == theirs


def test_a_policy_file_that_changed_since_the_plan_is_stale(tmp_path: Path) -> None:
    """The digest of the configuration knows only the file's name."""
    world, live = settled_world(tmp_path, {"policy": "policies/p.json"})
    file = world.root / "policies" / "p.json"
    file.parent.mkdir()
    file.write_text(json.dumps(PUBLIC))
    plan = world.plan()
    assert plan.actions[0].setting == Setting(
        None, settings.declared("s3", {"policy": PUBLIC})["policy"]
    )
    file.write_text(json.dumps({**PUBLIC, "Id": "other"}))
    refused(world, plan, StaleError, "declared otherwise", code=4)
    file.write_text(json.dumps(PUBLIC, indent=4))
    assert not world.apply(plan).failed
    file.unlink()
    with pytest.raises(ConfigError, match=r"the policy policies/p\.json cannot be read"):
        world.plan()
    assert live.set_ == ["policy"]


def test_what_closes_is_set_first_and_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never two at once, and uploads when all are set."""
    declared = {
        "policy": PUBLIC,
        "acl": "private",
        "cors": CORS,
        "public_access_block": {"block_public_acls": True},
    }
    world, live = settled_world(tmp_path, declared, max_workers=4)
    threads: list[int] = []

    def counted(workers: int, name: str) -> ThreadPoolExecutor:
        threads.extend([workers] if name == "apply" else ())
        return ThreadPoolExecutor(workers)

    monkeypatch.setattr(pool, "threads", counted)
    live.documents["acl"] = "public-read"
    for number in range(9):
        world.write(f"f{number}", b"1")
    under_way: list[str] = []

    def hook(name: str, after: bool) -> None:
        under_way.append(name)
        assert world.remote() == {}
        assert under_way == [name] or after
        if after:
            under_way.clear()

    live.hook = hook
    plan = world.plan()
    order = ["acl", "public_access_block", "cors", "policy"]
    assert ops(plan)[:4] == [f"configure {name}" for name in order]
    assert not world.apply(plan).failed
    assert live.set_ == order
    phases, others = threads[:3], threads[3:]  # what closes, what the rest needs, what opens
    assert phases == [1, 1, 1] and set(others) == {4}


@pytest.mark.promise("L4")
def test_nothing_is_written_to_a_bucket_that_could_not_be_configured(tmp_path: Path) -> None:
    """It may be open to everybody. What comes from it still comes, the rest waits for a rerun."""
    declared = {"acl": "private", "cors": CORS}
    world, live = settled_world(tmp_path, declared, **ALL_DELETIONS)
    world.settled({"old": b"1", "mine": b"1"})
    live.documents["acl"] = "public-read"
    del live.documents["cors"]
    world.write("new", b"2")
    world.put("theirs", b"3")
    world.remove("old")
    live.refused = {"acl"}
    plan = world.plan()
    applied = world.apply(plan)
    assert [(o.key, o.done) for o in applied.outcomes] == [("acl", False), ("theirs", True)]
    assert world.remote() == {"old": b"1", "mine": b"1", "theirs": b"3"}
    assert world.lock().state("main").partial
    live.refused = set()
    assert not world.apply(plan).failed
    assert live.documents == {"acl": "private", "cors": CORS, "public_access_block": False}
    assert world.remote() == {"mine": b"1", "theirs": b"3", "new": b"2"}
    assert ops(world.plan()) == []


def test_other_buckets_do_not_wait(tmp_path: Path) -> None:
    """What fails in one bucket is not the affair of another."""
    world, live = settled_world(tmp_path, {"cors": CORS})
    live.refused = {"cors"}
    other = MemoryStore("other")
    world.stores["other"] = other
    config = world.config.buckets["main"]
    buckets = {
        **world.config.buckets,
        "other": dataclasses.replace(config, name="other", settings={}),
    }
    world.config = type(world.config)(world.config.root, world.config.path, buckets)
    world.write("a", b"1")
    applied = world.apply(world.plan())
    assert [item.key for item in applied.failed] == ["cors"]
    assert (world.remote(), world.remote("other")) == ({}, {"a": b"1"})
