"""Whether a bucket keeps versions, as the bucket itself tells, and that they come back."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from buckia.config import BucketConfig, Config
from buckia.errors import IntegrityError, NotFoundError, UsageError
from buckia.model import Entry, replace
from buckia.project import Project
from buckia.stores.s3 import S3Options, S3Store
from tests.servers.s3 import S3Server
from tests.stores.conftest import SMALLEST_PART
from tests.stores.contract import entry_for


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


def big(server: S3Server, bucket: str) -> S3Store:
    """A store that sends more than 5 MiB in parts."""
    return S3Store(
        S3Options(
            bucket,
            endpoint=server.endpoint,
            region="us-east-1",
            access_key_id=server.access_key,
            secret_access_key=server.secret_key,
            multipart_threshold=SMALLEST_PART,
            part_size=SMALLEST_PART,
        )
    )


@pytest.mark.parametrize("data", [b"x", bytes(SMALLEST_PART + 1)], ids=["small", "large"])
def test_changed_headers_leave_no_version_to_bring_back(moto: S3Server, data: bytes) -> None:
    """The bytes are there as they were, though what was sent in parts has another ETag now; what
    was lost before that is still to be had."""
    store = big(moto, versioned(moto))
    lost = store.put(Entry("k", 3), io.BytesIO(b"old"), replacing=None)
    entry = store.put(entry_for("k", data), io.BytesIO(data), replacing=lost)
    changed = store.put_headers(replace(entry, headers={"meta-a": "b"}), replacing=entry)
    assert (changed.version == entry.version) == (len(data) == 1)
    (past,) = store.past()
    with store.open_past(past) as body:
        assert body.read() == b"old"
    store.delete(changed)
    assert [item.size for item in store.past()] == [len(data), 3]
    store.close()


def test_a_version_of_the_same_size_and_other_bytes_counts(moto: S3Server) -> None:
    """Also where neither ETag nor digest can tell."""
    bucket = versioned(moto)
    store = big(moto, bucket)
    place: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    for byte in (b"a", b"b"):
        begun = moto.client.create_multipart_upload(**place)
        upload = {**place, "UploadId": begun["UploadId"]}
        sent = moto.client.upload_part(PartNumber=1, Body=byte, **upload)
        parts: Any = {"Parts": [{"PartNumber": 1, "ETag": sent["ETag"]}]}
        moto.client.complete_multipart_upload(MultipartUpload=parts, **upload)
    moto.client.put_object(Body=b"c", **place)
    assert [item.size for item in store.past()] == [1, 1]
    store.close()


@pytest.mark.parametrize("digest", ["sha256", "md5"])
def test_a_version_with_other_bytes_than_it_says_is_not_brought_back(
    moto: S3Server, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held against our sha256, else against the md5 of the service; the last bytes never come."""
    bucket = versioned(moto)
    lie = {"sha256": "0" * 64} if digest == "sha256" else {}
    for data in (b"old", b"new"):
        moto.client.put_object(Bucket=bucket, Key="k", Body=data, Metadata=lie)
    store = _open(moto, bucket)
    (past,) = store.past()
    if digest == "md5":
        get = store._session.mover.get_object

        def lying(**request: Any) -> Any:
            return {**get(**request), "ETag": '"' + "0" * 32 + '"'}

        monkeypatch.setattr(store._session.mover, "get_object", lying)
    with store.open_past(past) as body, pytest.raises(IntegrityError, match="than it says"):
        body.read()
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
    with Project(Config(tmp_path, None, {"site": config})) as project, project.trash() as trash:
        every = [kept for kept in trash.kept(versions=True) if kept.name == "shown/deleted"]
        found = trash.find("shown/deleted", version=every[-1].version)
        assert found == {"tree/shown/deleted": every[-1]}
        trash.restore(every[-1], "tree/shown/deleted")
        with pytest.raises(UsageError, match="there is no shown/deleted in the trash"):
            trash.find("shown/deleted", version="another")
    assert (tree / "deleted").read_text() == "first"
