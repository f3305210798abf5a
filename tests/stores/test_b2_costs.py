"""What a plan and an apply ask of Backblaze B2, request by request: the dear ones are listings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from buckia.config import BucketConfig, Config
from buckia.errors import AccessError
from buckia.planfile import Plan
from buckia.project import Project
from tests.servers.b2 import B2Server, serve_b2
from tests.servers.b2_state import FREE, READS, Key

FILES = 30


@pytest.fixture
def server() -> Iterator[B2Server]:
    """A service of its own, so that its books are nobody else's."""
    with serve_b2() as server:
        yield server


class Site:
    """A folder with a few files, and a bucket reached by some key."""

    def __init__(self, root: Path, server: B2Server, key: Key | None = None, **said: Any) -> None:
        self.root, self.server = root, server
        found = key or server.master
        options = {"bucket_name": server.add_bucket().name, "delete_orphaned": True, **said}
        self.bucket = BucketConfig(
            provider="b2",
            name="site",
            domain=server.endpoint,
            api_key=found.key_id,
            password=found.secret,
            paths=["tree/"],
            max_workers=1,
            **options,
        )
        (root / "tree").mkdir()
        for number in range(FILES):
            self.write(f"{number:02}", "first")

    def write(self, name: str, text: str) -> None:
        (self.root / "tree" / name).write_text(f"{name} {text}")

    def plan(self) -> tuple[Plan, Counter[str]]:
        """A plan, and what it asked, as a new process would."""
        asked = len(self.server.asked)
        with Project(Config(self.root, None, {"site": self.bucket})) as project:
            plan = project.plan()
        return plan, Counter(self.server.asked[asked:])

    def apply(self, plan: Plan) -> Counter[str]:
        """What an apply asked; nothing of it failed."""
        asked = len(self.server.asked)
        with Project(Config(self.root, None, {"site": self.bucket})) as project:
            assert not project.apply(plan).failed
        return Counter(self.server.asked[asked:])


LOOK, LIST = "b2_download_file_by_name", "b2_list_file_names"

OPEN = {"b2_authorize_account": 1, "b2_list_buckets": 1}
"""Signing in, and finding the bucket where the key does not tell it. Both are of class C."""

LEASE = {LOOK: 9, LIST: 2, "b2_upload_file": 2, "b2_hide_file": 2}
"""A lease that no condition guards: who else tries is asked before and after it is taken."""


def test_a_plan_lists_the_bucket_once(tmp_path: Path, server: B2Server) -> None:
    """Whatever there is to do: every digest is in the listing, so no object is asked for one."""
    site = Site(tmp_path, server)
    plan, asked = site.plan()
    assert asked == {**OPEN, LIST: 1}
    site.apply(plan)
    plan, asked = site.plan()
    assert plan.actions == ()
    assert asked == {**OPEN, LIST: 1}


def test_an_upload_costs_nothing(tmp_path: Path, server: B2Server) -> None:
    """Two looks (class B) and the upload (class A), through one upload URL."""
    site = Site(tmp_path, server)
    plan, _ = site.plan()
    sent = Counter({LOOK: 2 * FILES, "b2_upload_file": FILES, "b2_get_upload_url": 1})
    assert site.apply(plan) == Counter(OPEN) + Counter(LEASE) + sent


def test_an_edit_a_deletion_and_a_rename(tmp_path: Path, server: B2Server) -> None:
    """What is overwritten or deleted is a version already: only the rename copies (class C)."""
    site = Site(tmp_path, server)
    site.apply(site.plan()[0])
    site.write("00", "second")
    (tmp_path / "tree/01").unlink()
    (tmp_path / "tree/02").rename(tmp_path / "tree/new")
    plan, asked = site.plan()
    assert [action.op for action in plan.actions] == ["upload", "move", "delete_remote"]
    assert dear(asked) == {**OPEN, LIST: 1}
    assert dear(site.apply(plan)) == {**OPEN, LIST: 2, "b2_copy_file": 1}
    assert server.cost["C"] == server.asked.count(LIST) + server.asked.count("b2_copy_file") + sum(
        server.asked.count(operation) for operation in OPEN
    )


def dear(asked: Counter[str]) -> dict[str, int]:
    """What is of class C."""
    return {name: count for name, count in asked.items() if name not in FREE | READS}


def test_a_limited_key_saves_a_request(tmp_path: Path, server: B2Server) -> None:
    """It brings its bucket along."""
    bucket = server.add_bucket()
    site = Site(
        tmp_path, server, server.add_key(buckets=(bucket.bucket_id,)), bucket_name=bucket.name
    )
    assert site.plan()[1] == {"b2_authorize_account": 1, LIST: 1}


def test_a_key_limited_to_a_prefix_does_it_all_below(tmp_path: Path, server: B2Server) -> None:
    """With `prefix` the bucket begins there: content, trash and leases, and nothing is seen or
    written outside."""
    bucket = server.add_bucket()
    server.add(bucket, "other/secret", data=b"x", sha1="none")
    key = server.add_key(buckets=(bucket.bucket_id,), prefix="team/")
    limited = Site(tmp_path, server, key, bucket_name=bucket.name, prefix="team/")
    limited.apply(limited.plan()[0])
    limited.write("00", "second")
    (tmp_path / "tree/01").unlink()
    limited.apply(limited.plan()[0])
    assert limited.plan()[0].actions == ()
    names = [name for name in bucket.names() if not name.startswith("team/")]
    assert names == ["other/secret"]
    assert {name.removeprefix("team/") for name in bucket.names() if bucket.current(name)} >= {
        path.name for path in (tmp_path / "tree").iterdir()
    }


def test_a_key_limited_to_a_prefix_says_what_is_missing(tmp_path: Path, server: B2Server) -> None:
    """Without the option the error names it."""
    bucket = server.add_bucket()
    key = server.add_key(buckets=(bucket.bucket_id,), prefix="team/")
    with pytest.raises(AccessError, match="set `prefix: team/`"):
        Site(tmp_path, server, key, bucket_name=bucket.name).plan()


def test_what_an_apply_says_it_used_is_what_was_asked(tmp_path: Path, server: B2Server) -> None:
    """The store counts as Backblaze does."""
    site = Site(tmp_path, server)
    with Project(Config(tmp_path, None, {"site": site.bucket})) as project:
        project.apply(project.plan())
        used = project.remote("site").traffic.usage
    assert sum(used.requests.values()) == len(server.asked)
    assert used.list + used.copy + used.settings == server.cost["C"]
    assert used.look + used.read == server.cost["B"]
    assert used.write + used.delete == server.cost["A"]
