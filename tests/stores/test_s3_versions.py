"""Whether a bucket keeps versions, as the bucket itself tells, and that they come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from buckia.config import BucketConfig, Config
from buckia.errors import NotFoundError
from buckia.project import Project
from buckia.stores.s3 import S3Options, S3Store
from tests.servers.s3 import S3Server


def _open(server: S3Server, bucket: str) -> S3Store:
    return S3Store(
        S3Options(
            bucket,
            endpoint=server.endpoint,
            region="us-east-1",
            access_key_id=server.access_key,
            secret_access_key=server.secret_key,
        )
    )


def test_a_plain_bucket_keeps_no_versions(moto: S3Server) -> None:
    """Nothing is promised that the bucket does not do."""
    assert not _open(moto, moto.make_bucket()).capabilities.versions


def test_a_versioned_bucket_keeps_versions(moto: S3Server) -> None:
    """With versioning switched on, an overwritten object remains as a version."""
    bucket = moto.make_bucket()
    moto.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert _open(moto, bucket).capabilities.versions


def test_a_missing_bucket_is_no_answer(moto: S3Server) -> None:
    """Whoever cannot ask gets no promise; the error comes when the bucket is used."""
    assert not _open(moto, "no-such-bucket-here").capabilities.versions


def test_a_version_that_has_ended_is_gone(moto: S3Server) -> None:
    """A rule of the bucket may end it between the listing and the reading."""
    bucket = versioned(moto)
    for data in (b"1", b"2"):
        moto.client.put_object(Bucket=bucket, Key="k", Body=data)
    store = _open(moto, bucket)
    (past,) = store.past()
    assert past.version
    moto.client.delete_object(Bucket=bucket, Key="k", VersionId=past.version)
    with pytest.raises(NotFoundError):
        store.open_past(past)
    store.close()


def versioned(server: S3Server) -> str:
    """A new bucket that keeps versions."""
    bucket = server.make_bucket()
    on = {"Status": "Enabled"}
    server.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=on)  # type: ignore[arg-type]
    return bucket


def test_versions_come_back_as_from_a_trash(moto: S3Server, tmp_path: Path) -> None:
    """What an apply overwrote or deleted there is listed, found and restored; emptying leaves it,
    and only what the mappings cover is shown."""
    bucket = versioned(moto)
    config = BucketConfig(
        provider="s3",
        bucket_name=bucket,
        name="site",
        domain=moto.endpoint,
        region="us-east-1",
        api_key=moto.access_key,
        password=moto.secret_key,
        paths=["tree/"],
        folders=["shown"],
        delete_orphaned=True,
    )
    tree = tmp_path / "tree/shown"
    tree.mkdir(parents=True)

    def sync() -> None:
        with Project(Config(tmp_path, None, {"site": config})) as project:
            plan = project.plan()
            assert all(action.undo in (None, "version") for action in plan.actions)
            assert not project.apply(plan).failed

    for text in ("first", "second"):
        (tree / "edited").write_text(text)
        (tree / "deleted").write_text(text)
        moto.client.put_object(Bucket=bucket, Key="hidden/other", Body=text.encode())
        sync()
    (tree / "deleted").unlink()
    sync()
    with Project(Config(tmp_path, None, {"site": config})) as project, project.trash() as trash:
        trash.empty(trash.kept(versions=True))
        assert [kept for kept in trash.kept() if kept.bucket] == []
        names = sorted(kept.name for kept in trash.kept(versions=True) if kept.bucket)
        assert names == ["shown/deleted", "shown/deleted", "shown/edited"]
        for path, item in trash.find("shown").items():
            trash.restore(item, path)
    assert (tree / "edited").read_text() == "first"
    assert (tree / "deleted").read_text() == "second"
