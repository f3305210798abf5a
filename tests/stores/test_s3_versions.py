"""Whether a bucket keeps versions, as the bucket itself tells."""

from __future__ import annotations

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
