"""What is said of Ceph in its row is so on a real gateway, each by the request itself."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from buckia.errors import PreconditionError
from buckia.stores.s3_listing import list_page
from buckia.stores.s3_services import Conditions, find_service
from tests.servers.s3 import S3Server
from tests.stores.contract import HOSTILE, UNICODE, write
from tests.stores.makers import SMALLEST_PART, open_linode, open_s3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from tests.servers.tunnel import Tunnel

pytestmark = pytest.mark.rgw

WRONG = "0" * 32
KEY = "Grüße/日本語 &<'\".txt"


class Bucket:
    """A new bucket with one object, and what is done to it by plain requests."""

    def __init__(self, server: S3Server) -> None:
        self.client: S3Client = server.client
        self.name = server.make_bucket()
        self.tag = self.client.put_object(Bucket=self.name, Key=KEY, Body=b"x")["ETag"].strip('"')

    def refuses(self, act: Callable[..., Any], **request: Any) -> bool:
        """Whether a request is answered with a failed precondition."""
        try:
            act(Bucket=self.name, Key=KEY, **request)
        except ClientError as problem:
            assert problem.response["ResponseMetadata"]["HTTPStatusCode"] == 412
            return True
        return False

    def upload(self) -> dict[str, Any]:
        """An upload in parts that only has to be completed."""
        begun = self.client.create_multipart_upload(Bucket=self.name, Key=KEY)["UploadId"]
        parts = []
        for number, data in ((1, bytes(SMALLEST_PART)), (2, b"x")):
            where: dict[str, Any] = {"Bucket": self.name, "Key": KEY, "UploadId": begun}
            sent = self.client.upload_part(PartNumber=number, Body=data, **where)
            parts.append({"PartNumber": number, "ETag": sent["ETag"]})
        return {"UploadId": begun, "MultipartUpload": {"Parts": parts}}

    def is_there(self) -> bool:
        return "Contents" in self.client.list_objects_v2(Bucket=self.name)


@pytest.fixture
def bucket(rgw: tuple[S3Server, S3Server]) -> Bucket:
    return Bucket(rgw[0])


def test_the_row_says_what_is_tried_here() -> None:
    """Three conditions hold and no other."""
    told = find_service("ceph", None).conditions
    assert told == Conditions(create=True, replace=True, source=True)


def test_a_put_is_held_to_its_condition_and_wants_etags_without_quotes(bucket: Bucket) -> None:
    """The right ETag in quotes is taken for a wrong one."""
    put = bucket.client.put_object
    assert bucket.refuses(put, IfNoneMatch="*")
    assert bucket.refuses(put, IfMatch=WRONG)
    assert bucket.refuses(put, IfMatch=f'"{bucket.tag}"')
    assert not bucket.refuses(put, IfMatch=bucket.tag)


def test_a_read_takes_both(bucket: Bucket) -> None:
    """Only writes are particular."""
    get = bucket.client.get_object
    assert not bucket.refuses(get, IfMatch=bucket.tag)
    assert not bucket.refuses(get, IfMatch=f'"{bucket.tag}"')
    assert bucket.refuses(get, IfMatch=WRONG)


@pytest.mark.parametrize("condition", [{"IfNoneMatch": "*"}, {"IfMatch": WRONG}])
def test_completing_ignores_conditions_and_tells_no_etag(
    bucket: Bucket, condition: dict[str, str]
) -> None:
    """So large objects are looked at, and their ETag is made of those of the parts."""
    done = bucket.client.complete_multipart_upload
    assert not bucket.refuses(done, **bucket.upload(), **condition)
    told = bucket.client.complete_multipart_upload(Bucket=bucket.name, Key=KEY, **bucket.upload())
    assert told.get("ETag", "").strip('"') == ""


def test_a_copy_ignores_the_conditions_of_what_it_writes(bucket: Bucket) -> None:
    """And those of what it reads, by the name that S3 has for them: it has one of its own."""
    source = {"Bucket": bucket.name, "Key": KEY}
    bucket.client.put_object(Bucket=bucket.name, Key="other", Body=b"y")
    source["Key"] = "other"
    copy = bucket.client.copy_object
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": WRONG}, {"CopySourceIfMatch": WRONG}):
        assert not bucket.refuses(copy, CopySource=source, **condition)


@pytest.mark.promise("INV-6")
@pytest.mark.parametrize("key", ["from", "odd//from"])
def test_a_copy_is_of_the_version_that_was_seen(rgw: tuple[S3Server, S3Server], key: str) -> None:
    """By the gateway's own header, by either client: of what changed nothing is written."""
    store = open_s3(rgw[0], service="ceph")
    old = write(store, key, b"seen")
    write(store, key, b"then", replacing=old)
    with pytest.raises(PreconditionError):
        store.copy(store, old, key="to", replacing=None)
    assert store.head("to") is None
    new = next(entry for entry in store.entries() if entry.key == key)
    made = store.copy(store, new, key="to", replacing=None)
    assert made and made.version == new.version


def test_a_delete_ignores_its_condition(bucket: Bucket) -> None:
    """Alone and among many, by either checksum."""
    assert not bucket.refuses(bucket.client.delete_object, IfMatch=WRONG)
    assert not bucket.is_there()
    bucket.client.put_object(Bucket=bucket.name, Key=KEY, Body=b"x")
    many: Any = {"Objects": [{"Key": KEY, "ETag": WRONG}]}
    bucket.client.delete_objects(Bucket=bucket.name, Delete=many)
    assert not bucket.is_there()


def test_any_key_works_at_a_linode_address(
    rgw: tuple[S3Server, S3Server], tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In listings, one by one, and deleted together, with the bucket in the host name."""
    tunnel.lead(monkeypatch)
    before = set(tunnel.asked)
    store = open_linode(rgw)
    keys = {*UNICODE, *HOSTILE}
    for key in keys:
        write(store, key, key.encode())
    entries = list(store.entries())
    assert {entry.key for entry in entries} == keys
    for entry in entries:
        with store.open(entry) as body:
            assert body.read() == entry.key.encode()
    assert {entry.key for entry in store.sweep(entries)} == keys
    assert list(store.entries()) == []
    assert tunnel.asked - before == {
        store.public_url("").removeprefix("https://").partition("/")[0]
    }
    store.close()


def test_a_listing_tells_every_write_before_it(rgw: tuple[S3Server, S3Server]) -> None:
    """So keys can be looked at together: while others write, a page tells what a look would."""
    store = open_s3(rgw[0], service="ceph")
    session = store._session

    def work(number: int) -> None:
        for turn in range(20):
            key = f"{number}/{turn:02}"
            written = write(store, key, b"%d" % turn)
            page = list_page(session, f"{number}/", b"", 100)
            assert [(item[0], item[2].strip('"')) for item in page.objects] == [
                (key, written.version)
            ]
            store.delete(written)
            assert list_page(session, f"{number}/", b"", 100).objects == []

    with ThreadPoolExecutor(8) as threads:
        for _ in threads.map(work, range(8)):
            pass
    store.close()
