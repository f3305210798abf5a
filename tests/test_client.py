"""The Python API where it knows of more than one bucket, and of the folders of users."""

from __future__ import annotations

from pathlib import Path

import pytest

from buckia import BuckiaClient
from buckia.errors import ConfigError, ConflictError, UsageError
from buckia.model import Op

USER, DEMO = "k7Qm2ZtV9cXw4Rb8LpHs3N", "gc9BplsZ6tpBf0y0ewWX8L"
CONFIG = f"""\
buckia:
  sets: {{demo: [{DEMO}]}}
  state: {{bucket: common}}
  defaults: {{provider: local, delete_orphaned: true}}
common: {{bucket_name: buckets/common, paths: [common/]}}
premium: {{bucket_name: buckets/premium, paths: [premium/]}}
enterprise: {{bucket_name: buckets/enterprise, paths: [enterprise/]}}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of three tiers with a demo and a user in the first."""
    (tmp_path / ".buckia").write_text(CONFIG)
    for name in ("common", "premium", "enterprise"):
        (tmp_path / "buckets" / name).mkdir(parents=True)
        (tmp_path / name).mkdir()
    for folder, text in ((DEMO, "Welcome."), (USER, "Mine.")):
        (tmp_path / "common" / folder).mkdir()
        (tmp_path / "common" / folder / "a.txt").write_text(text)
    return tmp_path


def client(root: Path) -> BuckiaClient:
    return BuckiaClient.from_config(root / ".buckia", "common")


def test_a_set_is_promoted_by_the_names_of_the_file(root: Path) -> None:
    """To two tiers; again there is nothing to do; an edit in one is a conflict."""
    with client(root) as common:
        assert common.sync().uploaded == 2
        plan = common.promote("demo", "premium", "enterprise")
        assert [(item.op, item.bucket) for item in plan.actions] == [
            (Op.COPY, "common>enterprise"),
            (Op.COPY, "common>premium"),
        ]
        assert not common.apply(plan).failed
        assert common.promote("demo", "premium", "enterprise").actions == ()
        there = root / "buckets" / "premium" / DEMO / "a.txt"
        there.write_text("Edited there.")
        (root / "common" / DEMO / "a.txt").write_text("Edited here.")
        common.sync()
        plan = common.promote("demo", "premium", "enterprise")
        assert [item.bucket for item in plan.conflicts] == ["common>premium"]
        with pytest.raises(ConflictError):
            common.apply(plan)
        rest = common.promote("demo", "premium", "enterprise", skip_conflicts=True)
        assert not common.apply(rest).failed
        assert there.read_text() == "Edited there."
    assert (root / "buckets/enterprise" / DEMO / "a.txt").read_text() == "Edited here."


def test_a_user_is_moved(root: Path) -> None:
    """To one bucket; what no apply left is taken along where that is said."""
    with client(root) as common:
        common.sync()
        (root / "buckets/common" / USER / "photo.jpg").write_text("photo")
        assert not common.promote(USER, "premium", move=True).applyable
        plan = common.promote(USER, "premium", move=True, allow_drift=True)
        assert not common.apply(plan).failed
    assert not list((root / "buckets/common" / USER).glob("*"))
    assert {path.name for path in (root / "buckets/premium" / USER).iterdir()} == {
        "a.txt",
        "photo.jpg",
    }


def test_the_lockfile_is_where_the_file_says(root: Path) -> None:
    """`state: {bucket: common}` counts from Python, too."""
    with client(root) as common:
        common.sync()
    assert (root / "buckets/common/.buckia/lock.json").exists()
    assert not (root / ".buckia.lock").exists()


def test_mistakes_are_told(root: Path) -> None:
    """Before anything happens."""
    with client(root) as common:
        common.sync()
        with pytest.raises(ConfigError, match="did you mean `premium`"):
            common.promote("demo", "premiun")
        with pytest.raises(UsageError, match="did you mean `demo`"):
            common.promote("dmeo", "premium")
        with pytest.raises(UsageError, match="name at least one bucket"):
            common.promote("demo")


def test_a_sync_is_of_one_bucket(root: Path) -> None:
    """Whatever others the file has."""
    (root / "premium" / "b.txt").write_text("of another bucket")
    with client(root) as common:
        assert common.sync().uploaded == 2
        assert common.plan().actions == ()
    assert not (root / "buckets/premium/b.txt").exists()


# -- the folders of users --------------------------------------------------------------------------


def test_a_backup_meets_what_has_changed_as_a_conflict(root: Path) -> None:
    """It is told, nothing is done, and a restore lets the bucket win."""
    mine, there = (root / top / USER / "a.txt" for top in ("common", "buckets/common"))
    with client(root) as common:
        assert common.app.backup(USER).uploaded == 1
        assert not (root / "buckets/common" / DEMO).exists()
        mine.write_text("Mine, edited.")
        there.write_text("Edited there.")
        told = common.app.backup(USER)
        assert told.errors == [f"{USER}/a.txt: conflict, both_changed"] and not told.success
        assert there.read_text() == "Edited there."
        assert common.app.restore(USER, dry_run=True).downloaded == 1
        assert mine.read_text() == "Mine, edited."
        assert common.app.restore(USER).downloaded == 1
    assert mine.read_text() == "Edited there."


def test_a_reset_and_an_update_can_be_tried(root: Path) -> None:
    """With `dry_run` they tell the same and change nothing."""
    (root / "common" / DEMO / "b.txt").write_text("More.")
    with client(root) as common:
        tried = common.app.update(USER, "demo", dry_run=True)
        assert tried.copied == ("b.txt",) and not (root / "common" / USER / "b.txt").exists()
        assert common.app.update(USER, "demo").copied == ("b.txt",)
        assert common.app.reset(USER, DEMO, dry_run=True).replaced == ("a.txt",)
        assert (root / "common" / USER / "a.txt").read_text() == "Mine."
        assert common.app.reset(USER, DEMO).replaced == ("a.txt",)
    assert (root / "common" / USER / "a.txt").read_text() == "Welcome."


def test_ids_are_made_and_judged(root: Path) -> None:
    """A new one can never be guessed."""
    app = client(root).app
    assert app.check_id(app.new_id()) is None
    assert app.check_id("user-1") == "is short (6 characters)"
