"""Manifests in buckets that speak S3: tokens, headers and digests as such a service tells them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from buckia import manifest, mime
from buckia.config import BucketConfig, Config
from buckia.manifest import LEAST, Manifest
from buckia.planfile import Plan
from buckia.project import Project
from tests.servers.moto import serve_moto
from tests.servers.s3 import S3Server
from tests.sqlite_helpers import sql

KEY: Final = manifest.key_of("T")
BIG: Final = bytes(range(256)) * (LEAST // 256)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with serve_moto() as running:
        yield running


def config(server: S3Server, root: Path) -> Config:
    """Two buckets of one service, the first of which has the folder."""
    keys = {"access_key_id": server.access_key, "secret_access_key": server.secret_key}
    buckets = {
        name: BucketConfig(
            name=name,
            provider="s3",
            bucket_name=server.make_bucket(),
            domain=server.endpoint,
            region="us-east-1",
            paths=[f"{name}/"],
            delete_orphaned=True,
            limits={"max_delete": "100%"},
            credentials=keys,
            manifest=True,
        )
        for name in ("one", "two")
    }
    for name in buckets:
        (root / name).mkdir()
    return Config(root, root / ".buckia", buckets)


def done(project: Project, plan: Plan) -> None:
    applied = project.apply(plan)
    assert not applied.failed, applied.failed


def read(server: S3Server, bucket: str) -> tuple[Manifest, Any]:
    answer = server.client.get_object(Bucket=bucket, Key=KEY)
    return manifest.read(answer["Body"].read()), answer


def demand_true(server: S3Server, bucket: str) -> Manifest:
    found, _ = read(server, bucket)
    for file in found.files:
        body = server.client.get_object(Bucket=bucket, Key=f"T/{file.path}")["Body"].read()
        assert (file.size, file.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    return found


def test_published_promoted_and_moved(server: S3Server, tmp_path: Path) -> None:
    """True in each bucket and each state, with nothing left to do in between."""
    made = config(server, tmp_path)
    one, two = (made.buckets[name].bucket_name for name in ("one", "two"))
    folder = tmp_path / "one/T"
    folder.mkdir()
    (folder / "big").write_bytes(BIG)
    (folder / "a").write_bytes(b"1")
    sql(folder / "App.sqlite", "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    server.client.put_object(
        Bucket=one,
        Key="T/App.sqlite",
        Body=other_copy(folder / "App.sqlite"),
        ContentType=mime.guess("App.sqlite"),
    )
    with Project(made) as project:
        done(project, project.plan(["one"]))
        assert not project.plan(["one"]).actions
        found, answer = read(server, one)
        assert (answer["ContentType"], answer["CacheControl"]) == ("application/json", "no-cache")
        assert demand_true(server, one).by_path()["big"].blocks
        (folder / "a").unlink()
        done(project, project.plan(["one"]))
        assert (demand_true(server, one).generation, found.generation) == (2, 1)
        done(project, project.promote("T", "one", ["two"]))
        assert demand_true(server, two).files == demand_true(server, one).files
        assert not project.promote("T", "one", ["two"]).actions
        for path in folder.iterdir():
            path.unlink()
        done(project, project.promote("T", "one", ["two"], move=True))
        assert [file.path for file in demand_true(server, two).files] == ["App.sqlite", "big"]
        left = server.client.list_objects_v2(Bucket=one, Prefix="T/").get("Contents", [])
        assert left == []
        assert not project.plan(["one"]).actions


def other_copy(path: Path) -> bytes:
    """The same rows as other bytes."""
    twin = path.with_name("twin")
    twin.write_bytes(path.read_bytes())
    sql(twin, "PRAGMA page_size=8192", "VACUUM")
    data = twin.read_bytes()
    twin.unlink()
    assert data != path.read_bytes()
    return data
