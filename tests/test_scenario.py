"""The main job on real trees against every kind of bucket that is at hand."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from buckia.config import BucketConfig
from buckia.planfile import Plan
from buckia.project import Applied
from buckia.stores import bunny_core, retry
from tests.scenario import FOLDER, Week, live_a_week
from tests.servers.b2 import serve_b2
from tests.servers.bunny import Bunny, serve_bunny
from tests.servers.bunny_zone import Zone
from tests.servers.moto import serve_moto
from tests.servers.rgw import serve_rgw
from tests.servers.s3 import S3Server

SOURCES = [Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))]


def s3_bucket(server: S3Server) -> BucketConfig:
    """A new bucket on an S3 server, as a configuration has it."""
    return BucketConfig(
        provider="s3",
        bucket_name=server.make_bucket(),
        domain=server.endpoint,
        region="us-east-1",
        credentials={"access_key_id": server.access_key, "secret_access_key": server.secret_key},
        paths=["assets/"],
        folders=[FOLDER],
        delete_orphaned=True,
        max_workers=8,
    )


def test_a_week_with_a_folder_as_bucket(tmp_path: Path) -> None:
    """Edits, deletions, additions and renames on either side end in equal sides."""
    (tmp_path / "bucket").mkdir()
    bucket = BucketConfig(
        provider="local",
        bucket_name="bucket",
        paths=["assets/"],
        folders=[FOLDER],
        delete_orphaned=True,
    )
    live_a_week(Week(tmp_path, bucket), SOURCES, files=300, size=0, each=5, say=print)


def test_a_week_with_s3(tmp_path: Path) -> None:
    """The same against an S3 server."""
    with serve_moto() as server:
        week = Week(tmp_path, s3_bucket(server))
        live_a_week(week, SOURCES, files=150, size=0, each=4, say=print)


def test_a_week_with_b2(tmp_path: Path) -> None:
    """The same against Backblaze B2's native API, with what it costs."""
    with serve_b2() as server:
        bucket = BucketConfig(
            provider="b2",
            bucket_name=server.add_bucket().name,
            domain=server.endpoint,
            api_key=server.master.key_id,
            password=server.master.secret,
            paths=["assets/"],
            folders=[FOLDER],
            delete_orphaned=True,
        )
        live_a_week(Week(tmp_path, bucket), SOURCES, files=150, size=0, each=4, say=print)
        print(f"requests: {dict(server.cost)}")


class Published(Week):
    """A week of a storage zone that visitors read behind a pull zone."""

    server: Bunny
    zone: Zone

    def apply(self, plan: Plan) -> Applied:
        """With everybody looking at everything before, and at nothing old afterwards."""
        self.server.core.visit(self.zone)
        self.server.core.spent.clear()
        applied = super().apply(plan)
        assert self.server.core.stale(self.zone) == set()
        return applied


def live_a_week_with_bunny(root: Path, files: int, size: int, each: int) -> None:
    """With Bunny's limits on and two requests of a hundred failing; never more than five listings
    at once, which the server would refuse."""
    with serve_bunny() as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(bunny_core, "CORE", server.core.endpoint)
        zone = server.make_zone()
        server.switches.faults = 0.02
        bucket = BucketConfig(
            provider="bunny",
            bucket_name="assets",
            storage_zone=zone.name,
            storage_api_key=zone.password,
            pull_zone="acme-cdn",
            api_key=server.core.account_key,
            domain=server.endpoint,
            paths=["assets/"],
            folders=[FOLDER],
            delete_orphaned=True,
        )
        week = Published(root, bucket)
        week.server, week.zone = server, zone
        live_a_week(week, SOURCES, files=files, size=size, each=each, say=print)
        print(f"requests: {dict(server.counts)}, at once: {dict(server.peaks)}")
        failed = server.failed + server.core.failed
        print(f"failed on purpose: {failed}, turned away: {dict(server.refused)}")
        print(f"purged: {len(server.core.purged)} addresses, asked: {dict(server.core.asked)}")
        assert 1 <= server.peaks["LIST"] <= 5
        assert server.failed > 0
        assert server.refused["LIST"] == 0
        assert server.core.purged


def test_a_week_with_bunny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same against Bunny behind a pull zone."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    live_a_week_with_bunny(tmp_path, files=150, size=0, each=4)


@pytest.mark.full
def test_a_week_with_bunny_at_full_size(tmp_path: Path) -> None:
    """The same with 5,000 files and the pauses of a real service."""
    live_a_week_with_bunny(tmp_path, files=5000, size=200_000_000, each=10)


@pytest.mark.rgw
def test_a_week_with_ceph(tmp_path: Path) -> None:
    """The same with 5,000 files and 200 MB against a real Ceph gateway."""
    with serve_rgw() as (server, _):
        week = Week(tmp_path, s3_bucket(server))
        live_a_week(week, SOURCES, files=5000, size=200_000_000, each=10, say=print)
