"""The main job on real trees against every kind of bucket that is at hand."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from buckia.config import BucketConfig
from buckia.stores import retry
from tests.scenario import FOLDER, Week, live_a_week
from tests.servers.b2 import serve_b2
from tests.servers.bunny import serve_bunny
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


def test_a_week_with_bunny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same against Bunny, with its limits on and two requests of a hundred failing."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    with serve_bunny() as server:
        zone = server.make_zone()
        server.switches.faults = 0.02
        bucket = BucketConfig(
            provider="bunny",
            bucket_name="assets",
            storage_zone=zone.name,
            storage_api_key=zone.password,
            domain=server.endpoint,
            paths=["assets/"],
            folders=[FOLDER],
            delete_orphaned=True,
        )
        live_a_week(Week(tmp_path, bucket), SOURCES, files=150, size=0, each=4, say=print)
        print(f"requests: {dict(server.counts)}, at once: {dict(server.peaks)}")
        assert 1 <= server.peaks["LIST"] <= 5
        assert server.failed > 0


@pytest.mark.rgw
def test_a_week_with_ceph(tmp_path: Path) -> None:
    """The same with 5,000 files and 200 MB against a real Ceph gateway."""
    with serve_rgw() as (server, _):
        week = Week(tmp_path, s3_bucket(server))
        live_a_week(week, SOURCES, files=5000, size=200_000_000, each=10, say=print)
