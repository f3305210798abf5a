"""How content travels and is kept in the S3 family: options, what contradicts, what they become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buckia.config import BucketConfig, InvalidConfig
from buckia.config.file import check
from buckia.config.transfers import part_bytes
from buckia.connect import open_remote
from buckia.stores.hashing import HashCache

MIB = 1024 * 1024
KEYS = {
    "credentials": {"access_key_id": "id", "secret_access_key": "secret"},
    "region": "eu-west-1",
}


def s3(**more: Any) -> BucketConfig:
    return BucketConfig(**{"provider": "s3", "bucket_name": "b", **KEYS, **more})


def opened(bucket: BucketConfig, folder: Path) -> Any:
    """The options of the store that is opened for a bucket."""
    store: Any = open_remote(bucket, folder, HashCache(folder / "cache"))
    store.close()
    return store._options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"encryption": "aes"}, "none, AES256, aws:kms, aws:kms:dsse"),
        ({"kms_key": "alias/a"}, "kms_key: is for `encryption: aws:kms`"),
        ({"kms_key": "alias/a", "encryption": "AES256"}, "kms_key: is for `encryption: aws:kms`"),
        ({"kms_key": "a b", "encryption": "aws:kms"}, "the id, ARN or alias of a key"),
        ({"storage_class": "cold"}, "a storage class such as"),
        ({"acceleration": "yes"}, "allowed: true or false"),
        ({"acceleration": True, "domain": "s3.example.com"}, "acceleration: is Amazon's own"),
        ({"acceleration": True, "service": "minio"}, "acceleration: is Amazon's own"),
        ({"acceleration": True, "bucket_name": "a.b"}, "acceleration: needs a bucket without dots"),
        (
            {"acceleration": True, "addressing": "path"},
            "acceleration: needs the bucket in the host",
        ),
        ({"part_size": 5 * MIB - 1}, "part_size: found 5242879, allowed: 5242880 to 1073741824"),
        ({"part_size": 1024 * MIB + 1}, "allowed: 5242880 to 1073741824"),
        ({"part_size": "1MB"}, "part_size: is 1,000,000 bytes; from 5 MiB to 1 GiB"),
        ({"part_size": "2GiB"}, "part_size: is 2,147,483,648 bytes"),
        ({"part_size": "16"}, "or a size such as `16MB`"),
        ({"part_size": "16 mb"}, "or a size such as `16MB`"),
    ],
)
def test_what_cannot_be_is_told(options: dict[str, Any], words: str) -> None:
    """Each with the option that is to blame."""
    with pytest.raises(InvalidConfig) as caught:
        s3(**options)
    assert words in str(caught.value)


def test_acceleration_is_not_for_another_provider() -> None:
    """A gateway of Linode is none of Amazon's."""
    with pytest.raises(InvalidConfig, match="is Amazon's own"):
        BucketConfig(provider="linode", bucket_name="b", region="us-east-1", acceleration=True)


@pytest.mark.parametrize(
    ("said", "size"),
    [
        (None, None),
        (5 * MIB, 5 * MIB),
        (6e6, 6_000_000),
        ("16MB", 16_000_000),
        ("16 MiB", 16 * MIB),
    ],
)
def test_the_size_of_parts_in_bytes(said: Any, size: int | None) -> None:
    """Thousands and 1,024s, each by its own name."""
    assert part_bytes(said) == size


def test_without_options_a_bucket_is_as_the_service_has_it(tmp_path: Path) -> None:
    """Nothing is said of encryption, payer, class or acceleration."""
    found = opened(s3(), tmp_path)
    assert (found.encryption, found.kms_key, found.requester_pays) == (None, None, False)
    assert (found.acceleration, found.tell_classes) == (False, False)
    assert (found.part_size, found.multipart_threshold) == (8 * MIB, 16 * MIB)


def test_options_reach_the_store(tmp_path: Path) -> None:
    """All of them."""
    bucket = s3(
        encryption="aws:kms",
        kms_key="alias/a",
        acceleration=True,
        requester_pays=True,
        storage_class="STANDARD_IA",
        part_size="64MiB",
    )
    found = opened(bucket, tmp_path)
    assert (found.encryption, found.kms_key) == ("aws:kms", "alias/a")
    assert (found.acceleration, found.requester_pays, found.tell_classes) == (True, True, True)
    assert (found.part_size, found.multipart_threshold) == (64 * MIB, 64 * MIB)


def test_small_parts_leave_small_files_whole(tmp_path: Path) -> None:
    """Sending 6 MiB in two parts would be three requests in place of one."""
    assert opened(s3(part_size="5MiB"), tmp_path).multipart_threshold == 16 * MIB


def test_parts_of_b2_have_a_size_too(tmp_path: Path) -> None:
    """Up to which a file is sent whole."""
    keys = {"application_key_id": "id", "application_key": "secret"}
    bucket = BucketConfig(provider="b2", bucket_name="bucket", credentials=keys, part_size="100MB")
    found = opened(bucket, tmp_path)
    assert (found.part_size, found.large_threshold) == (100_000_000, 100_000_000)


def test_a_rule_about_classes_makes_looks_tell_them(tmp_path: Path) -> None:
    """Else whether a class has to change could not be told."""
    rules = [{"match": "*.zip", "storage_class": "GLACIER_IR"}]
    assert opened(s3(headers=rules), tmp_path).tell_classes
    assert not opened(s3(headers=[{"match": "*", "cache_control": "a"}]), tmp_path).tell_classes


def test_a_storage_class_is_the_first_rule() -> None:
    """So that rules can make exceptions, and a changed class is a planned change."""
    rules = [{"match": "*.zip", "storage_class": "GLACIER_IR"}]
    found = s3(storage_class="STANDARD_IA", headers=rules).rules.headers
    assert found.wanted("a.txt") == {"storage-class": "STANDARD_IA"}
    assert found.wanted("a.zip") == {"storage-class": "GLACIER_IR"}


def test_a_plan_is_for_one_encryption_and_one_class() -> None:
    """What only tunes is no part of a plan."""
    usual = s3().identity()
    assert s3(encryption="AES256").identity() != usual
    assert s3(encryption="aws:kms", kms_key="a").identity() != s3(encryption="aws:kms").identity()
    assert s3(storage_class="STANDARD_IA").identity() != usual
    for tuning in ({"part_size": "64MiB"}, {"acceleration": True}, {"requester_pays": True}):
        assert s3(**tuning).identity() == usual


def test_a_provider_that_ignores_an_option_is_named(tmp_path: Path) -> None:
    """A warning, since the file works."""
    path = tmp_path / ".buckia"
    path.write_text(
        "a: {provider: bunny, bucket_name: b, storage_class: STANDARD_IA, password: '${P}'}\n"
    )
    said = [str(finding) for finding in check(path, {"P": "secret"})]
    assert any("storage_class: `bunny` ignores it; it is for s3, linode" in line for line in said)
